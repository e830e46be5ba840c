"""`WS /client`: subscribers, by hand or by program."""

import logging
import socket as sockets

import msgspec
from aiohttp import WebSocketError, WSMsgType, web

from hub.errors import Lagged, WireError
from hub.events import Part, Pong, Refusal, Subscribed, Unsubscribed, encode
from hub.outbox import Outbox
from hub.topic import Following
from hub.web.state import STATE, HubSocket, Interruption, State
from hub.wire import client as wire

log = logging.getLogger(__name__)

PING_SECONDS = 30.0
"""A half-open peer is noticed after one and a half of these."""

SEND_BUFFER_BYTES = 64 * 1024
"""The kernel's own default grows to 4 MB, which hides a stalled reader for thousands of events."""

ABORT_SECONDS = 1.0
"""What a lagging peer gets to read its close code before the connection is cut: aiohttp's close() never returns on a stalled one."""


class Subscriber:
    """One socket at /client and what it follows."""

    def __init__(self, state: State, request: web.Request) -> None:
        self._state = state
        self._request = request
        self._followings: dict[str, Following] = {}
        """By callSid."""
        self._stays = False
        """Whether the socket stays open after its calls: it does as soon as one was subscribed to by JSON."""
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
        try:
            self._outbox.answer(wire.text_frame(msgspec.json.encode(self._state.registry.live())))
            await self._listen()
        finally:
            self._state.counters.subscribers -= 1
            self._state.counters.closed[self.socket.close_code or 1006] += 1
            self._state.sockets.discard(self.socket)
            for following in self._followings.values():
                following.topic.leave(following)
            self._outbox.close()
            if transport.get_write_buffer_size():
                transport.abort()

    async def _listen(self) -> None:
        while True:
            message = await self.socket.receive()
            match message.type:
                case WSMsgType.TEXT:
                    self._receive(message.data)
                case WSMsgType.BINARY:
                    self._refuse("protocol", "subscriber sent a binary message, where text is expected")
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

    def _receive(self, text: str) -> None:
        try:
            request = wire.decode(text)
        except WireError as error:
            self._refuse(error.code, str(error))
            return
        match request:
            case wire.Bare(call_sid):
                self._follow_bare(call_sid)
            case wire.Subscribe():
                self._subscribe(request)
            case wire.Unsubscribe(call_sid=call_sid):
                if (following := self._followings.pop(call_sid, None)) is None:
                    self._refuse("not-subscribed", "nothing to unsubscribe from", call_sid)
                    return
                following.topic.leave(following)
                self._answer(Unsubscribed(call_sid=call_sid, at=self._now()))
            case wire.Ping():
                self._answer(Pong(at=self._now()))

    def _follow_bare(self, call_sid: str) -> None:
        record = self._state.registry.find(call_sid)
        if record is None:
            self._refuse("unknown-call", "no such call: it has not begun, or ended too long ago", call_sid)
            self.socket.interrupt(wire.UNKNOWN_CALL, "no such call")
            return
        if call_sid in self._followings:
            self._refuse("already-subscribed", "this socket follows that call already", call_sid)
            return
        following, _ = record.topic.follow(self._outbox, on_complete=self._complete)
        self._followings[call_sid] = following
        self._outbox.flush()

    def _subscribe(self, request: wire.Subscribe) -> None:
        record = self._state.registry.find(request.call_sid)
        if record is None:
            self._refuse("unknown-call", "no such call: it has not begun, or ended too long ago", request.call_sid)
            return
        if request.call_sid in self._followings:
            self._refuse("already-subscribed", "this socket follows that call already", request.call_sid)
            return
        following, whole = record.topic.follow(self._outbox, after=request.after, interims=request.interims)
        self._followings[request.call_sid] = following
        self._stays = True
        self._answer(Subscribed(call_sid=request.call_sid, epoch=record.topic.epoch, offset=following.offset, whole=whole, at=self._now()))

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
    """Serve one subscriber."""
    subscriber = Subscriber(request.app[STATE], request)
    await subscriber.serve()
    return subscriber.socket
