"""`WS /twilio`: Twilio Media Streams in.

Knows the order of one stream's life: proof, `start`, audio, `stop`. Does not know what a call does with its audio.

**Who may bring a stream, and when that is decided.** Everything that can be refused before the upgrade is: Twilio then reports error 31920
with our HTTP status, which an operator can find. In this order:

1. *The origin.* A browser would connect for any web page with its user's own network access; Twilio is no browser and sends no Origin.
2. *The signature.* With TWILIO_AUTH_TOKEN set, Twilio has signed the upgrade. Nothing more is asked of the stream.
3. *Stopping.* A hub that is stopping answers 503, but only to Twilio: to others it does not even say that.

Without an auth token no upgrade can be proved. If the hub must not be open, the stream then carries a token in a `<Parameter>`, because
Twilio strips the query from a Stream URL. Parameters come with `start`, after the upgrade, so such a stream is closed with 1008 instead of
being refused with 403. The token is checked before the call is joined: a stream with a wrong token leaves no call behind.
"""

import asyncio
import functools
import logging
import time
from collections.abc import Coroutine
from typing import Any, ClassVar

from aiohttp import WebSocketError, web

from hub.archive.archive import ArchiveError
from hub.calls.admission import Full, Overloaded
from hub.calls.arrivals import Arrival, NotReached
from hub.calls.call import Stream
from hub.errors import HubError, TokenError, WireError
from hub.ops.logs import CallLog
from hub.tokens import verify_stream
from hub.twilio.media import MAX_MESSAGE_BYTES, DtmfMessage, Mark, Media, Message, Start, StartBody, Stop, TwilioStream
from hub.twilio.twiml import TOKEN
from hub.web.allowance import Allowance
from hub.web.connections import Connection, connection_of
from hub.web.frames import text_frame
from hub.web.proof import check_upgrade
from hub.web.sockets import FrameSocket, Interruption
from hub.web.state import STATE, State

log = logging.getLogger(__name__)

RARE_AT_ONCE, RARE_PER_SECOND = 200, 20
"""Messages that are neither audio nor marks: nobody presses keys as fast, and events that a later Twilio may add are not more frequent."""


LOOK_UP_SECONDS = 0.25
"""How long a stream waits to learn whose call it is, from the archive and the broker: some milliseconds are normal."""

MOST_HELD = 500
"""Messages that are kept meanwhile: Twilio sends 100 a second, and brings a second at once after a hiccup."""


class MediaDoor:
    """One Twilio socket: passes its frames, in order, to a stream of its call. Implements `Peer`."""

    __slots__ = ("_close_code", "_connection", "_counters", "_held", "_log", "_over", "_rare", "_state", "_stream", "_wire", "socket")

    name: ClassVar = "twilio"
    """This door's name in the metrics."""

    def __init__(self, state: State, connection: Connection) -> None:
        self._state = state
        self._connection = connection
        self._counters = state.counters
        self._wire = TwilioStream()
        self._stream: Stream | None = None
        """The stream's part in its call; None before `start`."""
        self._held: list[Message] | None = None
        """What came while the call is looked up in the archive. None while it is not."""
        self._log = CallLog(log)
        self._over = False
        """Whether the socket is about to be closed: frames that still arrive are ignored."""
        self._rare = Allowance(RARE_AT_ONCE, RARE_PER_SECOND, time.monotonic)
        """Messages that are neither audio nor marks."""
        self._close_code: int | None = None
        """The code with which the hub closes; None while it does not. Kept here, because Twilio need not answer a close frame."""
        self.socket = FrameSocket(self.take, max_msg_size=MAX_MESSAGE_BYTES, close_seconds=state.limits.close_seconds)

    def take(self, data: bytes, is_text: bool) -> None:
        """Take one frame, inside the socket's own read. Never waits, never raises."""
        if self._over:
            return
        try:
            if not is_text:
                raise WireError("Twilio", "sent a binary message, but Media Streams are text", 1003)
            message = self._wire.receive(data)
            stream = self._stream
            if type(message) is Media and stream is not None:
                media = message.media
                self._counters.frames += 1
                if stream.chunk(media.track, media.timestamp, media.payload):
                    self._state.resting_sockets.rest(self.socket)
                return
            if self._held is not None and message is not None:
                self._hold(message)
            else:
                self._receive(message)
        except Exception as error:  # noqa: BLE001  aiohttp's parser, which calls this, would swallow the exception
            self._failed(error)

    def _receive(self, message: Message | None) -> None:
        """Take one message that is no audio of a stream that is joined. Raises: HubError."""
        stream = self._stream
        if type(message) is Media:
            if stream is not None:  # it was held
                self._counters.frames += 1
                stream.chunk(message.media.track, message.media.timestamp, message.media.payload)
            return
        if type(message) is not Mark and not self._rare.spend():
            raise WireError("Twilio", "sent too many messages that are no audio", 1008)
        match message:
            case Start(start):
                self._log = CallLog(log, {"call": start.call_sid, "stream": start.stream_sid})
                self._check_token(start)
                if (search := self._look_up(start.call_sid)) is not None:
                    self._held = []
                    looking = asyncio.ensure_future(search)
                    looking.add_done_callback(functools.partial(self._looked_up, start))
                    asyncio.get_running_loop().call_later(LOOK_UP_SECONDS, looking.cancel)
                else:
                    self._enter(start)
            case DtmfMessage(dtmf) if stream is not None:
                stream.dtmf(dtmf.digit, "outbound" if dtmf.track.startswith("outbound") else "inbound")
            case Mark(mark) if stream is not None:
                stream.mark(mark.name)
            case Stop() if stream is not None:
                stream.stop()
                self._end(1000, "stop")

    def _enter(self, start: StartBody) -> None:
        """Join the stream to its call. Raises: HubError."""
        self._stream = self._join(start)
        self._connection.prove()

    def _hold(self, message: Message) -> None:
        """Keep what comes while the call is looked up. Raises: WireError for more than comes in that time."""
        assert self._held is not None
        if len(self._held) >= MOST_HELD:
            raise WireError("Twilio", "sent audio faster than people speak", 1008)
        self._held.append(message)

    def _look_up(self, call_sid: str) -> Coroutine[Any, Any, Arrival | None] | None:
        """Begin to find out whose call this is. None if that is known."""
        return self._state.arrivals.look_up(call_sid)

    def _looked_up(self, start: StartBody, looking: "asyncio.Future[Arrival | None]") -> None:
        """Go on, with the call's past if it was found in time, and take what came meanwhile."""
        held, self._held = self._held or [], None
        arrivals = self._state.arrivals
        error = None if looking.cancelled() else looking.exception()
        if self._over:
            if error is None and not looking.cancelled():
                arrivals.abandon(looking.result())
            return
        try:
            if isinstance(error, HubError) and not isinstance(error, ArchiveError):
                raise error
            if looking.cancelled() or error is not None:
                if arrivals.known_elsewhere(start.call_sid):
                    raise NotReached("this call is another node's, which does not answer in time")
                self._log.warning("whose call this is was not found in time: it begins anew")
            else:
                arrivals.enter(looking.result())
            self._enter(start)
            for message in held:
                if not self._over:
                    self._receive(message)
        except Exception as error:  # noqa: BLE001  as in `take`
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        """Close the stream for what was raised."""
        match error:
            case WireError():
                self._counters.malformed += 1
                self._log.warning("%s; closed with %d", error, error.close_code)
                self._end(error.close_code, error.problem)
            case TokenError():
                self._counters.refused[f"{self.name} token"] += 1
                self._log.warning("a stream was refused: %s", error)
                self._end(1008, str(error))
            case Overloaded() | Full():
                self._state.calls.refused(error, self.name)
                self._log.info("the call goes on without a stream: %s", error)
                self._end(1013, str(error))
            case HubError():
                self._counters.refused[f"{self.name} {error.code}"] += 1
                self._log.warning("a stream was refused: %s", error)
                self._end(1013, str(error))
            case _:
                self._log.error("a stream failed", exc_info=error)
                self._end(1011, "the hub failed on this stream")

    def _join(self, start: StartBody) -> Stream:
        return self._state.calls.join(start, self)

    def write(self, *messages: bytes) -> None:
        """See Peer. What a stalled peer does not take is bounded by what an agent may say ahead."""
        request = self.socket._req
        transport = request.transport if request is not None else None
        if self._over or transport is None or transport.is_closing():
            return
        try:
            transport.write(b"".join(map(text_frame, messages)))
        except RuntimeError:  # uvloop, between losing a connection and telling whoever waits on it
            self._over = True

    def close(self, reason: str) -> None:
        """See Peer."""
        self._end(1000, reason)

    def _check_token(self, start: StartBody) -> None:
        """Check the stream's own token, on a hub that cannot prove upgrades. Raises: TokenError."""
        config = self._state.config
        if config.proof == "token":
            verify_stream(config.secret, str(start.custom_parameters.get(TOKEN, "")), start.call_sid)

    def _end(self, code: int, reason: str) -> None:
        self._over, self._close_code = True, code
        self.socket.interrupt(code, reason)

    async def serve(self, request: web.Request) -> None:
        """Open the socket, wait until the stream is over for whatever reason, and close."""
        if self._state.config.proof == "signature":  # it was checked
            self._connection.prove()
        await self.socket.prepare(request)
        self._state.sockets.add(self.socket)
        deadline = asyncio.get_running_loop().call_later(self._state.limits.start_seconds, self._start_is_overdue)
        try:
            message = await self.socket.receive()
            match message.data:
                case Interruption(code=code, reason=reason):
                    await self.socket.close(code=code, message=reason.encode()[:123])
                case WebSocketError() as error:
                    self._counters.malformed += 1
                    self._log.warning("Twilio broke the WebSocket protocol: %s; closed with %d", error, error.code)
        finally:
            self._over = True
            self._counters.streams_closed[self._close_code or self.socket.close_code or 1006] += 1
            deadline.cancel()
            self._state.sockets.discard(self.socket)
            if self._stream is not None:
                self._stream.lost()

    def _start_is_overdue(self) -> None:
        if self._stream is None and not self._over:
            seconds = self._state.limits.start_seconds
            self._counters.refused[f"{self.name} no start"] += 1
            log.warning("a stream was closed: no start within %.0f s", seconds)
            self._end(1008, f"no start within {seconds:.0f} s")


async def twilio(request: web.Request) -> web.StreamResponse:
    """Serve one stream. Refusals come before the upgrade, so that Twilio's debugger shows them as error 31920.

    403: the request is not Twilio's, as far as that can be known before `start`. 503: the hub takes no new call. While a call misses a
    stream, this may be it, and only `start` says so: then a stream of a new call is closed with 1013 instead.
    """
    await check_upgrade(request)
    state = request.app[STATE]
    refusal = state.calls.refusal
    if refusal is not None and (state.calls.draining or not state.calls.awaits_stream):
        state.calls.refused(refusal, "twilio")
        raise web.HTTPServiceUnavailable(text=f"{refusal}\n")
    door = MediaDoor(state, connection_of(request))
    await door.serve(request)
    return door.socket
