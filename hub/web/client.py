"""`WS /client`: subscribers, by hand or by program."""

import asyncio
import logging
import socket as sockets
import time

import msgspec
from aiohttp import WebSocketError, WSMsgType, web

from hub.errors import Lagged, WireError
from hub.events import (
    Authenticated,
    Calls,
    CallStarted,
    Durable,
    Part,
    Pong,
    Refusal,
    Subscribed,
    Unsubscribed,
    Watching,
    encode,
)
from hub.outbox import Outbox
from hub.registry import Record
from hub.tokens import Grant, TokenError
from hub.topic import Following
from hub.web.access import carried, check_origin, grant, refusal
from hub.web.state import STATE, HubSocket, Interruption, State
from hub.wire import client as wire

log = logging.getLogger(__name__)

PING_SECONDS = 30.0
"""A half-open peer is noticed after one and a half of these."""

TOKEN_SECONDS = 10.0
"""How long a socket may stay open without showing a token, where one is wanted."""

SEND_BUFFER_BYTES = 64 * 1024
"""The kernel's own default grows to 4 MB, which hides a stalled reader for thousands of events."""

ABORT_SECONDS = 1.0
"""What a lagging peer gets to read its close code before the connection is cut: aiohttp's close() never returns on a stalled one."""

MOST_CALLS = 5000
"""Calls one socket may follow: more than a node can carry."""

MESSAGES_PER_SECOND, MESSAGES_AT_ONCE = 100.0, 2000.0
"""A dashboard asks for each of its calls when it connects; nobody has reason to go on like that."""

SWEEP_CALLS = 64
"""From so many on, calls that the hub has forgotten are looked for before another is followed."""

NO_SUCH_CALL = "no such call: it has not begun, or ended too long ago"


class Subscriber:
    """One socket at /client and what it follows."""

    __slots__ = ("_allowance", "_counted_at", "_expiry", "_followings", "_grant", "_lists_all", "_numbers", "_outbox", "_request",
                 "_state", "_stays", "_transport", "_watches", "socket")  # fmt: skip

    def __init__(self, state: State, request: web.Request) -> None:
        self._state = state
        self._request = request
        self._grant: Grant | None = None
        """What it may see; None until its token is known."""
        self._expiry: asyncio.TimerHandle | None = None
        """When the token runs out; None where it does not."""
        self._followings: dict[str, Following] = {}
        """By callSid."""
        self._numbers: dict[str, bool] = {}
        """Numbers whose calls are followed, and whether with interims."""
        self._lists_all = False
        """Whether starts and ends of all calls are told."""
        self._watches = False
        """Whether the registry tells us about calls."""
        self._stays = False
        """Whether the socket stays open after its calls: it does as soon as anything was subscribed to by JSON."""
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
        if (raw := transport.get_extra_info("socket")) is not None:
            raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, SEND_BUFFER_BYTES)
        self._transport = transport
        self._outbox = Outbox(transport, self._state.rounds, self._lagged)
        self._state.sockets.add(self.socket)
        self._state.counters.subscribers += 1
        self._greet()
        try:
            await self._listen()
        finally:
            self._state.counters.subscribers -= 1
            self._state.counters.closed[self.socket.close_code or 1006] += 1
            self._state.sockets.discard(self.socket)
            self._state.registry.unwatch(self._announced)
            if self._expiry is not None:
                self._expiry.cancel()
            for following in self._followings.values():
                following.topic.leave(following)
            self._outbox.close()
            if transport.get_write_buffer_size():
                transport.abort()

    def _greet(self) -> None:
        """Let in who carries a token, or needs none; give others a moment to show it."""
        token = carried(self._request)
        if self._state.config.secret and token is None:
            self._expiry = asyncio.get_running_loop().call_later(TOKEN_SECONDS, self._turn_away, "no token came")
            return
        self._authenticate(token)

    def _authenticate(self, token: str | None) -> None:
        first = self._grant is None
        try:
            self._grant = grant(self._state, token)
        except TokenError as error:
            self._turn_away(str(error))
            return
        if self._expiry is not None:
            self._expiry.cancel()
        if (expires_at := self._grant.expires_at) is not None:
            self._expiry = asyncio.get_running_loop().call_later(
                max(0.0, expires_at - time.time()), self._turn_away, "the token has expired"
            )
        if not first:
            self._answer(Authenticated(at=self._now()))
            return
        live = [sid for sid in self._state.registry.live() if (record := self._state.registry.find(sid)) and self._allows(record)]
        self._outbox.answer(wire.text_frame(msgspec.json.encode(live)))

    def _turn_away(self, reason: str) -> None:
        self._state.counters.refused["client token"] += 1
        self._refuse("token", reason)
        self.socket.interrupt(wire.BAD_TOKEN, reason)

    def _allows(self, record: Record) -> bool:
        return self._grant is not None and self._grant.allows(record.call_sid, *record.numbers)

    async def _listen(self) -> None:
        while True:
            message = await self.socket.receive()
            match message.type:
                case WSMsgType.TEXT:
                    self._receive(message.data)
                case WSMsgType.BINARY:
                    self._refuse("protocol", "subscriber sent a binary message, where text is expected")
                    self._count()
                case WSMsgType.ERROR if isinstance(message.data, Interruption):
                    self._outbox.close()
                    await self.socket.close(code=message.data.code, message=message.data.reason.encode()[:123])
                    return
                case WSMsgType.ERROR:
                    if isinstance(message.data, WebSocketError):
                        log.info("a subscriber broke the WebSocket protocol: %s", message.data)
                    return
                case _:
                    return

    def _count(self) -> bool:
        """Take one message off the peer's allowance; close the socket when there is none left."""
        now = time.monotonic()
        self._allowance = min(MESSAGES_AT_ONCE, self._allowance + (now - self._counted_at) * MESSAGES_PER_SECOND) - 1
        self._counted_at = now
        if self._allowance >= 0:
            return True
        self._refuse("too-many", f"more than {MESSAGES_PER_SECOND:.0f} messages a second")
        self.socket.interrupt(wire.FORBIDDEN, "too many messages")
        return False

    def _receive(self, text: str) -> None:
        if not self._count():
            return
        try:
            request = wire.decode(text)
        except WireError as error:
            self._refuse(error.code, str(error))
            return
        if isinstance(request, wire.Authenticate):
            self._authenticate(request.token)
            return
        if self._grant is None:
            self._turn_away("this hub wants a token first")
            return
        match request:
            case wire.Bare(call_sid):
                self._follow_bare(call_sid)
            case wire.Subscribe(call_sid=str() as call_sid):
                self._subscribe(call_sid, request)
            case wire.Subscribe(number=str() as number):
                self._subscribe_number(number, interims=request.interims)
            case wire.Subscribe():
                self._subscribe_all()
            case wire.Unsubscribe():
                self._unsubscribe(request)
            case wire.Ping():
                self._answer(Pong(at=self._now()))

    def _find(self, call_sid: str) -> Record | None:
        """Return the call if it may be followed now; otherwise say why not. Forbidden is answered as unknown is."""
        record = self._state.registry.find(call_sid)
        if record is None or not self._allows(record):
            self._refuse("unknown-call", NO_SUCH_CALL, call_sid)
            return None
        if call_sid in self._followings:
            self._refuse("already-subscribed", "this socket follows that call already", call_sid)
            return None
        return record if self._has_room(call_sid) else None

    def _has_room(self, call_sid: str) -> bool:
        if len(self._followings) >= SWEEP_CALLS:
            self._followings = {sid: each for sid, each in self._followings.items() if each in each.topic.followings}
        if len(self._followings) < MOST_CALLS:
            return True
        self._refuse("too-many", f"a socket may follow {MOST_CALLS} calls", call_sid)
        return False

    def _follow_bare(self, call_sid: str) -> None:
        record = self._find(call_sid)
        if record is None:
            if call_sid not in self._followings:
                self.socket.interrupt(wire.UNKNOWN_CALL, "no such call")
            return
        following, _ = record.topic.follow(self._outbox, on_complete=self._complete)
        self._followings[call_sid] = following
        self._outbox.flush()

    def _subscribe(self, call_sid: str, request: wire.Subscribe) -> None:
        record = self._find(call_sid)
        if record is not None:
            self._stays = True
            self._follow(record, request.after, interims=request.interims)

    def _follow(self, record: Record, after: wire.Position | None, *, interims: bool, number: str | None = None) -> None:
        following, whole = record.topic.follow(self._outbox, after=after, interims=interims)
        self._followings[record.call_sid] = following
        self._answer(
            Subscribed(
                call_sid=record.call_sid, epoch=record.topic.epoch, offset=following.offset, whole=whole, number=number, at=self._now()
            )
        )

    def _subscribe_number(self, number: str, *, interims: bool) -> None:
        assert self._grant is not None
        if not self._grant.allows_number(number):
            self._refuse("not-allowed", "the token does not name this number")
            return
        if number in self._numbers:
            self._refuse("already-subscribed", "this socket follows that number already")
            return
        self._stays = True
        self._numbers[number] = interims
        self._watch()
        self._answer(Watching(number=number, at=self._now()))
        for record in self._state.registry:
            if record.live:
                self._follow_numbers(record)

    def _follow_numbers(self, record: Record) -> None:
        """Follow a call if it is from or to a number that was asked for, and is not followed yet."""
        for number in record.numbers:
            if number in self._numbers and record.call_sid not in self._followings and self._has_room(record.call_sid):
                self._follow(record, None, interims=self._numbers[number], number=number)

    def _subscribe_all(self) -> None:
        if self._lists_all:
            self._refuse("already-subscribed", "this socket follows the list of calls already")
            return
        self._stays = self._lists_all = True
        self._watch()
        self._answer(Calls(calls=[record.summary() for record in self._state.registry if self._allows(record)], at=self._now()))

    def _unsubscribe(self, request: wire.Unsubscribe) -> None:
        following = None
        match request:
            case wire.Unsubscribe(call_sid=str() as call_sid):
                following = self._followings.pop(call_sid, None)
                known = following is not None
            case wire.Unsubscribe(number=str() as number):
                known = self._numbers.pop(number, None) is not None
            case _:
                known, self._lists_all = self._lists_all, False
        if not known:
            self._refuse("not-subscribed", "nothing to unsubscribe from", request.call_sid)
            return
        if following is not None:
            following.topic.leave(following)
        self._answer(Unsubscribed(call_sid=request.call_sid, number=request.number, calls=request.calls, at=self._now()))

    def _watch(self) -> None:
        if not self._watches:
            self._watches = True
            self._state.registry.watch(self._announced)

    def _announced(self, record: Record, event: Durable) -> None:
        """Hear from the registry that something happened to a call as a whole. Never waits."""
        if self._lists_all and self._allows(record):
            self._answer(event)
        if self._numbers and isinstance(event, CallStarted):
            self._follow_numbers(record)

    def _complete(self, _: Following) -> None:
        if not self._stays and all(each.complete for each in self._followings.values()):
            self.socket.interrupt(1000, "call ended")

    def _refuse(self, code: str, message: str, call_sid: str | None = None) -> None:
        self._answer(Refusal(code=code, message=message, call_sid=call_sid, at=self._now()))

    def _answer(self, answer: Part) -> None:
        self._outbox.answer(wire.text_frame(encode(answer)))

    def _now(self) -> str:
        return self._state.registry.now()

    def _lagged(self, lagged: Lagged) -> None:
        self._state.counters.lagged += 1
        log.info("a subscriber was cut off: %s", lagged)
        # Not by socket.close(): that waits for a drain which a stalled peer never gives. Losing the connection ends receive().
        self._transport.write(wire.close_frame(wire.LAGGED, "lagged: come back with your position"))
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
