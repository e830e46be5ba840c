"""What the hub answers to subscribers, and calls as lists show them."""

from typing import Literal, TypeAlias

from hub.audio.g711 import SAMPLE_RATE_HZ, Track
from hub.events.parts import Completeness, Event, Part, TranscriberName
from hub.events.statistics import CallStatistics


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
    """Answer to `subscribe` by number. A `subscribed` follows for each call from or to it, now and later.

    Over HTTP, at `/events`, it is about all calls and has no `number`. `whole` is false there if something that was published after the
    reader's position is in no call that follows.
    """

    number: str | None = None
    whole: bool | None = None
    at: str = ""


class RecordingSummary(Part, frozen=True, kw_only=True, omit_defaults=False):
    """What there is of a call's recording.

    `state`: `recording`, `paused` and `failed` while the call lives. After it `spooled`, and `stored` once the recording lies where it is
    kept. `seconds` is null until then.
    """

    state: Literal["recording", "paused", "failed", "spooled", "stored"]
    media_type: str
    seconds: float | None


AttentionKind: TypeAlias = Literal["not-transcribed", "provider-lost", "watchword", "one-sided", "tool-failed", "audio-lost"]
"""Why a live call may need a person's attention. The most urgent first."""


class AttentionReason(Part, frozen=True, kw_only=True, omit_defaults=False):
    """Why a live call needs a person's attention.

    `about`: the provider, the tool or the watchword; why nobody transcribes; `unheard` or `silent` of a side; the per cent of the audio
    that was lost. `since`: when it began.
    """

    kind: AttentionKind
    about: str
    since: str


class AlertSummary(Part, frozen=True, kw_only=True, omit_defaults=False):
    """The alerts of a call, without those that were wrong.

    `count`: how many. `rule`, `summary` and `time` are those of the newest; `time` is in seconds of call time.
    """

    count: int
    rule: str
    summary: str
    time: float


class CallSummary(Part, frozen=True, kw_only=True, omit_defaults=False):
    """A call in a list. A field is null while it is not known. `duration`: seconds of call time. `completeness`: so far, or for good.

    `agent`: the voice agent that answers the call, or answered it last; null where people speak on both tracks. `person` and `queue`: what
    the stream's `<Parameter>`s `agent` and `queue` say. `attention`: why a live call needs a person's attention, the most urgent reason
    first; empty if it needs none. `alerts`: null where the watchwords found nothing. `statistics`: as of the
    newest final or gap, or of the whole call once it has ended. `note`: the beginning of a model's note of the call.
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
    person: str | None = None
    queue: str | None = None
    transcriber: TranscriberName | None
    utterances: int
    reason: str | None
    duration: float | None
    completeness: Completeness
    attention: tuple[AttentionReason, ...] = ()
    recording: RecordingSummary | None = None
    alerts: AlertSummary | None = None
    statistics: CallStatistics | None = None
    note: str | None = None
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
    """The hub did not do what was asked. `code` is for programs, `message` for people. `order`: the id of the order that was not taken."""

    code: str
    message: str
    call_sid: str | None = None
    order: str | None = None
    at: str = ""
