"""Twilio Media Streams: decodes the messages of a stream, checks their order, and encodes messages to a bidirectional stream. Sans-I/O.

Source: twilio.com/docs/voice/media-streams/websocket-messages. Twilio sends numbers as strings, and vendors that imitate Twilio send
numbers as numbers: both are read (`spellings.py` has what else they do otherwise). The JSON decoder also decodes the payload's base64, in
the same pass. Knows messages. Does not know sockets, or what audio means.
"""

import re
from binascii import b2a_base64
from typing import Annotated, Any, Literal, TypeAlias

import msgspec

from hub.audio.g711 import Track
from hub.errors import WireError
from hub.twilio.spellings import usual

MAX_MESSAGE_BYTES = 64 * 1024
"""The longest accepted message. A media message has about 400 bytes; 6 seconds of audio in one message would still fit."""

MOST_MS = 2**53
"""The latest accepted timestamp: beyond it, a float cannot tell one millisecond from the next. JSON may hold a number of any length."""

LOGGED_CHARACTERS = 40
"""How much of an unexpected value an error repeats: enough to recognise it, too little to carry a spoken sentence."""


class Connected(msgspec.Struct, frozen=True, tag_field="event", tag="connected"):
    """The first message. It says that this is a media stream, and nothing else."""


class MediaFormat(msgspec.Struct, frozen=True, rename="camel"):
    """The format of the audio. Always audio/x-mulaw, 8000 Hz, 1 channel per track."""

    encoding: str
    sample_rate: int
    channels: int


class StartBody(msgspec.Struct, frozen=True, rename="camel"):
    """The stream, its call, its tracks, and the <Parameter>s of the TwiML."""

    stream_sid: str
    call_sid: str
    tracks: list[Track]
    media_format: MediaFormat
    account_sid: str = ""
    custom_parameters: dict[str, str | int | float | bool] = {}


class Start(msgspec.Struct, frozen=True, tag_field="event", tag="start"):
    """The second message, before any audio."""

    start: StartBody


class MediaBody(msgspec.Struct, frozen=True, gc=False):
    """One chunk of audio. `timestamp`: ms since the stream began. `payload`: raw mu-law."""

    track: Track
    timestamp: Annotated[int, msgspec.Meta(ge=-MOST_MS, le=MOST_MS)]
    payload: bytes


class Media(msgspec.Struct, frozen=True, tag_field="event", tag="media", gc=False):
    """20 ms of one track. About 50 of these arrive per second and track."""

    media: MediaBody


class DtmfBody(msgspec.Struct, frozen=True):
    """The key. `track` is `inbound_track` here, unlike in media messages."""

    digit: str
    track: str = "inbound_track"


class DtmfMessage(msgspec.Struct, frozen=True, tag_field="event", tag="dtmf"):
    """The caller pressed a key. Sent on bidirectional streams only."""

    dtmf: DtmfBody


class MarkBody(msgspec.Struct, frozen=True):
    """The name of the mark, as the hub sent it."""

    name: str = ""


class Mark(msgspec.Struct, frozen=True, tag_field="event", tag="mark"):
    """Audio to the caller has been played up to this mark, or was cleared. Sent on bidirectional streams only."""

    mark: MarkBody


class Stop(msgspec.Struct, frozen=True, tag_field="event", tag="stop"):
    """The stream is over. Twilio may leave the socket open for minutes after it."""


Message: TypeAlias = Connected | Start | Media | DtmfMessage | Mark | Stop

_SID = re.compile(r"[A-Za-z0-9_\-]{1,64}")
"""An accepted callSid or streamSid. Twilio's have two letters and 32 hexadecimal digits. All of these work as a bare callSid at /client."""

_decoder = msgspec.json.Decoder(Message, strict=False)
_event_only = msgspec.json.Decoder(dict[str, Any])
_KNOWN = frozenset({"connected", "start", "media", "dtmf", "mark", "stop"})


def decode(text: str | bytes) -> Message | None:
    """Decode one text frame. Return None for an event that this version does not know: Twilio adds some from time to time.

    Raises: WireError if the text is not a JSON object, or a known event has a missing or malformed field.
    """
    try:
        message: Message = _decoder.decode(text)
    except msgspec.ValidationError as error:
        return _decode_otherwise(text, error)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WireError("Twilio", "sent a message that is not JSON", 1007) from error
    except RecursionError as error:
        raise WireError("Twilio", "sent a message that is nested too deeply", 1007) from error
    return message


def _decode_otherwise(text: str | bytes, error: msgspec.ValidationError) -> Message | None:
    """Decode a message that is not as Twilio spells it: an unknown event, another spelling of a known one, or nothing that makes sense."""
    try:
        told = _event_only.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise WireError("Twilio", "sent a message that is not a JSON object", 1007) from error
    event = told.get("event")
    if not isinstance(event, str):
        raise WireError("Twilio", "sent a message without an event name", 1007) from error
    if event not in _KNOWN:
        return None
    try:
        return msgspec.convert(usual(told), Message, strict=False)  # type: ignore[no-any-return]
    except (msgspec.ValidationError, OverflowError) as still:
        raise WireError("Twilio", f"sent a malformed {event} message: {_reason(still)}", 1007) from error


def _reason(error: Exception) -> str:
    # msgspec names the field and what it expects. It quotes a value only if the field is an enumeration, so a cut is enough.
    return str(error)[: LOGGED_CHARACTERS * 3]


class TwilioStream:
    """The order of one stream's messages. A message that is not expected now raises in `receive()` and changes nothing."""

    __slots__ = ("state",)

    def __init__(self) -> None:
        self.state: Literal["connecting", "streaming", "stopped"] = "connecting"

    def receive(self, text: str | bytes) -> Message | None:
        """Decode one frame and advance. Return None for a message to ignore: an unknown one, or audio after `stop`.

        Raises: WireError, with close code 1002 for a message that is not expected now and 1007 for a malformed one.
        """
        try:
            message: Message | None = _decoder.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            message = decode(text)  # raises with the reason, or returns None for an unknown event
        if type(message) is Media and self.state == "streaming":
            return message
        match message:
            case Start() if self.state == "connecting":
                self._check(message.start)
                self.state = "streaming"
            case Start():
                raise WireError("Twilio", "sent a second start on one socket", 1002)
            case Media() | DtmfMessage() | Mark() | Stop() if self.state == "connecting":
                raise WireError("Twilio", f"sent {message.__struct_config__.tag} before start", 1002)
            case Stop():
                self.state = "stopped"
            case Media():
                return None
        return message

    @staticmethod
    def _check(start: StartBody) -> None:
        if not _SID.fullmatch(start.call_sid) or not _SID.fullmatch(start.stream_sid):
            raise WireError("Twilio", "sent a start with a malformed callSid or streamSid: they have 1 to 64 letters, digits, _ or -", 1007)
        if not start.tracks:
            raise WireError("Twilio", "sent a start without tracks", 1007)
        media = start.media_format
        if (media.encoding.lower(), media.sample_rate, media.channels) != ("audio/x-mulaw", 8000, 1):
            encoding = media.encoding[:LOGGED_CHARACTERS]
            raise WireError("Twilio", f"sent {encoding} at {media.sample_rate} Hz, not audio/x-mulaw at 8000 Hz", 1003)


class Speech:
    """Encodes messages to a bidirectional stream, whose audio the caller hears. Each method returns JSON in UTF-8, to be sent as text.

    Twilio buffers audio and plays it in order. The messages have no other fields: Twilio warns about unknown ones (31951).
    """

    __slots__ = ("_clear", "_mark", "_media")

    def __init__(self, stream_sid: str) -> None:
        sid = msgspec.json.encode(stream_sid)
        self._media = b'{"event":"media","streamSid":' + sid + b',"media":{"payload":"'
        self._mark = b'{"event":"mark","streamSid":' + sid + b',"mark":{"name":'
        self._clear = b'{"event":"clear","streamSid":' + sid + b"}"

    def media(self, mulaw: bytes) -> bytes:
        """Return a message that plays audio after what Twilio has buffered. The audio may have any length."""
        return self._media + b2a_base64(mulaw, newline=False) + b'"}}'

    def mark(self, name: str) -> bytes:
        """Return a message that makes Twilio send this name back when all audio before it has been played, or was cleared."""
        return self._mark + msgspec.json.encode(name) + b"}}"

    def clear(self) -> bytes:
        """Return a message that discards the buffered audio. Twilio then sends back every pending mark, though its audio was not played."""
        return self._clear
