"""`WS /client`: subscribers, by hand or by program. One socket: its token, its limits, its end.

Knows one subscriber's connection. What the subscriber follows is in `subscriptions.py`, which live audio it gets in `listening_in.py`.
"""

import asyncio
import logging
import time
from contextlib import suppress
from typing import TypeAlias

import msgspec
from aiohttp import WebSocketError, WSMsgType, web

from hub.broker.broker import BrokerError
from hub.calls.order import NotTaken
from hub.errors import Lagged, Moved, TokenError, WireError
from hub.events import Authenticated, Part, Pong, Position, Refusal, encode
from hub.tokens import Grant
from hub.topics.outbox import Outbox
from hub.web.access import carried, check_origin, check_websocket, grant
from hub.web.allowance import Allowance
from hub.web.connections import connection_of
from hub.web.doors import protocol as wire
from hub.web.doors.bringing import bring
from hub.web.doors.listening_in import ListeningIn
from hub.web.doors.ordering import ordered
from hub.web.doors.subscriber_room import SubscriberRoom, bound_kernel, last_events_taken
from hub.web.doors.subscriptions import Subscriptions
from hub.web.frames import close_frame, text_frame
from hub.web.sockets import HubSocket, Interruption, UnacknowledgedBytes
from hub.web.state import STATE, State

log = logging.getLogger(__name__)

ABORT_SECONDS = 1.0
"""How long a lagging subscriber has to read its close code before the connection is aborted. aiohttp's close() would wait for ever."""

ORDER_MESSAGES = 8
"""An order for a call reads the call's log, and is noted: it takes as long as so many messages."""

TOKEN_MESSAGES, TOKEN_CHARACTERS = 8, 100
"""To check a token takes as long as so many messages in a turn of the event loop, and one more for so many characters of a long one."""


class Subscriber:
    """One socket at /client."""

    __slots__ = (
        "_allowance",
        "_close_code",
        "_cost",
        "_expiry",
        "_listening_in",
        "_outbox",
        "_over",
        "_request",
        "_room",
        "_shown",
        "_state",
        "_subscriptions",
        "_transport",
        "socket",
    )

    def __init__(self, state: State, request: web.Request, shown: "Shown", room: SubscriberRoom) -> None:
        self._state = state
        self._request = request
        self._shown = shown
        self._room = room
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
        self._allowance = Allowance(limits.messages_at_once, limits.messages_per_second, time.monotonic)
        """Messages that the peer may send now."""
        self._cost = 0.0
        """What the newest message cost, in messages."""
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
            bound_kernel(transport)
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

    def _greet(self) -> None:
        """Admit the subscriber if its request shows a token or needs none; otherwise give it time to send one."""
        match self._shown:
            case None:
                self._expiry = asyncio.get_running_loop().call_later(self._state.limits.token_seconds, self._turn_away, "no token came")
            case TokenError():
                self._turn_away(str(self._shown))
            case Grant():
                self._admit(self._shown)

    def _authenticate(self, token: str) -> None:
        """Admit the subscriber with its first token, or replace its token by another."""
        try:
            granted = grant(self._state, token)
        except TokenError as error:
            self._turn_away(str(error))
        else:
            self._admit(granted)

    def _admit(self, granted: Grant) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        if not self._room.take():
            self._refuse("too-many", self._room.crowded)
            self._end(wire.FORBIDDEN, "too many sockets")
            return
        if granted.expires_at is not None:
            left_seconds = max(0.0, granted.expires_at - time.time())
            self._expiry = asyncio.get_running_loop().call_later(left_seconds, self._turn_away, "the token has expired")
        if self._subscriptions is not None:
            self._subscriptions.narrow(granted)
            if self._listening_in is not None:
                self._listening_in.narrow()
            self._answer(Authenticated(at=self._state.registry.now()))
            return
        self._subscriptions = Subscriptions(self._state, self._outbox, granted, lambda: self._end(1000, "call ended"))
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
            await self._state.turns.spend(self._cost)
            if self._transport.is_closing() and message.type is WSMsgType.TEXT:
                return  # nobody is there for the answers, and thousands of messages may be left
            self._cost = 1.0
            match message.type:
                case WSMsgType.TEXT:
                    await self._receive(message.data)
                case WSMsgType.BINARY:
                    if self._allowed():
                        self._refuse("protocol", "subscriber sent a binary message, but requests are text")
                case WSMsgType.PING:
                    if self._allowed():
                        self.socket.answer_ping(message.data)
                case WSMsgType.PONG:
                    self._allowed()
                case WSMsgType.ERROR if isinstance(message.data, Interruption):
                    await last_events_taken(self._outbox, self._transport, self._state.limits.last_events_seconds)
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

    def _allowed(self) -> bool:
        """Return whether to process a message: the socket stays open, and the peer's allowance is not used up. Count it; close if it is."""
        if self._over:
            return False
        if self._allowance.spend():
            return True
        self._flooded()
        return False

    def _flooded(self) -> None:
        if self._subscriptions is not None:
            self._subscriptions.close()  # what is still due would stand before the refusal
        self._refuse("too-many", f"more than {self._state.limits.messages_per_second:.0f} messages per second, or lists as dear as that")
        self._end(wire.FORBIDDEN, "too many messages")

    async def _receive(self, text: str) -> None:
        if not self._allowed():
            return
        try:
            request = wire.decode(text)
        except WireError as error:
            self._refuse(error.code, str(error))
            return
        if isinstance(request, wire.Authenticate):
            self._cost += max(TOKEN_MESSAGES, len(request.token) / TOKEN_CHARACTERS)
            self._authenticate(request.token)
        elif self._subscriptions is None:
            self._turn_away("this hub wants a token first")
        else:
            await self._do(request, self._subscriptions)
        if self._subscriptions is not None and (cost := self._subscriptions.cost):
            self._subscriptions.cost = 0.0
            self._cost += cost
            if not self._allowance.spend(cost) and not self._over:
                self._flooded()

    async def _do(self, request: wire.Bare | wire.Action, subscriptions: Subscriptions) -> None:
        match request:
            case wire.Bare(call_sid):
                brought = await self._brought(call_sid, subscriptions)
                if brought is None:
                    self._end(wire.FAILED, "the call cannot be read now: come back")
                elif not self._over and not (brought and subscriptions.follow_bare(call_sid)):
                    self._end(wire.UNKNOWN_CALL, "no such call")
            case wire.Subscribe(call_sid=str() as call_sid, after=after) if not await self._brought(call_sid, subscriptions, after):
                pass  # the subscriber was told why
            case wire.Subscribe():
                for _ in subscriptions.subscribe(request):
                    await self._state.turns.next()
            case wire.Unsubscribe():
                for _ in subscriptions.unsubscribe(request):
                    await self._state.turns.next()
            case wire.Listen(call_sid):
                self._listening(subscriptions).listen(call_sid, allowed=self._state.config.listen)
            case wire.Unlisten(call_sid):
                self._listening(subscriptions).unlisten(call_sid)
            case wire.SayRequest() | wire.TransferRequest() | wire.HangUpRequest() | wire.TakeOverRequest():
                self._cost += ORDER_MESSAGES
                await self._steer(request, subscriptions)
            case wire.Ping():
                self._answer(Pong(at=self._state.registry.now()))

    async def _brought(self, call_sid: str, subscriptions: Subscriptions, after: Position | None = None) -> bool | None:
        """Bring a call for this socket; see `bring`. A socket whose call cannot be read now is closed: its subscriber comes back."""
        try:
            return await bring(self._state, subscriptions, call_sid, after)
        except BrokerError as error:
            self._end(wire.FAILED, error.problem)
            return False

    async def _steer(self, request: wire.SteeringRequest, subscriptions: Subscriptions) -> None:
        """Have an order taken, and answer how far it is, or why it is not taken."""
        now = self._state.registry.now()
        try:
            self._answer(await ordered(self._state, subscriptions.grant, request))
        except NotTaken as error:
            code, sid, order = error.refusal_code, request.call_sid, request.order or None
            self._answer(Refusal(code=code, message=str(error), call_sid=sid, order=order, at=now))

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
        elif isinstance(reason, Moved):
            log.info("a subscriber was disconnected: %s", reason)
            self._close_code, words = wire.LAGGED, "moved: reconnect with your position"
        else:
            log.error("events could not be handed to a subscriber", exc_info=reason)
            self._close_code, words = wire.FAILED, "the hub failed on this socket: reconnect with your position"
        # Not by socket.close(): it waits until the close frame is taken, which a stalled peer never does. Losing the connection ends
        # receive().
        with suppress(RuntimeError):  # the connection is already gone: uvloop raises that
            self._transport.write(close_frame(self._close_code, words))
        self._state.rounds.after(ABORT_SECONDS, self._transport.abort)


Shown: TypeAlias = Grant | TokenError | None
"""What the request for the upgrade shows: what its token allows, why its token is refused, or nothing."""


async def client(request: web.Request) -> web.StreamResponse:
    """Serve one subscriber. Before the upgrade: 403 for a web page of another origin, 429 for one more socket than there is room for.

    A socket without a token is let in for the time in which one can be sent. It counts among the connections that have proved nothing.
    """
    state = request.app[STATE]
    check_origin(request)
    check_websocket(request, "; over HTTP, /calls/{callSid}/events and /events send the same")
    shown = _shown(state, carried(request))
    room = SubscriberRoom(state, connection_of(request))
    subscriber = Subscriber(state, request, shown, room)
    try:
        if isinstance(shown, Grant):
            room.claim()
        await connection_of(request).in_turn(state.turns)  # it gets a list of calls, and a thousand viewers come back at once
        await subscriber.serve()
    finally:
        room.give_back()
    return subscriber.socket


def _shown(state: State, token: str | None) -> Shown:
    if state.config.secret and token is None:
        return None
    try:
        return grant(state, token)
    except TokenError as error:
        return error
