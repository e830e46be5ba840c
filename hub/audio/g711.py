"""Arithmetic of telephone audio: mu-law, silence, bytes and milliseconds, interleaving.

Knows 8 kHz mu-law (G.711, one byte a sample) as Twilio sends it. Knows nothing of calls or time stamps.
"""

import audioop
from typing import Literal, TypeAlias

Track: TypeAlias = Literal["inbound", "outbound"]
"""`inbound` is what the far caller says (left in stereo), `outbound` what is played to that caller (right)."""

TRACKS: tuple[Track, Track] = ("inbound", "outbound")

SAMPLE_RATE_HZ = 8000
"""Media Streams carry nothing else: mediaFormat is audio/x-mulaw, 8000, 1 (twilio.com/docs/voice/media-streams/websocket-messages)."""

BYTES_PER_MS = 8
"""8000 samples of one byte a second."""

SILENCE_BYTE = 0xFF
"""mu-law positive zero; 0x7F is the other zero, but 0xFF is what telephone networks send."""


def silence(size_bytes: int) -> bytes:
    """Return `size_bytes` of mu-law silence of one track."""
    return b"\xff" * size_bytes


def to_pcm(mulaw: bytes) -> bytes:
    """Decode mu-law to signed 16-bit little-endian samples: twice the bytes, the same rate."""
    return audioop.ulaw2lin(mulaw, 2)


def to_mulaw(pcm: bytes) -> bytes:
    """Encode signed 16-bit little-endian samples to mu-law: half the bytes, the same rate."""
    return audioop.lin2ulaw(pcm, 2)


def mixed(left: bytes, right: bytes) -> bytes:
    """Mix two mu-law tracks of one length into one, clipping like a telephone bridge does."""
    return audioop.lin2ulaw(audioop.add(audioop.ulaw2lin(left, 2), audioop.ulaw2lin(right, 2), 2), 2)


def interleaved(left: bytes, right: bytes) -> bytes:
    """Interleave two mu-law tracks of one length into stereo, left first.

    Slice assignment, because pydub's mixer costs eight times as much and this runs for every block of every call.
    """
    stereo = bytearray(2 * len(left))
    stereo[0::2] = left
    stereo[1::2] = right
    return bytes(stereo)


def ms(size_bytes: int) -> float:
    """Duration in milliseconds of `size_bytes` of one track."""
    return size_bytes / BYTES_PER_MS


def level(mulaw: bytes) -> int:
    """Return how loud a stretch of one track is: the root mean square of its 16-bit samples."""
    return audioop.rms(audioop.ulaw2lin(mulaw, 2), 2)
