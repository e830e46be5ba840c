"""Erases calls wherever the hub has them: in memory, in the archive, in the spool and in the store of recordings.

The order matters. The archive comes first: once a call has its tombstone there, nothing can bring it back, and a process that dies now has
lost nothing but the rest of the work. Memory follows in the same turn of the event loop in which the archive answers. A recording that
cannot be deleted now, because its bucket is away, keeps its row and is deleted by the next sweep (`retention.py`). Last comes the scrub,
which removes the bytes that the database's files still have of what was deleted.

Knows what has to go. Does not know who may ask for it.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Protocol

from hub.archive import erasing
from hub.archive.access_log import AccessLog
from hub.archive.archive import Access, StoredCall
from hub.archive.erasing import LIVE, ON_REQUEST, UNKNOWN, Erased
from hub.archive.threads import ArchiveThreads
from hub.backoff import Backoff
from hub.errors import HubError
from hub.topics.registry import Registry

log = logging.getLogger(__name__)

UNTIL_STORED = Backoff(first_seconds=0.01, longest_seconds=0.1, give_up_seconds=2.0)
"""How a request waits for the last events of a call that has just ended: they are stored in some milliseconds."""

UNSTORED = "its last events are not stored yet: try again in a moment"


class RecordingEraser(Protocol):
    """The spool and the store of recordings."""

    async def erase(self, call_sid: str) -> None:
        """Remove everything of a call's recording. Raises: HubError, OSError."""


class ClusterEraser(Protocol):
    """What the nodes of a cluster share."""

    async def erase(self, call_sid: str) -> str:
        """Remove a call from the broker, and from every node. Returns why that is not done yet, in words; empty once it is."""


class Erasure:
    """Erases calls of a running hub."""

    def __init__(self, registry: Registry, archive: ArchiveThreads | None, access_log: AccessLog, wall: Callable[[], float]) -> None:
        """`archive` is None where everything is in memory only. `wall`: Unix seconds."""
        self._registry = registry
        self._archive = archive
        self.recordings: RecordingEraser | None = None
        """None where nothing is recorded. It is set before the first call."""
        self.cluster: ClusterEraser | None = None
        """None on a hub that is its own cluster. It is set before the first call."""
        self._access_log = access_log
        self._wall = wall
        self._scrub = asyncio.Lock()
        self._removals = 0
        """How often something was erased."""
        self._scrubbed = 0
        """The count of removals that the last scrub has covered."""

    async def one(self, call_sid: str, subject: str) -> Erased:
        """Erase a call because somebody wants it. Returns when every byte is gone. Raises: ArchiveError."""
        return await self._by_request([call_sid], subject, "")

    async def number(self, number: str, subject: str) -> Erased:
        """Erase all calls from or to a number. Returns when every byte is gone. Raises: ArchiveError."""
        found = [record.call_sid for record in self._registry.with_number(number)]
        if self._archive is not None:
            stored: list[StoredCall] = await self._archive.read(self._archive.archive.with_number, number)
            found += [call.call_sid for call in stored]
        return await self._by_request(found, subject, "by a number")

    async def due(self, call_sids: Iterable[str], reason: str, subject: str) -> Erased:
        """Erase calls whose time is over. The bytes go with the next `scrub`. Raises: ArchiveError."""
        return await self._erase(call_sids, reason, Access(at=self._wall(), subject=subject, action="expire", call_sid="", detail=reason))

    async def scrub(self) -> None:
        """Remove the bytes of what was erased from the archive's files. Requests that come meanwhile share the next one.

        Raises: ArchiveError.
        """
        wanted = self._removals
        async with self._scrub:
            if self._archive is None or self._scrubbed >= wanted:
                return
            covered = self._removals
            await self._archive.upkeep(self._archive.archive.scrub)
            self._scrubbed = covered

    async def due_recording(self, call_sid: str, subject: str) -> bool:
        """Erase a recording whose time is over, and leave its call. Return whether it is gone."""
        if self.recordings is None or await self._recording_left(call_sid):
            return False
        self._access_log.note(subject, "expire", call_sid, "its recording")
        return True

    async def remember(self) -> None:
        """Find out whether an earlier process has erased something and was killed before the scrub. Raises: ArchiveError."""
        if self._archive is not None and await self._archive.read(self._archive.archive.unscrubbed):
            self._removals += 1

    @property
    def quiet(self) -> bool:
        """Whether no call is live, so that none has anything to be stored."""
        return not self._registry.live()

    @property
    def unscrubbed(self) -> bool:
        """Whether the files may still have bytes of what this process erased."""
        return self._scrubbed < self._removals

    async def _by_request(self, call_sids: Iterable[str], subject: str, detail: str) -> Erased:
        call_sids = list(call_sids)
        async for _ in UNTIL_STORED.until():
            if not any([await self._is_being_stored(call_sid) for call_sid in call_sids]):
                break
        note = Access(at=self._wall(), subject=subject, action="erase", call_sid="", detail=detail)
        erased = await self._erase(call_sids, ON_REQUEST, note)
        if erased.call_sids:
            await self.scrub()
        return erased

    async def _erase(self, call_sids: Iterable[str], reason: str, note: Access) -> Erased:
        """Erase calls. `note`: what the audit log is to say of each."""
        wanted = list(dict.fromkeys(call_sids))
        kept = {call_sid: why for call_sid in wanted if (why := self._kept_in_memory(call_sid))}
        wanted = [call_sid for call_sid in wanted if call_sid not in kept]
        if self._archive is None:
            known = [call_sid for call_sid in wanted if self._registry.find(call_sid) is not None]
            erased = Erased(known, dict.fromkeys(set(wanted).difference(known), UNKNOWN))
        else:
            erased = await self._archive.upkeep(erasing.erase, self._archive.archive, wanted, reason, note)
        for call_sid in erased.call_sids:
            self._registry.erase(call_sid)
        self._removals += bool(erased.call_sids)
        left: dict[str, str] = {}
        for call_sid in erased.call_sids:
            log.info("call=%s erased: %s", call_sid, reason)
            problems = [await self._recording_left(call_sid), await self.cluster.erase(call_sid) if self.cluster is not None else ""]
            if any(problems):
                left[call_sid] = "; ".join(filter(None, problems))
        return Erased(erased.call_sids, {**kept, **erased.kept}, left)

    async def _is_being_stored(self, call_sid: str) -> bool:
        """Return whether a call is over whose last events are not in the archive yet: this node's, or another's. Raises: ArchiveError."""
        record = self._registry.find(call_sid)
        if record is None or not record.owner or record.live or self._archive is None:
            return self._kept_in_memory(call_sid) == UNSTORED
        stored = await self._archive.read(self._archive.archive.find, call_sid)
        return isinstance(stored, StoredCall) and stored.facts.ended_at is None

    def _kept_in_memory(self, call_sid: str) -> str:
        """Return why a call cannot be erased now, as far as memory knows. Empty where nothing is against it."""
        record = self._registry.find(call_sid)
        if record is None:
            return ""
        if record.ended is None:
            return LIVE
        storage = self._registry.storage
        return UNSTORED if storage is not None and storage.lacks(record) else ""

    async def _recording_left(self, call_sid: str) -> str:
        """Delete a call's recording. Return why it is still there, in words; empty once it is gone."""
        if self.recordings is None:
            return ""
        try:
            await self.recordings.erase(call_sid)
        except (HubError, OSError) as error:
            log.warning("call=%s its recording cannot be deleted now, and will be tried again: %s", call_sid, error)
            return str(error)
        return ""
