"""Probes of the broker, and of the nodes that share it with this hub.

To see the other nodes this hub joins them for a moment, as one that is about to leave, so that nobody gives it a call. Does not know what
kind of broker it is.
"""

import asyncio
import secrets
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from statistics import median

from hub import __version__
from hub.broker.broker import BEAT_SECONDS, Broker, BrokerError, News, Node
from hub.broker.opening import open_broker
from hub.calls.clustered import fingerprint
from hub.check.public import Broken, Skipped
from hub.cluster.membership import PROTOCOL
from hub.config import Config
from hub.errors import ConfigError

LOOKS = 12
"""How often the other nodes are looked at, 0.1 s apart: for longer than they take to renew their leases."""

SKEW_SECONDS = 1.0
"""Clocks that differ by more are worth a warning: gaps and times of events are wrong by as much."""

SLOW_SECONDS = 0.02
"""A broker that is this far away makes most events wait for a good part of the 50 ms after which they are told anyway."""


class Deaf:
    """A Receiver that ignores what it receives."""

    def received(self, topic: str, body: bytes) -> None:
        """See Receiver."""

    def subscribed(self, topic: str) -> None:
        """See Receiver."""

    def told(self, news: News) -> None:
        """See Receiver."""

    def missed(self) -> None:
        """See Receiver."""


@dataclass(slots=True)
class OtherNode:
    """Another node, as it was seen for a little more than a second."""

    node: Node
    skew_seconds: float
    """Its clock minus the broker's. It is known to about 0.1 s: a node notes its time only when it renews its lease."""
    first_at: float
    """Its own clock's time when it was first seen."""

    @property
    def steady(self) -> bool:
        """Whether it renewed its lease while it was watched."""
        return self.node.at != self.first_at

    def remarks(self) -> list[str]:
        """Return what somebody should know of it."""
        found = []
        if self.node.version != __version__:
            found.append(f"is version {self.node.version}, and this hub {__version__}")
        if self.node.leaving:
            found.append("is leaving")
        if self.node.behind:
            found.append("is behind: it tells events that are stored nowhere")
        if not self.steady:
            found.append("does not renew its lease: it stands still, or has just died")
        elif abs(self.skew_seconds) > SKEW_SECONDS:
            found.append(f"has a clock that is {abs(self.skew_seconds):.0f} s {_direction(self.skew_seconds)} that of the broker: use NTP")
        return found


class Peers:
    """The broker, and the nodes that it knows."""

    def __init__(self, settings: Config) -> None:
        self._settings = settings
        self._found: dict[str, OtherNode] | None = None
        """The other nodes by their ids. None until the broker has been reached."""

    async def broker(self) -> str:
        """Use the broker as a node does: join, renew the lease, look at the others, leave."""
        delays: list[float] = []
        found: dict[str, OtherNode] = {}
        try:
            async with self._opened() as broker:
                for _ in range(LOOKS):
                    began = time.monotonic()
                    nodes = await broker.beat(self._node)
                    delays.append(time.monotonic() - began)
                    self._note(found, nodes, broker.now())
                    await asyncio.sleep(1.2 * BEAT_SECONDS / LOOKS)
                about, skew = broker.about, time.time() - broker.now()
        except ConfigError as error:
            raise Broken(str(error)) from error
        except BrokerError as error:
            raise Broken(f"HUB_BROKER: {error.problem}") from error
        self._found = found
        delay = median(delays)
        words = f"{about} does what a hub needs; a round trip takes {delay * 1000:.1f} ms"
        words += f"; this machine's clock is {abs(skew) * 1000:.0f} ms {_direction(skew)} that of the broker"
        if abs(skew) > SKEW_SECONDS:
            return f"note: {words}: set both by NTP"
        if delay > SLOW_SECONDS:
            return f"note: {words}: it should be nearer, in the same data centre"
        return words

    async def nodes(self) -> str:
        """Say who was seen, and what is strange about them."""
        if self._found is None:
            raise Skipped("the broker must work first")
        peers = sorted(self._found.values(), key=lambda peer: peer.node.name)
        if not peers:
            return "no other node lives"
        shown = ", ".join(
            f"{each.node.name} ({each.node.version}, {each.node.live} calls, clock {each.skew_seconds:+.1f} s)" for each in peers
        )
        remarks = [f"{peer.node.name} {remark}" for peer in peers for remark in peer.remarks()]
        words = f"{len(peers)} other nodes live: {shown}" if len(peers) > 1 else f"one other node lives: {shown}"
        return f"note: {words}; {'; '.join(remarks)}" if remarks else words

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[Broker]:
        settings = self._settings
        broker = open_broker(settings.broker, settings.secret, settings.keep_minutes * 60)
        name = f"{settings.node or socket.gethostname()}-check"
        self._node = Node(
            id=f"{name}-{secrets.token_hex(4)}",
            name=name,
            version=__version__,
            protocol=PROTOCOL,
            secret=fingerprint(settings.secret),
            at=time.time(),
            leaving=True,
        )
        try:
            async with asyncio.TaskGroup() as group:
                await broker.open(Deaf(), group)
                try:
                    yield broker
                finally:
                    await broker.leave(self._node.id)
                    await broker.close()
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None

    def _note(self, found: dict[str, OtherNode], nodes: list[Node], now: float) -> None:
        for node in nodes:
            if node.id == self._node.id or node.name.endswith("-check"):
                continue
            peer = found.setdefault(node.id, OtherNode(node, node.at - now, node.at))
            peer.node, peer.skew_seconds = node, max(peer.skew_seconds, node.at - now)


def _direction(skew: float) -> str:
    return "ahead of" if skew >= 0 else "behind"
