"""Clusters for the contract suite: each opens any number of brokers to the same data, and closes them all in the end."""

from typing import Protocol

from hub.broker.broker import Broker, HoldTimes
from hub.broker.memory import MemoryBroker, MemoryCluster
from tests.broker.listening import Listener

SHORT = HoldTimes(lease_seconds=0.05)
"""Of a node that is to lose its lease at once."""

HASTY = HoldTimes(steady_seconds=0.0)
"""Of a node that believes at once that others are gone."""


class ClusterInTest(Protocol):
    """What a test needs of a cluster of any kind."""

    async def broker(self, listener: Listener | None = None, times: HoldTimes = HASTY) -> Broker:
        """Open another node's broker."""

    async def close(self) -> None:
        """Close all of them."""


class MemoryInTest:
    """A cluster in memory."""

    def __init__(self) -> None:
        self.cluster = MemoryCluster()
        self._opened: list[Broker] = []

    async def broker(self, listener: Listener | None = None, times: HoldTimes = HASTY) -> Broker:
        opened = MemoryBroker(self.cluster, times)
        await opened.open(listener or Listener())
        self._opened.append(opened)
        return opened

    async def close(self) -> None:
        for each in self._opened:
            await each.close()
