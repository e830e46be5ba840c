"""Writes telephone audio as WAV files, 8 kHz 16-bit.

Knows WAV and mu-law. Does not know where the audio comes from.
"""

import wave
from pathlib import Path

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
