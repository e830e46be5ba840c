"""Clusters of each kind, for the contract that every broker is held to. Servers are shared by the tests of a module."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

import pytest
import pytest_asyncio

from tests.broker.clusters import ClusterInTest, MemoryInTest, ServersInTest
from tests.broker.servers import ServerInTest, redis_program, running_cluster, running_server, valkey_program


def program_of(kind: str) -> str:
    """Return the server program of a kind, or skip the test."""
    program = valkey_program() if kind == "valkey" else redis_program()
    if program is None:
        pytest.skip(f"{kind}-server is not installed here")
    return program


@pytest.fixture(scope="module")
def valkey() -> Iterator[ServerInTest]:
    """A Valkey server for all tests of a module."""
    with running_server(program_of("valkey")) as server:
        yield server


@pytest.fixture(scope="module")
def redis_server() -> Iterator[ServerInTest]:
    """A Redis server for all tests of a module."""
    with running_server(program_of("redis")) as server:
        yield server


@pytest.fixture(scope="session")
def masters() -> Iterator[list[ServerInTest]]:
    """Three masters of a Valkey Cluster, and a replica of the third. They need seconds to find each other, so all tests share them."""
    program_of("valkey")
    with running_cluster() as servers:
        yield servers


@pytest_asyncio.fixture
async def group() -> AsyncIterator[asyncio.TaskGroup]:
    """Where brokers run. It fails the test if one of them fails."""
    groups: asyncio.Queue[asyncio.TaskGroup] = asyncio.Queue()

    async def hold() -> None:
        async with asyncio.TaskGroup() as group:
            groups.put_nowait(group)
            await asyncio.Event().wait()

    # A fixture's two halves may run in different tasks, and a TaskGroup has to be left by the task that entered it.
    held = asyncio.get_running_loop().create_task(hold())
    yield await groups.get()
    held.cancel()
    with suppress(asyncio.CancelledError):
        await held


@pytest_asyncio.fixture(params=["memory", "valkey", "redis", "Valkey Cluster"])
async def cluster(request: pytest.FixtureRequest, group: asyncio.TaskGroup) -> AsyncIterator[ClusterInTest]:
    """An empty cluster, to which brokers can be opened."""
    made: MemoryInTest | ServersInTest
    match request.param:
        case "memory":
            made = MemoryInTest(group)
        case "valkey":
            made = ServersInTest(group, request.getfixturevalue("valkey").url)
        case "redis":
            made = ServersInTest(group, request.getfixturevalue("redis_server").url)
        case _:
            first = request.getfixturevalue("masters")[0]
            made = ServersInTest(group, f"valkey+cluster://127.0.0.1:{first.port}")
    yield made
    for each in made.opened:
        await each.close()
