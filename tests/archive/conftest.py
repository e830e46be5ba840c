"""Archives to test with: each test that asks for `place` or `archive` runs over SQLite and over PostgreSQL."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.archive.archive import Archive
from hub.archive.opening import open_archive
from tests.archive.postgres_server import PostgresServer, postgres_or_skip


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server."""
    with postgres_or_skip() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an archive can be: a path or a URL. There is none yet."""
    if request.param == "sqlite":
        return os.fspath(tmp_path / "calls.db")
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.schema()


@pytest.fixture
def archive(place: str) -> Iterator[Archive]:
    """An empty archive."""
    opened = open_archive(place)
    yield opened
    opened.close()
