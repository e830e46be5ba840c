"""callSid -> what is known of that call: open, find, expire. Knows lifetimes, not audio."""

import itertools
import secrets
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Protocol, TypeAlias

from hub.audio.g711 import Track
from hub.audio.lost import Share
from hub.events import (
    CallEnded,
    CallStarted,
    ConditionChanged,
    D,
    Durable,
    Final,
    Interim,
    RecordingErased,
    RecordingFailed,
    RecordingPaused,
    RecordingResumed,
    RecordingStarted,
    RecordingStored,
    Refusal,
    StreamFailed,
    TranscriberLost,
    TranscriberRestored,
    TranscriberSwitched,
    encode,
    stamped,
)
from hub.tokens import Grant
from hub.topics.live_audio import LiveAudio
from hub.topics.log import LOG_BYTES
from hub.topics.past import Past
from hub.topics.record import LeftOff, Record
from hub.topics.topic import Topic

WHOLE_CALL = (
    CallStarted, TranscriberLost, TranscriberRestored, TranscriberSwitched, StreamFailed, ConditionChanged, RecordingStarted,
    RecordingPaused, RecordingResumed, RecordingFailed, RecordingStored, RecordingErased, CallEnded,
)  # fmt: skip
"""Events that concern a call as a whole: those who follow the list of all calls receive them, too."""

RECALLED_SECONDS = 60.0
"""How long a call that was read back from the archive is kept once nobody reads it."""

RECALLED_CALLS, RECALLED_BYTES = 1000, 64 * 1024 * 1024
"""How many such calls are kept at most, and how much of them: who exports a year of calls reads hundreds in that time."""

UNSTORED_BYTES = 256 * 1024 * 1024
"""How much is kept in memory at most of calls that are over and cannot be stored: many minutes of a full hub."""

Watch: TypeAlias = Callable[[Record, Durable], None]
Gone: TypeAlias = Callable[[Record, bytes], None]


class Storage(Protocol):
    """Where events are kept for longer than the process lives."""

    def store_soon(self, record: Record) -> None:
        """Store the record's events that are not stored yet, and then release them. Never waits, never raises."""


class CallNumbers:
    """Gives calls their numbers: the moment at which they begin in milliseconds, times 1024, plus a counter.

    So the order of the numbers is that of time, in this process and in the archive.
    """

    def __init__(self) -> None:
        self._last = 0

    def seen(self, number: int) -> None:
        """Give no number again that is as low as this one."""
        self._last = max(self._last, number)

    def next(self, wall_seconds: float) -> int:
        """Return the number of a call that begins now, in Unix seconds."""
        self._last = max(int(wall_seconds * 1000) << 10, self._last + 1)
        return self._last


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
        """Calls that are live, or ended a short while ago."""
        self._keep_seconds = keep_seconds
        self._clock = clock
        self.wall = wall
        self._soon = soon
        self._recalled: dict[str, Record] = {}
        """Calls that are over and were read back from the archive, for those who read them now."""
        self.erasures = 0
        """How many calls were erased. Whoever reads a call in a thread meanwhile may have read one that is gone by now."""
        self.stored_first = False
        """Whether events are to be stored before anybody sees them. It is set before any call is known."""
        self.storage: Storage | None = None
        """Where events are stored before anybody sees them. None without an archive. It is set before the first call."""
        self._numbers = CallNumbers()
        self._audio_numbers = itertools.count(1)
        self._by_number: dict[str, dict[str, Record]] = {}
        """Calls by the phone numbers that they are from or to, and by callSid."""
        self._watchers: dict[Watch, Gone | None] = {}
        """In the order in which they came, and what is called when a call is erased."""
        self._delivered = (0, 0)
        """Deliveries of calls that are forgotten; see `delivered`."""

    def open(self, call_sid: str) -> Record:
        """Return the call's record, made now if there is none: a second stream joins the topic that is there, also after the call's end."""
        record = self._records.get(call_sid)
        if record is None:
            record = self._recalled.pop(call_sid, None) or self._made(call_sid, secrets.token_hex(6), self._numbers.next(self.wall()))
            self._records[call_sid] = record
        return record

    def restore(self, call_sid: str, epoch: str, number: int, past: Past) -> Record:
        """Make a live call of an earlier process known again, with all its events."""
        record = self._made(call_sid, epoch, number)
        record.restore(past)
        self._numbers.seen(number)
        self._records[call_sid] = record
        self._index(record)
        return record

    def recall(self, call_sid: str, epoch: str, number: int, past: Past) -> Record:
        """Make a call that is over findable for as long as somebody reads it. Lists do not show it."""
        record = self._made(call_sid, epoch, number)
        record.restore(past)
        record.ended_at = self._clock()
        if (ended := past.outline.ended) is not None:  # should a stream come, call time goes on as if the hub had known the call all along
            since = max(0.0, self.wall() - datetime.fromisoformat(ended.at).timestamp())
            record.left_off = LeftOff(past.reached_seconds * 1000, record.ended_at - since, past.lost)
        self._recalled[call_sid] = record
        self._bound_recalled()
        return record

    def _bound_recalled(self) -> None:
        """Forget calls that were read back, the oldest first, where there are too many: not the newest, and none that is being replayed."""
        size = sum(record.topic.log.kept_bytes for record in self._recalled.values())
        for sid, record in list(self._recalled.items())[:-1]:
            if len(self._recalled) <= RECALLED_CALLS and size <= RECALLED_BYTES:
                return
            if not self._is_replayed(record) and not self._must_keep(record):
                size -= record.topic.log.kept_bytes
                self._let_go(self._recalled.pop(sid))

    def _made(self, call_sid: str, epoch: str, number: int) -> Record:
        topic = Topic(call_sid, epoch, self.wall, self._soon, self._log_bytes)
        return Record(topic, LiveAudio(next(self._audio_numbers)), number, stored_first=self.stored_first)

    def publish(self, record: Record, event: D) -> D:
        """Give an event its place in the call's log; hand it to everyone, now or as soon as it is stored. Never waits.

        Returns the event as subscribers receive it. Only `hub.calls.publisher` calls this.
        """
        event = record.topic.log.enter(event)
        record.ahead.apply(event)
        if isinstance(event, WHOLE_CALL):
            record.row_due = True
        if self.storage is None:
            self._tell(record, event)
        else:
            record.waiting.append(event)
            self.storage.store_soon(record)
        return event

    def revise(self, record: Record, interim: Interim) -> None:
        """Hand everyone the newest state of an utterance, behind all that was published before it. Never waits."""
        if record.waiting:
            record.waiting.append(interim)
        else:
            record.topic.audience.revise(interim)

    def release(self, record: Record, offset: int) -> None:
        """Hand everyone the events up to this offset, and the interims between them. Never waits."""
        waiting = record.waiting
        while waiting:
            event = waiting[0]
            if isinstance(event, Interim):
                record.topic.audience.revise(event)
            elif event.offset <= offset:
                self._tell(record, event)
            else:
                break
            waiting.popleft()

    def _tell(self, record: Record, event: Durable) -> None:
        topic = record.topic
        topic.log.release(event.offset)
        if record.outline is not record.ahead:
            record.outline.apply(event)
        topic.audience.published(closes=event.utterance if isinstance(event, Final) else None, last=not record.outline.live)
        if isinstance(event, WHOLE_CALL):
            self._announce(record, event)

    def close(self, record: Record, call_ms: float, lost: dict[Track, Share]) -> None:
        """The call ended at this call time, with so much of its audio lost: it stays findable for its keep time."""
        record.ended_at = self._clock()
        record.left_off = LeftOff(call_ms, record.ended_at, lost)
        record.live_audio.end("the call is over")

    def now(self) -> str:
        """Return the present moment as events carry it."""
        return stamped(self.wall())

    def watch(self, watcher: Watch, on_erased: Gone | None = None) -> None:
        """Call `watcher(record, event)` for each event that concerns a call as a whole, right after it was published. It must not raise.

        `on_erased(record, told)` is called when a call that is in memory is erased; `told` says so, ready to be sent.
        """
        self._watchers[watcher] = on_erased

    def unwatch(self, watcher: Watch) -> None:
        """Call it no longer; safe to call twice."""
        self._watchers.pop(watcher, None)

    def _announce(self, record: Record, event: Durable) -> None:
        """Tell the watchers about an event that concerns a call as a whole. Never waits."""
        if isinstance(event, CallStarted):
            self._index(record)
        for watcher in list(self._watchers):
            watcher(record, event)

    def _index(self, record: Record) -> None:
        for number in filter(None, record.numbers):
            record.indexed.add(number)
            self._by_number.setdefault(number, {})[record.call_sid] = record

    def find(self, call_sid: str) -> Record | None:
        """Return the call's record, or None: of a call that is live, that ended a short while ago, or that was recalled."""
        record = self._records.get(call_sid)
        if record is None and (record := self._recalled.get(call_sid)) is not None:
            record.ended_at = self._clock()  # whoever asks is about to read it
        return record

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

    def is_recent(self, record: Record) -> bool:
        """Return whether a call is live or ended so short a while ago that no right to the archive is needed to see it."""
        return record.call_sid in self._records

    @property
    def delivered(self) -> tuple[int, int]:
        """How many durable events and interims were delivered to subscribers, of all calls ever."""
        counts = [self._delivered, *(record.topic.audience.delivered for record in self._kept())]
        return sum(durable for durable, _ in counts), sum(interims for _, interims in counts)

    @property
    def kept_bytes(self) -> int:
        """The size of all calls' logs, those included that were read back from the archive."""
        return sum(record.topic.log.kept_bytes for record in self._kept())

    def _kept(self) -> Iterator[Record]:
        return itertools.chain(self._records.values(), self._recalled.values())

    def live(self) -> list[str]:
        """Return the callSids of live calls, oldest first."""
        return [sid for sid, record in self._records.items() if record.live]

    def __iter__(self) -> Iterator[Record]:
        return iter(list(self._records.values()))

    def __len__(self) -> int:
        return len(self._records)

    def erase(self, call_sid: str) -> None:
        """Forget a call at once, whoever reads it: they are told, and get nothing more of it. Only for calls that are over."""
        self.erasures += 1
        record = self._forget(call_sid) if call_sid in self._records else self._recalled.pop(call_sid, None)
        if record is None:
            return
        record.erased = True
        audience = record.topic.audience
        told = encode(Refusal(code="erased", message="this call was erased", call_sid=call_sid, at=self.now()))
        for on_erased in filter(None, list(self._watchers.values())):
            on_erased(record, told)
        for following in audience.followings:
            following.outbox.answer(told)
            following.finish()
        record.waiting.clear()
        self._let_go(record)

    def _forget(self, call_sid: str) -> Record:
        record = self._records.pop(call_sid)
        for number in record.indexed:
            if (calls := self._by_number.get(number)) is not None:
                calls.pop(call_sid, None)
                if not calls:
                    del self._by_number[number]
        return record

    def expire(self) -> int:
        """Forget the calls that ended longer ago than the keep time; return how many. A subscriber that still replays one keeps its log.

        A call with events that are not stored yet is not forgotten.
        """
        now = self._clock()
        gone = [
            sid
            for sid, record in self._records.items()
            if not record.live and record.ended_at <= now - self._keep_seconds and not self._must_keep(record)
        ]
        for sid in gone:
            self._let_go(self._forget(sid))
        for sid, record in list(self._recalled.items()):
            if self._is_replayed(record):
                record.ended_at = now
            elif record.ended_at <= now - RECALLED_SECONDS and not self._must_keep(record):
                self._let_go(self._recalled.pop(sid))
        return len(gone)

    def _is_replayed(self, record: Record) -> bool:
        return any(not following.complete for following in record.topic.audience.followings)

    def _must_keep(self, record: Record) -> bool:
        return self.storage is not None and record.unstored and self.kept_bytes < UNSTORED_BYTES

    def _let_go(self, record: Record) -> None:
        audience = record.topic.audience
        for following in [following for following in audience.followings if following.complete]:
            audience.leave(following)
        durable, interims = audience.delivered
        self._delivered = self._delivered[0] + durable, self._delivered[1] + interims
        if not len(audience):
            record.topic.log.clear()  # a subscriber's socket may hold on to its cursor for days
