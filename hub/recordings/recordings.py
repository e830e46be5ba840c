"""The recordings of a hub: begins and ends them, stores them, reads them back and erases them.

Knows which parts recordings are made of. Does not know events, nor who may listen.
"""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from hub.archive.archive import StoredRecording
from hub.archive.lock import FileLock
from hub.config import Config
from hub.errors import ConfigError
from hub.recordings.catalogue import Catalogue
from hub.recordings.reading import Playable, SpooledSound, StoredSound
from hub.recordings.recording import Recording, SoundLost
from hub.recordings.spool import Spool, newest
from hub.recordings.spool_thread import SoundWritten, SpoolClosed, SpoolNews, SpoolThread
from hub.recordings.store import S3, Store, StoreError, made_directory
from hub.recordings.storing import Storing

log = logging.getLogger(__name__)

SETTLE_SECONDS = 2.0
"""How long a call that is over waits to be stored. Most calls that come back do so in this time, and are stored once."""

SPOOL_NAME = ".spool"
"""The folder of the spool inside a directory of recordings. No call's folder has a name with a dot."""


class RecordingListener(Protocol):
    """Who is told what becomes of recordings, in the event loop."""

    def lost(self, recording: Recording, call_ms: float, reason: str) -> None:
        """Sound from this call time on could not be written. Must not wait, must not raise."""

    def recovered(self, recording: Recording) -> None:
        """Sound is written again, from `lost_to_ms` on. Must not wait, must not raise."""

    async def stored(self, recording: StoredRecording) -> None:
        """A recording lies in the store. Its spool goes when this returns."""


class Recordings:
    """All recordings of one process. The event loop calls the methods."""

    def __init__(self, spool: Spool, store: Store, catalogue: Catalogue, wall: Callable[[], float], lock: FileLock) -> None:
        """Made by `open`."""
        self._spool = spool
        self._store = store
        self._catalogue = catalogue
        self._lock = lock
        self._loop = asyncio.get_running_loop()
        self._thread = SpoolThread(self._tell)
        self._thread.start()
        self.storing = Storing(spool, store, catalogue, wall)
        self._listener: RecordingListener | None = None
        """None before `run`."""
        self._open: dict[Recording, asyncio.Event] = {}
        """Recordings that are not closed. The event is set when they are."""
        self._going_on: set[Recording] = set()
        """Those of calls that go on when this process has stopped."""

    @classmethod
    async def open(cls, config: Config, catalogue: Catalogue, wall: Callable[[], float]) -> "Recordings":
        """Make ready what HUB_RECORDINGS names. Raises: ConfigError."""
        store = await asyncio.to_thread(Store.of, config)
        directory = spool_directory(config)
        await asyncio.to_thread(made_directory, "HUB_RECORDING_SPOOL" if config.recording_spool else "HUB_RECORDINGS", directory)
        lock = FileLock(directory / "lock")
        if not lock.take():
            raise ConfigError("HUB_RECORDINGS", f"{directory} is used by another hub that is running: give each hub a spool of its own")
        try:
            await store.probe()
        except StoreError as error:
            if not error.passing:
                lock.release()
                raise ConfigError("HUB_RECORDINGS", f"cannot be used: {error}") from error
            log.warning("recordings wait in %s: %s", directory, error)
        return cls(Spool(directory), store, catalogue, wall, lock)

    async def close(self) -> None:
        """Write what is left into the spool, and let go of it."""
        await asyncio.to_thread(self._thread.stop)
        self._lock.release()

    @property
    def failing(self) -> int:
        """How many live calls' sound cannot be written now."""
        return sum(recording.problem is not None for recording in self._open)

    def begin(self, call_sid: str) -> Recording:
        """Begin to record a call, or go on after an earlier part of it. Never waits."""
        recording = Recording(call_sid, self._spool.new_path(call_sid), self._receive, self._thread.hurry)
        self._open[recording] = asyncio.Event()
        self.storing.drop(call_sid)
        self._thread.add(recording)
        return recording

    def end(self, recording: Recording, call_ms: float, *, goes_on: bool = False) -> None:
        """End a recording at this call time; it is stored soon. `goes_on`: not by this process, for the call goes on. Never waits."""
        if goes_on:
            self._going_on.add(recording)
        self._thread.end(recording, call_ms)

    async def run(self, listener: RecordingListener) -> None:
        """Store what is over, and tell the listener, until cancelled."""
        self._listener = listener
        await self.storing.run(listener.stored)

    async def left(self) -> list[str]:
        """Return the callSids of which the spool has sound that nobody cares for: whoever knows that a call is over calls `store`."""
        found = await asyncio.to_thread(self._spool.calls)
        cared_for = {recording.call_sid for recording in self._open}
        return [call_sid for call_sid in found if call_sid not in cared_for and not self.storing.knows(call_sid)]

    def follow(self, call_sid: str, call_ms: float) -> None:
        """Take note that another node stores a call up to this call time. Never waits."""
        self.storing.follow(call_sid, call_ms / 1000)

    def store(self, call_sid: str) -> None:
        """Store what the spool has of a call that is over. Never waits."""
        self.storing.add(call_sid)

    async def playable(self, call_sid: str) -> Playable | None:
        """Return the recording of a call as it is now, to be closed. None where there is none. Raises: ArchiveError.

        While a call goes on after its recording was stored, that is what was stored.
        """
        stored = await self._catalogue.recording(call_sid)
        parts = await asyncio.to_thread(self._spool.parts, call_sid)
        if stored is not None and (not parts or parts[0].span.start > 0 or stored.key == self._store.key(call_sid, newest(parts))):
            return StoredSound(stored, self._store)
        if not parts:
            return None
        try:
            return await asyncio.to_thread(SpooledSound, parts)
        except FileNotFoundError:  # it was stored this very moment
            stored = await self._catalogue.recording(call_sid)
            return StoredSound(stored, self._store) if stored is not None else None

    async def erase(self, call_sid: str) -> None:
        """Remove everything of the recording of a call that is over: spool, objects, row. Raises: StoreError, ArchiveError.

        It may be called again after it failed, and for a call without a recording.
        """
        for recording, closed in list(self._open.items()):
            if recording.call_sid == call_sid:
                await closed.wait()
        try:
            await self.storing.erase(call_sid)
        except OSError as error:
            raise StoreError(f"cannot be erased from: {error.strerror or error}", passing=True) from error

    def _tell(self, news: SpoolNews) -> None:
        """Have the event loop take news of the spool's thread."""
        self._loop.call_soon_threadsafe(self._receive, news)

    def _receive(self, news: SpoolNews) -> None:
        match news:
            case SoundLost(recording, start_ms, end_ms, reason):
                recording.lost_to_ms = end_ms
                if self._listener is not None:
                    self._listener.lost(recording, start_ms, reason)
            case SoundWritten(recording):
                if self._listener is not None:
                    self._listener.recovered(recording)
            case SpoolClosed(recording):
                self._open.pop(recording).set()
                self._closed(recording)

    def _closed(self, recording: Recording) -> None:
        going_on = recording in self._going_on or any(other.call_sid == recording.call_sid and other.end_ms is None for other in self._open)
        self._going_on.discard(recording)
        if not going_on:
            self.storing.add(recording.call_sid, SETTLE_SECONDS)


def spool_directory(config: Config) -> Path:
    """Return where recordings lie until the store has them."""
    if config.recording_spool:
        return Path(config.recording_spool)
    if config.recordings.startswith(S3):
        return Path(f"{config.archive}{SPOOL_NAME}")
    return Path(config.recordings) / SPOOL_NAME


async def tried(config: Config) -> str:
    """Write into spool and store what is deleted again. Return in words where recordings lie. Raises: ConfigError, StoreError."""
    store = await asyncio.to_thread(Store.of, config)
    directory = spool_directory(config)
    await asyncio.to_thread(made_directory, "HUB_RECORDING_SPOOL" if config.recording_spool else "HUB_RECORDINGS", directory)
    await store.probe()
    return f"calls are recorded into {store.name}, by way of {directory}"


async def erased(config: Config, catalogue: Catalogue, call_sid: str) -> None:
    """Remove everything of a call's recording while no hub runs. Raises: ConfigError, StoreError, ArchiveError, OSError."""
    store = await asyncio.to_thread(Store.of, config)
    await Storing(Spool(spool_directory(config)), store, catalogue, lambda: 0.0).erase(call_sid)
