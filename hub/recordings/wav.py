"""The header of a recording while it grows: WAV with mu-law at 8 kHz, two channels, inbound on the left. Pure.

A frame is one sample of both tracks: two bytes. The position of a frame is call time: 8 frames per millisecond. A file begins at the frame
`start`, which the header holds in a chunk of its own. Players skip a chunk that they do not know.

The two lengths in the header are what players go by. Whoever lets the file grow writes the header anew, so that the file can be played at
any moment. Source of the layout: the multimedia data standards of Microsoft and IBM (1991, 1994), where any format but PCM has a `fact`
chunk.
"""

import struct
from typing import NamedTuple

from hub.audio.g711 import BYTES_PER_MS, SAMPLE_RATE_HZ

MEDIA_TYPE = "audio/wav"

FRAME_BYTES = 2
"""Both tracks, one byte each."""

FRAMES_PER_MS = BYTES_PER_MS

MULAW = 7
"""The number of mu-law among the formats of WAV (`WAVE_FORMAT_MULAW`)."""

_HEADER = struct.Struct("<4sI4s 4sIHHIIHHH 4sIQ 4sII 4sI")
HEADER_BYTES = _HEADER.size


class WavSpan(NamedTuple):
    """Which part of a call a file holds, in frames of call time: `start` is the first, `end` is behind the last."""

    start: int
    end: int

    @property
    def size_bytes(self) -> int:
        """The size of the whole file."""
        return HEADER_BYTES + (self.end - self.start) * FRAME_BYTES


def header(span: WavSpan) -> bytes:
    """Return the first HEADER_BYTES of a file that holds this part of a call."""
    frames = span.end - span.start
    sound = frames * FRAME_BYTES
    return _HEADER.pack(
        b"RIFF", HEADER_BYTES - 8 + sound, b"WAVE",
        b"fmt ", 18, MULAW, 2, SAMPLE_RATE_HZ, SAMPLE_RATE_HZ * FRAME_BYTES, FRAME_BYTES, 8, 0,
        b"strt", 8, span.start,
        b"fact", 4, frames,
        b"data", sound,
    )  # fmt: skip


def span(head: bytes, size_bytes: int) -> WavSpan | None:
    """Return which part of a call a file holds that begins with `head` and is this long. None if it is no file of this kind.

    The size counts, not the lengths in the header: they may be older than the last sound that was written.
    """
    if len(head) < HEADER_BYTES:
        return None
    fields = _HEADER.unpack(head[:HEADER_BYTES])
    start = fields[14]
    if (fields[0], fields[2], fields[5], fields[12]) != (b"RIFF", b"WAVE", MULAW, b"strt"):
        return None
    return WavSpan(start, start + (size_bytes - HEADER_BYTES) // FRAME_BYTES)


def frame_at(call_ms: float) -> int:
    """Return the frame at this call time."""
    return round(call_ms * FRAMES_PER_MS)
