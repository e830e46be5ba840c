"""The hub's side of a WebSocket, built on aiohttp's.

`HubSocket` can be ended from synchronous code. `FrameSocket` also delivers each data frame inside the socket's own read. Knows aiohttp's
internals where it has no public way; tests hold them to what is assumed here. Does not know what the messages mean.
"""

import asyncio
import socket
import time
from array import array
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from aiohttp import WSCloseCode, WSMessage, WSMsgType, web
from aiohttp._websocket.reader import WebSocketDataQueue, WebSocketReader
from aiohttp.abc import AbstractStreamWriter

from hub.web.allowance import Allowance
from hub.web.frames import pong_frame

try:
    import fcntl
    import termios
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

UNTAKEN_SECONDS = 30.0
"""How long the kernel keeps a connection whose peer acknowledges nothing of what is on the way to it: a close, a pong, last events. Linux
itself would try for about 15 minutes."""

PINGS_AT_ONCE, PINGS_PER_SECOND = 100, 5
"""Pings that a stream may send: Twilio sends none, and others send one in some seconds."""

LINGER_SECONDS = 0.05
"""How often a close that lingers checks whether the peer has gone: 40 checks in the two seconds that it may take."""

PONG_BYTES = 16 * 1024
"""A peer that has more than this to read gets no answer to a ping: a newer ping will do (RFC 6455 section 5.5.3). A pong that had to wait
would be kept for a peer that does not read."""

TEXT, BINARY, PING, PONG = WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.PING, WSMsgType.PONG
"""As module constants: finding a member in its Enum takes longer than parsing a frame's header, and every frame needs one of these."""


@dataclass(frozen=True, slots=True)
class Interruption:
    """Why a `receive()` was ended from outside: the socket is to be closed with this code and reason."""

    code: int
    reason: str


def drop_unacknowledged(transport: asyncio.BaseTransport) -> None:
    """Tell the kernel to drop a peer that acknowledges nothing for UNTAKEN_SECONDS."""
    raw = transport.get_extra_info("socket")
    option = getattr(socket, "TCP_USER_TIMEOUT", None)  # Linux, tcp(7)
    if raw is not None and option is not None:
        with suppress(OSError):  # the connection is already gone
            raw.setsockopt(socket.IPPROTO_TCP, option, round(UNTAKEN_SECONDS * 1000))


class HubSocket(web.WebSocketResponse):
    """A WebSocket whose `receive()` can be ended from synchronous code, so that no second task has to wait for a reason to close."""

    def __init__(self, *, max_msg_size: int, heartbeat: float | None, close_seconds: float) -> None:
        """`close_seconds`: how long the peer may take to answer a close frame."""
        # Compression would cost 116 KiB per connection and 15 us per message, and would let in messages that unpack to gigabytes.
        # No automatic pongs: aiohttp waits until a pong is taken, and meanwhile reads nothing else from the peer.
        super().__init__(compress=False, max_msg_size=max_msg_size, heartbeat=heartbeat, timeout=close_seconds, autoping=False)
        self._close_seconds = close_seconds

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:
        """Open the socket, and tell the kernel to drop a peer that acknowledges nothing for UNTAKEN_SECONDS."""
        writer = await super().prepare(request)
        if request.transport is not None:
            drop_unacknowledged(request.transport)
        return writer

    def answer_ping(self, payload: bytes) -> None:
        """Answer a ping, unless the peer has enough to read. Never waits."""
        transport = self._req.transport if self._req is not None else None
        if transport is None or transport.is_closing() or transport.get_write_buffer_size() > PONG_BYTES:
            return
        with suppress(RuntimeError):  # the connection is already gone: uvloop raises that
            transport.write(pong_frame(bytes(payload)))

    def interrupt(self, code: int, reason: str) -> None:
        """Make the pending or next `receive()` return an ERROR message whose data is an Interruption. Never waits."""
        if self._reader is not None:
            self._reader.feed_data(WSMessage(WSMsgType.ERROR, Interruption(code, reason), None), 0)

    async def close(self, *, code: int = 1000, message: bytes = b"", drain: bool = True) -> bool:
        """Close with a code; arguments as in aiohttp. After a message that was too big, wait a moment before the connection is closed.

        The peer is still sending the rest of its message then. A connection that is closed with unread bytes is reset, and a reset
        discards the close frame before the peer can read why it was closed.
        """
        if code == WSCloseCode.MESSAGE_TOO_BIG and self._writer is not None and not self.closed:
            await self._writer.close(code, f"a message may have {self._max_msg_size} bytes".encode())
            for _ in range(round(self._close_seconds / LINGER_SECONDS)):
                if self._req is None or self._req.transport is None or self._req.transport.is_closing():
                    break
                await asyncio.sleep(LINGER_SECONDS)
        closed = await super().close(code=code, message=message, drain=drain)
        # aiohttp 3.14 arms its heartbeat again when the peer answers our close frame, and the timer keeps the socket in memory.
        self._cancel_heartbeat()
        return closed


class UnacknowledgedBytes:
    """How many bytes a peer has yet to acknowledge, as the kernel counts them.

    The hub's own buffers do not show that a listener is late: the kernel takes seconds of audio before any of them begins to fill.
    """

    __slots__ = ("_count", "_raw")

    def __init__(self, raw: Any) -> None:
        """`raw` is the connection's socket; None if the connection has none any more."""
        self._raw = raw
        self._count = array("i", [0])
        """Where the kernel writes its answer; kept, so that asking allocates nothing."""

    def count(self) -> int:
        """Return the number; 0 where the kernel cannot be asked."""
        if fcntl is None or self._raw is None:
            return 0
        try:
            fcntl.ioctl(self._raw.fileno(), termios.TIOCOUTQ, self._count)  # the same as SIOCOUTQ, tcp(7)
        except (OSError, ValueError):  # the connection is already gone
            return 0
        return self._count[0]


class _FrameQueue(WebSocketDataQueue):
    """Passes data frames on where aiohttp's parser delivers them, answers pings there, and keeps closes for `receive()`.

    A ping must not wait in a queue: `receive()` is called once in a stream's life.
    """

    # The compiled base class swallows exceptions here, so these must not raise.
    take: Callable[[bytes, bool], None]
    ping: Callable[[bytes], None]

    def feed_data(self, data: WSMessage, size: int) -> None:  # type: ignore[override]
        kind = data[0]
        if kind is TEXT:
            self.take(data[1], True)
        elif kind is BINARY:
            self.take(data[1], False)
        elif kind is PING:
            self.ping(data[1])
        elif kind is not PONG:
            super().feed_data(data, size)


class FrameSocket(HubSocket):
    """A WebSocket that calls `take(payload, is_text)` for each data frame, inside the socket's own read.

    The usual way is `await receive()` in a task: the parser puts the frame into a queue, the queue wakes the task, and the loop runs the
    task in a later turn. For a message of 20 ms of audio, that wake-up costs more than reading, parsing and placing the message. Here the
    frame is placed before the read returns: no queue, no task switch, and frames cannot pile up between the socket and the call.

    aiohttp has no public way to do that, so this class replaces the queue that aiohttp's parser fills; tests hold aiohttp to it. `take`
    must not raise, because the parser would swallow the exception. Text arrives as UTF-8 bytes.
    """

    def __init__(self, take: Callable[[bytes, bool], None], *, max_msg_size: int, close_seconds: float) -> None:
        # No pings: a peer that sends fifty frames per second shows that it is there.
        super().__init__(max_msg_size=max_msg_size, heartbeat=None, close_seconds=close_seconds)
        self._take = take
        self._pings = Allowance(PINGS_AT_ONCE, PINGS_PER_SECOND, time.monotonic)
        self._flooded = False
        """Whether there were too many pings: the socket is about to be closed, and no more are answered."""

    def _pinged(self, payload: bytes) -> None:
        if self._pings.spend():
            self.answer_ping(payload)
        elif not self._flooded:
            self._flooded = True
            self.interrupt(1008, "too many pings")

    def _post_start(self, request: web.BaseRequest, protocol: str | None, writer: object) -> None:
        early, request.protocol._message_tail = request.protocol._message_tail, b""
        super()._post_start(request, protocol, writer)  # type: ignore[arg-type]
        loop = self._loop
        assert loop is not None
        frames = _FrameQueue(request.protocol, self._max_msg_size, loop=loop)
        frames.take = self._take
        frames.ping = self._pinged
        self._reader = frames
        self._parser = WebSocketReader(frames, self._max_msg_size, compress=False, decode_text=False)
        request.protocol._payload_parser = self._parser
        if early:
            self._parser.feed_data(early)  # sent by a client that did not wait for our 101; may end in the middle of a frame
