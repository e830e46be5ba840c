"""Brings calls back from the archive: those that were live when an earlier process ended, and any other for as long as it is read.

A call that is brought back is an ordinary record, so subscribers, files and lists serve it with the same code as a live one. The events
are read and decoded in the archive's threads: the log of a day takes a tenth of a second, for which no call may wait.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

import msgspec

from hub.archive.archive import Archive, StoredCall, StoredLog, Tombstone
from hub.calls.bookmark import Entry
from hub.calls.takeover import LeftCall
from hub.tokens import Grant
from hub.topics.past import Past
from hub.topics.record import Record
from hub.topics.registry import Registry

log = logging.getLogger(__name__)

LOADS_AT_ONCE = 2
"""Calls read from the archive at the same time: one of a day takes 30 MB while it is read."""

T = TypeVar("T")


class Reader(Protocol):
    """The archive, and the threads in which it is read."""

    archive: Archive

    def read(self, function: Callable[..., T], *arguments: Any) -> Awaitable[T]:
        """Call a function in a thread of the archive's. Raises: what it raises."""


class Loader(Protocol):
    """Brings the events of calls that other nodes own."""

    async def load(self, record: Record) -> Record:
        """Return a call's record, with its events. Raises: BrokerError."""

    def soon(self, record: Record, then: Callable[[Record], None]) -> None:
        """Call `then` with the record once its events are there. Never waits."""


class Recall:
    """Finds calls: in memory, and otherwise in the archive."""

    def __init__(self, registry: Registry, reader: Reader | None, keep_seconds: float) -> None:
        """`reader` is None without an archive. `keep_seconds`: for how long after its end a call is seen without the right `archive`."""
        self._registry = registry
        self._reader = reader
        self._keep_seconds = keep_seconds
        self._loads = asyncio.Semaphore(LOADS_AT_ONCE)
        self.replicas: Loader | None = None
        """Brings calls of other nodes. None where there are none. It is set before the first call."""

    def allows(self, grant: Grant, record: Record) -> bool:
        """Return whether a token lets its holder see this call: by name or number, and by age."""
        if not grant.allows(record.call_sid, *record.numbers):
            return False
        if grant.may("archive") or record.live or self._registry.is_recent(record):
            return True
        ended = record.outline.ended
        return ended is not None and time.time() - unix(ended.at) <= self._keep_seconds

    async def find(self, grant: Grant, call_sid: str) -> Record | Tombstone | None:
        """Return a call that a token allows, with its events. None where there is none, or it is not allowed.

        It stays in the registry for a while after this, so that it can be found there. Raises: ArchiveError; BrokerError for a call of
        another node that can be read nowhere now.
        """
        record = self._registry.find(call_sid)
        if record is not None and not record.loaded:
            assert self.replicas is not None, "without a cluster, all calls are this node's"
            record = await self.replicas.load(record) if self.allows(grant, record) else None
            return record if record is not None and self.allows(grant, record) else None
        if record is not None or self._reader is None:
            return record if record is not None and self.allows(grant, record) else None
        stored = await self._reader.read(self._reader.archive.find, call_sid)
        if isinstance(stored, Tombstone):
            return stored if grant.allows(call_sid) else None
        if stored is None or not self._shows(grant, stored):
            return None
        async with self._loads:
            record = self._registry.find(call_sid)  # somebody else may have brought it meanwhile
            if record is None:
                erasures = -1
                while erasures != self._registry.erasures:  # else it may have been this call
                    erasures = self._registry.erasures
                    found = await self._reader.read(self._read, call_sid)
                record = self._registry.find(call_sid) or self.bring(found)
        return record if record is not None and self.allows(grant, record) else None

    async def stored(self, call_sid: str) -> tuple[str, Past] | None:
        """Return a call as the archive has it: its epoch, and its events from the first one on. Raises: ArchiveError."""
        if self._reader is None:
            return None
        async with self._loads:
            found = await self._reader.read(self._read, call_sid)
        return (found[0].call.epoch, found[1]) if found is not None and found[0].first == 1 else None

    def soon(self, record: Record, then: Callable[[Record], None]) -> None:
        """Call `then` with a call's record once its events are there, at once if they are. Never waits."""
        if record.loaded or self.replicas is None:
            then(record)
        else:
            self.replicas.soon(record, then)

    @property
    def reads_archive(self) -> bool:
        """Whether calls that are not in memory may be in an archive."""
        return self._reader is not None

    async def bring_back(self, call_sid: str) -> Record | None:
        """Bring a call back from the archive for a stream that comes for it. None if the archive does not have it. Raises: ArchiveError."""
        if self._reader is None:
            return None
        found = await self._reader.read(self._read, call_sid)
        return self._registry.find(call_sid) or self.bring(found)

    def bring(self, found: tuple[StoredLog, Past] | None) -> Record | None:
        """Make a call that was read findable in the registry."""
        if found is None:
            return None
        stored, past = found
        record = self._registry.recall(stored.call.call_sid, stored.call.epoch, stored.call.facts.number, past)
        record.generation = stored.call.generation
        return record

    def _shows(self, grant: Grant, stored: StoredCall) -> bool:
        facts = stored.facts
        recent = facts.ended_at is None or time.time() - facts.ended_at <= self._keep_seconds
        return grant.allows(stored.call_sid, facts.from_, facts.to) and (grant.may("archive") or recent)

    def _read(self, call_sid: str) -> tuple[StoredLog, Past] | None:
        """Read a call and what its events say, in a thread of the archive's."""
        assert self._reader is not None
        stored = self._reader.archive.log(call_sid)
        return (stored, Past(stored.payloads)) if stored is not None else None


@dataclass(frozen=True, slots=True)
class _Left:
    """A call as an earlier process left it, ready to be made known again."""

    stored: StoredLog
    epoch: str
    past: Past


async def restored(registry: Registry, reader: Reader, *, trusted: bool) -> list[LeftCall]:
    """Make the calls known again that had not ended. Raises: ArchiveError.

    `trusted`: everything that the earlier process told is in the archive, so their epochs stay.
    """
    left: list[LeftCall] = []
    for found in await reader.read(lambda: list(_left(reader.archive, trusted=trusted))):
        call = found.stored.call
        record = registry.restore(call.call_sid, found.epoch, call.facts.number, found.past)
        record.row_due = True
        left.append(LeftCall(record, Entry.read(found.stored.note, found.past, unix(found.past.at))))
    return left


def _left(archive: Archive, *, trusted: bool) -> Iterator[_Left]:
    for stored in archive.live():
        epoch, payloads, call_sid = stored.call.epoch, stored.payloads, stored.call.call_sid
        if not trusted or not stored.whole:
            epoch = secrets.token_hex(6)
            payloads = [restamped(payload, epoch, offset) for offset, payload in enumerate(payloads, 1)]
            archive.restamp(call_sid, epoch, payloads)
            log.warning("call=%s something may have been told that is not stored: the call goes on under a new epoch", call_sid)
        yield _Left(stored, epoch, Past(payloads))


def restamped(payload: bytes, epoch: str, offset: int) -> bytes:
    """Return an event as it is at another place. All other fields stay, also those that this version does not know."""
    event = msgspec.json.decode(payload)
    return msgspec.json.encode(event | {"epoch": epoch, "offset": offset})


def unix(at: str) -> float:
    """Return a moment as events carry it in Unix seconds. 0 for what is no moment."""
    try:
        return datetime.fromisoformat(at).timestamp()
    except ValueError:
        return 0.0
