"""Finds where a sound begins in a stretch of one track. Pure."""

from collections.abc import Iterable

from hub.audio import g711
from hub.audio.g711 import BYTES_PER_MS

STEP_MS = 20
"""How exact an onset is."""

RISE = 6
"""What is so many times quieter than the loudest step is no part of the sound: 16 dB. Speech rises above a telephone's noise by more, and a
word's first consonant is seldom further below its vowel. In louder noise nothing is quieter, and the stretch begins with the onset."""

LEAST_LEVEL = 100
"""The loudest step of a stretch with a sound in it: 50 dB below full scale, quieter than any speech that is recognized."""


def onset(pieces: Iterable[tuple[float, bytes]]) -> float | None:
    """Return the time in ms at which a sound begins in pieces of mu-law with their times. None if there is no sound in them."""
    step = STEP_MS * BYTES_PER_MS
    steps = [(start_ms + g711.ms(at), g711.level(mulaw[at : at + step])) for start_ms, mulaw in pieces for at in range(0, len(mulaw), step)]
    loudest = max((level for _, level in steps), default=0)
    if loudest < LEAST_LEVEL:
        return None
    return next(at_ms for at_ms, level in steps if level * RISE >= loudest)
