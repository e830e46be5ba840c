"""What nodes of a cluster share in tests: a PostgreSQL server, and a Valkey server."""

from collections.abc import Iterator

import pytest

from tests.archive.postgres_server import PostgresServer, postgres_or_skip


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server."""
    with postgres_or_skip() as server:
        yield server
