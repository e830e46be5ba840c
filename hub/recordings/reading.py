"""A recording as it can be read at any moment, from any byte to any other: what lies in the spool as WAV, what lies in the store as it is.

Knows bytes. Does not know requests.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Protocol

from hub.archive.archive import StoredRecording
from hub.recordings import wav
from hub.recordings.spool import Part, pieces, sound
from hub.recordings.store import Store
from hub.recordings.wav import FRAME_BYTES, HEADER_BYTES, WavSpan


class Playable(Protocol):
    """A recording that can be read. Its bytes and its size do not change, though the call may go on."""

    media_type: str
    ending: str
    """Of the file's name, without a dot."""
    size: int
    """In bytes."""
    tag: str
    """Another one for other bytes: what HTTP calls an entity tag, without its quotation marks."""

    def read(self, start: int, end: int) -> AsyncIterator[bytes]:
        """Yield the bytes from `start` to before `end`. Raises: StoreError, OSError."""


class StoredSound:
    """A recording in the store."""

    def __init__(self, recording: StoredRecording, store: Store) -> None:
        self.media_type = recording.media_type
        self.ending = recording.key.rpartition(".")[2]
        self.size = recording.size
        self.tag = recording.sha256[:32]
        self._key = recording.key
        self._store = store

    def read(self, start: int, end: int) -> AsyncIterator[bytes]:
        """See Playable."""
        return self._store.read(self._key, start, end)


class SpooledSound:
    """What the spool has of a call so far, as one WAV file from call time 0 on."""

    media_type = wav.MEDIA_TYPE
    ending = "wav"

    def __init__(self, parts: list[Part]) -> None:
        """`parts`: in order, and at least one."""
        self._pieces = pieces(parts)
        whole = WavSpan(0, self._pieces[-1].end)
        self._header = wav.header(whole)
        self.size = whole.size_bytes
        self.tag = f"{parts[-1].path.stem.rpartition('.')[2]}-{self.size}"

    async def read(self, start: int, end: int) -> AsyncIterator[bytes]:
        """See Playable. The file is read in threads."""
        if start < HEADER_BYTES:
            yield self._header[start:end]
        steps = self._sound(max(0, start - HEADER_BYTES), end - HEADER_BYTES)
        while (step := await asyncio.to_thread(next, steps, None)) is not None:
            yield step

    def _sound(self, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes of sound from `start` to before `end`. Blocks."""
        for piece in self._pieces:
            first = max(piece.start, start // FRAME_BYTES)
            last = min(piece.end, (end + FRAME_BYTES - 1) // FRAME_BYTES)
            if first >= last:
                continue
            at = first * FRAME_BYTES
            for step in sound(piece._replace(start=first, end=last)):
                yield step[max(0, start - at) : max(0, end - at)]
                at += len(step)
