"""Finds the place of one stream's audio in another stream of the same call. Pure.

Twilio sends the same bytes to every stream of a call, but each stream counts time from its own beginning, and how long a stream takes to
begin differs by tens of milliseconds. So two nodes that hear one call agree on call time only roughly. Where they must agree exactly, one
sends the other the audio before that moment, and the other looks for those bytes in its own.
"""

from collections.abc import Mapping

from hub.audio.g711 import BYTES_PER_MS, Track

SAMPLE_MS = 1000
"""How much audio before a moment is sent along: 16 KB of both tracks."""

LEAST_MS = 240
"""So much equal audio is no accident, if it is no silence."""

WITHIN_MS = 1000
"""The clocks of two streams differ by less."""

LEAST_VALUES = 12
"""A stretch with fewer different bytes is silence, or a hum: it is found everywhere."""


def place(sample: Mapping[Track, bytes], audio: Mapping[Track, tuple[float, bytes]], at_ms: float) -> float | None:
    """Return the time in `audio` at which `sample` ends: the one nearest to `at_ms`. None if it is not found, or nothing but silence.

    `sample`: mu-law of each track before a moment that both know. `audio`: of each track, the time of its first byte and its bytes. Where
    frames are missing in one of them, a shorter end of the sample is looked for.
    """
    for size in (SAMPLE_MS, SAMPLE_MS // 2, LEAST_MS):
        found = [
            place_ms
            for track, (start_ms, held) in audio.items()
            if (place_ms := _nearest(sample.get(track, b"")[-size * BYTES_PER_MS :], size, held, start_ms, at_ms)) is not None
        ]
        if found:
            return min(found, key=lambda place_ms: abs(place_ms - at_ms))
    return None


def _nearest(sample: bytes, size_ms: int, held: bytes, start_ms: float, at_ms: float) -> float | None:
    if len(sample) < size_ms * BYTES_PER_MS or len(set(sample)) < LEAST_VALUES:
        return None
    first = round((at_ms - WITHIN_MS - start_ms) * BYTES_PER_MS) - len(sample)
    last = round((at_ms + WITHIN_MS - start_ms) * BYTES_PER_MS)
    found: float | None = None
    at = held.find(sample, max(0, first), max(0, last))
    while at >= 0:
        end_ms = start_ms + (at + len(sample)) / BYTES_PER_MS
        if found is None or abs(end_ms - at_ms) < abs(found - at_ms):
            found = end_ms
        at = held.find(sample, at + 1, max(0, last))
    return found
