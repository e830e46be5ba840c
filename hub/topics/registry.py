"""callSid -> what is known of that call: open, find, expire. Knows lifetimes, not audio."""

import itertools
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from hub.audio.g711 import Track
from hub.audio.lost import Share
from hub.events import CallEnded, CallStarted, CallSummary, Durable, encode, stamped
from hub.tokens import Grant
from hub.topics.live_audio import LiveAudio
from hub.topics.log import LOG_BYTES
from hub.topics.topic import Topic
from hub.transcribers.utterances import Utterances
from hub.transcript.outline import Outline


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
        "call_sid",
        "ended_at",
        "indexed",
        "left_off",
        "live_audio",
        "outline",
        "topic",
        "utterances",
        "words_missing",
    )

    def __init__(self, topic: Topic, live_audio: LiveAudio) -> None:
        self.call_sid = topic.call_sid
        self.topic = topic
        self.live_audio = live_audio
        self.outline = Outline()
        """What the events in the topic's log say of the call."""
        self.utterances = Utterances(topic.call_sid)
        """The utterances that are open, and the numbering. A Call that gives way keeps this one, and its successor gets the next."""
        self.words_missing = False
        """Whether words may be missing in a part of the call that ended, or gave way to another one."""
        self.ended_at = 0.0
        """Registry clock time of the end. Only meaningful while the call is not live."""
        self.left_off: LeftOff | None = None
        """Where the next part of the call goes on. None while the first part lasts."""
        self.indexed: set[str] = set()
        """The phone numbers under which the registry finds the call: also one that a later `call-started` has corrected."""
        self._summary = (-1, b"")
        """The newest summary in JSON, and the offset at which it was made."""

    @property
    def number(self) -> int:
        """What tells this call from every other on this hub. Later calls have higher ones."""
        return self.live_audio.number

    @property
    def started(self) -> CallStarted | None:
        """The first `call-started`; see Outline."""
        return self.outline.started

    @property
    def ended(self) -> CallEnded | None:
        """The newest `call-ended`. None while the call is live."""
        return self.outline.ended

    @property
    def agent(self) -> str | None:
        """The agent whose stream is the newest; see Outline."""
        return self.outline.agent

    @property
    def live(self) -> bool:
        """Whether the call goes on, as far as the hub knows."""
        return self.outline.live

    @property
    def numbers(self) -> tuple[str | None, str | None]:
        """From and to, as far as they are known."""
        return self.outline.numbers

    def give_way(self, left_off: LeftOff) -> None:
        """Let another Call go on with this record.

        The previous Call keeps its own Utterances until its last finals are published.
        """
        self.left_off, self.utterances = left_off, self.utterances.successor()

    def summary(self) -> CallSummary:
        """Return the call as lists show it."""
        log = self.topic.log
        return self.outline.summary(self.call_sid, log.epoch, log.offset)

    @property
    def summary_is_old(self) -> bool:
        """Whether something happened since the summary was last made as JSON."""
        return self._summary[0] != self.topic.log.offset

    def summary_json(self) -> bytes:
        """Return the summary as JSON. It is made once per event: a list of thousands of calls is mostly of calls that are over."""
        if self.summary_is_old:
            self._summary = (self.topic.log.offset, encode(self.summary()))
        return self._summary[1]


Watch: TypeAlias = Callable[[Record, Durable], None]


class Registry:
    """All calls this process knows, oldest first."""

    def __init__(
        self,
        *,
        keep_seconds: float,
        clock: Callable[[], float],
        wall: Callable[[], float],
        soon: Callable[[Callable[[], None]], object],
        log_bytes: int = LOG_BYTES,
    ) -> None:
        """`clock` is monotonic seconds and decides what expires. `wall` is Unix seconds, for the events' `at`. The others: see Topic."""
        self._log_bytes = log_bytes
        self._records: dict[str, Record] = {}
        self._keep_seconds = keep_seconds
        self._clock = clock
        self.wall = wall
        self._soon = soon
        self._numbers = itertools.count(1)
        """For live audio."""
        self._by_number: dict[str, dict[str, Record]] = {}
        """Calls by the phone numbers that they are from or to, and by callSid."""
        self._watchers: dict[Watch, None] = {}
        """In the order in which they came."""
        self._delivered = (0, 0)
        """Deliveries of calls that are forgotten; see `delivered`."""

    def open(self, call_sid: str) -> Record:
        """Return the call's record, made now if there is none: a second stream joins the topic that is there, also after the call's end."""
        record = self._records.get(call_sid)
        if record is None:
            topic = Topic(call_sid, secrets.token_hex(6), self.wall, self._soon, self._log_bytes)
            record = self._records[call_sid] = Record(topic, LiveAudio(next(self._numbers)))
        return record

    def close(self, record: Record, call_ms: float, lost: dict[Track, Share]) -> None:
        """The call ended at this call time, with so much of its audio lost: it stays findable for its keep time."""
        record.ended_at = self._clock()
        record.left_off = LeftOff(call_ms, record.ended_at, lost)
        record.live_audio.end("the call is over")

    def now(self) -> str:
        """Return the present moment as events carry it."""
        return stamped(self.wall())

    def watch(self, watcher: Watch) -> None:
        """Call `watcher(record, event)` for each event that concerns a call as a whole, right after it was published. It must not raise."""
        self._watchers[watcher] = None

    def unwatch(self, watcher: Watch) -> None:
        """Call it no longer; safe to call twice."""
        self._watchers.pop(watcher, None)

    def announce(self, record: Record, event: Durable) -> None:
        """Tell the watchers about an event that concerns a call as a whole. Never waits."""
        if isinstance(event, CallStarted):
            for number in filter(None, record.numbers):
                record.indexed.add(number)
                self._by_number.setdefault(number, {})[record.call_sid] = record
        for watcher in list(self._watchers):
            watcher(record, event)

    def find(self, call_sid: str) -> Record | None:
        """Return the call's record, or None."""
        return self._records.get(call_sid)

    def with_number(self, number: str) -> list[Record]:
        """Return the calls from or to a phone number, oldest first."""
        found = self._by_number.get(number, {})
        return sorted((record for record in found.values() if number in record.numbers), key=lambda record: record.number)

    def allowed(self, grant: Grant) -> list[Record]:
        """Return the calls that a token allows, oldest first. Costs as much as there are such calls, not as there are calls."""
        if grant.everything:
            return list(self._records.values())
        found = {record.call_sid: record for name in grant.calls for record in (self._records.get(name), *self.with_number(name)) if record}
        return sorted(found.values(), key=lambda record: record.number)

    @property
    def delivered(self) -> tuple[int, int]:
        """How many durable events and interims were delivered to subscribers, of all calls ever."""
        counts = [self._delivered, *(record.topic.audience.delivered for record in self._records.values())]
        return sum(durable for durable, _ in counts), sum(interims for _, interims in counts)

    @property
    def kept_bytes(self) -> int:
        """The size of all calls' logs."""
        return sum(record.topic.log.kept_bytes for record in self._records.values())

    def live(self) -> list[str]:
        """Return the callSids of live calls, oldest first."""
        return [sid for sid, record in self._records.items() if record.live]

    def __iter__(self) -> Iterator[Record]:
        return iter(list(self._records.values()))

    def __len__(self) -> int:
        return len(self._records)

    def _forget(self, call_sid: str) -> Record:
        record = self._records.pop(call_sid)
        for number in record.indexed:
            if (calls := self._by_number.get(number)) is not None:
                calls.pop(call_sid, None)
                if not calls:
                    del self._by_number[number]
        return record

    def expire(self) -> int:
        """Forget the calls that ended longer ago than the keep time; return how many. A subscriber that still replays one keeps its log."""
        before = self._clock() - self._keep_seconds
        gone = [sid for sid, record in self._records.items() if not record.live and record.ended_at <= before]
        for sid in gone:
            topic = self._forget(sid).topic
            audience = topic.audience
            for following in [following for following in audience.followings if following.complete]:
                audience.leave(following)
            durable, interims = audience.delivered
            self._delivered = self._delivered[0] + durable, self._delivered[1] + interims
            if not len(audience):
                topic.log.clear()  # a subscriber's socket may hold on to its cursor for days
        return len(gone)
