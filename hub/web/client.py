"""`WS /client`: subscribers, by hand or by program. One socket: its token, its limits, its end.

What it follows is in `subscriptions`, what it hears in `listening`.
"""

import asyncio
import logging
import socket as sockets
import time
from contextlib import suppress

import msgspec
from aiohttp import WebSocketError, WSMsgType, web

from hub.errors import Lagged, WireError
from hub.events import Authenticated, Part, Pong, Refusal, encode
from hub.tokens import TokenError
from hub.topics.outbox import IDLE_SECONDS, Outbox
from hub.web import protocol as wire
from hub.web.access import carried, check_origin, grant, refusal
from hub.web.frames import close_frame, text_frame
from hub.web.listening import Ears
from hub.web.sockets import Backlog, HubSocket, Interruption
from hub.web.state import STATE, State
from hub.web.subscriptions import Subscriptions

log = logging.getLogger(__name__)

PING_SECONDS = 30.0
"""A half-open peer is noticed after one and a half of these."""

TOKEN_SECONDS = 10.0
"""How long a socket may stay open without showing a token, where one is wanted."""

SEND_BUFFER_BYTES = 64 * 1024
"""The kernel's own default grows to 4 MB, which hides a stalled reader for thousands of events."""

ABORT_SECONDS = 1.0
"""What a lagging peer gets to read its close code before the connection is cut: aiohttp's close() never returns on a stalled one."""

LOOK_SECONDS = 0.05
"""How often a subscriber that has yet to take its call's last events is looked at before its socket is closed."""

MESSAGES_PER_SECOND, MESSAGES_AT_ONCE = 100.0, 2000.0
"""A dashboard asks for each of its calls when it connects; nobody has reason to go on like that."""


class Subscriber:
    """One socket at /client."""

    __slots__ = (
        "_allowance",
        "_close_code",
        "_counted_at",
        "_ears",
        "_expiry",
        "_outbox",
        "_over",
        "_request",
        "_state",
        "_subscriptions",
        "_transport",
        "socket",
    )

    def __init__(self, state: State, request: web.Request) -> None:
        self._state = state
        self._request = request
        self._subscriptions: Subscriptions | None = None
        """What it follows; None until it has shown a token, where one is wanted."""
        self._ears: Ears | None = None
        """What it hears; None until it asks to."""
        self._expiry: asyncio.TimerHandle | None = None
        """When the token runs out, or has to be there; None where neither matters."""
        self._over = False
        """Whether the socket is about to be closed: what still comes is not looked at."""
        self._close_code: int | None = None
        """With what the hub closes; None while it does not. A peer that was cut off, or vanished, never answers it."""
        self._allowance = MESSAGES_AT_ONCE
        """Messages the peer may send now."""
        self._counted_at = time.monotonic()
        self.socket = HubSocket(max_msg_size=wire.MAX_MESSAGE_BYTES, heartbeat=PING_SECONDS)

    async def serve(self) -> None:
        """Say which calls are live, then answer requests until the socket is closed."""
        await self.socket.prepare(self._request)
        transport = self._request.transport
        if transport is None:
            return
        self._transport = transport
        self._outbox = Outbox(transport, self._state.rounds, text_frame, self._cut_off)
        self._state.sockets.add(self.socket)
        self._state.counters.subscribers += 1
        try:
            self._limit_buffers()
            self._greet()
            await self._listen()
        finally:
            self._state.counters.subscribers -= 1
            self._state.counters.closed[self._close_code or self.socket.close_code or 1006] += 1
            self._state.sockets.discard(self.socket)
            if self._expiry is not None:
                self._expiry.cancel()
            if self._ears is not None:
                self._ears.close()
            if self._subscriptions is not None:
                self._subscriptions.close()
            self._outbox.close()
            if transport.get_write_buffer_size():
                transport.abort()

    def _limit_buffers(self) -> None:
        """Have the kernel keep little for this peer."""
        raw = self._transport.get_extra_info("socket")
        if raw is not None:
            with suppress(OSError):  # the connection is gone already
                raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, SEND_BUFFER_BYTES)

    def _greet(self) -> None:
        """Let in who carries a token, or needs none; give others a moment to show it."""
        token = carried(self._request)
        if self._state.config.secret and token is None:
            self._expiry = asyncio.get_running_loop().call_later(TOKEN_SECONDS, self._turn_away, "no token came")
            return
        self._authenticate(token)

    def _authenticate(self, token: str | None) -> None:
        """Let the peer in with a token, or have it go on with another one."""
        try:
            granted = grant(self._state, token)
        except TokenError as error:
            self._turn_away(str(error))
            return
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        if granted.expires_at is not None:
            left_seconds = max(0.0, granted.expires_at - time.time())
            self._expiry = asyncio.get_running_loop().call_later(left_seconds, self._turn_away, "the token has expired")
        if self._subscriptions is not None:
            self._subscriptions.narrow(granted)
            if self._ears is not None:
                self._ears.narrow()
            self._answer(Authenticated(at=self._state.registry.now()))
            return
        self._subscriptions = Subscriptions(self._state.registry, self._outbox, granted, lambda: self._end(1000, "call ended"))
        self._outbox.answer(msgspec.json.encode(self._subscriptions.live()))

    def _turn_away(self, reason: str) -> None:
        self._state.counters.refused["client token"] += 1
        self._refuse("token", reason)
        self._end(wire.BAD_TOKEN, reason)

    def _end(self, code: int, reason: str) -> None:
        """Close the socket with this code, after what was sent so far; what the peer still sends is not looked at."""
        self._over, self._close_code = True, code
        self.socket.interrupt(code, reason)

    async def _listen(self) -> None:
        while True:
            message = await self.socket.receive()
            match message.type:
                case WSMsgType.TEXT:
                    self._receive(message.data)
                case WSMsgType.BINARY:
                    if self._counts():
                        self._refuse("protocol", "subscriber sent a binary message, where text is expected")
                case WSMsgType.ERROR if isinstance(message.data, Interruption):
                    await self._taken()
                    self._outbox.close()
                    # No drain: on a stalled peer it never ends, and the peer's answer is waited for anyway.
                    await self.socket.close(code=message.data.code, message=message.data.reason.encode()[:123], drain=False)
                    return
                case WSMsgType.ERROR:
                    if isinstance(message.data, WebSocketError):
                        log.info("a subscriber broke the WebSocket protocol: %s", message.data)
                    return
                case _:
                    return

    async def _taken(self) -> None:
        """Return when the peer has taken what it was sent, or takes no more."""
        left, since = self._transport.get_write_buffer_size(), time.monotonic()
        while left and not self._transport.is_closing() and time.monotonic() - since < IDLE_SECONDS:
            await asyncio.sleep(LOOK_SECONDS)
            if (left_now := self._transport.get_write_buffer_size()) < left:
                left, since = left_now, time.monotonic()

    def _counts(self) -> bool:
        """Take one message off the peer's allowance; close the socket when there is none left. Return whether to look at the message."""
        if self._over:
            return False
        now = time.monotonic()
        self._allowance = min(MESSAGES_AT_ONCE, self._allowance + (now - self._counted_at) * MESSAGES_PER_SECOND) - 1
        self._counted_at = now
        if self._allowance >= 0:
            return True
        self._refuse("too-many", f"more than {MESSAGES_PER_SECOND:.0f} messages a second")
        self._end(wire.FORBIDDEN, "too many messages")
        return False

    def _receive(self, text: str) -> None:
        if not self._counts():
            return
        try:
            request = wire.decode(text)
        except WireError as error:
            self._refuse(error.code, str(error))
            return
        if isinstance(request, wire.Authenticate):
            self._authenticate(request.token)
            return
        subscriptions = self._subscriptions
        if subscriptions is None:
            self._turn_away("this hub wants a token first")
            return
        match request:
            case wire.Bare(call_sid):
                if not subscriptions.follow_bare(call_sid):
                    self._end(wire.UNKNOWN_CALL, "no such call")
            case wire.Subscribe():
                subscriptions.subscribe(request)
            case wire.Unsubscribe():
                subscriptions.unsubscribe(request)
            case wire.Listen(call_sid):
                self._opened_ears(subscriptions).listen(call_sid, allowed=self._state.config.listen)
            case wire.Unlisten(call_sid):
                self._opened_ears(subscriptions).unlisten(call_sid)
            case wire.Ping():
                self._answer(Pong(at=self._state.registry.now()))

    def _opened_ears(self, subscriptions: Subscriptions) -> Ears:
        if self._ears is None:
            backlog = Backlog(self._transport.get_extra_info("socket"))
            self._ears = Ears(self._state.registry, self._state.counters, self._outbox, subscriptions, backlog)
        return self._ears

    def _refuse(self, code: str, message: str) -> None:
        self._answer(Refusal(code=code, message=message, at=self._state.registry.now()))

    def _answer(self, answer: Part) -> None:
        self._outbox.answer(encode(answer))

    def _cut_off(self, reason: Lagged | Exception) -> None:
        """Close the socket of a subscriber that was given up: it comes back with its position."""
        self._over = True
        if isinstance(reason, Lagged):
            self._state.counters.lagged += 1
            log.info("a subscriber was cut off: %s", reason)
            self._close_code, words = wire.LAGGED, "lagged: come back with your position"
        else:
            log.error("events could not be handed to a subscriber", exc_info=reason)
            self._close_code, words = wire.FAILED, "the hub failed on this socket: come back with your position"
        # Not by socket.close(): that waits for a drain which a stalled peer never gives. Losing the connection ends receive().
        with suppress(RuntimeError):  # gone already; uvloop says so
            self._transport.write(close_frame(self._close_code, words))
        self._state.rounds.after(ABORT_SECONDS, self._transport.abort)


async def client(request: web.Request) -> web.StreamResponse:
    """Serve one subscriber. 403 for a page of another origin, 429 for one address with too many sockets, before the upgrade."""
    state = request.app[STATE]
    check_origin(request)
    address = request.remote or ""
    if state.addresses[address] >= state.config.sockets_per_address:
        state.counters.refused["client address"] += 1
        raise refusal(web.HTTPTooManyRequests, "too-many", f"{state.config.sockets_per_address} sockets are open from this address")
    state.addresses[address] += 1
    try:
        subscriber = Subscriber(state, request)
        await subscriber.serve()
        return subscriber.socket
    finally:
        state.addresses[address] -= 1
        if not state.addresses[address]:
            del state.addresses[address]
