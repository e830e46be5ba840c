"""Room for subscribers: how many there may be, how much the kernel holds for one, and how the last of them is waited for.

The same for a socket at `/client` and for a stream of events over HTTP. Knows addresses and connections. Does not know what is sent.
"""

import asyncio
import socket
import time
from contextlib import suppress

from aiohttp import web

from hub.topics.outbox import Outbox
from hub.web.connections import Connection
from hub.web.errors import refusal
from hub.web.state import State
from hub.web.unproved import counted_as

SEND_BUFFER_BYTES = 64 * 1024
"""The kernel's send buffer for a subscriber. By default it grows to 4 MB, which hides a stalled subscriber for thousands of events."""

LOOK_SECONDS = 0.05
"""How often the hub checks whether a subscriber has taken the last events of its call, before it closes the connection."""


class SubscriberRoom:
    """One subscriber's place among those that its address, and this hub, may have."""

    __slots__ = ("_address", "_connection", "_state")

    def __init__(self, state: State, connection: Connection) -> None:
        self._state = state
        self._connection = connection
        self._address: str | None = None
        """The address as which the subscriber is counted; None until it is let in."""

    def claim(self) -> None:
        """Take the place of who has shown a token. Raises: HTTPTooManyRequests where there is no room.

        Before the request waits for anything, so that others who have proved nothing yet, and come by the same proxy, do not push it out.
        """
        if not self.take():
            raise refusal(web.HTTPTooManyRequests, "too-many", self.crowded)

    def take(self) -> bool:
        """Count the subscriber as let in, and its connection no longer as one that has proved nothing. Return whether there is room."""
        if self._address is None:
            address = counted_as(self._connection.address)
            if not self._is_free(address):
                self._state.counters.refused["client address"] += 1
                return False
            self._state.addresses[address] += 1
            self._address = address
            self._connection.prove()
        return True

    def give_back(self) -> None:
        """Count the subscriber no longer."""
        if self._address is not None:
            self._state.addresses[self._address] -= 1
            if not self._state.addresses[self._address]:
                del self._state.addresses[self._address]

    @property
    def crowded(self) -> str:
        """Return why there is no room."""
        state = self._state
        if state.addresses.total() >= state.room.subscribers:
            return f"{state.room.subscribers} sockets are open; the hub may have no more descriptors"
        return f"{state.config.sockets_per_address} sockets are open from this address"

    def _is_free(self, address: str) -> bool:
        state = self._state
        return state.addresses[address] < state.config.sockets_per_address and state.addresses.total() < state.room.subscribers


def bound_kernel(transport: asyncio.BaseTransport) -> None:
    """Limit what the kernel buffers for a subscriber."""
    raw = transport.get_extra_info("socket")
    if raw is not None:
        with suppress(OSError):  # the connection is already gone
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)


async def last_events_taken(outbox: Outbox, transport: asyncio.BaseTransport, patience_seconds: float) -> None:
    """Return when the peer has taken everything that was sent, or has taken nothing for so long."""
    left, since = outbox.unsent_bytes, time.monotonic()
    while left and not transport.is_closing() and time.monotonic() - since < patience_seconds:
        await asyncio.sleep(LOOK_SECONDS)
        if (left_now := outbox.unsent_bytes) < left:
            left, since = left_now, time.monotonic()
