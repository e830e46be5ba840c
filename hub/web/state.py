"""What every door shares, and the sockets they open."""

import asyncio
import socket
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from aiohttp import WSCloseCode, WSMessage, WSMsgType, web
from aiohttp._websocket.reader import WebSocketDataQueue, WebSocketReader
from aiohttp.abc import AbstractStreamWriter

from hub.config import Config
from hub.counters import Counters
from hub.exchange import Exchange
from hub.outbox import Rounds
from hub.registry import Registry


@dataclass(frozen=True, slots=True)
class State:
    """The parts of a running hub that its doors need."""

    config: Config
    registry: Registry
    exchange: Exchange
    rounds: Rounds
    counters: Counters
    addresses: Counter[str] = field(default_factory=Counter)
    """Open sockets at /client by the peer's address."""
    sockets: "set[HubSocket]" = field(default_factory=set)
    """Every open WebSocket, so that none outlives the hub."""


CLOSE_SECONDS = 2.0
"""How long a peer may take to answer a close: it has nothing left to say that we want."""

UNTAKEN_SECONDS = 30.0
"""Who takes nothing off its own kernel for so long loses its connection, whatever is on the way: a close, a pong, last events."""

LINGER_SECONDS = 0.05
"""How often a lingering close looks whether the peer has gone."""

TEXT, BINARY = WSMsgType.TEXT, WSMsgType.BINARY
"""By plain names: looking a member up in its Enum takes longer than parsing a frame's header, and this is done for each."""

STATE = web.AppKey("state", State)


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
