"""What an archive keeps while no hub uses it. Opened as a hub would open it, so that none can start meanwhile.

Knows the archive and the store of recordings. What it does is in the audit log like what a hub does.
"""

import time
from collections.abc import AsyncIterator

from hub.archive.archive import Access, AccessFilter, Action, Archive, AuditRow, StoredRecording
from hub.archive.erasing import ON_REQUEST, UNKNOWN, Erased, erase
from hub.config import Config
from hub.errors import HubError
from hub.recordings import recordings
from hub.upkeep.keeping import PAGE, UpkeepError


class StoppedHub:
    """An archive that no hub uses. Implements Keeping. The archive's calls block: there is nothing else to do meanwhile."""

    def __init__(self, settings: Config, archive: Archive, subject: str) -> None:
        """`archive` is open, and is closed by whoever opened it. `subject`: who gives the command, for the audit log."""
        self._settings = settings
        self._archive = archive
        self._subject = subject

    async def erase_call(self, call_sid: str) -> Erased:
        """See Keeping."""
        return await self._erase([call_sid], "")

    async def erase_number(self, number: str) -> Erased:
        """See Keeping."""
        return await self._erase([call.call_sid for call in self._archive.with_number(number)], "by a number")

    async def hold(self, call_sid: str, *, held: bool) -> None:
        """See Keeping."""
        if not self._archive.hold(call_sid, held=held):
            raise UpkeepError(f"{call_sid}: {UNKNOWN}")
        self._note("hold" if held else "release", call_sid)

    async def audit(self, wanted: AccessFilter) -> AsyncIterator[list[AuditRow]]:
        """See Keeping."""
        self._note("audit", "")
        after = 0
        while rows := self._archive.audit(after, PAGE, wanted):
            yield rows
            after = rows[-1].id

    async def _erase(self, call_sids: list[str], detail: str) -> Erased:
        note = Access(at=time.time(), subject=self._subject, action="erase", call_sid="", detail=detail)
        erased = erase(self._archive, call_sids, ON_REQUEST, note)
        left: dict[str, str] = {}
        for call_sid in erased.call_sids if self._settings.recordings else ():
            try:
                await recordings.erased(self._settings, _Catalogue(self._archive), call_sid)
            except (HubError, OSError) as error:
                left[call_sid] = str(error)
        if erased.call_sids:
            self._archive.scrub()
        return Erased(erased.call_sids, erased.kept, left)

    def _note(self, action: Action, call_sid: str) -> None:
        self._archive.write((), [Access(at=time.time(), subject=self._subject, action=action, call_sid=call_sid, detail="")])


class _Catalogue:
    """What the archive knows of recordings. Implements `hub.recordings.storing.Catalogue`."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    async def keep_recording(self, recording: StoredRecording) -> None:
        """See Catalogue."""
        self._archive.keep_recording(recording)

    async def recording(self, call_sid: str) -> StoredRecording | None:
        """See Catalogue."""
        return self._archive.recording(call_sid)

    async def forget_recording(self, call_sid: str) -> None:
        """See Catalogue."""
        self._archive.forget_recording(call_sid)
