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
    """Write the pieces into a FLAC file, and return how many frames it has. `earlier`: a recording that counts where there is no part.

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
    if earlier is None:
        for piece in pieces:
            yield from map(to_pcm, sound(piece))
        return
    with soundfile.SoundFile(earlier) as flac:
        for piece in pieces:
            yield from _of_earlier(flac, piece) if piece.part is None else map(to_pcm, sound(piece))
        if flac.frames > (end := pieces[-1].end if pieces else 0):
            yield from _of_earlier(flac, Piece(None, end, flac.frames))


def _of_earlier(flac: soundfile.SoundFile, piece: Piece) -> Iterator[bytes]:
    """Yield these frames of a recording in the store, and silence where it is shorter."""
    frames = piece.end - piece.start
    if piece.start < flac.frames:
        flac.seek(piece.start)
        while frames and len(pcm := bytes(flac.buffer_read(min(frames, STEP_FRAMES), dtype="int16"))):
            frames -= len(pcm) // 4
            yield pcm
    yield from map(to_pcm, sound(Piece(None, 0, frames)))
