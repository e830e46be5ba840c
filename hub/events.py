"""The vocabulary: what subscribers receive. Encodes each event once, decodes for clients.

Every event has `type`, `callSid` and `at` (ISO 8601, UTC, ms). Durable events also carry the topic's `epoch` and a consecutive
`offset`, so that a missing number is a loss that anyone can see. Times of speech are seconds of call time. Knows nothing of topics,
providers or sockets. A type or field that a decoder does not know is skipped, so that an older client survives a newer hub.
"""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal, TypeAlias, TypeVar

import msgspec

from hub.audio.g711 import SAMPLE_RATE_HZ, Track

SPEAKERS: dict[Track, str] = {"inbound": "caller", "outbound": "callee"}
"""Labels of who speaks on each track, unless they are known better."""


def _camel(name: str) -> str:
    head, *rest = name.rstrip("_").split("_")
    return head + "".join(part.title() for part in rest)


class Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename=_camel):
    """A piece of an event."""


class Event(Part, frozen=True, kw_only=True, tag_field="type"):
    """Anything sent about one call. The topic that publishes it fills `at`."""

    call_sid: str
    at: str = ""


class Durable(Event, frozen=True, kw_only=True):
    """A counted event: kept in the call's history, delivered exactly once. The topic fills `epoch` and `offset`."""

    epoch: str = ""
    offset: int = 0


class Word(Part, frozen=True, kw_only=True):
    """One word, in seconds of call time."""

    text: str
    start: float
    end: float
    confidence: float | None = None


class TranscriberName(Part, frozen=True, kw_only=True):
    """Which provider and model a call is transcribed by."""

    provider: str
    model: str


class TrackAudio(Part, frozen=True, kw_only=True, omit_defaults=False):
    """What happened to one track's audio, in milliseconds.

    `filled_ms`: silence put where no audio came in time. `late_ms`: audio that came after its place had left. `dropped_ms`: audio whose
    timestamp could not be true. `max_skew_ms`: how far this track's arrivals ever trailed the other's (what was emitted is in step always).
    """

    filled_ms: float
    late_ms: float
    dropped_ms: float
    max_skew_ms: float


class CallStarted(Durable, frozen=True, kw_only=True, tag="call-started"):
    """A stream of the call began; a second one (re-attached, or a second `<Start>`) is told by another of these.

    `agent`: the voice agent that answers this call, if one does; then `transcriber` is its model.
    """

    from_: str | None = None
    to: str | None = None
    direction: str | None = None
    tracks: list[Track]
    speakers: dict[Track, str]
    parameters: dict[str, str]
    stream_sid: str
    transcriber: TranscriberName
    agent: str | None = None


class Interim(Event, frozen=True, kw_only=True, tag="interim"):
    """The newest state of an utterance that is still open; replaced by its next revision or by its final."""

    utterance: str
    revision: int
    track: Track
    speaker: str
    text: str
    start: float
    end: float
    confidence: float | None = None


class Final(Durable, frozen=True, kw_only=True, tag="final"):
    """An utterance as it will stay. Its text is empty when the provider took its interims back.

    `interrupted`: an agent was cut short by the caller, and the text is what the caller had heard by then.
    """

    utterance: str
    revision: int
    track: Track
    speaker: str
    text: str
    start: float
    end: float
    confidence: float | None = None
    words: list[Word]
    language: str | None = None
    interrupted: bool = False


class Gap(Durable, frozen=True, kw_only=True, tag="gap"):
    """Audio that could not be transcribed, said out loud."""

    track: Track
    start: float
    end: float
    reason: str


class TranscriberLost(Durable, frozen=True, kw_only=True, tag="transcriber-lost"):
    """The provider's connection broke (`attempt` counts reconnects), or it refused for good (`attempt` 0)."""

    provider: str
    reason: str
    attempt: int


class TranscriberRestored(Durable, frozen=True, kw_only=True, tag="transcriber-restored"):
    """The provider transcribes again after `attempt` tries."""

    provider: str
    reason: str
    attempt: int


class TranscriberSwitched(Durable, frozen=True, kw_only=True, tag="transcriber-switched"):
    """From here on `provider` transcribes; `reason` says why the one before it stopped."""

    provider: str
    reason: str
    attempt: int


class StreamFailed(Durable, frozen=True, kw_only=True, tag="stream-error"):
    """Twilio says that a stream of the call failed; `reason` are its own words."""

    stream_sid: str
    reason: str


class Dtmf(Durable, frozen=True, kw_only=True, tag="dtmf"):
    """A key was pressed."""

    digit: str
    track: Track


class ToolCalled(Durable, frozen=True, kw_only=True, tag="tool-called"):
    """An agent uses a tool. `invocation` is the same in its `tool-returned`; `time` is seconds of call time."""

    invocation: str
    tool: str
    arguments: Any
    time: float


class ToolReturned(Durable, frozen=True, kw_only=True, tag="tool-returned"):
    """What came of it, as the agent was told: `outcome` and, in `detail`, the result or why there is none.

    `refused`: the arguments do not fit, or the tool said no. `seconds`: how long it took.
    """

    invocation: str
    tool: str
    outcome: Literal["result", "refused", "failed", "timeout"]
    detail: str
    time: float
    seconds: float


class AgentInterrupted(Durable, frozen=True, kw_only=True, tag="agent-interrupted"):
    """The caller spoke, and the agent fell silent: of `generated` seconds of speech, `heard` had been played. `time` is call time."""

    time: float
    heard: float
    generated: float


class CallEnded(Durable, frozen=True, kw_only=True, tag="call-ended"):
    """Nothing follows, unless a new stream of the same call does. `duration` is seconds of call time."""

    reason: str
    duration: float
    transcript: Literal["complete", "truncated"]
    audio: dict[Track, TrackAudio]


class Subscribed(Event, frozen=True, kw_only=True, tag="subscribed"):
    """One call is followed from `offset` on. `whole` is false when the position asked for is older than the history that is left.

    `number` says which subscription brought the call, when it was one by number.
    """

    epoch: str
    offset: int
    whole: bool
    number: str | None = None


class Watching(Part, frozen=True, kw_only=True, tag_field="type", tag="watching"):
    """Answer to `subscribe` by number: a `subscribed` follows for each call from or to it, now and later."""

    number: str
    at: str = ""


class CallSummary(Part, frozen=True, kw_only=True, omit_defaults=False):
    """A call in a list. What is not known, or not yet, is null. `duration` is seconds of call time."""

    call_sid: str
    live: bool
    started_at: str | None
    ended_at: str | None
    from_: str | None
    to: str | None
    direction: str | None
    speakers: dict[Track, str]
    transcriber: TranscriberName | None
    utterances: int
    reason: str | None
    duration: float | None
    transcript: str | None
    epoch: str
    offset: int


class CallList(Part, frozen=True, kw_only=True, tag_field="type", tag="calls"):
    """Answer to `subscribe` to all calls: those there are; starts, ends and transcribers' troubles of all calls follow."""

    calls: list[CallSummary]
    at: str = ""


class Unsubscribed(Part, frozen=True, kw_only=True, tag_field="type", tag="unsubscribed"):
    """Answer to `unsubscribe`: nothing of this call, number or list follows on this socket."""

    call_sid: str | None = None
    number: str | None = None
    calls: str | None = None
    at: str = ""


class Authenticated(Part, frozen=True, kw_only=True, tag_field="type", tag="authenticated"):
    """Answer to a new token on an open socket."""

    at: str = ""


class Listening(Part, frozen=True, kw_only=True, omit_defaults=False, tag_field="type", tag="listening"):
    """Answer to `listen`: binary messages with this `id` are the call's sound, from now on."""

    call_sid: str
    id: int
    sample_rate: int = SAMPLE_RATE_HZ
    at: str = ""


class Unlistened(Part, frozen=True, kw_only=True, tag_field="type", tag="unlistened"):
    """The call's sound is over, and why: it was asked for, the call has ended, or the token no longer allows it."""

    call_sid: str
    id: int
    reason: str
    at: str = ""


class Pong(Part, frozen=True, kw_only=True, tag_field="type", tag="pong"):
    """Answer to `ping`."""

    at: str = ""


class Refusal(Part, frozen=True, kw_only=True, tag_field="type", tag="error"):
    """The hub could not do what was asked; `code` is for programs, `message` for people."""

    code: str
    message: str
    call_sid: str | None = None
    at: str = ""


DurableEvent: TypeAlias = (
    CallStarted | Final | Gap | TranscriberLost | TranscriberRestored | TranscriberSwitched | StreamFailed | Dtmf
    | ToolCalled | ToolReturned | AgentInterrupted | CallEnded
)  # fmt: skip
CallEvent: TypeAlias = DurableEvent | Interim
Message: TypeAlias = CallEvent | Subscribed | Watching | CallList | Unsubscribed | Listening | Unlistened | Authenticated | Pong | Refusal

D = TypeVar("D", bound=Durable)

_encoder = msgspec.json.Encoder(decimal_format="number")
_decoder = msgspec.json.Decoder(Message)
_tag = msgspec.json.Decoder(dict[str, Any])


def encode(event: Part) -> bytes:
    """Return the event as one JSON object in UTF-8."""
    return _encoder.encode(event)


def decode(text: str | bytes) -> Message | None:
    """Read one message of the hub; None for a type that this version does not know.

    Raises: ValueError when it is no JSON object with a `type`, or a known type lacks a field.
    """
    try:
        message: Message = _decoder.decode(text)
    except msgspec.ValidationError:
        kind = _tag.decode(text).get("type")
        if isinstance(kind, str) and kind not in KNOWN_TYPES:
            return None
        raise
    return message


def stamped(unix_seconds: float) -> str:
    """Return a moment as events carry it, for example `2026-11-21T10:00:00.123Z`."""
    whole = int(unix_seconds)
    return f"{_second(whole)}.{int((unix_seconds - whole) * 1000):03d}Z"


@lru_cache(maxsize=4)
def _second(unix_seconds: int) -> str:
    # Every event of a second shares this part, and formatting a date costs as much as encoding the event.
    return datetime.fromtimestamp(unix_seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


KNOWN_TYPES = frozenset(
    str(kind.__struct_config__.tag)
    for kind in (
        CallStarted, Final, Gap, TranscriberLost, TranscriberRestored, TranscriberSwitched, StreamFailed, Dtmf, ToolCalled, ToolReturned,
        AgentInterrupted, CallEnded, Interim, Subscribed, Watching, CallList, Unsubscribed, Listening, Unlistened, Authenticated, Pong,
        Refusal,
    )
)  # fmt: skip
