"""One subscriber that follows calls over HTTP: an answer without an end, as Server-Sent Events. Its limits, and its end.

The same outbox as a socket at `/client`, so the same rules for slow subscribers, written past aiohttp. Knows one connection. Does not know
what is followed, nor how a message becomes a block (`hub/web/event_frames.py`).
"""

import asyncio
import logging
import time
from contextlib import suppress

from aiohttp import HttpVersion11, hdrs, web

from hub.errors import Lagged, Moved
from hub.events import Refusal, encode
from hub.tokens import Grant
from hub.topics.outbox import Frame, Outbox
from hub.web.connections import connection_of
from hub.web.doors import protocol as wire
from hub.web.doors.subscriber_room import SubscriberRoom, bound_kernel, last_events_taken
from hub.web.event_frames import COMMENT, chunk
from hub.web.http import complete
from hub.web.sockets import drop_unacknowledged
from hub.web.state import STATE

log = logging.getLogger(__name__)

MEDIA_TYPE = "text/event-stream"

RETRY = b"retry: 1000\n\n"
"""How long a browser waits before it comes back, in milliseconds. It would choose some seconds itself."""


def takes_chunks(request: web.Request) -> bool:
    """Return whether the answer may come in chunks. A peer of HTTP/1.0 reads until the connection is closed."""
    return request.version >= HttpVersion11


class EventStream:
    """One answer without an end."""

    def __init__(self, request: web.Request, granted: Grant) -> None:
        self._request = request
        self._granted = granted
        self._state = request.app[STATE]
        self._room = SubscriberRoom(self._state, connection_of(request))
        self._over = asyncio.Event()
        """Set when nothing more is to be sent."""
        self._code = 1006
        """Why it is over, as a close code of `/client`: for the counters. A peer that goes away has none."""
        self._comment = chunk(COMMENT) if takes_chunks(request) else COMMENT
        self._expiry: asyncio.TimerHandle | None = None
        """Fires when the token expires; None if it does not."""
        self.answer = described()
        self.outbox: Outbox
        """What the subscriber has yet to receive. There is none before `open`."""

    async def open(self, frame: Frame) -> None:
        """Begin the answer. `frame` makes a message a block. Raises: HTTPTooManyRequests; ConnectionResetError when the peer is gone."""
        request, state = self._request, self._state
        self._room.claim()
        await connection_of(request).in_turn(state.turns)  # a thousand viewers come back at once
        if takes_chunks(request):
            self.answer.enable_chunked_encoding()
        self.answer.force_close()
        complete(request, self.answer)
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the peer is gone")
        self._transport = transport
        bound_kernel(transport)
        drop_unacknowledged(transport)
        self.outbox = Outbox(transport, state.rounds, frame, self._cut_off)
        connection_of(request).become_stream(self._lost)
        await self.answer.prepare(request)
        await self.answer.write(RETRY)
        state.sockets.add(self)
        if self._granted.expires_at is not None:
            left_seconds = max(0.0, self._granted.expires_at - time.time())
            self._expiry = asyncio.get_running_loop().call_later(
                left_seconds, self.refuse, "token", "the token has expired", wire.BAD_TOKEN
            )

    async def run(self) -> web.StreamResponse:
        """Send what the outbox is given until one side has enough, and a comment when there is nothing."""
        state = self._state
        state.counters.subscribers += 1
        try:
            while not self._over.is_set():
                with suppress(TimeoutError):
                    async with asyncio.timeout(state.limits.comment_seconds):
                        await self._over.wait()
                if not self._over.is_set():
                    self.outbox.offer(self._comment)
            await last_events_taken(self.outbox, self._transport, state.limits.last_events_seconds)
            if not self._transport.is_closing():
                with suppress(TimeoutError, ConnectionError):
                    async with asyncio.timeout(state.limits.close_seconds):
                        await self.answer.write_eof()
        finally:
            state.counters.subscribers -= 1
            state.counters.closed[self._code] += 1
        return self.answer

    def close(self) -> None:
        """Let go of everything; safe to call where `open` has failed."""
        self._state.sockets.discard(self)
        if self._expiry is not None:
            self._expiry.cancel()
        self._room.give_back()
        if hasattr(self, "outbox"):
            self.outbox.close()
            if self._transport.get_write_buffer_size():
                self._transport.abort()

    def end(self, code: int = 1000) -> None:
        """End the answer once what was sent so far is taken. `code`: why, as a close code of `/client`. Never waits."""
        if not self._over.is_set():
            self._code = code
            self._over.set()

    def interrupt(self, code: int, reason: str) -> None:  # noqa: ARG002  the protocol has no place for the reason
        """See Interruptible. The peer comes back with its position."""
        self.end(code)

    def refuse(self, refusal_code: str, message: str, code: int) -> None:
        """End the answer with an error. `code`: as in `end`."""
        if self._over.is_set():
            return
        self.outbox.answer(encode(Refusal(code=refusal_code, message=message, at=self._state.registry.now())))
        self.end(code)

    def _lost(self) -> None:
        self.outbox.close()
        self.end(1006)

    def _cut_off(self, reason: Lagged | Exception) -> None:
        """Take note that the subscriber was given up. It comes back with its position."""
        if isinstance(reason, Moved):
            log.info("a stream of events was ended: %s", reason)
            self.end(wire.LAGGED)
            return
        if isinstance(reason, Lagged):
            self._state.counters.lagged += 1
            log.info("a stream of events was cut off: %s", reason)
            self.end(wire.LAGGED)
        else:
            log.error("events could not be handed to a stream", exc_info=reason)
            self.end(wire.FAILED)
        self._transport.abort()  # so that nobody takes this for the end


def described() -> web.StreamResponse:
    """Return the answer as its headers describe it."""
    headers = {hdrs.CONTENT_TYPE: MEDIA_TYPE, "X-Accel-Buffering": "no"}  # nginx would keep events until it has enough of them
    return web.StreamResponse(headers=headers)
