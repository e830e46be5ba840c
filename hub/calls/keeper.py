"""Stores what is published in the archive before anybody is told of it, and releases it then.

**Group commit.** What all calls have published while the last batch was being stored makes the next batch, which is one transaction in the
archive's writer thread. At 25 events a second most batches hold one event, and at 500 they hold several, so the cost of a commit is shared.

**Behind.** A disk or a database can be slow or away, and people look at the call now. So an event that is not stored after 50 ms is told
all the same, unless another store has it (`hub.topics.stores`). From then on the archive is *behind* until everything is stored: events are
told at once, stored as soon as possible, and the mark beside the archive says so. A process that dies in this state has told events that
the archive does not have. The next process then gives live calls a new epoch, because their positions could mean other events.

The log in memory is the queue: nothing is copied, and a call is stored from where it was stored last. Knows records, and the archive's
threads. Does not know what an event means.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from hub.archive.access_log import AccessLog
from hub.archive.archive import Access, ArchiveError, Change, Facts, NotStored, StoredEvent
from hub.events import encode
from hub.topics.record import Record
from hub.topics.registry import Registry
from hub.topics.stores import BOUND_SECONDS, Stores

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
"""How often an archive that cannot be written is tried again."""

BATCH_BYTES = 1024 * 1024
"""A batch takes no further call once it holds so much. The calls that are left make the next one."""

LONG_SECONDS = 1.0
"""An archive that is behind for so long has a problem that somebody should look at. For a moment it happens to any busy machine."""

STOP_SECONDS = 5.0
"""How long a stopping hub waits for an archive that does not answer."""


class Writer(Protocol):
    """The archive's writer thread."""

    def write(self, changes: Sequence[Change], accesses: Sequence[Access] = ()) -> "Future[None]":
        """Store all of this in one transaction. The future is done, in another thread, when it is stored, or could not be."""


@dataclass(slots=True)
class _Batch:
    """What is being stored."""

    offsets: dict[Record, int]
    """Up to which offset each call is stored with this batch."""
    notes: dict[Record, bytes]
    accesses: list[Access]
    since: float
    """When its oldest event was published, on the loop's clock."""
    written: "Future[None]"


class Keeper:
    """Keeps all calls of the hub in the archive. Implements `hub.topics.stores.EventStore`."""

    def __init__(self, registry: Registry, stores: Stores, writer: Writer, access_log: AccessLog) -> None:
        """To be made in the event loop, and added to the `stores`. Rows of the `access_log` are stored in the same transactions."""
        self._registry = registry
        self._stores = stores
        self._writer = writer
        self._access_log = access_log
        self._loop = asyncio.get_running_loop()
        self._dirty: dict[Record, None] = {}
        """Calls with something that is not stored and not being stored, in the order in which it came."""
        self._dirty_since = 0.0
        """When the oldest event in them was published. Only meaningful while there are any."""
        self._notes: dict[Record, bytes] = {}
        self._audit_due = False
        """Whether there are accesses to be stored."""
        self._batch: _Batch | None = None
        """None while nothing is being stored."""
        self._timer: asyncio.TimerHandle | None = None
        """Fires when something may have waited for too long. None while nothing waits."""
        self._begins = False
        """Whether the next batch is to begin in this turn of the event loop."""
        self.on_fenced: Callable[[Record, int], None] = lambda *_: None
        """Called when another node turns out to own a call, in this generation. It must not raise. Set before the first call."""
        self._idle = asyncio.Event()
        self._idle.set()
        self.behind = False
        """Whether something has waited for too long to be stored. Where there is no other store, events are told all the same."""
        self.trouble = ""
        """Why the archive cannot be written now, in words. Empty while it can."""

    @property
    def unstored(self) -> int:
        """How many calls have something that is not stored yet."""
        return len(self._dirty) + (len(self._batch.offsets) if self._batch is not None else 0)

    def store_soon(self, record: Record) -> None:
        """See EventStore."""
        if not self._dirty:
            self._dirty_since = self._loop.time()
        self._dirty[record] = None
        if self._timer is None and not self.behind:
            self._timer = self._loop.call_at(self._dirty_since + BOUND_SECONDS, self._look)
        self._begin_soon()

    def note(self, record: Record, note: bytes) -> None:
        """See EventStore."""
        self._notes[record] = note
        self.store_soon(record)

    def lacks(self, record: Record) -> bool:
        """See EventStore."""
        return record.unstored and not record.owner

    def audit_soon(self) -> None:
        """Store the accesses that came. Never waits."""
        self._audit_due = True
        self._begin_soon()

    async def close(self) -> None:
        """Store what is not stored, but do not wait for ever. Nothing is published afterwards."""
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._idle.wait()
        except TimeoutError:
            log.error("the archive does not answer: it lacks the newest events of %d calls", self.unstored)
        if self._timer is not None:
            self._timer.cancel()

    def _begin_soon(self) -> None:
        self._idle.clear()
        if self._batch is None and not self._begins:
            self._begins = True
            self._loop.call_soon(self._begin_now)

    def _begin_now(self) -> None:
        """Store what has come in this turn of the event loop. It counts from now: a turn that was long is not the archive's doing."""
        self._dirty_since = self._loop.time()
        self._begin()

    def _begin(self) -> None:
        """Store what has come since the last batch began."""
        self._begins = False
        if self._batch is not None:
            return
        changes: list[Change] = []
        offsets: dict[Record, int] = {}
        notes: dict[Record, bytes] = {}
        size, since = 0, self._dirty_since
        while self._dirty and size < BATCH_BYTES:
            record = next(iter(self._dirty))
            del self._dirty[record]
            if record.owner:  # it went to another node meanwhile, which stores it
                self._notes.pop(record, None)
                continue
            change = _change(record, self._notes.get(record))
            if (note := self._notes.pop(record, None)) is not None:
                notes[record] = note
            offsets[record] = record.topic.log.entered
            record.row_due = False
            size += sum(len(event.payload) for event in change.events)
            changes.append(change)
        accesses = self._access_log.take() if self._audit_due else []
        self._audit_due = False
        if not changes and not accesses:
            self._rest()
            return
        written = self._writer.write(changes, accesses)
        self._batch = _Batch(offsets, notes, accesses, since, written)
        written.add_done_callback(lambda _: self._call_back(self._done))

    def _call_back(self, callback: Callable[[], None]) -> None:
        """Call back in the event loop, from the writer's thread. A loop that is closed has nobody to call."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(callback)

    def _done(self) -> None:
        """Release what is stored now, and go on with the next batch."""
        batch = self._batch
        if batch is None or not batch.written.done():  # `_look` was faster
            return
        self._batch = None
        error = batch.written.exception()
        left = error if isinstance(error, NotStored) else NotStored()
        if error is not None and left is not error:
            self._failed(batch, error)
            return
        if self.trouble:
            log.info("the archive is written again")
            self.trouble = ""
        stored: dict[Record, int] = {}
        for record, offset in batch.offsets.items():
            if record.call_sid in left.unknown:
                self._store_anew(record, batch)
            elif record.call_sid in left.fenced:
                self._lose(record, left.fenced[record.call_sid])
            else:
                record.stored = stored[record] = offset
        if batch.accesses:
            self._access_log.stored_all(batch.accesses)
        if self._dirty or self._audit_due:
            self._begin()  # the thread stores while the event loop tells
        for record, offset in stored.items():
            self._registry.release(record, offset)
        if self._batch is None and not self._dirty:
            self._rest()

    def _store_anew(self, record: Record, batch: _Batch) -> None:
        """Store all of a call again: another database has come in the place of the one that had it."""
        record.stored, record.row_due = 0, True
        if (note := batch.notes.get(record)) is not None:
            self._notes.setdefault(record, note)
        if not self._dirty:
            self._dirty_since = batch.since
        self._dirty[record] = None

    def _lose(self, record: Record, generation: int) -> None:
        """Another node has gone on with a call: nothing of it is this one's to store, or to tell, any more."""
        self._dirty.pop(record, None)
        self._notes.pop(record, None)
        if not record.owner:
            log.warning("call=%s is another node's by now: what this one published last is dropped", record.call_sid)
            self.on_fenced(record, generation)

    def _rest(self) -> None:
        """Everything is stored. Nothing waits, so the event loop need not wake for it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.behind:
            self.behind = False
            self._stores.caught_up()
        self._idle.set()

    def _failed(self, batch: _Batch, error: BaseException) -> None:
        """Take everything back that could not be stored, and try again later."""
        self._dirty = dict.fromkeys(batch.offsets) | self._dirty
        self._dirty_since = batch.since
        self._notes = batch.notes | self._notes
        for record in batch.offsets:
            record.row_due = True
        if batch.accesses:
            self._access_log.put_back(batch.accesses)
            self._audit_due = True
        problem = error.problem if isinstance(error, ArchiveError) else f"{type(error).__name__}: {error}"
        if not self.trouble:
            log.error("the archive cannot be written: %s. Calls go on, and are stored as soon as it can be", problem)
        self.trouble = problem
        if not self.behind:
            self._fall_behind()
        self._begins = True
        self._loop.call_later(RETRY_SECONDS, self._begin)

    def _look(self) -> None:
        """Look whether something has waited for too long."""
        self._timer = None
        if self._batch is not None and self._batch.written.done():
            self._done()  # the event loop was late, not the archive
        oldest = self._batch.since if self._batch is not None else self._loop.time() if self._dirty else None
        if oldest is None or self.behind:
            return
        if self._loop.time() < oldest + BOUND_SECONDS:
            self._timer = self._loop.call_at(oldest + BOUND_SECONDS, self._look)
        else:
            self._fall_behind()

    def _still_behind(self) -> None:
        if self.behind and not self.trouble:
            log.warning("the archive is slow: for more than a second, it has lacked events that are told")

    def _fall_behind(self) -> None:
        """Wait no longer for what is not stored."""
        self.behind = True
        log.info("the archive is slow")
        self._loop.call_later(LONG_SECONDS, self._still_behind)
        self._stores.fell_behind([*(self._batch.offsets if self._batch is not None else ()), *self._dirty])


def _change(record: Record, note: bytes | None) -> Change:
    """Return what is new of a call since it was stored last."""
    calls_log = record.topic.log
    after = max(record.stored, calls_log.first - 1)
    if after > record.stored:
        log.error("call=%s %d events could not be stored, and memory has no room for them", record.call_sid, after - record.stored)
    return Change(
        call_sid=record.call_sid,
        epoch=calls_log.epoch,
        events=tuple(StoredEvent(after + at, payload) for at, payload in enumerate(calls_log.entered_after(after), 1)),
        facts=facts_of(record) if record.row_due else None,
        note=note,
        generation=record.generation,
    )


def facts_of(record: Record) -> Facts:
    """Return a call's row as its events have it, those included that are not stored yet."""
    outline, calls_log = record.ahead, record.topic.log
    summary = outline.summary(record.call_sid, calls_log.epoch, calls_log.entered)
    ended = outline.ended
    from_, to = outline.numbers
    return Facts(
        number=record.number,
        started_at=(record.number >> 10) / 1000,
        ended_at=None if ended is None or record.goes_on else datetime.fromisoformat(ended.at).timestamp(),
        from_=from_,
        to=to,
        agent=outline.answered_by,
        queue=outline.queue,
        state=outline.completeness.state,
        summary=encode(summary),
    )
