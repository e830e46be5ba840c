"""Twilio Media Streams: its text frames in, typed messages out; and what a bidirectional stream is told. Sans-I/O.

Source: twilio.com/docs/voice/media-streams/websocket-messages. Numbers travel as strings there; Twilio-compatible vendors send numbers;
both are read. The payload's base64 is decoded on the way, by the same pass that reads the JSON.
"""

import re
from binascii import b2a_base64
from typing import Any, Literal, TypeAlias

import msgspec

from hub.audio.g711 import Track
from hub.errors import WireError

MAX_MESSAGE_BYTES = 64 * 1024
"""A media message is about 400 bytes; 6 seconds of audio in one message would still fit."""

LOGGED_CHARACTERS = 40
"""How much of an unexpected word is repeated in an error: enough to recognise, too little to carry a sentence."""


class Connected(msgspec.Struct, frozen=True, tag_field="event", tag="connected"):
    """The first message: only says that it is a media stream."""


class MediaFormat(msgspec.Struct, frozen=True, rename="camel"):
    """Always audio/x-mulaw, 8000 Hz, 1 channel a track."""

    encoding: str
    sample_rate: int
    channels: int


class StartBody(msgspec.Struct, frozen=True, rename="camel"):
    """Who calls, which tracks, and what the TwiML passed along."""

    stream_sid: str
    call_sid: str
    tracks: list[Track]
    media_format: MediaFormat
    account_sid: str = ""
    custom_parameters: dict[str, Any] = {}


class Start(msgspec.Struct, frozen=True, tag_field="event", tag="start"):
    """The second message, before any audio."""

    start: StartBody


class MediaBody(msgspec.Struct, frozen=True, gc=False):
    """One chunk: `timestamp` is ms from the start of the stream, `payload` raw mu-law."""

    track: Track
    timestamp: int
    payload: bytes


class Media(msgspec.Struct, frozen=True, tag_field="event", tag="media", gc=False):
    """20 ms of one track, about fifty times a second and track."""

    media: MediaBody


class DtmfBody(msgspec.Struct, frozen=True):
    """`track` is `inbound_track` here, unlike in media messages."""

    digit: str
    track: str = "inbound_track"


class Dtmf(msgspec.Struct, frozen=True, tag_field="event", tag="dtmf"):
    """The caller pressed a key; on bidirectional streams only."""

    dtmf: DtmfBody


class MarkBody(msgspec.Struct, frozen=True):
    """The name that was given to the mark when it was sent."""

    name: str = ""


class Mark(msgspec.Struct, frozen=True, tag_field="event", tag="mark"):
    """Audio sent to the caller has been played up to here, or was cleared; on bidirectional streams only."""

    mark: MarkBody


class Stop(msgspec.Struct, frozen=True, tag_field="event", tag="stop"):
    """The stream is over; Twilio may leave the socket open for minutes after it."""


Message: TypeAlias = Connected | Start | Media | Dtmf | Mark | Stop

_SID = re.compile(r"[A-Za-z0-9_\-]{1,64}")
"""Twilio's are two letters and 32 hexadecimal digits; whatever is none of these characters could not be asked for at `/client`."""

_decoder = msgspec.json.Decoder(Message, strict=False)
_event_only = msgspec.json.Decoder(dict[str, Any])
_KNOWN = frozenset({"connected", "start", "media", "dtmf", "mark", "stop"})


def decode(text: str | bytes) -> Message | None:
    """Read one text frame; None for an event that this version does not know (Twilio adds some).

    Raises: WireError with a close code when it is no JSON object, or a known event lacks a field or has it wrong.
    """
    try:
        message: Message = _decoder.decode(text)
    except msgspec.ValidationError as error:
        _refuse_unless_unknown(text, error)
        return None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WireError("Twilio", "sent a message that is not JSON", 1007) from error
    return message


def _refuse_unless_unknown(text: str | bytes, error: msgspec.ValidationError) -> None:
    try:
        event = _event_only.decode(text).get("event")
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise WireError("Twilio", "sent a message that is not a JSON object", 1007) from error
    if not isinstance(event, str):
        raise WireError("Twilio", "sent a message without an event name", 1007) from error
    if event in _KNOWN:
        raise WireError("Twilio", f"sent a malformed {event} message: {_reason(error)}", 1007) from error


def _reason(error: msgspec.ValidationError) -> str:
    # msgspec names the field and what it expected; it quotes a value only for enumerations, so cut what could be long.
    return str(error)[: LOGGED_CHARACTERS * 3]


class TwilioStream:
    """The order in which one stream's messages may come. `receive()` raises on what is not expected now, and changes nothing then."""

    __slots__ = ("state",)

    def __init__(self) -> None:
        self.state: Literal["connecting", "streaming", "stopped"] = "connecting"

    def receive(self, text: str | bytes) -> Message | None:
        """Read one frame and step. None for a message that means nothing (unknown, or after `stop`).

        Raises: WireError (close code 1002 for a message that is not expected now, 1007 for a malformed one).
        """
        try:
            message: Message | None = _decoder.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError):
            message = decode(text)  # says what is wrong, or that it is only unknown
        if type(message) is Media and self.state == "streaming":
            return message
        match message:
            case Start() if self.state == "connecting":
                self._check(message.start)
                self.state = "streaming"
            case Start():
                raise WireError("Twilio", "sent a second start on one socket", 1002)
            case Media() | Dtmf() | Mark() | Stop() if self.state == "connecting":
                raise WireError("Twilio", f"sent {type(message).__name__.lower()} before start", 1002)
            case Stop():
                self.state = "stopped"
            case Media():
                return None
        return message

    @staticmethod
    def _check(start: StartBody) -> None:
        if not _SID.fullmatch(start.call_sid) or not _SID.fullmatch(start.stream_sid):
            raise WireError("Twilio", "sent a start whose callSid or streamSid is none: 1 to 64 letters, digits, _ or -", 1007)
        if not start.tracks:
            raise WireError("Twilio", "sent a start without tracks", 1007)
        media = start.media_format
        if (media.encoding, media.sample_rate, media.channels) != ("audio/x-mulaw", 8000, 1):
            encoding = media.encoding[:LOGGED_CHARACTERS]
            raise WireError("Twilio", f"sent {encoding} at {media.sample_rate} Hz, not audio/x-mulaw at 8000 Hz", 1003)


class Speech:
    """What is said to the caller on a bidirectional stream. Each method returns one message, JSON in UTF-8, to be sent as text.

    Twilio buffers audio and plays it in order. No field more than these: it warns about any other (31951).
    """

    __slots__ = ("_clear", "_mark", "_media")

    def __init__(self, stream_sid: str) -> None:
        sid = msgspec.json.encode(stream_sid)
        self._media = b'{"event":"media","streamSid":' + sid + b',"media":{"payload":"'
        self._mark = b'{"event":"mark","streamSid":' + sid + b',"mark":{"name":'
        self._clear = b'{"event":"clear","streamSid":' + sid + b"}"

    def media(self, mulaw: bytes) -> bytes:
        """Play this after what is buffered; any length."""
        return self._media + b2a_base64(mulaw, newline=False) + b'"}}'

    def mark(self, name: str) -> bytes:
        """Send this name back when all before it has been played, or was cleared."""
        return self._mark + msgspec.json.encode(name) + b"}}"

    def clear(self) -> bytes:
        """Fall silent at once. Every mark that is pending comes back, though its audio was not heard."""
        return self._clear
