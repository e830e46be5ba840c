"""Whether what one side of a call seems to say is the other side's voice, coming back as an echo.

Knows two tracks' sound at the same time. Knows no words and no utterances.

A telephone returns some of what it is given: 10 to 40 dB weaker, and up to half a second later. A person does not notice, but the speech
model reads it well: a call with an echo of -22 dB had everything twice, once under the wrong speaker. A word is worth more than an echo, so
only what is certainly an echo counts as one. Two people who say the same word at once have two voices: their waves do not fit each other.
"""

import math
from collections import deque
from typing import TYPE_CHECKING

from hub.audio import g711
from hub.audio.g711 import BYTES_PER_MS
from hub.audio.resample import floats

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

LATEST_MS = 500
"""The latest echo that is looked for."""

WEAKER = 10 ** (10 / 20)
"""By which an echo is weaker at least: 10 dB. What is stronger may be a person who speaks at the same time."""

ALIKE, SHORT_ALIKE, SHORT_MS = 0.33, 0.55, 400
"""How well the wave of an echo fits the wave of the voice, from 0 to 1, at its best delay. Echoes had 0.56 to 1.0, also through a filter
from 400 to 2200 Hz, and 0.35 on a real call. 1600 stretches of other people's speech had 0.29 at most, but up to 0.52 where they were
shorter than `SHORT_MS`: two vowels of one pitch are alike."""

LONG_MS, LOUDNESS_ALIKE = 1500, 0.7
"""A codec may change an echo's wave beyond recognition. From this length on it is enough that loudness goes up and down with the voice: the
correlation over steps of 20 ms. Other people's speech had 0.64 at most, but up to 0.99 in shorter stretches."""

_STEP_BYTES = 20 * BYTES_PER_MS

KEPT_MS = 12_000
"""How much sound is remembered: the longest utterance, and `LATEST_MS` before it."""


class RecentSound:
    """The newest sound of one track. Keeps references to the pieces that it is given, and copies nothing."""

    def __init__(self) -> None:
        self._pieces: deque[tuple[float, bytes]] = deque()

    def take(self, start_ms: float, mulaw: bytes) -> None:
        """Take the piece that begins at this call time."""
        self._pieces.append((start_ms, mulaw))
        while self._pieces[0][0] < start_ms - KEPT_MS:
            self._pieces.popleft()

    def between(self, start_ms: float, end_ms: float) -> bytes:
        """Return the sound between two call times, with silence where there is none."""
        found = bytearray(g711.silence(round((end_ms - start_ms) * BYTES_PER_MS)))
        for at_ms, piece in self._pieces:
            at = round((at_ms - start_ms) * BYTES_PER_MS)
            first, last = max(0, -at), min(len(piece), len(found) - at)
            if first < last:
                found[at + first : at + last] = piece[first:last]
        return bytes(found)


def is_echo(heard: bytes, other: bytes) -> bool:
    """Return whether `heard` is an echo of `other`: mu-law of the same time, which begins `LATEST_MS` earlier."""
    if g711.level(other) * math.sqrt(len(other) / len(heard)) < WEAKER * g711.level(heard):
        return False  # no part of it is loud enough
    fit = _alike(floats(heard), floats(other))
    if fit >= (SHORT_ALIKE if g711.ms(len(heard)) < SHORT_MS else ALIKE):
        return True
    return g711.ms(len(heard)) >= LONG_MS and _alike(_loudness(heard), _loudness(other), around_mean=True) >= LOUDNESS_ALIKE


def _loudness(mulaw: bytes) -> "NDArray[numpy.float64]":
    import numpy

    return numpy.array([g711.level(mulaw[at : at + _STEP_BYTES]) for at in range(0, len(mulaw) - _STEP_BYTES + 1, _STEP_BYTES)], float)


def _alike(
    heard: "NDArray[numpy.floating]",
    other: "NDArray[numpy.floating]",
    *,
    around_mean: bool = False,
) -> float:
    """Return the correlation of a series with the part of a longer one that fits best, if that part is louder by `WEAKER`; otherwise 0."""
    import numpy

    size, places = len(heard), len(other) - len(heard) + 1
    mean = heard.mean() if around_mean else 0.0
    spectrum = 1 << (len(other) + size).bit_length()
    products = numpy.fft.irfft(numpy.fft.rfft(other, spectrum) * numpy.conj(numpy.fft.rfft(heard - mean, spectrum)), spectrum)[:places]
    sums, squares = (numpy.concatenate(([0.0], numpy.cumsum(each, dtype=float))) for each in (other, other.astype(float) ** 2))
    energy = squares[size:] - squares[:-size]
    spread = energy - (sums[size:] - sums[:-size]) ** 2 / size if around_mean else energy
    fits = numpy.abs(products) / numpy.sqrt(numpy.maximum(spread, 1e-9) * max(float(((heard - mean) ** 2).sum()), 1e-9))
    best = int(fits.argmax())
    return float(fits[best]) if energy[best] >= WEAKER**2 * float((heard.astype(float) ** 2).sum()) else 0.0
