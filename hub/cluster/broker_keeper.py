"""Keeps this node's calls in the broker: appends what is published, releases it then, and tells the other nodes.

**Batches.** What all calls have published while the last batch was on its way makes the next one, which is one round trip. The log in
memory is the queue: nothing is copied, and a call is appended from where it was appended last. So a broker that lost everything, or was
away for minutes, is given what it lacks, with the same offsets.

**Behind.** What the broker does not take is told all the same, unless another store has it in time (`hub.topics.stores`). But a node whose
lease may have ended waits for the broker's answer as long as the broker can be reached: another node may have gone on with the call
meanwhile. A process that was stopped and wakes up finds its connections silent, and cannot tell that from a broker that is away: it waits
until it has asked anew, see `Wakefulness`.

Knows records and the broker. Does not know what an event means.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

import msgspec

from hub.broker.bodies import ROWS_TOPIC, Revised, call_topic, packed
from hub.broker.broker import Accepted, AgentsFull, Append, Appended, Broker, BrokerError, Claimed, Fenced, Misplaced, Row
from hub.cluster.membership import Membership
from hub.cluster.wakefulness import Wakefulness
from hub.events import Durable
from hub.ops.counters import ClusterCounters
from hub.topics.record import Record
from hub.topics.registry import Registry
from hub.topics.stores import Stores

log = logging.getLogger(__name__)

BOUND_SECONDS = 0.25
"""How long an event waits for a broker that is slow before it is told. Longer than for an archive: nothing that other nodes can read says
that this one was behind when it died, and they would give other events the same positions. For a broker that is away nothing waits."""

LOOK_SECONDS = 0.01
"""How often it is looked whether an event has waited for too long, once it has waited that long."""

RETRY_SECONDS = 0.25
"""How often a broker that does not answer is tried again. It ends with the node's own beat, too."""

BATCH_BYTES = 1024 * 1024
"""A batch takes no further call once it holds so much."""

ROWS_PER_TURN = 32
"""Rows that are made in one turn of the event loop: about a millisecond."""


class BrokerKeeper:
    """Keeps all calls of this node in the broker. Implements `hub.topics.stores.EventStore`."""

    def __init__(
        self,
        registry: Registry,
        stores: Stores,
        broker: Broker,
        membership: Membership,
        counters: ClusterCounters,
        on_fenced: Callable[[Record, int], None],
    ) -> None:
        """Made in the event loop, to be added to the `stores`.

        `on_fenced` is called, with the generation that holds, when a call turns out to be another node's.
        """
        self._registry = registry
        self._stores = stores
        self._broker = broker
        self._membership = membership
        self._counters = counters
        self._on_fenced = on_fenced
        self._loop = asyncio.get_running_loop()
        self._kept: dict[Record, int] = {}
        """Offset of the newest event of each call that the broker has."""
        self._dirty: dict[Record, None] = {}
        self._in_flight: tuple[Record, ...] = ()
        self._notes: dict[Record, bytes] = {}
        self._rows: list[tuple[Record, bytes | None]] = []
        """What other nodes have to hear of calls as a whole: the event as it is sent, or None for a refresh."""
        self._abandoned: list[Record] = []
        """Calls that were claimed for a stream that went before it began."""
        self._refreshed: dict[Record, int] = {}
        """Offset at which the row of each live call was last sent."""
        self._interims: dict[tuple[str, str], bytes] = {}
        """Messages with the newest interims, by callSid and utterance, for nodes that listen."""
        self._since = 0.0
        """When the oldest event that is not in the broker was published. Only meaningful while there is any."""
        self._timer: asyncio.TimerHandle | None = None
        self._news = asyncio.Event()
        self._wakefulness = Wakefulness(self._loop.time)
        self._idle = asyncio.Event()
        self._idle.set()
        self._telling: list[tuple[Record, bytes | None]] = []
        """Those of `_rows` that are on their way."""
        self._sent = asyncio.Event()
        """Set, and replaced, whenever something was sent."""
        self._failing = False
        """Whether the newest request failed, so that nothing waits for the broker."""
        self.behind = False
        """Whether the broker lacks events for longer than the bound."""
        registry.watch(self._announced)

    # what is published

    def store_soon(self, record: Record) -> None:
        """See EventStore."""
        if record.owner:
            return
        if not self._dirty and not self._in_flight:
            self._since = self._loop.time()
        if self._doubts() and self.behind:
            self.behind = False
            self._stores.wait_again()
        self._dirty[record] = None
        if self._timer is None and not self.behind:
            self._timer = self._loop.call_later(0.0 if self._failing else BOUND_SECONDS, self._look)
        self._idle.clear()
        self._news.set()

    def note(self, record: Record, note: bytes) -> None:
        """See EventStore."""
        self._notes[record] = note
        self.store_soon(record)

    def adopted(self, record: Record, offset: int) -> None:
        """Take note that a call is this node's from here on, and up to which offset the broker has its events."""
        self._kept[record] = offset
        record.topic.audience.relay = None
        if record.topic.log.entered > offset:
            self.store_soon(record)
        self._rows.append((record, None))
        self._news.set()

    def listened(self, record: Record) -> None:
        """Send a call's interims to other nodes from here on: one of them has begun to listen."""
        audience = record.topic.audience
        if record.owner:
            return
        if audience.relay is None:
            audience.relay = lambda utterance, payload: self._revised(record, utterance, payload)
        for utterance, payload in audience.newest_interims:
            self._revised(record, utterance, payload)

    def abandon(self, record: Record) -> None:
        """Take back the claim of a call that never began. Never waits."""
        self._abandoned.append(record)
        self._news.set()

    def forget(self, record: Record) -> None:
        """Keep nothing of a call any more: it is another node's, or it is gone."""
        self._dirty.pop(record, None)
        self._kept.pop(record, None)
        self._notes.pop(record, None)
        self._refreshed.pop(record, None)
        self._rows = [row for row in self._rows if row[0] is not record]
        record.topic.audience.relay = None

    async def refresh(self) -> None:
        """Send the other nodes the rows of live calls that changed, so that their lists are not old. Raises: BrokerError.

        What the registry has forgotten is forgotten here, too.
        """
        for record in [record for record in self._kept if self._registry.known(record.call_sid) is not record and not self.lacks(record)]:
            self.forget(record)
        if len(self._membership.nodes) < 2:
            return
        changed = [record for record in self._kept if record.live and self._refreshed.get(record) != record.topic.log.offset]
        for at in range(0, len(changed), ROWS_PER_TURN):
            due = [record for record in changed[at : at + ROWS_PER_TURN] if record in self._kept and not record.owner]
            self._refreshed |= {record: record.topic.log.offset for record in due}
            await self._broker.send([(ROWS_TOPIC, msgspec.json.encode([self._row(record) for record in due]))])

    def register_again(self) -> None:
        """Tell the broker all calls of this node, and all their events: it has lost them."""
        for record in self._kept:
            self._rows.append((record, None))
            self.store_soon(record)

    @property
    def unstored(self) -> int:
        """See EventStore."""
        return len(self._dirty) + len(self._in_flight)

    def lacks(self, record: Record) -> bool:
        """See EventStore."""
        return record in self._dirty or record in self._in_flight

    async def kept(self, record: Record) -> None:
        """Return when the broker has everything of a call, and the other nodes have been told of it."""
        while self.lacks(record) or any(row[0] is record for row in (*self._rows, *self._telling)):
            await self._sent.wait()

    async def settled(self) -> None:
        """Return when everything is in the broker."""
        await self._idle.wait()

    def _announced(self, record: Record, event: Durable, payload: bytes) -> None:
        if not record.owner:
            self._refreshed[record] = event.offset
            self._rows.append((record, payload))
            self._news.set()

    def _revised(self, record: Record, utterance: str, payload: bytes) -> None:
        body = Revised(record.generation, record.topic.log.offset, utterance, payload)
        self._interims[record.call_sid, utterance] = packed(body)
        self._news.set()

    # to the broker

    async def run(self) -> None:
        """Append what comes, until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            self._doubts()
            began = self._loop.time()
            try:
                await self._send_all()
                self._failing = False
            except BrokerError:  # the broker itself says what is wrong, once
                self._failing = True
                self._doubts()
                self._wakefulness.asked(began)
                if self._dirty:
                    self._look()
                await asyncio.sleep(RETRY_SECONDS)
                self._news.set()

    async def _send_all(self) -> None:
        if self._dirty:
            await self._append()
        if self._rows or self._abandoned:
            await self._register()
        if self._interims:
            interims, self._interims = self._interims, {}
            await self._broker.send([(call_topic(call_sid), body) for (call_sid, _), body in interims.items()])
        self._sent.set()
        self._sent = asyncio.Event()
        if self._dirty or self._rows or self._interims:
            self._news.set()
        else:
            self._rest()

    async def _append(self) -> None:
        """Append what has come since the last batch."""
        for record in [record for record in self._dirty if not record.generation]:
            await self._claim(record)
        batch: list[tuple[Record, Append]] = []
        size = 0
        while self._dirty and size < BATCH_BYTES:
            record = next(iter(self._dirty))
            del self._dirty[record]
            append = self._append_of(record)
            size += sum(map(len, append.payloads))
            batch.append((record, append))
        self._in_flight = tuple(record for record, _ in batch)
        began = self._loop.time()
        try:
            answers = await self._broker.append([append for _, append in batch])
        except BrokerError:
            self._dirty = {record: None for record, _ in batch if not record.owner} | self._dirty
            for record, append in batch:
                if append.note is not None:
                    self._notes.setdefault(record, append.note)
            raise
        finally:
            self._in_flight = ()
        self._counters.append_seconds.add(self._loop.time() - began)
        for (record, append), answer in zip(batch, answers, strict=True):
            self._answered(record, append, answer)
        self._since = self._loop.time()

    def _append_of(self, record: Record) -> Append:
        calls_log = record.topic.log
        after = max(self._kept.setdefault(record, 0), calls_log.first - 1)
        return Append(
            call_sid=record.call_sid,
            generation=record.generation,
            epoch=calls_log.epoch,
            first=after + 1,
            payloads=calls_log.entered_after(after),
            note=self._notes.pop(record, None),
            ended=record.ahead.ended is not None and not record.goes_on,
            oldest=calls_log.first,
        )

    def _answered(self, record: Record, append: Append, answer: Appended) -> None:
        if record.owner:  # it went to another node meanwhile
            return
        match answer:
            case Accepted(offset, listeners):
                self._kept[record] = offset
                if not listeners:
                    record.topic.audience.relay = None
                elif record.topic.audience.relay is None:
                    self.listened(record)
                self._registry.release(record, offset)
            case Misplaced(offset):
                self._kept[record] = min(offset, record.topic.log.entered)
                if append.note is not None:
                    self._notes.setdefault(record, append.note)
                self._dirty[record] = None
            case Fenced(generation):
                self._fenced(record, generation)

    def _fenced(self, record: Record, generation: int) -> None:
        self._counters.fenced += 1
        log.warning("call=%s is another node's by now: what this one published last is dropped", record.call_sid)
        self._on_fenced(record, generation)

    async def _claim(self, record: Record) -> None:
        """Make a call this node's that began while the broker could not be asked."""
        epoch = record.topic.log.epoch
        claim = await self._broker.claim(record.call_sid, self._membership.id, epoch=epoch, number=record.number)
        assert not isinstance(claim, AgentsFull), "only an agent's call can find the cluster full"
        logged = await self._broker.log(record.call_sid) if claim.row.epoch != epoch else None
        if isinstance(claim, Claimed) and (logged is None or not logged.payloads):
            record.generation = claim.row.generation
        else:
            self._fenced(record, claim.row.generation)

    async def _register(self) -> None:
        """Tell the other nodes about calls as a whole. Of a call that is not claimed yet they are told once it is."""
        ours = [row for row in self._rows if not row[0].owner]
        due = [row for row in ours if row[0].generation]
        self._rows = [row for row in ours if not row[0].generation]
        over, self._abandoned = self._abandoned, []
        self._telling = due
        rows = [self._row(record) for record, _ in due] + [self._row(record, abandoned=True) for record in over]
        try:
            taken = await self._broker.register(rows, [payload for _, payload in due] + [None] * len(over))
        except BrokerError:
            self._rows = due + self._rows
            self._abandoned += over
            raise
        finally:
            self._telling = []
        for (record, _), was_taken in zip(due, taken, strict=False):
            if not was_taken and not record.owner:
                self._dirty[record] = None  # the append says by whom the call is held now

    def _row(self, record: Record, *, abandoned: bool = False) -> Row:
        over = abandoned or (not record.live and not record.goes_on)
        return Row(
            call_sid=record.call_sid,
            owner=self._membership.id,
            generation=record.generation,
            epoch=record.topic.log.epoch,
            number=record.number,
            agent=record.agent is not None and not over,
            summary=msgspec.Raw(b"null" if abandoned else record.summary_json()),
            ended_at=_ended_at(record) or self._broker.now() if over else None,
        )

    # what is told before it is stored

    def tick(self) -> None:
        """Take note that this process runs. Called much more often than once in two seconds."""
        self._wakefulness.tick()

    def _doubts(self) -> bool:
        """Return whether other nodes may have gone on with the calls while this process did not run."""
        return self._wakefulness.doubts()

    def _look(self) -> None:
        """Look whether something has waited for too long."""
        self._timer = None
        if self.behind or not (self._dirty or self._in_flight):
            return
        late = self._loop.time() - self._since
        if not self._doubts() and (self._failing or (late >= BOUND_SECONDS and self._membership.holds)):
            self._fall_behind()
        else:
            self._timer = self._loop.call_later(max(BOUND_SECONDS - late, LOOK_SECONDS), self._look)

    def _fall_behind(self) -> None:
        self.behind = True
        log.info("the broker is slow, or away")
        self._stores.fell_behind([*self._in_flight, *self._dirty])

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._wakefulness.settled()
        if self.behind:
            self.behind = False
            self._stores.caught_up()
            self._membership.beat_soon()
            log.info("the broker has everything")
        self._idle.set()


def _ended_at(record: Record) -> float | None:
    """Return when a call ended, in Unix seconds. None if no event says it."""
    ended = record.ahead.ended
    return datetime.fromisoformat(ended.at).timestamp() if ended is not None and ended.at else None
