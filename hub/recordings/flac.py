"""Makes one FLAC file of the parts of a call: 16-bit samples, inbound on the left, from call time 0 on. Blocks; runs in a thread.

FLAC is lossless, so each sample is the one that the mu-law byte stands for. Knows files of the spool and of the store. Does not know which
call they belong to.
"""

import threading
from collections.abc import Iterator
from pathlib import Path

import soundfile

from hub.audio.g711 import SAMPLE_RATE_HZ, to_pcm
from hub.recordings.spool import Piece, sound

MEDIA_TYPE = "audio/flac"

COMPRESSION = 0.0
"""The lowest of libsndfile's levels, from 0 to 1: 0.24 ms of CPU time per second of a call. The default takes 0.34 ms and saves 1 %."""

STEP_FRAMES = 10 * SAMPLE_RATE_HZ
"""Samples of an earlier recording that are read at once: ten seconds."""


class Stopped(Exception):
    """The work was to be given up."""


def encode(pieces: list[Piece], path: Path, stop: threading.Event, earlier: Path | None = None) -> int:
    """Write the pieces into a FLAC file, and return how many frames it has. `earlier`: a recording whose frames come before the first part.

    Raises: Stopped if `stop` is set meanwhile. OSError and soundfile.LibsndfileError if a file cannot be read or written.
    """
    written = 0
    with soundfile.SoundFile(path, "w", SAMPLE_RATE_HZ, 2, subtype="PCM_16", format="FLAC", compression_level=COMPRESSION) as flac:
        for pcm in _samples(pieces, earlier):
            if stop.is_set():
                raise Stopped
            flac.buffer_write(pcm, dtype="int16")
            written += len(pcm) // 4
    return written


def _samples(pieces: list[Piece], earlier: Path | None) -> Iterator[bytes]:
    """Yield all samples, interleaved."""
    begun = 0
    if earlier is not None:
        begun = next((piece.start for piece in pieces if piece.part is not None), 0)
        yield from _of_earlier(earlier, begun)
    for piece in pieces:
        start = max(piece.start, begun)
        if start < piece.end:
            for mulaw in sound(piece._replace(start=start)):
                yield to_pcm(mulaw)


def _of_earlier(path: Path, frames: int) -> Iterator[bytes]:
    """Yield the first frames of a recording in the store, and silence where it is shorter."""
    with soundfile.SoundFile(path) as flac:
        while frames and len(pcm := bytes(flac.buffer_read(min(frames, STEP_FRAMES), dtype="int16"))):
            frames -= len(pcm) // 4
            yield pcm
    for mulaw in sound(Piece(None, 0, frames)):
        yield to_pcm(mulaw)
