"""WAV files: writes telephone audio, 8 kHz 16-bit, and completes the headers of files that were written as a stream.

Knows WAV and mu-law. Does not know where the audio comes from.
"""

import struct
import wave
from pathlib import Path
from typing import BinaryIO

from clients.audio.frames import FRAME_BYTES
from hub.audio import g711


class WavRecorder:
    """A mono WAV file of the frames that were sent: bit for bit what the hub received, with silence where frames were lost."""

    def __init__(self, path: Path) -> None:
        """Raises: OSError."""
        # Opened here and not by `wave`: a wave object that could not open its file raises again when it is collected.
        self._opened = path.open("wb")
        self._file = wave.open(self._opened, "wb")  # noqa: SIM115  closed by `close`
        self._file.setnchannels(1)
        self._file.setsampwidth(2)
        self._file.setframerate(g711.SAMPLE_RATE_HZ)
        self._frames = 0
        """Frames written, silence included."""

    def add(self, number: int, mulaw: bytes) -> None:
        """Write the frame with this number, counted from 0, after silence for each number that was left out."""
        missing = number - self._frames
        self._file.writeframesraw(g711.to_pcm(g711.silence(missing * FRAME_BYTES) + mulaw))
        self._frames = number + 1

    def close(self) -> None:
        """Write the length into the header and close the file."""
        self._file.close()
        self._opened.close()


def save_stereo(path: Path, left: bytes, right: bytes) -> None:
    """Write two mu-law tracks as one stereo WAV file. Silence is added to the shorter track. Raises: OSError."""
    length = max(len(left), len(right))
    stereo = g711.interleaved(left.ljust(length, b"\xff"), right.ljust(length, b"\xff"))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(g711.SAMPLE_RATE_HZ)
        file.writeframes(g711.to_pcm(stereo))


def with_length(file: BinaryIO) -> bytes | None:
    """Return a WAV file with the length in its header, where a program that wrote it as a stream left 0 there; None for any other file.

    (0xFFFFFFFF and other lengths beyond the end, which other programs write, are understood by libsndfile itself.)
    """
    if file.read(4) != b"RIFF" or file.read(8)[4:] != b"WAVE":
        return None
    while len(head := file.read(8)) == 8:
        name, size = struct.unpack("<4sI", head)
        if name == b"data":
            at, rest = file.tell(), b"" if size else file.read()
            if not rest or _are_chunks(rest):
                return None
            file.seek(0)
            before = file.read(at - 4)
            return before[:4] + _size(at - 8 + len(rest)) + before[8:] + _size(len(rest)) + rest
        file.seek(size + size % 2, 1)
    return None


def _size(count: int) -> bytes:
    return struct.pack("<I", min(0xFFFFFFFF, count))


def _are_chunks(rest: bytes) -> bool:
    """Return whether this is no audio but further chunks, which are named by four letters and end where the file ends."""
    at = 0
    while at + 8 <= len(rest) and rest[at : at + 4].isascii() and rest[at : at + 4].decode().isprintable():
        at += 8 + int.from_bytes(rest[at + 4 : at + 8], "little")
        at += at % 2
    return at >= len(rest) > 0 and at - len(rest) <= 1
