"""callSid -> what is known of that call: open, find, expire. Knows lifetimes, not audio."""

import copy
import itertools
import secrets
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TypeAlias

from msgspec.structs import replace

from hub.audio.g711 import Track
from hub.audio.lost import Share
from hub.errors import Moved
from hub.events import WHOLE_CALL, CallStarted, CallSummary, D, Durable, Interim, Refusal, encode, stamped
from hub.insight.redaction.redactor import Redactor
from hub.tokens import Grant
from hub.topics.annotator import Annotator
from hub.topics.by_phone_number import ByPhoneNumber
from hub.topics.call_numbers import CallNumbers
from hub.topics.live_audio import LiveAudio
from hub.topics.log import LOG_BYTES
from hub.topics.past import Past
from hub.topics.recalled import RecalledCalls
from hub.topics.record import LeftOff, Record, closed_by
from hub.topics.storage import Storage
from hub.topics.topic import Topic
from hub.transcript.outline import ToldOutline

UNSTORED_BYTES = 256 * 1024 * 1024
"""How much is kept in memory at most of calls that are over and cannot be stored: many minutes of a full hub."""

ELSEWHERE = "another node"
"""The owner of a call that this node has lost, until it hears which node has it."""

Watch: TypeAlias = Callable[[Record, Durable, bytes], None]
Gone: TypeAlias = Callable[[Record, bytes], None]


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
        self.keep_seconds = keep_seconds
        """For how long an ended call is found."""
        self.clock = clock
        self.wall = wall
        self._soon = soon
        self._recalled = RecalledCalls(self._must_keep, self._let_go)
        self._is_mixed = False
        """Whether calls of other nodes are among these, which may have become known in another order than they began."""
        self.erasures = 0
        """How many calls were erased. Whoever reads a call in a thread meanwhile may have read one that is gone by now."""
        self.stored_first = False
        """Whether events are to be stored before anybody sees them. It is set before any call is known."""
        self.storage: Storage | None = None
        """Where events are stored before anybody sees them. None without an archive. It is set before the first call."""
        self.annotator: Annotator | None = None
        """Adds to the calls of this node. None where nothing is to be added. It is set before the first call."""
        self.redactor: Redactor | None = None
        """What is masked in each call's events before anybody sees them. None if nothing is. It is set before the first call."""
        self._numbers = CallNumbers()
        self._audio_numbers = itertools.count(1)
        self._by_phone_number = ByPhoneNumber()
        self._watchers: dict[Watch, Gone | None] = {}
        """In the order in which they came, and what is called when a call is erased."""
        self._delivered = (0, 0)
        """Deliveries of calls that are forgotten; see `delivered`."""

    def open(self, call_sid: str) -> Record:
        """Return the call's record, made now if there is none: a second stream joins the topic that is there, also after the call's end."""
        record = self._records.get(call_sid)
        if record is None:
            record = self._recalled.pop(call_sid) or self.new(call_sid)
            self._records[call_sid] = record
        return record

    def new(self, call_sid: str) -> Record:
        """Return a record for a call that begins now. It can be found once it was entered."""
        return self._made(call_sid, secrets.token_hex(6), self._numbers.next(self.wall()))

    def enter(self, record: Record) -> None:
        """Let a call be found whose record was made before."""
        self._recalled.pop(record.call_sid)
        self._records.setdefault(record.call_sid, record)

    def restore(self, call_sid: str, epoch: str, number: int, past: Past) -> Record:
        """Make a live call of an earlier process known again, with all its events."""
        record = self._made(call_sid, epoch, number)
        record.restore(past)
        self._numbers.seen(number)
        self._records[call_sid] = record
        self._by_phone_number.put(record)
        return record

    def known(self, call_sid: str) -> Record | None:
        """Return the record of a call that is live or ended a short while ago, on whichever node."""
        return self._records.get(call_sid)

    def learn(self, call_sid: str, owner: str, epoch: str, number: int) -> Record:
        """Make a call of another node known, without its events. `owner`: that node's id. What is told of it is set by `told`.

        Who follows the call in another log, of an earlier epoch, is cut off, and comes back with its position.
        """
        for known in self._records.get(call_sid), self._recalled.get(call_sid):
            if known is not None:
                self.lose(known)
        record = self._made(call_sid, epoch, number)
        record.owner, record.loaded = owner, False
        self._records[call_sid] = record
        self._is_mixed = True
        return record

    def relearn(self, record: Record) -> Record:
        """Begin anew with a call of another node whose log is not the one that was read here. Who follows it is cut off, and comes back."""
        anew = self.learn(record.call_sid, record.owner, record.topic.log.epoch, record.number)
        anew.generation = record.generation
        self.told(anew, replace(record.summary(), offset=0))  # whatever the owner says next is newer
        return anew

    def told(self, record: Record, summary: CallSummary, *, ended_ago: float = 0.0) -> None:
        """Take what the owner of a call whose events are not here says of it. `ended_ago`: seconds since it ended, if it has."""
        was_live = record.live
        record.outline = record.ahead = ToldOutline(summary)
        if was_live and not record.live:
            self.ended_elsewhere(record, ended_ago)
        self._by_phone_number.put(record)

    def lose(self, record: Record) -> None:
        """Forget a call that is another node's, though this one had it: who follows it here is cut off, and may come back."""
        if self._records.get(record.call_sid) is record:
            self._forget(record.call_sid)
        elif self._recalled.get(record.call_sid) is record:
            self._recalled.pop(record.call_sid)
        else:
            return
        record.owner = record.owner or ELSEWHERE
        for following in record.topic.audience.followings:
            following.outbox.fail(Moved(record.call_sid))
        record.live_audio.end("the call is on another node by now")
        record.waiting.clear()
        self._let_go(record)

    def fill(self, record: Record, past: Past) -> None:
        """Give a call of another node its events, so that it can be read here like any other."""
        if past.first > 1:
            past.go_on_from(record.outline, record.summary().offset)
        record.topic = self._topic(record.call_sid, record.topic.log.epoch)
        record.restore(past)
        record.past, record.loaded = past, True
        self._by_phone_number.put(record)
        past.payloads = ()

    def unload(self, record: Record) -> None:
        """Let go of the events of a call of another node: nobody reads it here."""
        summary = record.summary()
        self._let_go(record)
        record.topic = self._topic(record.call_sid, record.topic.log.epoch)
        record.loaded, record.past = False, None
        record.outline = record.ahead = ToldOutline(summary)

    def ended_elsewhere(self, record: Record, ended_ago: float = 0.0) -> None:
        """A call of another node ended so many seconds ago: it stays findable for its keep time."""
        record.ended_at = self.clock() - ended_ago
        record.live_audio.end("the call is over")

    def own(self, record: Record, generation: int) -> None:
        """Make a call of another node, whose events are here, a call of this one. What was held back until now is published."""
        if record.past is not None:
            record.go_on_after(record.past)
            record.past = None
        if self.stored_first and record.ahead is record.outline:
            record.ahead = copy.deepcopy(record.outline)
        record.topic.audience.forget_interims()
        record.owner, record.generation = "", generation
        held_back, record.held_back = record.held_back, None
        record.row_due = True
        for event in held_back or ():
            if isinstance(event, Interim):
                self.revise(record, event)
            else:
                self.publish(record, record.counted_anew(event))

    def recall(self, call_sid: str, epoch: str, number: int, past: Past) -> Record:
        """Make a call that is over findable for as long as somebody reads it. Lists do not show it."""
        record = self._made(call_sid, epoch, number)
        record.restore(past)
        record.ended_at = self.clock()
        if (ended := past.outline.ended) is not None:  # should a stream come, call time goes on as if the hub had known the call all along
            since = max(0.0, self.wall() - datetime.fromisoformat(ended.at).timestamp())
            record.left_off = LeftOff(past.reached_seconds * 1000, record.ended_at - since, past.lost)
        self._recalled.put(record)
        return record

    def _made(self, call_sid: str, epoch: str, number: int) -> Record:
        return Record(self._topic(call_sid, epoch), LiveAudio(next(self._audio_numbers)), number, stored_first=self.stored_first)

    def _topic(self, call_sid: str, epoch: str) -> Topic:
        return Topic(call_sid, epoch, self.wall, self._soon, self._log_bytes)

    def publish(self, record: Record, event: D) -> D:
        """Give an event its place in the call's log; hand it to everyone, now or as soon as it is stored. Never waits.

        Returns the event as subscribers receive it, or as it is while another node has still to hand the call over. Only
        `hub.calls.publisher` calls this.
        """
        if record.held_back is not None:
            record.held_back.append(event)
            return event
        event = record.topic.log.enter(event)
        record.ahead.apply(event)
        if isinstance(event, WHOLE_CALL):
            record.row_due = True
        if self.storage is None:
            self._tell(record, event)
        else:
            record.waiting.append(event)
            self.storage.store_soon(record)
        if self.annotator is not None:
            for following in self.annotator.published(record, event):
                self.publish(record, following)
        return event

    def revise(self, record: Record, interim: Interim) -> None:
        """Hand everyone the newest state of an utterance, behind all that was published before it. Never waits."""
        if record.held_back is not None:
            record.held_back.append(interim)
            return
        (record.waiting.append if record.waiting else record.topic.audience.revise)(interim)
        if self.annotator is not None:
            for following in self.annotator.revised(record, interim):
                self.publish(record, following)

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
        topic.audience.published(closes=closed_by(event), last=not record.outline.live)
        if isinstance(event, WHOLE_CALL):
            self.announce(record, event, topic.log.after(event.offset - 1)[0])

    def close(self, record: Record, call_ms: float, lost: dict[Track, Share]) -> None:
        """The call ended at this call time, with so much of its audio lost: it stays findable for its keep time."""
        record.ended_at = self.clock()
        record.left_off = LeftOff(call_ms, record.ended_at, lost)
        record.live_audio.end("the call is over")

    def now(self) -> str:
        """Return the present moment as events carry it."""
        return stamped(self.wall())

    def watch(self, watcher: Watch, on_erased: Gone | None = None) -> None:
        """Call `watcher(record, event, payload)` for each event that concerns a call as a whole, once it is told. It must not raise.

        `on_erased(record, told)` is called when a call that is in memory is erased; `told` says so, ready to be sent.
        """
        self._watchers[watcher] = on_erased

    def unwatch(self, watcher: Watch) -> None:
        """Call it no longer; safe to call twice."""
        self._watchers.pop(watcher, None)

    def announce(self, record: Record, event: Durable, payload: bytes) -> None:
        """Tell the watchers about an event that concerns a call as a whole. `payload`: as it is sent. Never waits."""
        if isinstance(event, CallStarted):
            self._by_phone_number.put(record)
        for watcher in list(self._watchers):
            watcher(record, event, payload)

    def find(self, call_sid: str) -> Record | None:
        """Return the call's record, or None: of a call that is live, that ended a short while ago, or that was recalled."""
        record = self._records.get(call_sid)
        if record is None and (record := self._recalled.get(call_sid)) is not None:
            record.ended_at = self.clock()  # whoever asks is about to read it
        return record

    def with_number(self, number: str) -> list[Record]:
        """Return the calls from or to a phone number, oldest first."""
        return self._by_phone_number.find(number)

    def allowed(self, grant: Grant) -> list[Record]:
        """Return the calls that a token allows, oldest first. Costs as much as there are such calls, not as there are calls."""
        if grant.everything:
            return list(self)
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
        return itertools.chain(self._records.values(), self._recalled)

    def live(self) -> list[str]:
        """Return the callSids of live calls, oldest first."""
        return [record.call_sid for record in self if record.live]

    def __iter__(self) -> Iterator[Record]:
        records = list(self._records.values())
        if self._is_mixed:
            records.sort(key=lambda record: record.number)
        return iter(records)

    def __len__(self) -> int:
        return len(self._records)

    def erase(self, call_sid: str) -> None:
        """Forget a call at once, whoever reads it: they are told, and get nothing more of it. Only for calls that are over."""
        self.erasures += 1
        record = self._forget(call_sid) if call_sid in self._records else self._recalled.pop(call_sid)
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
        self._by_phone_number.remove(record)
        return record

    def expire(self) -> int:
        """Forget the calls that ended longer ago than the keep time; return how many. A subscriber that still replays one keeps its log.

        A call with events that are not stored yet is not forgotten.
        """
        now = self.clock()
        gone = [
            sid
            for sid, record in self._records.items()
            if not record.live and record.ended_at <= now - self.keep_seconds and not self._must_keep(record)
        ]
        for sid in gone:
            self._let_go(self._forget(sid))
        self._recalled.expire(now)
        return len(gone)

    def _must_keep(self, record: Record) -> bool:
        return self.storage is not None and self.storage.lacks(record) and self.kept_bytes < UNSTORED_BYTES

    def _let_go(self, record: Record) -> None:
        audience = record.topic.audience
        for following in [following for following in audience.followings if following.complete]:
            audience.leave(following)
        durable, interims = audience.delivered
        self._delivered = self._delivered[0] + durable, self._delivered[1] + interims
        if not len(audience):
            record.topic.log.clear()  # a subscriber's socket may hold on to its cursor for days
