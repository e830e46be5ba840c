"""Arithmetic of telephone audio: mu-law, silence, bytes and milliseconds, interleaving.

Knows 8 kHz mu-law (G.711, one byte per sample) as Twilio sends it. Knows no calls and no timestamps.
"""

import audioop
from typing import Literal, TypeAlias

Track: TypeAlias = Literal["inbound", "outbound"]
"""`inbound` is what the far caller says (left in stereo). `outbound` is what is played to that caller (right)."""

TRACKS: tuple[Track, Track] = ("inbound", "outbound")

SAMPLE_RATE_HZ = 8000
"""Media Streams carry nothing else: mediaFormat is audio/x-mulaw, 8000, 1 (twilio.com/docs/voice/media-streams/websocket-messages)."""

BYTES_PER_MS = 8
"""8000 samples per second, of one byte each."""

SILENCE_BYTE = 0xFF
"""Positive zero in mu-law. 0x7F is zero, too, but telephone networks send 0xFF."""


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
    """Mix two mu-law tracks of the same length into one, which clips as a telephone bridge does."""
    return audioop.lin2ulaw(audioop.add(audioop.ulaw2lin(left, 2), audioop.ulaw2lin(right, 2), 2), 2)


def interleaved(left: bytes, right: bytes) -> bytes:
    """Interleave two mu-law tracks of the same length into stereo, left first.

    By slice assignment, because this runs for every block of every call, and pydub's mixer costs eight times as much.
    """
    stereo = bytearray(2 * len(left))
    stereo[0::2] = left
    stereo[1::2] = right
    return bytes(stereo)


def ms(size_bytes: int) -> float:
    """Duration in milliseconds of `size_bytes` of one track."""
    return size_bytes / BYTES_PER_MS


def level(mulaw: bytes) -> int:
    """Return the loudness of one track: the root mean square of its 16-bit samples."""
    return audioop.rms(audioop.ulaw2lin(mulaw, 2), 2)
