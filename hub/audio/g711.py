"""Arithmetic of telephone audio: mu-law, silence, bytes and milliseconds, stereo.

Knows mu-law at 8 kHz (G.711, one byte per sample), as Twilio sends it. Does not know calls or timestamps.
"""

import audioop
from typing import Literal, TypeAlias

Track: TypeAlias = Literal["inbound", "outbound"]
"""`inbound`: what the far caller says (left in stereo). `outbound`: what is played to that caller (right)."""

TRACKS: tuple[Track, Track] = ("inbound", "outbound")
"""Both tracks, in the order of stereo: left, right."""

SAMPLE_RATE_HZ = 8000
"""The only rate of Media Streams: mediaFormat is audio/x-mulaw, 8000, 1 (twilio.com/docs/voice/media-streams/websocket-messages)."""

BYTES_PER_MS = 8
"""Of one track: 8000 samples per second, one byte each."""

SILENCE_BYTE = 0xFF
"""Silence in mu-law: its positive zero. 0x7F is the negative zero, but telephone networks send 0xFF."""


def silence(size_bytes: int) -> bytes:
    """Return `size_bytes` of mu-law silence of one track."""
    return b"\xff" * size_bytes


def to_pcm(mulaw: bytes) -> bytes:
    """Decode mu-law to signed 16-bit little-endian samples: twice as many bytes, at the same rate."""
    return audioop.ulaw2lin(mulaw, 2)


def to_mulaw(pcm: bytes) -> bytes:
    """Encode signed 16-bit little-endian samples to mu-law: half as many bytes, at the same rate."""
    return audioop.lin2ulaw(pcm, 2)


def mixed(left: bytes, right: bytes) -> bytes:
    """Mix two mu-law tracks of equal length into one. Loud sums are clipped, as in a telephone bridge."""
    return audioop.lin2ulaw(audioop.add(audioop.ulaw2lin(left, 2), audioop.ulaw2lin(right, 2), 2), 2)


def interleaved(left: bytes, right: bytes) -> bytes:
    """Interleave two mu-law tracks of equal length into stereo, left first.

    By slice assignment, because this runs for every block of every call, and pydub's mixer takes eight times as long.
    """
    stereo = bytearray(2 * len(left))
    stereo[0::2] = left
    stereo[1::2] = right
    return bytes(stereo)


def ms(size_bytes: int) -> float:
    """Return the duration in milliseconds of `size_bytes` of one track."""
    return size_bytes / BYTES_PER_MS


def level(mulaw: bytes) -> int:
    """Return the loudness of a piece of one track: the root mean square of its 16-bit samples."""
    return audioop.rms(audioop.ulaw2lin(mulaw, 2), 2)
