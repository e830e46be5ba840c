"""The socket of a connection to a provider: hands over messages as they are read, and bounds what a provider can make the hub do.

All calls share one event loop. A provider that sends ten thousand messages a second, or pings without end, would otherwise have the others'
audio wait for seconds, because a socket's read brings up to 256 KB: a hundred thousand pings. So a read is parsed in slices, no longer than
a few milliseconds per turn of the loop, and a provider that goes on is cut off.

Knows frames and time. Does not know what messages mean.
"""

import asyncio
import time
from collections.abc import Callable

from websockets.asyncio.client import ClientConnection
from websockets.frames import DATA_OPCODES, Frame, Opcode
from websockets.protocol import Event

SLICE_BYTES = 2048
"""How much is parsed before the time is looked at: some messages, or a thousand empty frames, which take 13 ms."""

LEAST_BYTES = 256
"""How much it is on a connection on which a slice took too long once: a hundred empty frames, 2 ms."""

TURN_SECONDS = 0.002
"""How long one connection's messages may keep the event loop before everybody else has a turn."""

UNITS_PER_SECOND = 500
"""How many messages a second a provider may send for long. A unit is a frame of up to a kilobyte. Deepgram sends about 20 a second for two
tracks, OpenAI's voice 100 to 200."""

BURST_UNITS = 5000
"""How many units may come at once: a minute of backlog recognized in a moment, or a minute of an agent's voice, is a third of that."""

MOST_FRAGMENTS = 1000
"""In how many frames one message may come. Fragments of nothing never exceed the bound on a message's size."""

FLOODED = f"sent more than {UNITS_PER_SECOND} messages a second"
"""What is said of a provider that was cut off."""


class ProviderSocket(ClientConnection):
    """A WebSocket that hands over each text message inside its own read: no queue, and no task woken per message.

    Most messages are interims, several per second and call, and waking a task for one costs more than reading it. `websockets` has its
    subclasses override `process_event`, and takes a subclass by `connect(create_connection=…)`.
    """

    on_text: Callable[[bytes], None] | None = None
    """Called with each whole text message; must not raise. None: `recv()` returns the messages."""

    flooded = False
    """Whether the connection was cut because the other side sent too much."""

    _units = float(BURST_UNITS)
    """How many units may still come, as of `_counted_at`."""
    _fragments = 0
    """How many frames of a message came whose last one did not."""
    _slice_bytes = SLICE_BYTES
    _is_waiting = False
    """Whether the rest of `_unparsed` has its turn later."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._unparsed = bytearray()
        """What came and waits for a later turn of the event loop."""
        self._counted_at = time.monotonic()
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        if not self._unparsed and len(data) <= self._slice_bytes:
            super().data_received(data)
            return
        self._unparsed += data
        if not self._is_waiting:
            self._parse(TURN_SECONDS)

    def eof_received(self) -> None:
        """See asyncio.Protocol. What came before the end counts. Over TLS the end may come while reading is paused."""
        self._parse(None)
        super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._parse(None)
        super().connection_lost(exc)

    def process_event(self, event: Event) -> None:
        """See websockets.asyncio.connection.Connection."""
        if self.flooded:
            return
        if isinstance(event, Frame):
            self._units -= 1 + (len(event.data) >> 10)
            if event.opcode in DATA_OPCODES:
                self._fragments = 0 if event.fin else self._fragments + 1
            if (self._units < 0 or self._fragments > MOST_FRAGMENTS) and self._is_flood():
                self.flooded = True
                self.transport.abort()
                return
            if self.on_text is not None and event.opcode is Opcode.TEXT and event.fin:
                self.on_text(bytes(event.data))
                return
        super().process_event(event)

    def _is_flood(self) -> bool:
        """Bring `_units` up to date; return whether too many came."""
        now = time.monotonic()
        self._units = min(float(BURST_UNITS), self._units + (now - self._counted_at) * UNITS_PER_SECOND)
        self._counted_at = now
        return self._units < 0 or self._fragments > MOST_FRAGMENTS

    def _parse(self, seconds: float | None) -> None:
        """Parse what came, for so long; leave the rest to a later turn of the event loop, and meanwhile read no more. None: parse all."""
        began, unparsed, at = time.perf_counter(), self._unparsed, 0
        while at < len(unparsed) and not self.flooded:
            before, size = time.perf_counter(), self._slice_bytes
            super().data_received(bytes(unparsed[at : at + size]))
            at += size
            now = time.perf_counter()
            if now - before > TURN_SECONDS:
                self._slice_bytes = max(LEAST_BYTES, size // 4)
            if seconds is not None and now - began >= seconds:
                break
        del unparsed[: len(unparsed) if self.flooded else at]
        self._is_waiting = bool(unparsed)
        if self.transport.is_closing():
            return
        if self._is_waiting:
            self.transport.pause_reading()
            self.loop.call_soon(self._parse, TURN_SECONDS)
        elif seconds is not None and not self.recv_messages.paused:
            self.transport.resume_reading()
