"""A broker that answers late: what was told before it answered is told the other nodes, too."""

import asyncio
from collections.abc import Sequence

from hub.broker.broker import Append, Appended
from hub.broker.memory import MemoryBroker, MemoryCluster
from tests.cluster.nodes import HASTY, NodeInTest, nodes, until


class _SlowBroker(MemoryBroker):
    """Takes events only while `takes` is set."""

    def __init__(self, shared: MemoryCluster) -> None:
        super().__init__(shared, HASTY)
        self.takes = asyncio.Event()
        self.asked = 0

    async def append(self, appends: Sequence[Append]) -> list[Appended]:
        self.asked += 1
        await self.takes.wait()
        return await super().append(appends)


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
