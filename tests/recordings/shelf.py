"""Recordings of a hub without its calls: spooled from made-up blocks, and stored in a directory or in a bucket."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

from hub.archive.archive import StoredRecording
from hub.audio.g711 import to_pcm
from hub.recordings.recording import Recording
from hub.recordings.recordings import Recordings
from tests.recordings.s3 import BUCKET, S3
from tests.recordings.sounds import CALL, block
from tests.settings import configured


class Rows:
    """Rows of recordings, as the archive has them, in memory."""

    def __init__(self) -> None:
        self.rows: dict[str, StoredRecording] = {}

    async def keep_recording(self, recording: StoredRecording) -> None:
        self.rows[recording.call_sid] = recording

    async def recording(self, call_sid: str) -> StoredRecording | None:
        return self.rows.get(call_sid)

    async def forget_recording(self, call_sid: str) -> None:
        self.rows.pop(call_sid, None)


class Told:
    """What a listener of recordings is told."""

    def __init__(self) -> None:
        self.all: asyncio.Queue[StoredRecording] = asyncio.Queue()
        self.problems: list[tuple[float, str]] = []

    def lost(self, recording: Recording, call_ms: float, reason: str) -> None:
        self.problems.append((call_ms, reason))

    def recovered(self, recording: Recording) -> None:
        self.problems.append((recording.lost_to_ms, "recovered"))

    async def stored(self, recording: StoredRecording) -> None:
        self.all.put_nowait(recording)


def in_bucket(server: S3, directory: Path, **settings: Any) -> dict[str, Any]:
    """The settings for recordings in a bucket."""
    return {
        "recordings": f"s3://{BUCKET}/{directory.name}", "recording_spool": str(directory / "spool"), "aws_endpoint": server.url,
        "aws_key": "key", "aws_key_secret": "secret", "aws_region": "us-east-1", **settings,
    }  # fmt: skip


def in_directory(directory: Path) -> dict[str, Any]:
    """The settings for recordings in a directory."""
    return {"recordings": str(directory / "recordings")}


class Shelf:
    """Recordings that run, and what they are asked for."""

    def __init__(self, recordings: Recordings, rows: Rows, told: Told) -> None:
        self.recordings, self.rows, self.told = recordings, rows, told

    def speak(self, *spans_ms: tuple[int, int], end_ms: int, call_sid: str = CALL) -> None:
        """Record a call that has sound in these spans, and end it."""
        recording = self.recordings.begin(call_sid)
        for start, end in spans_ms:
            for at_ms in range(start, end, 100):
                recording.take(block(at_ms))
        self.recordings.end(recording, end_ms)

    async def stored(self) -> StoredRecording:
        """Wait for the next recording that is stored, and for its spool to be gone."""
        recording = await self.told.all.get()
        while self.recordings.storing.waiting:
            await asyncio.sleep(0.01)
        return recording

    async def spooled(self) -> bytes:
        """What can be played now. Empty where nothing can."""
        playable = await self.recordings.playable(CALL)
        if playable is None:
            return b""
        with closing(playable):
            return b"".join([piece async for piece in playable.read(0, playable.size)])

    async def content(self, call_sid: str = CALL) -> bytes:
        playable = await self.recordings.playable(call_sid)
        assert playable is not None
        with closing(playable):
            return b"".join([piece async for piece in playable.read(0, playable.size)])


@asynccontextmanager
async def shelf(settings: dict[str, Any], rows: Rows | None = None) -> AsyncIterator[Shelf]:
    rows, told = rows or Rows(), Told()
    recordings = await Recordings.open(configured(archive="calls.db", **settings), rows, time.time)
    try:
        async with asyncio.TaskGroup() as group:
            running = group.create_task(recordings.run(told))
            yield Shelf(recordings, rows, told)
            running.cancel()
    finally:
        await recordings.close()


def pcm(tracks: tuple[bytes, bytes]) -> bytes:
    """The samples of two mu-law tracks, both in turn."""
    stereo = bytearray(2 * len(tracks[0]))
    stereo[0::2], stereo[1::2] = tracks
    return to_pcm(bytes(stereo))
