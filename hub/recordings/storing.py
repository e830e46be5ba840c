"""Turns spooled calls into objects of the store, one at a time: FLAC, upload, comparison, a row in the archive, and then the spool goes.

Whatever fails is tried again, with longer and longer waits. Every step may be done once more, because the process may be killed between any
two: the parts in the spool go last. So a recording is in the spool, or as a whole in the store, or for a moment in both.

A call that came back after its recording was stored has new parts. Then the recording in the store is read, and one recording takes its
place: the parts, and what was stored before where there is no part. So each node of a cluster can store what it has recorded of a call
that has moved. The node that has the call in the end waits for the other one, so that nobody is told of a recording with a hole.

Knows the spool, the store and the archive. Does not know live calls.
"""

import asyncio
import hashlib
import logging
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from hub.archive.archive import StoredRecording
from hub.audio.g711 import SAMPLE_RATE_HZ
from hub.backoff import Backoff
from hub.errors import HubError
from hub.recordings.catalogue import Catalogue
from hub.recordings.spool import Spool, SpoolPart, newest, pieces
from hub.recordings.store import Digest, Store, StoreError

log = logging.getLogger(__name__)

FOLLOWS_SECONDS = 600.0
"""How long a recording waits for the part of the node from which its call has come. Mostly that is stored long before."""

RETRIES = Backoff(first_seconds=2.0, longest_seconds=300.0)
"""A store that is away may be away for hours. What waits for it is on the disk."""


class _Encoded(NamedTuple):
    """The FLAC file of a call, made of these parts."""

    key: str
    path: Path
    seconds: float
    digest: Digest
    holds_earlier: bool
    """Whether what was in the store before is in it."""


class Storing:
    """The calls of one process that are to be stored. The event loop calls the methods."""

    def __init__(self, spool: Spool, store: Store, catalogue: Catalogue, wall: Callable[[], float], retries: Backoff = RETRIES) -> None:
        """`wall`: Unix seconds."""
        self._spool = spool
        self._store = store
        self._catalogue = catalogue
        self._wall = wall
        self._retries = retries
        self._due: dict[str, float] = {}
        """When each call is to be stored, in event loop time, by callSid."""
        self._failures: dict[str, int] = {}
        """How often it failed, in a row."""
        self._follows: dict[str, tuple[float, float]] = {}
        """Calls that came from another node: how many seconds of their sound that node stores, and until when it is waited for."""
        self._current = ""
        """The call that is being stored. Empty between two."""
        self._scope: asyncio.Timeout | None = None
        """Ends the work on the current call. None while there is none."""
        self._added = asyncio.Event()
        """Set when there is a call to be stored that was not known before."""
        self._free = asyncio.Event()
        """Set when no call is being stored."""

    @property
    def waiting(self) -> int:
        """How many calls are to be stored, the current one included."""
        return len(self._due) + bool(self._current)

    @property
    def failing(self) -> bool:
        """Whether the newest attempt failed."""
        return bool(self._failures)

    def knows(self, call_sid: str) -> bool:
        """Return whether a call is to be stored."""
        return call_sid in self._due or call_sid == self._current

    def add(self, call_sid: str, seconds: float = 0.0) -> None:
        """Store a call that is over, in so many seconds."""
        self._due[call_sid] = asyncio.get_running_loop().time() + seconds
        self._added.set()

    def follow(self, call_sid: str, seconds: float) -> None:
        """Wait with a call until another node has stored its first so many seconds."""
        self._follows[call_sid] = (seconds, self._wall() + FOLLOWS_SECONDS)

    def drop(self, call_sid: str) -> None:
        """Do not store a call for now: it goes on. What is being stored already is stored."""
        self._due.pop(call_sid, None)
        self._failures.pop(call_sid, None)

    async def run(self, stored: Callable[[StoredRecording], Awaitable[None]]) -> None:
        """Store what is due, until cancelled. `stored` is awaited for each recording, before its parts leave the spool."""
        while True:
            call_sid = await self._next()
            try:
                async with asyncio.timeout(None) as self._scope:
                    await self._store_call(call_sid, stored)
                self._failures.clear()
                for other in self._due:  # the store is there: nothing needs to wait for it
                    self._due[other] = min(self._due[other], asyncio.get_running_loop().time() + 1.0)
            except (HubError, OSError, RuntimeError) as error:  # LibsndfileError is a RuntimeError
                if self._scope is None or not self._scope.expired():  # else it is being erased
                    self._again(call_sid, error)
            except Exception:
                log.exception("call=%s could not be stored", call_sid)
                self._again(call_sid, None)
            finally:
                self._scope, self._current = None, ""
                self._free.set()

    async def _next(self) -> str:
        """Wait for a call that is due, and take it."""
        loop = asyncio.get_running_loop()
        while True:
            self._added.clear()
            first = min(self._due, key=self._due.__getitem__, default=None)
            wait_seconds = self._due[first] - loop.time() if first is not None else None
            if first is not None and wait_seconds is not None and wait_seconds <= 0:
                del self._due[first]
                self._current = first
                self._free.clear()
                return first
            try:
                async with asyncio.timeout(wait_seconds):
                    await self._added.wait()
            except TimeoutError:
                pass

    def _again(self, call_sid: str, error: Exception | None) -> None:
        self._failures[call_sid] = self._failures.get(call_sid, 0) + 1
        wait_seconds = self._retries.wait_seconds(self._failures[call_sid])
        self._due.setdefault(call_sid, asyncio.get_running_loop().time() + wait_seconds)
        if error is not None:
            log.warning("call=%s is not stored yet, and is tried again in %.0f s: %s", call_sid, wait_seconds, error)

    async def erase(self, call_sid: str) -> None:
        """Remove everything of a call's recording: from the spool, from the store, from the archive. Raises: StoreError, ArchiveError."""
        await self._leave(call_sid)
        await asyncio.to_thread(self._spool.remove, call_sid)
        await self._store.remove(call_sid)
        await self._catalogue.forget_recording(call_sid)

    async def erase_spool(self, call_sid: str) -> None:
        """Remove what lies here of a call that another node erases. Raises: StoreError, ArchiveError."""
        if self.knows(call_sid):
            await self.erase(call_sid)  # the store may have it since this moment
        else:
            await asyncio.to_thread(self._spool.remove, call_sid)

    async def _leave(self, call_sid: str) -> None:
        """Stop storing a call."""
        self.drop(call_sid)
        if self._current == call_sid and self._scope is not None:
            self._scope.reschedule(asyncio.get_running_loop().time())
        while self._current == call_sid:
            await self._free.wait()
        self.drop(call_sid)

    async def _store_call(self, call_sid: str, stored: Callable[[StoredRecording], Awaitable[None]]) -> None:
        parts = await asyncio.to_thread(self._spool.parts, call_sid)
        if not parts:
            await asyncio.to_thread(self._spool.remove, call_sid)
            return
        before = await self._catalogue.recording(call_sid)
        self._check_follows(call_sid, before)
        encoded = await self._encoded(call_sid, parts, before)
        await self._store.put(encoded.key, encoded.path, _media_type())
        found = await self._store.digest(encoded.key)
        if found != encoded.digest:
            await self._store.delete(encoded.key)
            raise StoreError(f"returned {found.size} other bytes than the {encoded.digest.size} that it was given", passing=True)
        recording = StoredRecording(
            call_sid=call_sid, key=encoded.key, media_type=_media_type(), seconds=encoded.seconds, size=found.size, sha256=found.sha256,
            stored_at=self._wall(),
        )  # fmt: skip
        await self._catalogue.keep_recording(recording)
        if before is not None and before.key != recording.key and encoded.holds_earlier:
            await self._store.delete(before.key)
        await stored(recording)
        await asyncio.to_thread(_remove, [encoded.path, *(part.path for part in parts)])
        self._follows.pop(call_sid, None)
        log.info("call=%s is stored: %.1f s, %d bytes", call_sid, recording.seconds, recording.size)

    def _check_follows(self, call_sid: str, before: StoredRecording | None) -> None:
        """Raises: StoreError if the part of another node is still to come."""
        seconds, until = self._follows.get(call_sid, (0.0, 0.0))
        if not seconds or (before is not None and before.seconds >= seconds - 0.1):
            return
        if self._wall() < until:
            raise StoreError("does not have the part yet of the node from which the call came", passing=True)
        log.error("call=%s is stored without its first %.1f s, which the node from which it came has not stored", call_sid, seconds)

    async def _encoded(self, call_sid: str, parts: list[SpoolPart], before: StoredRecording | None) -> _Encoded:
        """Make the FLAC file of a call."""
        key = self._store.key(call_sid, newest(parts))
        path = self._spool.beside(call_sid, "flac")
        earlier = None
        if before is not None and before.key != key:
            earlier = self._spool.beside(call_sid, "earlier.flac")
            await self._store.fetch(before.key, earlier)
        stop = threading.Event()
        try:
            seconds, digest = await asyncio.to_thread(_encode, parts, path, stop, earlier)
        finally:
            stop.set()  # if this was cancelled, the thread gives up at its next step
            if earlier is not None:
                await asyncio.to_thread(_remove, [earlier])
        return _Encoded(key, path, seconds, digest, earlier is not None)


def _encode(parts: list[SpoolPart], path: Path, stop: threading.Event, earlier: Path | None) -> tuple[float, Digest]:
    from hub.recordings import flac

    frames = flac.encode(pieces(parts), path, stop, earlier)
    path.chmod(0o600)
    with open(path, "rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return round(frames / SAMPLE_RATE_HZ, 3), Digest(path.stat().st_size, sha256)


def _media_type() -> str:
    from hub.recordings import flac

    return flac.MEDIA_TYPE


def _remove(paths: list[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
