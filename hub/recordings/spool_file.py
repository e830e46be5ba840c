"""One file of the spool: a part of one call's sound, as WAV that can be played at any moment. Every method blocks.

Where a frame lies in the file is call time, whatever the order in which sound comes. What is missing is written as mu-law silence. A hole
that the file system fills with zeros would be the loudest sound there is: in mu-law, a zero byte is the most negative sample.

The file is written through the page cache, so what was written is there after `kill -9` of the hub. Only the death of the machine can cost
more.
"""

import os
from pathlib import Path
from typing import BinaryIO, Self

from hub.audio.g711 import TRACKS, Track, silence
from hub.recordings.wav import FRAME_BYTES, HEADER_BYTES, WavSpan, header

FILL_BYTES = 1024 * 1024
"""How much silence is written at once. One piece of it is kept for all files."""

_SILENCE = silence(FILL_BYTES)


class SpoolFile:
    """One file, open for writing. One thread uses it at a time. Raises: OSError from every method."""

    def __init__(self, file: BinaryIO, start: int, end: int) -> None:
        self._file = file
        self.start = start
        """The first frame."""
        self.end = end
        """The frame behind the last one that was written whole."""

    @classmethod
    def make(cls, path: Path, start: int) -> Self:
        """Make a file that begins at this frame of call time, readable by its owner only."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)
        file = open(descriptor, "r+b", buffering=0)  # noqa: SIM115  `close` closes it
        made = cls(file, start, start)
        try:
            made.write_header()
        except OSError:  # the disk is full
            file.close()
            raise
        return made

    def write(self, frame: int, stereo: bytes) -> None:
        """Write sound from this frame on, which must not lie behind `end`. What lies before the first frame of the file is left out."""
        assert frame <= self.end, "silence comes first"
        if frame < self.start:
            stereo = stereo[(self.start - frame) * FRAME_BYTES :]
            frame = self.start
        self._put(frame, stereo)

    def fill(self, frame: int, most_bytes: int) -> bool:
        """Write silence up to this frame, but no more than so many bytes. Return whether the file reaches the frame."""
        while self.end < frame and most_bytes > 0:
            size = min((frame - self.end) * FRAME_BYTES, most_bytes, FILL_BYTES)
            self._put(self.end, _SILENCE[:size])
            most_bytes -= size
        return self.end >= frame

    def mute(self, track: Track, first: int, last: int) -> None:
        """Write silence over one track, from frame `first` to before `last`, as far as they are in the file."""
        first, last = max(first, self.start), min(last, self.end)
        if first >= last:
            return
        position = HEADER_BYTES + (first - self.start) * FRAME_BYTES
        self._file.seek(position)
        stereo = bytearray(self._file.read((last - first) * FRAME_BYTES))
        place = TRACKS.index(track)
        stereo[place::FRAME_BYTES] = silence(len(stereo[place::FRAME_BYTES]))
        self._write_all(position, bytes(stereo))

    def write_header(self) -> None:
        """Bring the lengths in the header up to date."""
        self._write_all(0, header(WavSpan(self.start, self.end)))

    def close(self) -> None:
        """Close the file, with a header that is right."""
        try:
            self.write_header()
        finally:
            self._file.close()

    def _put(self, frame: int, stereo: bytes) -> None:
        self._write_all(HEADER_BYTES + (frame - self.start) * FRAME_BYTES, stereo)
        self.end = max(self.end, frame + len(stereo) // FRAME_BYTES)

    def _write_all(self, position: int, data: bytes) -> None:
        self._file.seek(position)
        written = self._file.write(data)
        while written < len(data):  # the disk is nearly full: the next attempt says so
            written += self._file.write(data[written:])
