"""This node's lease, and the other nodes.

A node renews its lease every second. Whoever cannot renew it for LEASE_SECONDS has to expect that another node goes on with its calls.
"""

import asyncio
import logging
import secrets
import socket
import time
from collections.abc import Callable
from contextlib import suppress

import msgspec

from hub import __version__
from hub.broker.broker import BEAT_SECONDS, LEASE_SECONDS, Broker, BrokerError, Node

log = logging.getLogger(__name__)

PROTOCOL = 1
"""What nodes of this version speak to each other. It changes only when older nodes could not understand."""

AGAIN_SECONDS = 0.25
"""How long after a failure the lease is renewed again: the sooner, the less is in doubt should this node die right after an outage."""

MARGIN_SECONDS = 1.0
"""A lease counts as lost so long before the broker thinks so."""


def new_node_id(name: str) -> str:
    """Return an id for this process, as no other process has. `name`: HUB_NODE; empty for the machine's name."""
    return f"{name or socket.gethostname()}-{secrets.token_hex(4)}"


class Membership:
    """This process as a node of the cluster."""

    def __init__(self, broker: Broker, node_id: str, secret: str, load: Callable[[Node], Node]) -> None:
        """`node_id`: see `new_node_id`. `secret`: a fingerprint of HUB_SECRET. `load` fills in what the node does now."""
        self.id = node_id
        self.name = name = node_id.rpartition("-")[0]
        self._broker = broker
        self._load = load
        self._self = Node(id=self.id, name=name, version=__version__, protocol=PROTOCOL, secret=secret, at=0.0)
        self.nodes: list[Node] = []
        """All nodes that live, this one included, as of the newest beat."""
        self._held_until = 0.0
        """Until when the lease is held for sure, on the monotonic clock."""
        self.leaving = False
        """Whether this node stops."""
        self._soon = asyncio.Event()

    @property
    def holds(self) -> bool:
        """Whether no other node can have claimed this node's calls."""
        return time.monotonic() < self._held_until

    def others(self, *, staying: bool = False) -> list[Node]:
        """Return the other nodes that live. `staying`: those that take calls."""
        return [node for node in self.nodes if node.id != self.id and not (staying and node.leaving)]

    def named(self, node_id: str) -> Node | None:
        """Return a node that lives, by its id."""
        return next((node for node in self.nodes if node.id == node_id), None)

    async def beat(self) -> None:
        """Renew the lease once. Raises: BrokerError."""
        began = time.monotonic()
        node = msgspec.structs.replace(self._self, at=time.time(), leaving=self.leaving)
        self.nodes = await self._broker.beat(self._load(node))
        self._held_until = began + LEASE_SECONDS - MARGIN_SECONDS

    def beat_soon(self) -> None:
        """Have the others know at once that this node has nothing any more that is stored nowhere. Never waits."""
        self._soon.set()

    async def run(self, beaten: Callable[[], None]) -> None:
        """Renew the lease until cancelled. `beaten` is called after each success."""
        while True:
            self._soon.clear()
            seconds = BEAT_SECONDS
            try:
                await self.beat()
                beaten()
            except BrokerError:  # the broker itself says what is wrong, once
                seconds = AGAIN_SECONDS
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._soon.wait()

    async def leave(self) -> None:
        """Give the lease up: the node has no calls any more."""
        with suppress(BrokerError):
            await self._broker.leave(self.id)
