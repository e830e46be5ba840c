"""`WS /twilio`: Twilio Media Streams in."""

import asyncio
import logging
from typing import ClassVar

from aiohttp import WebSocketError, web

from hub.calls.call import Stream
from hub.errors import HubError, WireError
from hub.ops.logs import CallLog
from hub.tokens import TokenError, verify_stream
from hub.twilio.media import MAX_MESSAGE_BYTES, Dtmf, Mark, Media, Start, StartBody, Stop, TwilioStream
from hub.twilio.twiml import TOKEN
from hub.web.frames import text_frame
from hub.web.proof import check_upgrade
from hub.web.sockets import FrameSocket, Interruption
from hub.web.state import STATE, State

log = logging.getLogger(__name__)

START_SECONDS = 10.0
"""Twilio sends `start` right after the upgrade; a socket that does not is none of its."""


class MediaDoor:
    """One Twilio socket: frames in order, into its call. Implements `Peer`."""

    __slots__ = ("_close_code", "_counters", "_log", "_over", "_state", "_stream", "_wire", "socket")

    name: ClassVar = "twilio"
    """What the metrics call this door."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._counters = state.counters
        self._wire = TwilioStream()
        self._stream: Stream | None = None
        self._log = CallLog(log)
        self._over = False
        """Whether the socket is to be closed: what still comes is not looked at."""
        self._close_code: int | None = None
        """With what the hub closes; None while it does not. Twilio need not answer, so the socket itself may not know."""
        self.socket = FrameSocket(self.take, max_msg_size=MAX_MESSAGE_BYTES)

    def take(self, data: bytes, is_text: bool) -> None:
        """Take one frame, inside the socket's read. Never waits, never raises."""
        if self._over:
            return
        try:
            if not is_text:
                raise WireError("Twilio", "sent a binary message, where Media Streams are text", 1003)
            message = self._wire.receive(data)
            stream = self._stream
            if type(message) is Media and stream is not None:
                media = message.media
                self._counters.frames += 1
                if stream.chunk(media.track, media.timestamp, media.payload):
                    self._state.rests.add(self.socket)
                return
            match message:
                case Start(start):
                    self._log = CallLog(log, {"call": start.call_sid, "stream": start.stream_sid})
                    self._check_token(start)
                    self._stream = self._join(start)
                case Dtmf(dtmf) if stream is not None:
                    stream.dtmf(dtmf.digit, "outbound" if dtmf.track.startswith("outbound") else "inbound")
                case Mark(mark) if stream is not None:
                    stream.mark(mark.name)
                case Stop() if stream is not None:
                    stream.stop()
                    self._end(1000, "stop")
        except WireError as error:
            self._counters.malformed += 1
            self._log.warning("%s; closed with %d", error, error.close_code)
            self._end(error.close_code, error.problem)
        except TokenError as error:
            self._counters.refused[f"{self.name} token"] += 1
            self._log.warning("a stream was refused: %s", error)
            self._end(1008, str(error))
        except HubError as error:
            self._counters.refused[f"{self.name} {error.code}"] += 1
            self._log.warning("a stream was refused: %s", error)
            self._end(1013, str(error))
        except Exception:  # noqa: BLE001  a frame is taken inside aiohttp's parser, which would swallow it
            self._log.exception("a stream failed")
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
        """Have the stream prove itself, where its upgrade could not. Raises: TokenError."""
        config = self._state.config
        if config.proof == "token":
            verify_stream(config.secret, str(start.custom_parameters.get(TOKEN, "")), start.call_sid)

    def _end(self, code: int, reason: str) -> None:
        self._over, self._close_code = True, code
        self.socket.interrupt(code, reason)

    async def serve(self, request: web.Request) -> None:
        """Open the socket, wait until the stream is over, however that comes about, and close."""
        await self.socket.prepare(request)
        self._state.sockets.add(self.socket)
        impatience = asyncio.get_running_loop().call_later(START_SECONDS, self._expect_start)
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
            impatience.cancel()
            self._state.sockets.discard(self.socket)
            if self._stream is not None:
                self._stream.lost()

    def _expect_start(self) -> None:
        if self._stream is None and not self._over:
            self._counters.refused[f"{self.name} no start"] += 1
            log.warning("a stream was closed: no start within %.0f s", START_SECONDS)
            self._end(1008, f"no start within {START_SECONDS:.0f} s")


async def twilio(request: web.Request) -> web.StreamResponse:
    """Serve one stream. What is refused is refused before the upgrade, so that Twilio's debugger shows it (31920).

    403 for who is not Twilio, where that can be told by now; 503 when the hub is stopping.
    """
    check_upgrade(request)
    state = request.app[STATE]
    if state.calls.draining:
        state.counters.refused["twilio stopping"] += 1
        raise web.HTTPServiceUnavailable(text="the hub is stopping\n")
    door = MediaDoor(state)
    await door.serve(request)
    return door.socket
