"""The nodes of a cluster over one PostgreSQL archive: what one of them stores, takes over, sweeps and erases."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from hub.archive.mark import mark_of
from hub.broker.broker import HoldTimes
from hub.broker.memory import MemoryBroker, MemoryCluster
from hub.calls.retention import KeepTerms, Retention
from hub.errors import ConfigError
from hub.text.terms import Terms
from tests.archive.conftest import postgres
from tests.archive.made import write_ended
from tests.archive.postgres_server import PostgresServer
from tests.house import House, house
from tests.media import CALL
from tests.upkeep.kept import ask, bearer, ended
from tests.web.watchers import OTHER, SECRET

__all__ = ["postgres"]  # the fixture

TIMES = HoldTimes(lease_seconds=2.0, steady_seconds=0.5)


async def until(fact: Callable[[], Any]) -> Any:
    async with asyncio.timeout(20):
        while not (found := fact()):
            await asyncio.sleep(0.01)
    return found


@pytest.fixture
def shared(postgres: PostgresServer) -> str:
    return postgres.schema()


@pytest.fixture
async def nodes(shared: str) -> AsyncIterator[tuple[House, House, MemoryBroker]]:
    cluster = MemoryCluster()
    brokers = [MemoryBroker(cluster, TIMES) for _ in range(2)]
    async with AsyncExitStack() as stack:
        home, other = [
            await stack.enter_async_context(house(joins=broker, node=f"n{at}", archive=shared, secret=SECRET))
            for at, broker in enumerate(brokers)
        ]
        yield home, other, brokers[0]


def row_of(home: House, call_sid: str = CALL) -> Any:
    return home.state.archive.archive.find(call_sid)  # type: ignore[union-attr]


async def test_a_node_writes_its_id_into_its_calls_and_takes_over_those_of_a_dead_one(
    nodes: tuple[House, House, MemoryBroker], shared: str
) -> None:
    home, other, broker = nodes
    await home.call()
    await until(lambda: row_of(home))
    assert row_of(home).owner == home.state.cluster.node_id  # type: ignore[union-attr]
    began = row_of(home).generation
    assert not mark_of(shared).exists(), "a machine's mark would be that of all its nodes"
    await until(lambda: other.state.registry.known(CALL))
    broker.cut()
    await until(lambda: row_of(other).generation > began)
    assert row_of(other).owner == other.state.cluster.node_id  # type: ignore[union-attr]


async def test_what_the_archive_lacks_of_a_dead_owner_it_gets_from_the_next_one(
    nodes: tuple[House, House, MemoryBroker], shared: str, postgres: PostgresServer
) -> None:
    home, other, broker = nodes
    await home.call()
    await until(lambda: home.transcribers)
    home.transcribers[0].final("before", end=1.0)
    log = other.state.archive.archive.log  # type: ignore[union-attr]
    await until(lambda: (found := log(CALL)) and len(found.payloads) == 2)
    await until(lambda: other.state.registry.known(CALL))
    broker.cut()
    postgres.execute(f'DELETE FROM {shared.rpartition("%3D")[2]}.events WHERE "offset" = 2')
    await until(lambda: (record := other.state.registry.known(CALL)) and not record.owner)
    await other.call(stream="MZ" + "9" * 32)
    await until(lambda: len(log(CALL).payloads) > 2)  # type: ignore[union-attr]
    found = log(CALL)
    assert found is not None
    assert found.whole
    assert b"before" in found.payloads[1]


async def test_an_owner_that_the_archive_fences_gives_the_call_up(nodes: tuple[House, House, MemoryBroker]) -> None:
    home, other, _ = nodes
    await home.call()
    await until(lambda: row_of(home))
    record = home.state.registry.known(CALL)
    assert record is not None
    other.state.archive.archive.take(CALL, 9)  # type: ignore[union-attr]
    home.transcribers[0].final("too late", end=1.0)
    await until(lambda: record.owner)
    stored = other.state.archive.archive.log(CALL)  # type: ignore[union-attr]
    assert b"too late" not in b"".join(stored.payloads)  # type: ignore[union-attr]


async def test_a_stream_for_a_call_that_the_broker_has_forgotten_goes_on_above_the_archives_generation(
    nodes: tuple[House, House, MemoryBroker],
) -> None:
    home, _, _ = nodes
    write_ended(home.state.archive.archive, CALL, "long ago", at=time.time() - 4000, generation=5)  # type: ignore[union-attr]
    await home.call()
    await until(lambda: row_of(home).generation > 5 and row_of(home).facts.ended_at is None)
    record = home.state.registry.known(CALL)
    assert record is not None
    assert (record.topic.log.epoch, record.owner) == ("e", "")


async def test_a_call_that_one_node_erases_is_forgotten_by_all(nodes: tuple[House, House, MemoryBroker]) -> None:
    home, other, _ = nodes
    await ended(home, OTHER, "something")
    await until(lambda: other.state.registry.find(OTHER))
    assert (await ask(home, "DELETE", f"/calls/{OTHER}", bearer("erase")))[0] == 200
    await until(lambda: other.state.registry.find(OTHER) is None)
    assert (await ask(other, "GET", f"/calls/{OTHER}", bearer("archive")))[0] == 410


async def test_one_node_erases_what_is_due(nodes: tuple[House, House, MemoryBroker]) -> None:
    home, other, _ = nodes
    await ended(home, OTHER, "something")
    terms = KeepTerms(Terms.of("1"), Terms.of("0"))

    def sweeper(node: House) -> Retention:
        assert node.state.archive is not None
        return Retention(node.state.archive, node.state.erasure, terms, lambda: time.time() + 200_000, time.monotonic)

    leader, idle = (home, other) if home.state.archive.archive.leads("retention") else (other, home)  # type: ignore[union-attr]
    assert await sweeper(idle).sweep() == 0
    assert await sweeper(leader).sweep() == 1


async def test_a_cluster_with_an_archive_in_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a cluster needs one PostgreSQL archive for all nodes"):
        async with house(joins=MemoryBroker(MemoryCluster(), TIMES), node="n1", archive=str(tmp_path / "calls.db")):
            pass
