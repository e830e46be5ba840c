"""Blocks whose every byte tells its own position, and recordings read back byte by byte."""

from pathlib import Path

import soundfile

from hub.audio.g711 import silence
from hub.audio.timeline import Block
from hub.recordings.spool import Spool, pieces, sound
from tests.audio.timeline_feed import patterned

CALL = "CA" + "1" * 32


def block(at_ms: int, length_ms: int = 100) -> Block:
    """A block whose inbound bytes tell their position, and whose outbound bytes are those a second later."""
    return Block(float(at_ms), patterned(at_ms * 8, length_ms * 8), patterned(at_ms * 8 + 8000, length_ms * 8))


def recorded(spool: Spool, call_sid: str = CALL) -> tuple[bytes, bytes]:
    """Both tracks of a call as they lie in the spool, from call time 0 on."""
    stereo = b"".join(part for piece in pieces(spool.parts(call_sid)) for part in sound(piece))
    return stereo[0::2], stereo[1::2]


def expected(*spans_ms: tuple[int, int], end_ms: int) -> tuple[bytes, bytes]:
    """Both tracks of a call that has the sound of `block` in these spans, and silence elsewhere."""
    tracks = []
    for ahead in (0, 8000):
        track = bytearray(silence(end_ms * 8))
        for start, end in spans_ms:
            track[start * 8 : end * 8] = patterned(start * 8 + ahead, (end - start) * 8)
        tracks.append(bytes(track))
    return tracks[0], tracks[1]


def samples(path: Path) -> bytes:
    """The samples of a sound file, as 16-bit, both channels in turn."""
    with soundfile.SoundFile(path) as file:
        assert (file.samplerate, file.channels) == (8000, 2)
        return bytes(file.buffer_read(dtype="int16"))
