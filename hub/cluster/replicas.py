"""Calls of other nodes whose events are here, because somebody reads them on this node.

A replica is filled from the broker's log, and then follows the call's topic. Whenever something may have been missed, it reads on from
where it is: after the topic was (again) subscribed, and when an offset jumps. Interims are shown once the events before them are.

Knows the registry and the broker. Does not know who reads.
"""

import asyncio
import logging
from collections.abc import Callable

from hub.broker.broker import Broker
from hub.cluster.membership import Membership
from hub.cluster.requests import Requests
from hub.topics.record import Record
from hub.topics.registry import Registry

log = logging.getLogger(__name__)

LISTENING = "listening"
"""Tells a call's owner that a node listens to the call: it sends interims from then on."""


class Replicas:
    """The replicas of this node."""

    def __init__(self, registry: Registry, broker: Broker, membership: Membership, requests: Requests, group: asyncio.TaskGroup) -> None:
        self._registry = registry
        self._broker = broker
        self._membership = membership
        self._requests = requests
        self._group = group

    async def load(self, record: Record) -> Record:
        """Bring the events of a call of another node, and keep them in step. Returns the record to be read from then on.

        Raises: BrokerError.
        """
        raise NotImplementedError

    def soon(self, record: Record, then: Callable[[Record], None]) -> None:
        """Load a call and then call `then`, unless it cannot be loaded. Never waits."""
        raise NotImplementedError

    def received(self, topic: str, body: bytes) -> None:
        """Take a message about a call. Never waits."""

    def subscribed(self, topic: str) -> None:
        """Read on: what was sent before may have been missed."""

    async def run(self) -> None:
        """Unload what nobody reads any more, until cancelled."""
        await asyncio.Event().wait()
