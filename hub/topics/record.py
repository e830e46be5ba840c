"""One call, as everything that serves it knows it: its topic, what its events say of it, and where its next part goes on."""

import copy
from collections import deque
from dataclasses import dataclass, field

import msgspec

from hub.audio.g711 import Track
from hub.audio.lost import Share
from hub.audio.timeline import Block
from hub.events import CallEnded, CallStarted, CallSummary, Durable, Final, Interim, Statistics, encode
from hub.insight.call_watch import CallWatch
from hub.insight.redaction.redaction import Redaction
from hub.insight.watched import Watched
from hub.recordings.recording import Recording
from hub.topics.audience import STATISTICS
from hub.topics.live_audio import LiveAudio
from hub.topics.past import Past
from hub.topics.topic import Topic
from hub.transcribers.utterances import Utterances
from hub.transcript.outline import Outline

EARLY_UTTERANCES = 100
"""So many ids of utterances are left to a node that has still to hand over a call: more than are spoken in the seconds that this takes."""


def closed_by(event: Durable) -> str | None:
    """Return the name of what is open and ends with an event. None for most."""
    return event.utterance if isinstance(event, Final) else STATISTICS if isinstance(event, Statistics) else None


@dataclass(frozen=True, slots=True)
class LeftOff:
    """Where one part of a call stopped, so that the next one goes on there."""

    call_ms: float
    """Call time reached."""
    at: float
    """When audio was last received, on the registry's clock."""
    lost: dict[Track, Share] = field(default_factory=dict)
    """How much of each track's audio was lost by then."""
    settled_ms: dict[Track, float] = field(default_factory=dict)
    """For a call that an earlier hub process left behind: call time up to which that process published each track's words. Else empty."""


class Record:
    """One call, live or kept for a while after its end."""

    __slots__ = (
        "_summary",
        "ahead",
        "announced",
        "call_sid",
        "ended_at",
        "erased",
        "generation",
        "goes_on",
        "held_back",
        "indexed",
        "left_off",
        "live_audio",
        "loaded",
        "number",
        "outline",
        "owner",
        "past",
        "recorded_ms",
        "recording",
        "redaction",
        "row_due",
        "stored",
        "topic",
        "utterances",
        "waiting",
        "watch",
        "watched",
        "words_missing",
    )

    def __init__(self, topic: Topic, live_audio: LiveAudio, number: int, *, stored_first: bool = False) -> None:
        """`number`: see CallNumbers. `stored_first`: events are stored before anybody sees them."""
        self.call_sid = topic.call_sid
        self.topic = topic
        self.live_audio = live_audio
        self.recording: Recording | None = None
        """The recording that is being made of the call. None where none is, and once the call is over."""
        self.recorded_ms = 0.0
        """Up to which call time another node has recorded the call, and stores that part. 0.0 where none has."""
        self.number = number
        """What tells this call from every other. Calls that began later have higher ones."""
        self.outline = Outline()
        """What the events say of the call that readers have seen."""
        self.ahead = Outline() if stored_first else self.outline
        """What all events say of the call, those included that are not stored yet. For those who publish."""
        self.waiting: deque[Durable | Interim] = deque()
        """Events that are not stored yet, so that nobody has seen them, and the interims between them."""
        self.stored = 0
        """Offset of the newest event in the archive."""
        self.row_due = True
        """Whether the call's row in the archive is older than what the events say."""
        self.owner = ""
        """Id of the node whose call it is. Empty if it is this node's."""
        self.generation = 0
        """How often the call had another owner; see `hub.broker.broker`. 0 without a broker."""
        self.loaded = True
        """Whether the call's events are here. False for a call of another node that nobody reads on this one."""
        self.past: Past | None = None
        """What the events of another node's call say so far, while they are here: a node that goes on with the call needs it. Else None."""
        self.announced = 0
        """Offset up to which the events of another node's call that concern it as a whole were told to those who follow the list."""
        self.held_back: list[Durable | Interim] | None = None
        """What was published while another node has still to hand the call over. None where no hand-over is awaited."""
        self.erased = False
        """Whether the call was erased while this was still read. Nobody may get more of it."""
        self.goes_on = False
        """Whether the hub stops and the phone call does not, so that the next process is to go on with it."""
        self.utterances = Utterances(topic.call_sid)
        """The utterances that are open, and the numbering. A Call that gives way keeps this one, and its successor gets the next."""
        self.watched = Watched()
        """What the rules of the watchwords have to know of the call. Only kept up to date where there are rules."""
        self.watch: CallWatch | None = None
        """Looks for what the rules say. None where there are none, and while the call is another node's."""
        self.words_missing = False
        """Whether words may be missing in a part of the call that ended, or gave way to another one."""
        self.redaction: Redaction | None = None
        """What masks the call's events. The first publisher of the call sets it. None where nothing is masked."""
        self.ended_at = 0.0
        """Registry clock time of the end. Only meaningful while the call is not live."""
        self.left_off: LeftOff | None = None
        """Where the next part of the call goes on. None while the first part lasts."""
        self.indexed: set[str] = set()
        """The phone numbers under which the registry finds the call: also one that a later `call-started` has corrected."""
        self._summary: tuple[int, Outline | None, bytes] = (-1, None, b"")
        """The newest summary in JSON, and the offset and the outline of which it was made."""

    @property
    def started(self) -> CallStarted | None:
        """The first `call-started`; see Outline."""
        return self.ahead.started

    @property
    def ended(self) -> CallEnded | None:
        """The newest `call-ended`. None while the call is live."""
        return self.ahead.ended

    @property
    def agent(self) -> str | None:
        """The agent whose stream is the newest; see Outline."""
        return self.ahead.agent

    @property
    def live(self) -> bool:
        """Whether the call goes on, as far as readers know."""
        return self.outline.live

    @property
    def numbers(self) -> tuple[str | None, str | None]:
        """From and to, as far as they are known."""
        return self.ahead.numbers

    @property
    def unstored(self) -> bool:
        """Whether an event of the call is not in the archive yet. Only meaningful with one. What another node stores is not looked at."""
        return not self.owner and self.stored < self.topic.log.entered

    def restore(self, past: Past) -> None:
        """Fill a new record with what the archive has of the call. Whoever reads it has seen all of it."""
        self.topic.log.restore(past.payloads, past.first)
        stored_first = self.ahead is not self.outline
        self.outline = past.outline
        self.ahead = copy.deepcopy(past.outline) if stored_first else past.outline
        self.go_on_after(past)
        self.topic.audience.restored(ended=not self.live)
        self.stored = self.topic.log.entered
        self.row_due = False

    def so_far(self) -> Past:
        """Return what is known of a call that was this node's until now, for a node that goes on with it. Nothing has to be read again."""
        past = Past(())
        past.outline, past.utterances, past.words_missing = self.outline, dict(self.utterances.numbers), self.words_missing
        if self.left_off is not None:
            past.reached_seconds, past.lost = self.left_off.call_ms / 1000, dict(self.left_off.lost)
        past.watched, self.watch = self.watched, None
        self.ahead = self.outline
        return past

    def go_on_after(self, past: Past) -> None:
        """Let what is published next follow what another process has published."""
        self.utterances.go_on_after(past.utterances)
        self.utterances.name(past.outline.speakers)
        self.words_missing = past.words_missing
        self.watched, self.watch = past.watched, None

    def counted_anew(self, event: Durable) -> Durable:
        """Return an event that was held back: statistics were counted without what the other node has handed over meanwhile."""
        if not isinstance(event, Statistics):
            return event
        return msgspec.structs.replace(event, figures=self.ahead.statistics.figures(event.figures.seconds))

    def pass_on(self, block: Block) -> None:
        """Let those who listen, and the recording, have a block of the call's audio. Never waits."""
        if self.live_audio.listeners:
            self.live_audio.play(block if self.redaction is None else self.redaction.audible(block))
        if self.recording is not None:
            self.recording.take(block)

    def mute(self, final: Final) -> None:
        """Take out of the recording what is masked in a final. Never waits."""
        if self.recording is not None and self.redaction is not None:
            for start, end in self.redaction.masked_seconds(final):
                self.recording.mute(final.track, start * 1000, end * 1000)

    def give_way(self, left_off: LeftOff) -> None:
        """Let another Call go on with this record.

        The previous Call keeps its own Utterances until its last finals are published.
        """
        self.left_off, self.utterances = left_off, self.utterances.successor()

    def begin_early(self, now: float) -> None:
        """Let a part of the call begin here now, on the registry's clock, though another node has still to hand the call over.

        That node goes on up to this moment, and with its utterances for a little longer.
        """
        noted = self.left_off
        if noted is not None:
            self.left_off = LeftOff(noted.call_ms + (now - noted.at) * 1000, now)
        self.utterances.go_on_after({track: number + EARLY_UTTERANCES for track, number in self.utterances.numbers.items()})

    def summary(self) -> CallSummary:
        """Return the call as lists show it."""
        log = self.topic.log
        return self.outline.summary(self.call_sid, log.epoch, log.offset)

    @property
    def summary_is_old(self) -> bool:
        """Whether something happened since the summary was last made as JSON."""
        offset, outline, _ = self._summary
        return offset != self.topic.log.offset or outline is not self.outline

    def summary_json(self) -> bytes:
        """Return the summary as JSON. It is made once per event: a list of thousands of calls is mostly of calls that are over."""
        if self.summary_is_old:
            self._summary = (self.topic.log.offset, self.outline, encode(self.summary()))
        return self._summary[2]
