"""A broker that answers late: what was told before it answered is told the other nodes, too, and what was not may never be."""

import asyncio
import time
from collections.abc import Sequence

from hub.broker.broker import Append, Appended, BrokerError, Fenced
from hub.broker.memory import MemoryBroker, MemoryCluster
from hub.cluster.broker_keeper import BOUND_SECONDS
from hub.cluster.wakefulness import PAUSE_SECONDS
from tests.cluster.nodes import HASTY, NodeInTest, nodes, until


class _SlowBroker(MemoryBroker):
    """Takes events only while `takes` is set."""

    def __init__(self, shared: MemoryCluster) -> None:
        super().__init__(shared, HASTY)
        self.takes = asyncio.Event()
        self.asked = 0
        self.fences = self.fails = False

    async def append(self, appends: Sequence[Append]) -> list[Appended]:
        self.asked += 1
        await self.takes.wait()
        if self.fails:
            self.fails = False
            self.takes.clear()
            raise BrokerError("the connection broke")
        return [Fenced(9) for _ in appends] if self.fences else await super().append(appends)


async def test_a_call_that_begins_while_the_broker_is_slow_becomes_known_to_the_other_nodes() -> None:
    async with nodes("b") as (shared, [other]), asyncio.TaskGroup() as group:
        node, broker = NodeInTest(shared, group, "a"), _SlowBroker(shared)
        node.broker = node.membership._broker = broker
        async with node.running():
            node.call("CA1")
            await until(lambda: broker.asked)
            late = node.call("CA2")
            await until(lambda: late.record.topic.log.offset)  # it was told, and the broker does not know whose it is
            assert not late.record.generation
            broker.takes.set()
            await other.known("CA2")
            assert (await other.loaded("CA2")).topic.log.offset == 1


async def test_a_process_that_was_stopped_tells_nothing_before_the_broker_has_said_whose_the_call_is() -> None:
    shared = MemoryCluster()
    async with asyncio.TaskGroup() as group:
        node, broker = NodeInTest(shared, group, "a"), _SlowBroker(shared)
        node.broker = node.membership._broker = broker
        broker.takes.set()
        async with node.running() as woken:
            call = node.call("CA1")
            reader = await node.follow("CA1")
            await until(lambda: reader.offsets == [1])
            broker.takes.clear()
            call.key()
            await until(lambda: broker.asked == 2)
            time.sleep(PAUSE_SECONDS + 0.5)  # the process does not run
            broker.fails = True
            broker.takes.set()
            await until(lambda: broker.asked == 3)
            asked = time.monotonic()
            await until(lambda: time.monotonic() > asked + 2 * BOUND_SECONDS)
            broker.fences = True
            broker.takes.set()
            await until(lambda: woken.counters.fenced)
            assert reader.offsets == [1]


async def test_a_process_that_was_stopped_goes_on_as_before_once_it_has_asked() -> None:
    shared = MemoryCluster()
    async with asyncio.TaskGroup() as group:
        node, broker = NodeInTest(shared, group, "a"), _SlowBroker(shared)
        node.broker = node.membership._broker = broker
        broker.takes.set()
        async with node.running():
            call = node.call("CA1")
            reader = await node.follow("CA1")
            await until(lambda: reader.offsets == [1])
            time.sleep(PAUSE_SECONDS + 0.5)  # the process does not run
            call.key("1")
            await until(lambda: reader.offsets == [1, 2])
            broker.takes.clear()
            call.key("2")
            await until(lambda: reader.offsets == [1, 2, 3])  # though the broker does not take it
            broker.takes.set()
