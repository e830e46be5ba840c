"""callSid -> what is known of that call: open, find, expire. Knows lifetimes, not audio."""

import itertools
import secrets
from collections.abc import Callable, Iterator
from typing import TypeAlias

from hub.audio.g711 import Track
from hub.events import CallEnded, CallStarted, CallSummary, Durable, stamped
from hub.topics.live_audio import Sound
from hub.topics.topic import Topic
from hub.transcribers.utterances import Transcript


class Record:
    """One call, live or kept for a while after its end."""

    def __init__(self, topic: Topic, sound: Sound) -> None:
        self.call_sid = topic.call_sid
        self.topic = topic
        self.sound = sound
        self.transcript = Transcript(topic.call_sid)
        self.started: CallStarted | None = None
        """The first `call-started`, as sent; None until then."""
        self.agent: str | None = None
        """Whose stream was the newest; None where people speak on both tracks."""
        self.ended: CallEnded | None = None
        """The newest `call-ended`; None while the call lives."""
        self.ended_at = 0.0
        """When, on the registry's clock; of a call taken up again, when it was heard last. Of one that never ended, nothing."""
        self.call_ms = 0.0
        """Call time reached then: where a stream that comes later goes on."""
        self.settled_ms: dict[Track, float] = {}
        """Call time up to which a hub before this one told each track's words; empty once that is told, or when there was none."""

    @property
    def live(self) -> bool:
        """Whether the call goes on, as far as the hub knows."""
        return self.ended is None

    @property
    def numbers(self) -> tuple[str | None, str | None]:
        """From and to, as far as they are known."""
        return (self.started.from_, self.started.to) if self.started is not None else (None, None)

    def give_way(self, call_ms: float, heard_at: float) -> None:
        """Let another go on with this call, from here; who has it still to tell words of before keeps his own Transcript for them.

        `call_ms` is reached, `heard_at` when, on the registry's clock.
        """
        self.call_ms, self.ended_at, self.transcript = call_ms, heard_at, self.transcript.apart()

    def summary(self) -> CallSummary:
        """Return the call as lists show it."""
        started, ended = self.started, self.ended
        return CallSummary(
            call_sid=self.call_sid,
            live=self.live,
            started_at=started.at if started else None,
            ended_at=ended.at if ended else None,
            from_=started.from_ if started else None,
            to=started.to if started else None,
            direction=started.direction if started else None,
            speakers=dict(self.transcript.speakers),
            transcriber=started.transcriber if started else None,
            utterances=len(self.transcript.finals),
            reason=ended.reason if ended else None,
            duration=ended.duration if ended else None,
            transcript=ended.transcript if ended else None,
            epoch=self.topic.epoch,
            offset=self.topic.offset,
        )


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
    ) -> None:
        """`clock` is monotonic and decides what expires; `wall` gives events their `at`; `soon` as in Topic."""
        self._records: dict[str, Record] = {}
        self._keep_seconds = keep_seconds
        self._clock = clock
        self._wall = wall
        self._soon = soon
        self._sounds = itertools.count(1)
        self._watchers: dict[Watch, None] = {}
        """In the order they came."""
        self._delivered = (0, 0)
        """What was delivered of calls that are forgotten; see `delivered`."""

    def open(self, call_sid: str) -> Record:
        """Return the call's record, made now if there is none: a second stream joins the topic that is there, also after its end."""
        record = self._records.get(call_sid)
        if record is None:
            topic = Topic(call_sid, secrets.token_hex(6), self._wall, self._soon)
            record = self._records[call_sid] = Record(topic, Sound(next(self._sounds)))
        record.ended = None
        return record

    def close(self, record: Record, ended: CallEnded, call_ms: float) -> None:
        """Say that the call is over; it stays findable for its keep time."""
        record.ended, record.ended_at, record.call_ms = ended, self._clock(), call_ms
        record.sound.end("the call is over")

    def now(self) -> str:
        """Return the present moment as events carry it."""
        return stamped(self._wall())

    def watch(self, watcher: Watch) -> None:
        """Call `watcher(record, event)` for each event that concerns a call as a whole, right after it was published. It must not raise."""
        self._watchers[watcher] = None

    def unwatch(self, watcher: Watch) -> None:
        """Call it no longer; safe to call twice."""
        self._watchers.pop(watcher, None)

    def announce(self, record: Record, event: Durable) -> None:
        """Tell the watchers that a call began, ended, or lost, got back or changed its transcriber. Never waits."""
        for watcher in list(self._watchers):
            watcher(record, event)

    def find(self, call_sid: str) -> Record | None:
        """Return the call's record, or None."""
        return self._records.get(call_sid)

    @property
    def delivered(self) -> tuple[int, int]:
        """How many durable events and interims were delivered to subscribers, of all calls ever."""
        delivered = [self._delivered, *(record.topic.delivered for record in self._records.values())]
        return sum(durable for durable, _ in delivered), sum(interims for _, interims in delivered)

    @property
    def kept_bytes(self) -> int:
        """The size of all calls' histories."""
        return sum(record.topic.kept_bytes for record in self._records.values())

    def live(self) -> list[str]:
        """Return the callSids of live calls, oldest first."""
        return [sid for sid, record in self._records.items() if record.live]

    def __iter__(self) -> Iterator[Record]:
        return iter(list(self._records.values()))

    def __len__(self) -> int:
        return len(self._records)

    def expire(self) -> int:
        """Forget the calls that ended longer ago than the keep time; return how many. Who still reads its replay keeps it alive."""
        before = self._clock() - self._keep_seconds
        gone = [sid for sid, record in self._records.items() if record.ended is not None and record.ended_at <= before]
        for sid in gone:
            topic = self._records.pop(sid).topic
            for following in [following for following in topic.followings if following.complete]:
                topic.leave(following)
            durable, interims = topic.delivered
            self._delivered = self._delivered[0] + durable, self._delivered[1] + interims
            if not topic.followings:
                topic.clear()  # a subscriber's socket may hold on to its cursor for days
        return len(gone)
