"""Which calls are still to get a note, and what was said in them: as the archive lists them, or as memory has them without one.

Knows where calls are kept. Does not know how a note is written.
"""

import asyncio
from collections.abc import Collection
from typing import Protocol

from hub.archive.threads import ArchiveThreads
from hub.archive.unnoted import UnnotedCall
from hub.events import CallEnded, Durable, Note
from hub.notes.said import CallWords
from hub.topics.record import Record
from hub.topics.registry import Registry


class UnnotedCalls(Protocol):
    """The calls that are still to get a note. Methods raise ArchiveError."""

    async def due(self, limit: int, beside: Collection[str]) -> tuple[list[UnnotedCall], int]:
        """Return so many calls, without those `beside`, and how many there are in all."""

    async def words(self, call_sid: str) -> CallWords | None:
        """Return what was said in a call. None if it is gone. Raises: ValueError for a log that cannot be read."""

    async def drop(self, call_sid: str) -> None:
        """Take note that a call gets no note, or has one."""


class ArchivedUnnotedCalls:
    """Those that the archive lists. In a cluster, one node sees to the calls of all."""

    def __init__(self, threads: ArchiveThreads) -> None:
        """From here on, calls that end are listed."""
        self._threads = threads
        threads.archive.unnoted.wanted = True

    async def due(self, limit: int, beside: Collection[str]) -> tuple[list[UnnotedCall], int]:
        """See UnnotedCalls."""
        return await self._threads.undelivered(self._due, limit, list(beside))

    def _due(self, limit: int, beside: Collection[str]) -> tuple[list[UnnotedCall], int]:
        archive = self._threads.archive
        return archive.unnoted.due(limit, beside) if archive.leads("notes") else ([], 0)

    async def words(self, call_sid: str) -> CallWords | None:
        """See UnnotedCalls."""
        return await self._threads.undelivered(self._words, call_sid)

    def _words(self, call_sid: str) -> CallWords | None:
        stored = self._threads.archive.log(call_sid)
        return CallWords.read(stored.payloads) if stored is not None else None

    async def drop(self, call_sid: str) -> None:
        """See UnnotedCalls."""
        await self._threads.undelivered(self._threads.archive.unnoted.drop, call_sid)


class RecentUnnotedCalls:
    """Those of a hub without an archive: calls of this node that have ended and are still in memory."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._ended: dict[str, float] = {}
        """When each of them ended, in Unix seconds, by callSid."""
        registry.watch(self._told)

    def _told(self, record: Record, event: Durable, _: bytes) -> None:
        if isinstance(event, CallEnded) and not record.owner:
            self._ended[record.call_sid] = self._registry.wall()
        elif isinstance(event, Note):
            self._ended.pop(record.call_sid, None)

    async def due(self, limit: int, beside: Collection[str]) -> tuple[list[UnnotedCall], int]:
        """See UnnotedCalls."""
        over = (UnnotedCall(sid, at) for sid, at in self._ended.items() if sid not in beside and not self._lives(sid))
        return [call for call, _ in zip(over, range(limit), strict=False)], len(self._ended)

    def _lives(self, call_sid: str) -> bool:
        record = self._registry.known(call_sid)
        return record is not None and record.live

    async def words(self, call_sid: str) -> CallWords | None:
        """See UnnotedCalls."""
        record = self._registry.known(call_sid)
        if record is None or record.owner:
            return None
        calls_log = record.topic.log
        return await asyncio.to_thread(CallWords.read, calls_log.after(calls_log.first - 1))

    async def drop(self, call_sid: str) -> None:
        """See UnnotedCalls."""
        self._ended.pop(call_sid, None)
