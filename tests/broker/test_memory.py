"""What the broker in memory can do beside the contract: a clock that is set, connections that break on demand, lost data."""

import asyncio

import pytest

from hub.broker.broker import Accepted, BrokerError, Misplaced
from hub.broker.memory import MemoryBroker, MemoryCluster
from tests.broker.listening import CALL, Listener, append, claimed, node, sent


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


async def test_leases_end_by_the_clusters_clock(group: asyncio.TaskGroup) -> None:
    clock = Clock()
    cluster = MemoryCluster(clock=clock)
    dying, living = MemoryBroker(cluster), MemoryBroker(cluster)
    for each in (dying, living):
        await each.open(Listener(), group)
    await dying.beat(node("a"))
    await claimed(dying, CALL, "a")
    for _ in range(8):
        await living.beat(node("b"))
        assert await living.lost() == []
        clock.now += 1.0
    assert [each.id for each in await living.beat(node("b"))] == ["b"]
    assert [row.owner for row in await living.lost()] == ["a"]


async def test_a_node_that_was_cut_off_waits_until_its_beats_are_steady(group: asyncio.TaskGroup) -> None:
    clock = Clock()
    cluster = MemoryCluster(clock=clock)
    leaving, cut = MemoryBroker(cluster), MemoryBroker(cluster)
    for each in (leaving, cut):
        await each.open(Listener(), group)
    await leaving.beat(node("a"))
    await claimed(leaving, CALL, "a")
    for _ in range(4):
        await cut.beat(node("b"))
        clock.now += 1.0
    await leaving.leave("a")
    cut.cut()
    with pytest.raises(BrokerError, match="reached"):
        await cut.beat(node("b"))
    cut.mend()
    found = []
    for _ in range(4):
        await cut.beat(node("b"))
        found.append(len(await cut.lost()))
        clock.now += 1.0
    assert found == [0, 0, 0, 1]


async def test_a_connection_that_broke_misses_messages_and_says_so(group: asyncio.TaskGroup) -> None:
    listener = Listener()
    cluster = MemoryCluster()
    broker, other = MemoryBroker(cluster), MemoryBroker(cluster)
    await broker.open(listener, group)
    await other.open(Listener(), group)
    await listener.hears(broker, "node:one")
    await broker.snapshot()
    broker.cut()
    assert await sent(other, "node:one", b"unheard") == 0
    await claimed(other, CALL, "b")
    broker.mend()
    await listener.until(lambda: listener.topics == ["node:one", "node:one"])
    assert (listener.misses, listener.news, listener.messages) == (2, [], [])
    assert len((await broker.snapshot()).rows) == 1


async def test_a_cluster_that_lost_everything_is_filled_again_by_its_owners(group: asyncio.TaskGroup) -> None:
    listener = Listener()
    cluster = MemoryCluster()
    broker = MemoryBroker(cluster)
    await broker.open(listener, group)
    await broker.beat(node("a"))
    row = await claimed(broker, CALL, "a")
    before = await broker.snapshot()
    await broker.append([append(CALL, b"1", b"2")])
    cluster.lose()
    await listener.until(lambda: listener.misses == 2)
    after = await broker.snapshot()
    assert after.life != before.life
    assert after.rows == []
    assert await broker.register([row], [None]) == [True]
    assert await broker.append([append(CALL, b"3", first=3)]) == [Misplaced(0)]
    assert await broker.append([append(CALL, b"1", b"2", b"3")]) == [Accepted(3, 0)]
