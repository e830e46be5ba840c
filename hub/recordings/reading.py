"""A recording as it can be read at any moment, from any byte to any other: what lies in the spool as WAV, what lies in the store as it is.

Knows bytes. Does not know requests.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import BinaryIO, Protocol

from hub.archive.archive import StoredRecording
from hub.recordings import wav
from hub.recordings.spool import SpoolPart, newest, pieces, sound
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
        """Yield the bytes from `start` to before `end`. One reader at a time. Raises: StoreError, OSError."""

    def close(self) -> None:
        """Let go of it. Safe to call twice."""


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

    def close(self) -> None:
        """See Playable. Nothing is held."""


class SpooledSound:
    """What the spool has of a call so far, as one WAV file from call time 0 on.

    Its files are open until `close`: they can be read to their end also where they leave the spool meanwhile.
    """

    media_type = wav.MEDIA_TYPE
    ending = "wav"

    def __init__(self, parts: list[SpoolPart]) -> None:
        """`parts`: in order, and at least one. Blocks. Raises: OSError."""
        self._pieces = pieces(parts)
        whole = WavSpan(0, self._pieces[-1].end)
        self._header = wav.header(whole)
        self.size = whole.size_bytes
        self._files: dict[SpoolPart, BinaryIO] = {}
        try:
            for part in parts:
                self._files[part] = open(part.path, "rb")  # noqa: SIM115  `close` closes it
        except OSError:
            self.close()
            raise
        self.tag = f"{newest(parts)}-{self.size}"

    async def read(self, start: int, end: int) -> AsyncIterator[bytes]:
        """See Playable. The file is read in threads."""
        if start < HEADER_BYTES:
            yield self._header[start:end]
        steps = self._sound(max(0, start - HEADER_BYTES), end - HEADER_BYTES)
        while (step := await asyncio.to_thread(next, steps, None)) is not None:
            yield step

    def close(self) -> None:
        """See Playable."""
        for file in self._files.values():
            file.close()

    def _sound(self, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes of sound from `start` to before `end`. Blocks."""
        for piece in self._pieces:
            first = max(piece.start, start // FRAME_BYTES)
            last = min(piece.end, (end + FRAME_BYTES - 1) // FRAME_BYTES)
            if first >= last:
                continue
            at = first * FRAME_BYTES
            file = self._files[piece.part] if piece.part is not None else None
            for step in sound(piece._replace(start=first, end=last), file):
                yield step[max(0, start - at) : max(0, end - at)]
                at += len(step)
