"""The hub's side of a WebSocket: one whose `receive()` can be ended from outside, and one that hands frames over where they are read."""

import asyncio
import socket
from array import array
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from aiohttp import WSCloseCode, WSMessage, WSMsgType, web
from aiohttp._websocket.reader import WebSocketDataQueue, WebSocketReader
from aiohttp.abc import AbstractStreamWriter
from aiohttp.base_protocol import BaseProtocol

try:
    import fcntl
    import termios
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

CLOSE_SECONDS = 2.0
"""How long a peer may take to answer a close: it has nothing left to say that we want."""

UNTAKEN_SECONDS = 30.0
"""Who takes nothing off its own kernel for so long loses its connection, whatever is on the way: a close, a pong, last events."""

LINGER_SECONDS = 0.05
"""How often a lingering close looks whether the peer has gone."""

REST_SECONDS = 0.095
"""How long at most a socket is left alone when nobody needs what it brings sooner."""

ROUND_SECONDS = 0.02
"""Sockets that rest are read from together, so often: a loop that wakes for many at once does each one's work in warm caches."""

TEXT, BINARY = WSMsgType.TEXT, WSMsgType.BINARY
"""By plain names: looking a member up in its Enum takes longer than parsing a frame's header, and this is done for each."""


class Interruption(Exception):
    """Ends a `receive()` from outside: close the socket with this code and reason."""

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(f"{code} {reason}")


class HubSocket(web.WebSocketResponse):
    """A WebSocket whose `receive()` can be ended from synchronous code, so that no second task has to wait for a reason to close."""

    def __init__(self, *, max_msg_size: int, heartbeat: float | None) -> None:
        # Compression would cost 116 KiB and 15 us a message for each connection, and open a way for bombs.
        super().__init__(compress=False, max_msg_size=max_msg_size, heartbeat=heartbeat, timeout=CLOSE_SECONDS)

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:
        """Open the socket; have the kernel give up a peer that takes nothing, for whatever we then wait."""
        writer = await super().prepare(request)
        raw = request.transport.get_extra_info("socket") if request.transport is not None else None
        option = getattr(socket, "TCP_USER_TIMEOUT", None)  # Linux, tcp(7)
        if raw is not None and option is not None:
            with suppress(OSError):  # the connection is gone already
                raw.setsockopt(socket.IPPROTO_TCP, option, round(UNTAKEN_SECONDS * 1000))
        return writer

    def interrupt(self, code: int, reason: str) -> None:
        """Make the pending or next `receive()` return an ERROR message whose data is the Interruption. Never waits."""
        if self._reader is not None:
            self._reader.feed_data(WSMessage(WSMsgType.ERROR, Interruption(code, reason), None), 0)

    async def close(self, *, code: int = 1000, message: bytes = b"", drain: bool = True) -> bool:
        """Close with a code; see aiohttp. After an oversized message, first listen a moment to what is still being sent.

        Closing at once would reset the connection while the peer writes, and it would never read why.
        """
        if code == WSCloseCode.MESSAGE_TOO_BIG and self._writer is not None and not self.closed:
            await self._writer.close(code, f"a message may have {self._max_msg_size} bytes".encode())
            for _ in range(round(CLOSE_SECONDS / LINGER_SECONDS)):
                if self._req is None or self._req.transport is None or self._req.transport.is_closing():
                    break
                await asyncio.sleep(LINGER_SECONDS)
        closed = await super().close(code=code, message=message, drain=drain)
        # aiohttp 3.14 arms its heartbeat again when the peer's answer to our close comes in, and keeps the socket alive until it fires.
        self._cancel_heartbeat()
        return closed


class Backlog:
    """What a peer has yet to acknowledge: the kernel takes seconds of sound for it before any buffer of ours begins to fill."""

    __slots__ = ("_count", "_raw")

    def __init__(self, raw: Any) -> None:
        """`raw` is the socket's own; None where there is none any more."""
        self._raw = raw
        self._count = array("i", [0])

    def bytes(self) -> int:
        """Return it; 0 where the kernel cannot be asked."""
        if fcntl is None or self._raw is None:
            return 0
        try:
            fcntl.ioctl(self._raw.fileno(), termios.TIOCOUTQ, self._count)  # which is SIOCOUTQ, tcp(7)
        except (OSError, ValueError):  # the connection is gone already
            return 0
        return self._count[0]


class _Frames(WebSocketDataQueue):
    """Hands data frames over where they are parsed; leaves pings, pongs and closes to `receive()`."""

    # The compiled base class swallows exceptions here, so `take` must not raise.
    take: Callable[[bytes, bool], None]

    def feed_data(self, data: WSMessage, size: int) -> None:  # type: ignore[override]
        kind = data[0]
        if kind is TEXT:
            self.take(data[1], True)
        elif kind is BINARY:
            self.take(data[1], False)
        else:
            super().feed_data(data, size)


class FrameSocket(HubSocket):
    """A WebSocket that calls `take(payload, is_text)` for each data frame inside the socket's own read: no queue, no task switch.

    aiohttp has no public way to do that, and a wake-up of a task per frame costs more than reading, parsing and placing the frame. So this
    swaps the queue that aiohttp's own parser fills; tests hold it to that. `take` must not raise; text arrives as UTF-8 bytes.
    """

    def __init__(self, take: Callable[[bytes, bool], None], *, max_msg_size: int) -> None:
        super().__init__(max_msg_size=max_msg_size, heartbeat=None)  # who sends fifty frames a second needs no pings
        self._take = take

    def _post_start(self, request: web.BaseRequest, protocol: str | None, writer: object) -> None:
        early, request.protocol._message_tail = request.protocol._message_tail, b""
        super()._post_start(request, protocol, writer)  # type: ignore[arg-type]
        loop = self._loop
        assert loop is not None
        frames = _Frames(request.protocol, self._max_msg_size, loop=loop)
        frames.take = self._take
        self._reader = frames
        self._parser = WebSocketReader(frames, self._max_msg_size, compress=False, decode_text=False)
        request.protocol._payload_parser = self._parser
        if early:
            self._parser.feed_data(early)  # of a client that did not wait for our 101; it may end within a frame


class Rests:
    """Sockets that are not read for a moment, so that the kernel gathers what comes: one read for several frames costs that of one."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._rounds: dict[int, list[BaseProtocol]] = {}
        """Who is read from again, by the number of the round."""
        self._ended = False

    @property
    def resting(self) -> int:
        """How many sockets rest now."""
        return sum(map(len, self._rounds.values()))

    def add(self, socket: FrameSocket) -> None:
        """Stop reading for up to REST_SECONDS. Call it when more comes then anyway and nothing else waits for it."""
        request = socket._req
        if request is None or self._ended:
            return
        protocol = request.protocol
        number = int((self._loop.time() + REST_SECONDS) / ROUND_SECONDS)
        resting = self._rounds.get(number)
        if resting is None:
            resting = self._rounds[number] = []
            self._loop.call_at(number * ROUND_SECONDS, self._over, number)
        protocol.pause_reading()
        resting.append(protocol)

    async def end(self) -> None:
        """Let no socket rest any more, and return when what had come to those that did has been taken."""
        self._ended = True
        for number in list(self._rounds):
            self._over(number)
        for _ in range(2):  # the loop looks at its sockets between two turns
            await asyncio.sleep(0)

    def _over(self, number: int) -> None:
        for protocol in self._rounds.pop(number, ()):
            protocol.resume_reading()
