"""Twilio's playout buffer for an agent's audio. Pure.

Knows the messages of a bidirectional stream (twilio.com/docs/voice/media-streams/websocket-messages): audio is buffered and played in real
time, a mark is sent back once the audio before it was played, and `clear` empties the buffer and sends every mark back. Knows no clock:
each `play()` is 20 ms.
"""

from collections import deque

import msgspec

from clients.audio.frames import FRAME_BYTES
from hub.audio.g711 import BYTES_PER_MS, silence


class BadMessage(ValueError):
    """The hub sent a message for which Twilio would log warning 31951: no bidirectional stream takes it."""


class _Payload(msgspec.Struct, forbid_unknown_fields=True):
    payload: bytes


class _Name(msgspec.Struct, forbid_unknown_fields=True):
    name: str


class _Media(msgspec.Struct, tag_field="event", tag="media", rename="camel", forbid_unknown_fields=True):
    stream_sid: str
    media: _Payload


class _Mark(msgspec.Struct, tag_field="event", tag="mark", rename="camel", forbid_unknown_fields=True):
    stream_sid: str
    mark: _Name


class _Clear(msgspec.Struct, tag_field="event", tag="clear", rename="camel", forbid_unknown_fields=True):
    stream_sid: str


_decoder = msgspec.json.Decoder(_Media | _Mark | _Clear)


class Playout:
    """What Twilio plays to the caller. `receive()` takes the hub's messages, `play()` plays the next 20 ms."""

    def __init__(self, stream_sid: str) -> None:
        self.stream_sid = stream_sid
        self.heard = bytearray()
        """All audio that was played, silence included, from the stream's start."""
        self.clears: list[int] = []
        """Where in `heard` the buffer was cleared, in bytes."""
        self.came_ms: list[float] = []
        """When each media message came, in ms of `now_ms`."""
        self.echoes: deque[str] = deque()
        """Names of marks that must be sent back."""
        self._buffer: deque[bytes | str] = deque()
        """Audio and names of marks, in the order they came."""
        self._waiting_bytes = 0

    @property
    def now_ms(self) -> float:
        """How much was played. This is the stream's clock."""
        return len(self.heard) / BYTES_PER_MS

    @property
    def waiting_ms(self) -> float:
        """How much audio is buffered."""
        return self._waiting_bytes / BYTES_PER_MS

    def receive(self, text: str | bytes) -> None:
        """Take one message of the hub. Raises: BadMessage."""
        try:
            message = _decoder.decode(text)
        except msgspec.DecodeError as error:
            raise BadMessage(f"31951: {error}") from error
        if message.stream_sid != self.stream_sid:
            raise BadMessage(f"31951: streamSid is {message.stream_sid}")
        match message:
            case _Media():
                self._buffer.append(message.media.payload)
                self._waiting_bytes += len(message.media.payload)
                self.came_ms.append(self.now_ms)
            case _Mark():
                self._buffer.append(message.mark.name)
                self._echo()
            case _Clear():
                self.clears.append(len(self.heard))
                self.echoes.extend(each for each in self._buffer if isinstance(each, str))
                self._buffer.clear()
                self._waiting_bytes = 0

    def play(self) -> bytes:
        """Play the next 20 ms and return them. Silence is played where nothing is buffered."""
        frame = bytearray()
        while self._buffer and len(frame) < FRAME_BYTES:
            piece = self._buffer.popleft()
            if isinstance(piece, str):
                self.echoes.append(piece)
                continue
            room = FRAME_BYTES - len(frame)
            frame += piece[:room]
            self._waiting_bytes -= len(piece[:room])
            if piece[room:]:
                self._buffer.appendleft(piece[room:])
        self._echo()
        frame += silence(FRAME_BYTES - len(frame))
        self.heard += frame
        return bytes(frame)

    def _echo(self) -> None:
        """Move the marks before which no audio is left to `echoes`."""
        while self._buffer and isinstance(self._buffer[0], str):
            self.echoes.append(str(self._buffer.popleft()))
