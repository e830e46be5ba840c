"""Deepgram's /v1/listen: the headers of the handshake, the messages of both sides, and what refusals mean.

Knows the text of the protocol (developers.deepgram.com/reference/speech-to-text/listen-streaming; deepgram-sdk 7.17.0). Knows no socket,
no retry and no call: times are seconds of the audio sent on one connection, from 0. The address is in `address.py`.
"""

from collections.abc import Mapping
from typing import Annotated, Final, TypeAlias

import msgspec

from hub.audio import g711
from hub.errors import ProviderError, WireError
from hub.transcribers.blanks import joined
from hub.vendors.messages import read

PROVIDER: Final = "Deepgram"

CHANNELS: Final = g711.TRACKS
"""The track of each channel of the interleaved audio: `Results.channel` is an index into this."""

KEEP_ALIVE: Final = '{"type":"KeepAlive"}'
"""Sent every 3-5 s while no audio flows (developers.deepgram.com/docs/audio-keep-alive). A binary frame would count as audio: this is text.
It holds a connection open only if audio came within the first 10 s."""

FINALIZE: Final = '{"type":"Finalize"}'
"""Asks Deepgram to settle the audio that it has buffered. Not answered if that is too little."""

CLOSE_STREAM: Final = '{"type":"CloseStream"}'
"""Says that no audio follows: the last Results come, then Metadata, then close 1000. An empty binary frame would cut off the last words."""


def headers(key: str) -> dict[str, str]:
    """Return the headers of the handshake. `Token`, not `Bearer`: Deepgram refuses an API key sent as Bearer with 401."""
    return {"Authorization": f"Token {key}"}


class DeepgramWord(msgspec.Struct, frozen=True):
    """One word, in seconds of this connection's audio."""

    word: str
    start: float
    end: float
    confidence: float | None = None
    punctuated_word: str | None = None

    @property
    def text(self) -> str:
        """The word as the transcript shows it: with capital and comma if Deepgram gave them."""
        return self.punctuated_word or self.word


class Alternative(msgspec.Struct, frozen=True):
    """One reading of a channel; the hub asks for only one."""

    transcript: str | None = None
    confidence: float | None = None
    words: tuple[DeepgramWord, ...] | None = ()
    languages: tuple[str, ...] | None = None


class Channel(msgspec.Struct, frozen=True):
    """The readings of one channel."""

    alternatives: tuple[Alternative, ...]

    @property
    def best(self) -> Alternative:
        """The first reading; an empty one if there is none."""
        return self.alternatives[0] if self.alternatives else _NOTHING


_NOTHING: Final = Alternative("")

_Index: TypeAlias = Annotated[tuple[Annotated[int, msgspec.Meta(ge=0)], ...], msgspec.Meta(min_length=1)]
"""[this channel, number of channels]"""


class Results(msgspec.Struct, frozen=True, tag_field="type", tag="Results"):
    """What Deepgram recognized on one channel between `start` and `start + duration`, seconds of this connection's audio.

    `is_final`: this window will not change, and the next one continues it. `speech_final`: the speaker paused; only with `is_final`.
    `from_finalize`: the answer to Finalize. An empty transcript is normal in silence, and still a boundary.
    """

    channel_index: _Index
    start: float
    duration: float
    readings: Channel = msgspec.field(name="channel")
    is_final: bool | None = False
    speech_final: bool | None = False
    from_finalize: bool | None = False

    @property
    def channel(self) -> int:
        """Index of the channel, from 0."""
        return self.channel_index[0]

    @property
    def end(self) -> float:
        """Where the window ends, seconds of this connection's audio."""
        return self.start + self.duration

    @property
    def transcript(self) -> str:
        """The window's text; empty in silence. Where it is empty, the words stand for it: they were recognized."""
        return (self.readings.best.transcript or "").strip() or joined(word.text for word in self.words)

    @property
    def confidence(self) -> float | None:
        """0 to 1; Deepgram sends 0 with an empty transcript."""
        return self.readings.best.confidence

    @property
    def words(self) -> tuple[DeepgramWord, ...]:
        """The window's words, in the order of the text, which is not always that of their times."""
        return self.readings.best.words or ()

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages recognized, the one with most words first; only sent with language=multi."""
        return self.readings.best.languages or ()


class UtteranceEnd(msgspec.Struct, frozen=True, tag_field="type", tag="UtteranceEnd"):
    """There was no word for utterance_end_ms after `last_word_end` (seconds; -1: ignore). May follow a `speech_final` of the same pause.

    It may also come while the words before the pause can still change: smart_format holds back a number for up to 3 s, to see it whole. The
    final that settles them then has no `speech_final`.
    """

    channel_index: _Index = msgspec.field(name="channel")
    last_word_end: float | None = None

    @property
    def channel(self) -> int:
        """Index of the channel that fell silent, from 0."""
        return self.channel_index[0]


class DeepgramSpeechStarted(msgspec.Struct, frozen=True, tag_field="type", tag="SpeechStarted"):
    """Someone began to speak, at about `timestamp` seconds; only sent with vad_events=true."""

    channel_index: _Index = msgspec.field(name="channel")
    timestamp: float


class Metadata(msgspec.Struct, frozen=True, tag_field="type", tag="Metadata"):
    """The last message before the close, after CloseStream or a time-out. `duration` is seconds of audio received."""

    request_id: str | None = None
    duration: float | None = None


class DeepgramError(msgspec.Struct, frozen=True, tag_field="type", tag="Error"):
    """Deepgram could not use something that the hub sent. The connection stays open, unless a close follows."""

    description: str | None = None
    variant: str | None = None
    code: str | None = None


class DeepgramWarning(msgspec.Struct, frozen=True, tag_field="type", tag="Warning"):
    """A remark for the log."""

    description: str | None = None
    code: str | None = None


Message: TypeAlias = Results | UtteranceEnd | DeepgramSpeechStarted | Metadata | DeepgramError | DeepgramWarning


class _Text(msgspec.Struct, frozen=True):
    transcript: str


class _Texts(msgspec.Struct, frozen=True):
    alternatives: tuple[_Text, ...]


class _TextOnly(msgspec.Struct, frozen=True, tag_field="type", tag="Results"):
    """A result without what may be missing from it."""

    channel_index: _Index
    start: float
    duration: float
    channel: _Texts
    is_final: bool | None = False
    speech_final: bool | None = False
    from_finalize: bool | None = False

    def results(self) -> Results:
        readings = Channel(tuple(Alternative(each.transcript) for each in self.channel.alternatives))
        flags = (self.is_final, self.speech_final, self.from_finalize)
        return Results(self.channel_index, self.start, self.duration, readings, *flags)


_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)
_text_only = msgspec.json.Decoder(_TextOnly)
_KNOWN: Final = frozenset({"Results", "UtteranceEnd", "SpeechStarted", "Metadata", "Error", "Warning"})


def decode(text: str | bytes) -> Message | None:
    """Read one text frame; None for a type that the hub does not use. Unknown fields are skipped.

    A result whose words cannot be read, for lack of a time for example, still has its text, without words.

    Raises: WireError if it is not a JSON object with a `type`, or if a known type lacks a field.
    """
    try:
        return read(_decoder, text, _KNOWN, PROVIDER)
    except WireError:
        try:
            return _text_only.decode(text).results()
        except (ValueError, RecursionError):
            pass
        raise


class _DeepgramRefusal(msgspec.Struct, frozen=True):
    err_code: str = ""
    err_msg: str = ""


_QUOTED_CHARS: Final = 200
"""How many characters of Deepgram's own text go into an error: enough for a sentence, not for a proxy's web page."""


def refused(status: int, body: str | bytes = b"", headers: Mapping[str, str] | None = None) -> ProviderError:
    """Return the meaning of a handshake that was answered with `status` instead of 101, as an error that says what to do.

    `body` is Deepgram's JSON (`err_code`, `err_msg`), or whatever a proxy wrote. `headers` may hold dg-error and dg-request-id.
    """
    said = _said(body)
    held = {name.lower(): value for name, value in (headers or {}).items()}
    code = f"{status} {said.err_code}".strip()
    told = said.err_msg or held.get("dg-error", "")
    why = f": {' '.join(told.split())[:_QUOTED_CHARS]}" if told else ""
    request = f" (request {held['dg-request-id']})" if held.get("dg-request-id") else ""
    match status:
        case 400:
            problem = f"refused the request ({code}){why}; check DEEPGRAM_MODEL and DEEPGRAM_OPTIONS"
        case 401 if said.err_code == "INSUFFICIENT_PERMISSIONS":
            problem = f"refused the key ({code}): give DEEPGRAM_API_KEY a key that may transcribe"
        case 401:
            problem = f"refused the key ({code}): check DEEPGRAM_API_KEY"
        case 402:
            problem = f"has no credit left for this project ({code}): add some at console.deepgram.com"
        case 403:
            problem = f"refused the model ({code}){why}; DEEPGRAM_MODEL is misspelled, or this project may not use it"
        case 429:
            problem = f"has too many streams open for this project ({code}){why}"
        case 408 | 425:
            problem = f"was too slow to answer ({code}){why}"
        case _ if status >= 500:
            problem = f"cannot take a stream now ({code}){why}"
        case _:
            problem = f"did not open a stream ({code}){why}; check DEEPGRAM_URL"
    return ProviderError(PROVIDER, problem + request, retryable=status in {408, 425, 429} or status >= 500)


def _said(body: str | bytes) -> _DeepgramRefusal:
    try:
        return msgspec.json.decode(body, type=_DeepgramRefusal)
    except (ValueError, RecursionError):
        return _DeepgramRefusal()


def closed(code: int | None, reason: str = "") -> ProviderError:
    """Return the meaning of a close before the end of the session; `code` is None if the connection broke without a close.

    Also for 1000 before Metadata: then Deepgram ended a session that the hub had not ended.
    """
    name = reason.lower().replace("-", "")
    because = f": {' '.join(reason.split())[:_QUOTED_CHARS]}" if reason else ""
    match code:
        case 1008:  # documented for DATA-0000 only; Deepgram would refuse the same audio again
            problem = f"could not read the audio (1008){because}"
        case 1011 if "net0001" in name:
            problem = "received no audio within 10 s and hung up (1011 NET-0001)"
        case 1011:
            problem = f"had trouble of its own and hung up (1011){because}"
        case None | 1005 | 1006:
            problem = "lost the connection"
        case _:
            problem = f"hung up before the end ({code}){because}"
    return ProviderError(PROVIDER, problem, retryable=code != 1008)
