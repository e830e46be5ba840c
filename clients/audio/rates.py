"""Sample rates: any rate to 8 kHz mu-law and back, band-limited, block by block.

Knows samples and rates. Does not know files or devices.

Resampling is soxr's. Its filter removes what the lower rate cannot carry. Without such a filter, an "s" at 5 kHz would come back at 3 kHz,
on top of the vowels, and speech played at 48 kHz would have a mirror image above 4 kHz that sounds like a tin can.
"""

from typing import Any

import numpy
import soxr

from hub.audio import g711

STEADY_DELAY_MS = 30.0
"""The longest delay of a steady resampler, measured with soxr 1.1 at every pair of 8 kHz and a device's rate. A test holds it."""


class ToTelephone:
    """One channel on its way from any rate to 8 kHz mu-law, block by block.

    soxr has two modes, and each suits one use. Its usual mode works in large steps: fed with 20 ms at a time, it returns nothing for up to
    160 ms and then everything at once. For a file that does not matter, and it is the fastest. A live microphone needs `steady`: soxr's
    variable-rate mode returns 20 ms for each 20 ms, always equally late (15 to 30 ms).
    """

    def __init__(self, rate_hz: int, *, steady: bool = False) -> None:
        self._resampler = _resampler(rate_hz, g711.SAMPLE_RATE_HZ, steady=steady)
        """None at 8 kHz: then no sample is changed."""
        self._mulaw = bytearray()
        """Converted bytes that were not taken yet."""

    def add(self, samples: Any) -> None:
        """Convert floats between -1 and 1. Samples outside that range are clipped."""
        self._convert(samples, last=False)

    def take(self, size_bytes: int) -> bytes | None:
        """Remove and return `size_bytes` of converted audio, or return None while there is less."""
        if len(self._mulaw) < size_bytes:
            return None
        taken = bytes(self._mulaw[:size_bytes])
        del self._mulaw[:size_bytes]
        return taken

    def finish(self) -> bytes:
        """Return all converted audio that was not taken, including what the resampler still held back. `add` must not be called again."""
        self._convert(numpy.zeros(0, numpy.float32), last=True)
        return bytes(self._mulaw)

    def _convert(self, samples: Any, *, last: bool) -> None:
        if self._resampler is not None:
            samples = self._resampler.resample_chunk(numpy.ascontiguousarray(samples, numpy.float32), last=last)
        pcm = numpy.clip(numpy.rint(samples * 32768), -32768, 32767).astype("<i2").tobytes()
        self._mulaw += g711.to_mulaw(pcm)


class FromTelephone:
    """One channel of 8 kHz mu-law on its way to a device's rate, 16-bit, block by block and steady."""

    def __init__(self, rate_hz: int) -> None:
        self._resampler = _resampler(g711.SAMPLE_RATE_HZ, rate_hz, steady=True)
        """None at 8 kHz: then no sample is changed."""
        self.delay_ms = 0.0 if self._resampler is None else STEADY_DELAY_MS
        """How late the converted audio is, at most."""

    def convert(self, mulaw: bytes) -> bytes:
        """Return the next block as signed 16-bit samples at the device's rate."""
        pcm = g711.to_pcm(mulaw)
        if self._resampler is None:
            return pcm
        samples = self._resampler.resample_chunk(numpy.frombuffer(pcm, "<i2").astype(numpy.float32))
        return bytes(numpy.clip(numpy.rint(samples), -32768, 32767).astype("<i2").tobytes())


def _resampler(from_hz: int, to_hz: int, *, steady: bool) -> Any:
    """Return a soxr stream of one channel, or None where the rates are the same."""
    return None if from_hz == to_hz else soxr.ResampleStream(from_hz, to_hz, 1, dtype="float32", quality="HQ", vr=steady)
