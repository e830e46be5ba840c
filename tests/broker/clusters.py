"""Clusters for the contract suite: each opens any number of brokers to the same data, and closes them all in the end."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from hub.broker.broker import Broker, HoldTimes
from hub.broker.memory import MemoryBroker, MemoryCluster
from hub.broker.valkey.address import parse_address
from hub.broker.valkey.broker import ValkeyBroker
from tests.broker.listening import Listener

SHORT = HoldTimes(lease_seconds=0.05)
"""Of a node that is to lose its lease at once."""

HASTY = HoldTimes(steady_seconds=0.0)
"""Of a node that believes at once that others are gone."""

SECRET = "a secret of forty characters, as it has to be"


@asynccontextmanager
async def opened(url: str, group: asyncio.TaskGroup, listener: Listener | None = None, secret: str = SECRET) -> AsyncIterator[Broker]:
    """Open a broker at an address, and close it."""
    broker = ValkeyBroker(parse_address(url), secret, HASTY)
    await broker.open(listener or Listener(), group)
    try:
        yield broker
    finally:
        await broker.close()


class ClusterInTest(Protocol):
    """What a test needs of a cluster of any kind."""

    async def broker(self, listener: Listener | None = None, times: HoldTimes = HASTY) -> Broker:
        """Open another node's broker."""


class MemoryInTest:
    """A cluster in memory."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        self._cluster = MemoryCluster()
        self.opened: list[Broker] = []

    async def broker(self, listener: Listener | None = None, times: HoldTimes = HASTY) -> Broker:
        broker = MemoryBroker(self._cluster, times)
        await broker.open(listener or Listener(), self._group)
        self.opened.append(broker)
        return broker


class ServersInTest:
    """A cluster on servers, under a prefix of its own."""

    def __init__(self, group: asyncio.TaskGroup, url: str) -> None:
        self._group = group
        self.prefix = f"test-{secrets.token_hex(6)}"
        self.url = f"{url}{'&' if '?' in url else '?'}prefix={self.prefix}"
        self.opened: list[Broker] = []

    async def broker(self, listener: Listener | None = None, times: HoldTimes = HASTY, secret: str = SECRET) -> Broker:
        broker = ValkeyBroker(parse_address(self.url), secret, times)
        await broker.open(listener or Listener(), self._group)
        self.opened.append(broker)
        return broker
