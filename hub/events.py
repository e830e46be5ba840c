"""The vocabulary: every message that a subscriber can receive. Encodes events for the hub, decodes them for clients.

Every event has `type`, `callSid` and `at` (ISO 8601, UTC, ms). A durable event also carries the topic's `epoch` and a consecutive
`offset`, so that anyone can see a loss: a number is missing. Times of speech are seconds of call time. A decoder skips types and fields
that it does not know, so that an older client works with a newer hub. The AsyncAPI document takes its descriptions from the docstrings
here. Does not know topics, providers or sockets.
"""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal, TypeAlias, TypeVar, get_args

import msgspec

from hub.audio.g711 import SAMPLE_RATE_HZ, Track

SPEAKERS: dict[Track, str] = {"inbound": "caller", "outbound": "callee"}
"""Labels of who speaks on each track, unless they are known better."""


def _camel(name: str) -> str:
    head, *rest = name.rstrip("_").split("_")
    return head + "".join(part.title() for part in rest)


class Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename=_camel):
    """A part of an event, or an answer. Field names are in camel case on the wire."""


class Event(Part, frozen=True, kw_only=True, tag_field="type"):
    """A message about one call. The topic fills `at` when it publishes the event."""

    call_sid: str
    at: str = ""


class Durable(Event, frozen=True, kw_only=True):
    """A numbered event: kept in the call's log and delivered exactly once. The topic fills `epoch` and `offset`."""

    epoch: str = ""
    offset: int = 0


class Position(msgspec.Struct, frozen=True):
    """Where a subscriber is in a call's log: it has every durable event of this `epoch` up to and including `offset`.

    The epoch is needed because offsets start again at 1 when a hub has lost its log. A subscriber that is at offset 3 of the old log would
    otherwise skip the first three events of the new one.
    """

    epoch: str
    offset: int


class Word(Part, frozen=True, kw_only=True):
    """One word. `start` and `end` are seconds of call time."""

    text: str
    start: float
    end: float
    confidence: float | None = None


class TranscriberName(Part, frozen=True, kw_only=True):
    """The provider and the model that transcribe a call."""

    provider: str
    model: str


class TrackAudio(Part, frozen=True, kw_only=True, omit_defaults=False):
    """How complete one track's audio was, in milliseconds.

    `filled_ms`: silence in place of audio that did not arrive in time. `lost_ms`: the part of it that was lost, so not the time before the
    track's first audio, when the other side had not answered yet, and not what a `gap` tells; also what was discarded because the stream's
    clock was slow or stood still. `late_ms`: audio that arrived after silence
    had left in its place. `dropped_ms`: audio discarded because its timestamp could not be true. `max_skew_ms`: the furthest that this
    track's audio arrived behind the other track's; what was transcribed is in step all the same.
    """

    filled_ms: float
    lost_ms: float
    late_ms: float
    dropped_ms: float
    max_skew_ms: float


class Completeness(Part, frozen=True, kw_only=True, omit_defaults=False):
    """How whole the record of a call is: so far while the call lives, for good in `call-ended`.

    `summary` says it in words, the same words in every list, page, terminal and file. `untranscribed_seconds`: call time of the `gap`s,
    both tracks counted once. `lost_percent`: audio of the worse track that was lost, in all parts of the call. `unheard`: the side of
    which nothing was heard while the other one spoke. `words_missing`: words may be missing, mostly the last ones. `reason`: why nobody
    transcribed.
    """

    state: Literal["complete", "incomplete", "not-transcribed"]
    summary: str
    untranscribed_seconds: float
    lost_percent: float
    unheard: Track | None
    words_missing: bool
    reason: str | None


class CallStarted(Durable, frozen=True, kw_only=True, tag="call-started"):
    """A stream of the call has started. A further stream, or what becomes known of the call later, is published as another `call-started`.

    `agent`: the voice agent that answers the call, if one does. `transcriber` is then the agent's model.
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
    """The newest state of an utterance that is still open. The next revision or the final replaces it."""

    utterance: str
    revision: int
    track: Track
    speaker: str
    text: str
    start: float
    end: float
    confidence: float | None = None


class Final(Durable, frozen=True, kw_only=True, tag="final"):
    """The last state of an utterance. The text is empty if the provider took its interims back.

    `interrupted`: the caller interrupted the agent, and the text is the part that the caller had heard by then. `cut`: the agent's model
    stopped in the middle, and more was to come. `unspoken`: the agent's model wrote this and gave it no voice, so nobody heard it.
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
    cut: bool = False
    unspoken: bool = False

    def marked(self) -> str:
        """Return the text as people read it: with a mark if there was more to say, or if nobody heard it."""
        text = f"{self.text} … (the model stopped here)" if self.cut else f"{self.text} —" if self.interrupted else self.text
        return f"(not spoken) {text}" if self.unspoken else text


class Gap(Durable, frozen=True, kw_only=True, tag="gap"):
    """A stretch of audio that was not transcribed, and why."""

    track: Track
    start: float
    end: float
    reason: str


class TranscriberLost(Durable, frozen=True, kw_only=True, tag="transcriber-lost"):
    """The connection to the provider broke. `attempt` counts the reconnects; 0 means that the provider refused for good."""

    provider: str
    reason: str
    attempt: int


class TranscriberRestored(Durable, frozen=True, kw_only=True, tag="transcriber-restored"):
    """The provider transcribes again, after `attempt` attempts."""

    provider: str
    reason: str
    attempt: int


class TranscriberSwitched(Durable, frozen=True, kw_only=True, tag="transcriber-switched"):
    """From here on, `provider` transcribes. `reason` says why the previous provider stopped."""

    provider: str
    reason: str
    attempt: int


class WordsDoubted(Durable, frozen=True, kw_only=True, tag="words-doubted"):
    """What stands in this track's finals is probably not what was said: another language, for example. Published once per track."""

    track: Track
    reason: str


class StreamFailed(Durable, frozen=True, kw_only=True, tag="stream-error"):
    """Twilio reports that a stream of the call failed. `reason` is Twilio's own text."""

    stream_sid: str
    reason: str


class Dtmf(Durable, frozen=True, kw_only=True, tag="dtmf"):
    """A key was pressed on a phone."""

    digit: str
    track: Track


class ToolCalled(Durable, frozen=True, kw_only=True, tag="tool-called"):
    """An agent calls a tool. The matching `tool-returned` has the same `invocation`. `time`: seconds of call time."""

    invocation: str
    tool: str
    arguments: Any
    time: float


class ToolReturned(Durable, frozen=True, kw_only=True, tag="tool-returned"):
    """The outcome of a tool call, as the agent got it. `detail`: the result, or why there is none.

    `refused`: the arguments do not fit, or the tool refused. `seconds`: how long the tool took.
    """

    invocation: str
    tool: str
    outcome: Literal["result", "refused", "failed", "timeout"]
    detail: str
    time: float
    seconds: float


class AgentInterrupted(Durable, frozen=True, kw_only=True, tag="agent-interrupted"):
    """The caller interrupted the agent. Of `generated` seconds of speech, `heard` had been played. `time`: seconds of call time."""

    time: float
    heard: float
    generated: float


class ConditionChanged(Durable, frozen=True, kw_only=True, tag="condition-changed"):
    """What is wrong with a live call's record has changed: nobody transcribes, audio is lost, one side is silent. Or all is well again."""

    completeness: Completeness


class AgentTrouble(Durable, frozen=True, kw_only=True, tag="agent-trouble"):
    """Something was wrong with the agent's model, and the conversation goes on. `time`: seconds of call time.

    An example: a response had no sound and was asked for once more, or used more tools than the hub runs.
    """

    reason: str
    time: float


class RecordingStarted(Durable, frozen=True, kw_only=True, tag="recording-started"):
    """The call is recorded. Published once more where a call goes on after it ended, or after the hub was started again.

    `time`: seconds of call time, here and in the other events of recordings.
    """

    time: float


class RecordingPaused(Durable, frozen=True, kw_only=True, tag="recording-paused"):
    """From here on silence is recorded, because somebody wants it so."""

    time: float


class RecordingResumed(Durable, frozen=True, kw_only=True, tag="recording-resumed"):
    """From here on sound is recorded again, after a pause or after a failure."""

    time: float


class RecordingFailed(Durable, frozen=True, kw_only=True, tag="recording-failed"):
    """From here on silence is recorded, because the disk is full or does not answer. `recording-resumed` follows if it does again."""

    time: float
    reason: str


class RecordingStored(Durable, frozen=True, kw_only=True, tag="recording-stored"):
    """The recording of a call that has ended can be had for good. It comes after `call-ended`. `size`: bytes. `sha256`: of all of them."""

    seconds: float
    media_type: str
    size: int
    sha256: str


class RecordingErased(Durable, frozen=True, kw_only=True, tag="recording-erased"):
    """The recording of a call is gone, and what was said is still there. `reason`: such as `kept for 30 days`."""

    reason: str


class CallEnded(Durable, frozen=True, kw_only=True, tag="call-ended"):
    """The call has ended. Nothing follows but what becomes of its recording, unless a new stream of the same call starts.

    `duration`: seconds of call time.
    """

    reason: str
    duration: float
    completeness: Completeness
    audio: dict[Track, TrackAudio]


class Subscribed(Event, frozen=True, kw_only=True, tag="subscribed"):
    """The subscriber now follows a call, from the event after `offset` on. `whole` is false if events it asked for are no longer kept.

    `newest`: offset of the newest event that there is now. What comes up to it is replay: a `call-ended` before it was not the end.
    `number`: the phone number through whose subscription the call is followed, if it is one.
    """

    epoch: str
    offset: int
    whole: bool
    newest: int = 0
    number: str | None = None


class Watching(Part, frozen=True, kw_only=True, tag_field="type", tag="watching"):
    """Answer to `subscribe` by number. A `subscribed` follows for each call from or to it, now and later."""

    number: str
    at: str = ""


class RecordingSummary(Part, frozen=True, kw_only=True, omit_defaults=False):
    """What there is of a call's recording.

    `state`: `recording`, `paused` and `failed` while the call lives. After it `spooled`, and `stored` once the recording lies where it is
    kept. `seconds` is null until then.
    """

    state: Literal["recording", "paused", "failed", "spooled", "stored"]
    media_type: str
    seconds: float | None


class CallSummary(Part, frozen=True, kw_only=True, omit_defaults=False):
    """A call in a list. A field is null while it is not known. `duration`: seconds of call time. `completeness`: so far, or for good.

    `agent`: the voice agent that answers the call, or answered it last; null where people speak on both tracks.
    """

    call_sid: str
    live: bool
    started_at: str | None
    ended_at: str | None
    from_: str | None
    to: str | None
    direction: str | None
    speakers: dict[Track, str]
    agent: str | None = None
    transcriber: TranscriberName | None
    utterances: int
    reason: str | None
    duration: float | None
    completeness: Completeness
    recording: RecordingSummary | None = None
    epoch: str
    offset: int


class CallList(Part, frozen=True, kw_only=True, tag_field="type", tag="calls"):
    """Answer to `subscribe` to all calls: the calls so far. Starts, ends and transcribers' troubles of all calls follow."""

    calls: list[CallSummary]
    at: str = ""


class Unsubscribed(Part, frozen=True, kw_only=True, tag_field="type", tag="unsubscribed"):
    """Answer to `unsubscribe`: the subscriber no longer follows this call, number or list."""

    call_sid: str | None = None
    number: str | None = None
    calls: str | None = None
    at: str = ""


class Authenticated(Part, frozen=True, kw_only=True, tag_field="type", tag="authenticated"):
    """Answer to a new token on an open socket."""

    at: str = ""


class Listening(Part, frozen=True, kw_only=True, omit_defaults=False, tag_field="type", tag="listening"):
    """Answer to `listen`: from now on, binary messages with this `id` are the call's live audio."""

    call_sid: str
    id: int
    sample_rate: int = SAMPLE_RATE_HZ
    at: str = ""


class Unlistened(Part, frozen=True, kw_only=True, tag_field="type", tag="unlistened"):
    """No more live audio of a call follows. `reason`: the subscriber asked for it, the call ended, or a new token does not allow it."""

    call_sid: str
    id: int
    reason: str
    at: str = ""


class Pong(Part, frozen=True, kw_only=True, tag_field="type", tag="pong"):
    """Answer to `ping`."""

    at: str = ""


class Refusal(Part, frozen=True, kw_only=True, tag_field="type", tag="error"):
    """The hub did not do what was asked. `code` is for programs, `message` for people."""

    code: str
    message: str
    call_sid: str | None = None
    at: str = ""


DurableEvent: TypeAlias = (
    CallStarted | Final | Gap | TranscriberLost | TranscriberRestored | TranscriberSwitched | WordsDoubted | StreamFailed | Dtmf
    | ToolCalled | ToolReturned | AgentInterrupted | AgentTrouble | ConditionChanged | RecordingStarted | RecordingPaused
    | RecordingResumed | RecordingFailed | RecordingStored | RecordingErased | CallEnded
)  # fmt: skip
CallEvent: TypeAlias = DurableEvent | Interim
Message: TypeAlias = CallEvent | Subscribed | Watching | CallList | Unsubscribed | Listening | Unlistened | Authenticated | Pong | Refusal

D = TypeVar("D", bound=Durable)

_encoder = msgspec.json.Encoder(decimal_format="number")
_decoder = msgspec.json.Decoder(Message)
_tag = msgspec.json.Decoder(dict[str, Any])


def encode(event: Part) -> bytes:
    """Return an event as one JSON object in UTF-8."""
    return _encoder.encode(event)


def decode(text: str | bytes) -> Message | None:
    """Decode one message from the hub. Return None for a type that this version does not know.

    Raises: ValueError if it is not a JSON object with a `type`, or if a known type lacks a field.
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
    """Return a moment as events carry it, such as `2026-11-21T10:00:00.123Z`."""
    whole = int(unix_seconds)
    return f"{_second(whole)}.{int((unix_seconds - whole) * 1000):03d}Z"


@lru_cache(maxsize=4)
def _second(unix_seconds: int) -> str:
    # Cached: all events of one second share this part, and formatting a date costs as much as encoding the event.
    return datetime.fromtimestamp(unix_seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


KNOWN_TYPES = frozenset(str(kind.__struct_config__.tag) for kind in get_args(Message))
"""The `type` of every message in the vocabulary."""
