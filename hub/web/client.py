"""`WS /client`: subscribers, by hand or by program. One socket: its token, its limits, its end.

Knows one subscriber's connection. What the subscriber follows is in `subscriptions.py`, which live audio it gets in `listening_in.py`.
"""

import asyncio
import logging
import socket as sockets
import time
from contextlib import suppress

import msgspec
from aiohttp import WebSocketError, WSMsgType, web

from hub.errors import Lagged, TokenError, WireError
from hub.events import Authenticated, Part, Pong, Refusal, encode
from hub.topics.outbox import Outbox
from hub.web import protocol as wire
from hub.web.access import carried, check_origin, grant, refusal
from hub.web.frames import close_frame, text_frame
from hub.web.listening_in import ListeningIn
from hub.web.sockets import HubSocket, Interruption, UnacknowledgedBytes
from hub.web.state import STATE, State
from hub.web.subscriptions import Subscriptions

log = logging.getLogger(__name__)

SEND_BUFFER_BYTES = 64 * 1024
"""The kernel's send buffer for a subscriber. By default it grows to 4 MB, which hides a stalled subscriber for thousands of events."""

ABORT_SECONDS = 1.0
"""How long a lagging subscriber has to read its close code before the connection is aborted. aiohttp's close() would wait for ever."""

LOOK_SECONDS = 0.05
"""How often the hub checks whether a subscriber has taken the last events of its call, before it closes the socket."""


class Subscriber:
    """One socket at /client."""

    __slots__ = (
        "_allowance",
        "_close_code",
        "_counted_at",
        "_expiry",
        "_listening_in",
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
        """What the subscriber follows; None until it has shown a token, on a hub that wants one."""
        self._listening_in: ListeningIn | None = None
        """Which live audio the subscriber gets; None until it first asks for any."""
        self._expiry: asyncio.TimerHandle | None = None
        """Fires when the token expires or, before there is one, when it is overdue; None if neither can happen."""
        self._over = False
        """Whether the socket is about to be closed: messages that still arrive are ignored."""
        self._close_code: int | None = None
        """The code with which the hub closes; None while it does not. A peer that is gone never answers, so the socket may not know."""
        limits = state.limits
        self._allowance = limits.messages_at_once
        """Messages that the peer may send now."""
        self._counted_at = time.monotonic()
        """When `_allowance` was last computed, monotonic seconds."""
        self.socket = HubSocket(max_msg_size=wire.MAX_MESSAGE_BYTES, heartbeat=limits.ping_seconds, close_seconds=limits.close_seconds)

    async def serve(self) -> None:
        """Send the list of live calls, then answer requests until the socket is closed."""
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
            await self._receive_all()
        finally:
            self._state.counters.subscribers -= 1
            self._state.counters.closed[self._close_code or self.socket.close_code or 1006] += 1
            self._state.sockets.discard(self.socket)
            if self._expiry is not None:
                self._expiry.cancel()
            if self._listening_in is not None:
                self._listening_in.close()
            if self._subscriptions is not None:
                self._subscriptions.close()
            self._outbox.close()
            if transport.get_write_buffer_size():
                transport.abort()

    def _limit_buffers(self) -> None:
        """Limit what the kernel buffers for this peer."""
        raw = self._transport.get_extra_info("socket")
        if raw is not None:
            with suppress(OSError):  # the connection is already gone
                raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, SEND_BUFFER_BYTES)

    def _greet(self) -> None:
        """Check the token of the request, if it has one or needs none; otherwise give the subscriber time to send one."""
        token = carried(self._request)
        if self._state.config.secret and token is None:
            self._expiry = asyncio.get_running_loop().call_later(self._state.limits.token_seconds, self._turn_away, "no token came")
            return
        self._authenticate(token)

    def _authenticate(self, token: str | None) -> None:
        """Admit the subscriber with its first token, or replace its token by another."""
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
            if self._listening_in is not None:
                self._listening_in.narrow()
            self._answer(Authenticated(at=self._state.registry.now()))
            return
        self._subscriptions = Subscriptions(
            self._state.registry, self._outbox, granted, self._state.limits, lambda: self._end(1000, "call ended")
        )
        self._outbox.answer(msgspec.json.encode(self._subscriptions.live()))

    def _turn_away(self, reason: str) -> None:
        self._state.counters.refused["client token"] += 1
        self._refuse("token", reason)
        self._end(wire.BAD_TOKEN, reason)

    def _end(self, code: int, reason: str) -> None:
        """Close the socket with this code once what was sent so far is taken. Messages that the peer still sends are ignored."""
        self._over, self._close_code = True, code
        self.socket.interrupt(code, reason)

    async def _receive_all(self) -> None:
        while True:
            message = await self.socket.receive()
            match message.type:
                case WSMsgType.TEXT:
                    self._receive(message.data)
                case WSMsgType.BINARY:
                    if self._allowed():
                        self._refuse("protocol", "subscriber sent a binary message, but requests are text")
                case WSMsgType.ERROR if isinstance(message.data, Interruption):
                    await self._last_events_taken()
                    self._outbox.close()
                    # No drain: it never ends if the peer stalls, and close() waits for the peer's answer anyway.
                    await self.socket.close(code=message.data.code, message=message.data.reason.encode()[:123], drain=False)
                    return
                case WSMsgType.ERROR:
                    if isinstance(message.data, WebSocketError):
                        log.info("a subscriber broke the WebSocket protocol: %s", message.data)
                    return
                case _:
                    return

    async def _last_events_taken(self) -> None:
        """Return when the peer has taken everything that was sent, or has taken nothing for `Limits.last_events_seconds`."""
        patience_seconds = self._state.limits.last_events_seconds
        left, since = self._transport.get_write_buffer_size(), time.monotonic()
        while left and not self._transport.is_closing() and time.monotonic() - since < patience_seconds:
            await asyncio.sleep(LOOK_SECONDS)
            if (left_now := self._transport.get_write_buffer_size()) < left:
                left, since = left_now, time.monotonic()

    def _allowed(self) -> bool:
        """Return whether to process a message: the socket stays open, and the peer's allowance is not used up. Count it; close if it is."""
        limits = self._state.limits
        if self._over:
            return False
        now = time.monotonic()
        self._allowance = min(limits.messages_at_once, self._allowance + (now - self._counted_at) * limits.messages_per_second) - 1
        self._counted_at = now
        if self._allowance >= 0:
            return True
        self._refuse("too-many", f"more than {limits.messages_per_second:.0f} messages per second")
        self._end(wire.FORBIDDEN, "too many messages")
        return False

    def _receive(self, text: str) -> None:
        if not self._allowed():
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
                self._listening(subscriptions).listen(call_sid, allowed=self._state.config.listen)
            case wire.Unlisten(call_sid):
                self._listening(subscriptions).unlisten(call_sid)
            case wire.Ping():
                self._answer(Pong(at=self._state.registry.now()))

    def _listening(self, subscriptions: Subscriptions) -> ListeningIn:
        if self._listening_in is None:
            unacknowledged = UnacknowledgedBytes(self._transport.get_extra_info("socket"))
            self._listening_in = ListeningIn(self._state, self._outbox, subscriptions, unacknowledged)
        return self._listening_in

    def _refuse(self, code: str, message: str) -> None:
        self._answer(Refusal(code=code, message=message, at=self._state.registry.now()))

    def _answer(self, answer: Part) -> None:
        self._outbox.answer(encode(answer))

    def _cut_off(self, reason: Lagged | Exception) -> None:
        """Close the socket of a subscriber that was given up: it should reconnect with its position."""
        self._over = True
        if isinstance(reason, Lagged):
            self._state.counters.lagged += 1
            log.info("a subscriber was disconnected: %s", reason)
            self._close_code, words = wire.LAGGED, "lagged: reconnect with your position"
        else:
            log.error("events could not be handed to a subscriber", exc_info=reason)
            self._close_code, words = wire.FAILED, "the hub failed on this socket: reconnect with your position"
        # Not by socket.close(): it waits until the close frame is taken, which a stalled peer never does. Losing the connection ends
        # receive().
        with suppress(RuntimeError):  # the connection is already gone: uvloop raises that
            self._transport.write(close_frame(self._close_code, words))
        self._state.rounds.after(ABORT_SECONDS, self._transport.abort)


async def client(request: web.Request) -> web.StreamResponse:
    """Serve one subscriber. Before the upgrade: 403 for a web page of another origin, 429 for an address with too many sockets."""
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
