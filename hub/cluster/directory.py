"""The calls of all nodes, as the registry shows them: each call of another node is known here without its events.

News bring what concerns a call as a whole, at once. How far live calls have come is told by their owners every two seconds (`refreshed`).

Knows rows and news. Does not know how the events of such a call are brought (`replicas.py`).
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Container, Sequence
from typing import Protocol, TypeVar

import msgspec

from hub.broker.broker import LEASE_SECONDS, Broker, BrokerError, News, Row
from hub.events import CallSummary
from hub.topics.record import Record
from hub.topics.registry import Registry
from hub.topics.replication import announce

log = logging.getLogger(__name__)

_rows: msgspec.json.Decoder[list[Row]] = msgspec.json.Decoder(list[Row])
AGAIN_SECONDS = 0.25
"""How long after a failure a log is read again."""

ORPHANED_SECONDS = LEASE_SECONDS
"""How long after its owner has gone a live call is taken over that the broker does not know: it has lost its data, and the owner died
before it told the call again."""

LOST_SECONDS = 60.0
"""How long after its owner has gone a live call is still shown. Another node goes on with it within 15 s, or nobody does."""

ITEMS_PER_TURN = 128
"""Rows or events that are taken in one turn of the event loop: about a millisecond."""

NOTHING = b"null"

T = TypeVar("T")

_summaries: msgspec.json.Decoder[CallSummary | None] = msgspec.json.Decoder(CallSummary | None)


class NewsTaker(Protocol):
    """Who is told what news say of a call of another node."""

    def __call__(self, record: Record, offset: int, *, moved: bool) -> None:
        """`offset`: of its newest event, as far as the news say. `moved`: whether it has another owner. Must not wait."""


class Directory:
    """Keeps the registry in step with the calls of the other nodes."""

    def __init__(
        self, registry: Registry, broker: Broker, node_id: str, on_taken: Callable[[Record, Row], None], on_unknown: Callable[[], None]
    ) -> None:
        """`on_taken` is called when a call of this node turns out to be another's. `on_unknown`: the broker does not know this node's calls
        (any more): they are to be registered again."""
        self._registry = registry
        self._broker = broker
        self._node_id = node_id
        self._on_taken = on_taken
        self._on_unknown = on_unknown
        self._number = 0
        """Of the newest news that was applied."""
        self.life = ""
        """The broker's; see Snapshot."""
        self.on_told: NewsTaker = lambda *_, **__: None
        """Called when news came of a call of another node. It is set before any."""
        self.on_erased: Callable[[str], None] = lambda _: None
        """Called with the callSid of each call that is erased, on whichever node. It is set before any."""
        self._unannounced: asyncio.Queue[Record] = asyncio.Queue()
        """Calls of which those who follow the list may have missed events."""
        self._gone: dict[str, float] = {}
        """Since when owners of live calls are gone, by their id."""
        self._given: dict[str, tuple[Row, float]] = {}
        """Live calls that the broker has made this node's, while the registry has them as another node's: by callSid, and since when."""
        self._erased: set[str] = set()
        """Calls that were erased since all were learned: the rows may be older."""

    async def read(self) -> None:
        """Learn all calls, at first and whenever news were missed. Raises: BrokerError."""
        snapshot = await self._broker.snapshot()
        again, self._number = bool(self.life), snapshot.number
        self._erased.clear()
        if self.life and snapshot.life != self.life:
            log.warning("the broker has lost what it knew: this node tells it its calls again")
            self._on_unknown()
        self.life = snapshot.life
        async for row in _in_turns(snapshot.rows):
            if row.call_sid in self._erased:
                continue
            record = self._apply(row)
            if record is None or not record.owner or record.loaded:
                continue
            if again:
                self._unannounced.put_nowait(record)
            else:
                record.announced = record.summary().offset

    def unserved(self, seconds: float) -> list[Row]:
        """Return the calls that have been this node's for so long, and still nobody serves them: who was to take them has failed."""
        now, given = self._registry.clock(), self._given
        self._given = {
            sid: (row, since)
            for sid, (row, since) in given.items()
            if (record := self._registry.known(sid)) is not None and record.owner and record.generation < row.generation
        }
        return [row for row, since in self._given.values() if now - since >= seconds]

    def forget_lost(self, living: Container[str], now: float) -> None:
        """Take note of live calls whose owners are gone. Those with which nobody has gone on for long are forgotten. Never waits.

        `living`: ids of the nodes that live. `now`: monotonic seconds.
        """
        live = [record for record in self._registry if record.owner and record.live and record.owner not in living]
        owners = {record.owner for record in live}
        self._gone = {owner: self._gone.get(owner, now) for owner in owners}
        for record in live:
            if now - self._gone[record.owner] >= LOST_SECONDS:
                log.warning("call=%s nobody goes on with it: node %s is gone", record.call_sid, record.owner)
                self._registry.lose(record)

    def orphans(self, now: float) -> list[Row]:
        """Return live calls that a broker which knew them would have given away by now: so long have their owners been gone.

        `now`: monotonic seconds.
        """
        gone = {owner for owner, since in self._gone.items() if now - since >= ORPHANED_SECONDS}
        if not gone:
            return []
        return [
            Row(
                call_sid=record.call_sid,
                owner=record.owner,
                generation=record.generation,
                epoch=record.topic.log.epoch,
                number=record.number,
            )
            for record in self._registry
            if record.owner in gone and record.live and record.summary().offset
        ]

    async def announce_missed(self) -> None:
        """Tell those who follow the list what they missed while news were missed, until cancelled."""
        while True:
            record = await self._unannounced.get()
            offset = record.summary().offset
            if offset <= record.announced or record.loaded or self._registry.known(record.call_sid) is not record:
                continue
            try:
                logged = await self._broker.log(record.call_sid, record.announced)
            except BrokerError:
                self._unannounced.put_nowait(record)
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            if logged is not None and logged.epoch == record.topic.log.epoch:
                async for payload in _in_turns(logged.payloads):
                    announce(self._registry, record, payload)

    def told(self, news: News) -> None:
        """Take a change. Never waits."""
        if news.number <= self._number:
            return
        self._number = news.number
        if news.erased:
            self._erased.add(news.row.call_sid)
            self._registry.erase(news.row.call_sid)
            self.on_erased(news.row.call_sid)
            return
        record = self._apply(news.row)
        if record is not None and record.owner and news.event != NOTHING:
            announce(self._registry, record, bytes(news.event))

    def refreshed(self, body: bytes) -> None:
        """Take what another node says of its live calls. Never waits."""
        try:
            rows = _rows.decode(body)
        except msgspec.DecodeError:
            return
        for row in rows:
            record = self._registry.known(row.call_sid)
            if record is None or record.loaded or (record.owner, record.generation) != (row.owner, row.generation):
                continue
            if (summary := self._summary(row)) is not None:
                self._tell(record, summary, self._ended_ago(row))

    def _apply(self, row: Row) -> Record | None:
        """Make a call known as its row has it. Returns its record; None for one of which nothing is to be shown (yet, or any more)."""
        record = self._registry.known(row.call_sid)
        if row.owner == self._node_id:
            if record is not None and record.owner and row.ended_at is None and row.generation > record.generation:
                self._given.setdefault(row.call_sid, (row, self._registry.clock()))
            return record
        if record is not None and not record.owner:
            if row.generation <= record.generation:
                return record  # what another node said before this one took the call
            self._on_taken(record, row)
            record = self._registry.known(row.call_sid)
        if record is not None and row.generation < record.generation:
            return record
        summary = self._summary(row)
        ended_ago = self._ended_ago(row)
        if record is None or record.topic.log.epoch != row.epoch:
            if summary is None or ended_ago > self._registry.keep_seconds:
                return None
            record = self._registry.learn(row.call_sid, row.owner, row.epoch, row.number)
        moved = (record.owner, record.generation) != (row.owner, row.generation)
        record.owner, record.generation = row.owner, row.generation
        if summary is not None:
            self._tell(record, summary, ended_ago)
        self.on_told(record, summary.offset if summary is not None else 0, moved=moved)
        return record

    def _tell(self, record: Record, summary: CallSummary, ended_ago: float) -> None:
        """Have the record say what its owner says, unless the events themselves are here, or it said more before."""
        if not record.loaded and summary.offset >= record.summary().offset:
            self._registry.told(record, summary, ended_ago=ended_ago)

    def _ended_ago(self, row: Row) -> float:
        """Return how many seconds ago a call ended. 0 for a live one."""
        return 0.0 if row.ended_at is None else max(0.0, self._broker.now() - row.ended_at)

    def _summary(self, row: Row) -> CallSummary | None:
        if row.summary == NOTHING:
            return None
        try:
            return _summaries.decode(row.summary)
        except msgspec.DecodeError:
            log.warning("call=%s another node tells of this call in a form that this version cannot read", row.call_sid)
            return None


async def _in_turns(items: Sequence[T]) -> AsyncIterator[T]:
    """Yield rows or events, with a turn of the event loop for others now and then."""
    for at, item in enumerate(items, 1):
        yield item
        if at % ITEMS_PER_TURN == 0:
            await asyncio.sleep(0)
