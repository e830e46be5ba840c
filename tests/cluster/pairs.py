"""Two hubs of one cluster in the test's own event loop: `a` owns the calls, `b` is asked about them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from hub.broker.broker import HoldTimes
from hub.broker.memory import MemoryBroker, MemoryCluster
from hub.cluster.cluster import Cluster
from hub.topics.record import Record
from tests.house import House, house

HASTY = HoldTimes(steady_seconds=0.0)


async def until(fact: Callable[[], Any]) -> Any:
    """Return a fact as soon as it is one."""
    async with asyncio.timeout(20):
        while not (found := fact()):
            await asyncio.sleep(0.005)
    return found


class Pair:
    """Two hubs of one cluster."""

    def __init__(self, a: House, b: House, brokers: list[MemoryBroker]) -> None:
        self.a, self.b = a, b
        self.broker_of_a, self.broker_of_b = brokers

    @property
    def cluster_of_a(self) -> Cluster:
        assert self.a.state.cluster is not None
        return self.a.state.cluster

    async def known(self, call_sid: str, fact: Callable[[Record], Any] = lambda _: True) -> Record:
        """Wait until `b` knows of a call, and of it what is asked."""
        registry = self.b.state.registry
        await until(lambda: (record := registry.known(call_sid)) is not None and fact(record))
        record = registry.known(call_sid)
        assert record is not None
        return record


@asynccontextmanager
async def pair_of_hubs(a: dict[str, Any] | None = None, b: dict[str, Any] | None = None) -> AsyncIterator[Pair]:
    """Run two hubs of a cluster, with further settings of each."""
    shared = MemoryCluster()
    brokers = [MemoryBroker(shared, HASTY) for _ in range(2)]
    async with AsyncExitStack() as stack:
        houses = [
            await stack.enter_async_context(house(joins=broker, node=name, listen=True, **(settings or {})))
            for broker, name, settings in zip(brokers, "ab", (a, b), strict=True)
        ]
        yield Pair(*houses, brokers)
