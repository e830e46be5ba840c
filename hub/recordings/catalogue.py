"""What the archive knows of recordings, asked in the archive's threads."""

from typing import Protocol

from hub.archive.archive import StoredRecording
from hub.archive.threads import ArchiveThreads


class Catalogue(Protocol):
    """What is known of recordings. Raises: ArchiveError."""

    async def keep_recording(self, recording: StoredRecording) -> None:
        """Note that a recording lies in the store, in place of an earlier one of its call."""

    async def recording(self, call_sid: str) -> StoredRecording | None:
        """Return the recording of a call."""

    async def forget_recording(self, call_sid: str) -> None:
        """Note that a recording lies in the store no longer."""


class ArchivedRecordings:
    """The catalogue in an archive. Implements Catalogue."""

    def __init__(self, threads: ArchiveThreads) -> None:
        self._threads = threads

    async def keep_recording(self, recording: StoredRecording) -> None:
        """See Catalogue."""
        await self._threads.upkeep(self._threads.archive.keep_recording, recording)

    async def recording(self, call_sid: str) -> StoredRecording | None:
        """See Catalogue."""
        return await self._threads.read(self._threads.archive.recording, call_sid)

    async def forget_recording(self, call_sid: str) -> None:
        """See Catalogue."""
        await self._threads.upkeep(self._threads.archive.forget_recording, call_sid)
