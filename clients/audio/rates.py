"""Sample rates: any rate to 8 kHz mu-law and back, block by block.

Knows mu-law and rates. Does not know files or devices. The resampling itself, and why it needs a library, is in hub/audio/resample.py.
"""

from typing import Any

import numpy

from hub.audio import g711
from hub.audio.resample import Resampler

STEADY_DELAY_MS = 30.0
"""How late a steady resampler is at most, measured with soxr 1.1 between 8 kHz and each rate of a device. A test holds it."""


class ToTelephone:
    """One channel on its way from any rate to 8 kHz mu-law, block by block. `steady` is for live audio: see Resampler."""

    def __init__(self, rate_hz: int, *, steady: bool = False) -> None:
        self._resampler = Resampler(rate_hz, g711.SAMPLE_RATE_HZ, steady=steady)
        self._mulaw = bytearray()
        """Converted bytes that were not taken yet."""

    def add(self, samples: Any) -> None:
        """Convert floats between -1 and 1. Samples outside that range are clipped. At 8 kHz no sample is changed.

        What is no number becomes silence: one such sample would make the resampler forget all the others around it.
        """
        numbers = numpy.nan_to_num(numpy.ascontiguousarray(samples, numpy.float32), nan=0.0, posinf=1.0, neginf=-1.0)
        self._encode(self._resampler.resample(numbers))

    def take(self, size_bytes: int) -> bytes | None:
        """Remove and return `size_bytes` of converted audio, or return None while there is less."""
        if len(self._mulaw) < size_bytes:
            return None
        taken = bytes(self._mulaw[:size_bytes])
        del self._mulaw[:size_bytes]
        return taken

    def finish(self) -> bytes:
        """Return all converted audio that was not taken, including what the resampler held back. `add` must not be called again."""
        self._encode(self._resampler.finish())
        return bytes(self._mulaw)

    def _encode(self, samples: Any) -> None:
        pcm = numpy.clip(numpy.rint(samples * 32768), -32768, 32767).astype("<i2").tobytes()
        self._mulaw += g711.to_mulaw(pcm)


class FromTelephone:
    """One channel of 8 kHz mu-law on its way to a device's rate, 16-bit, block by block and steady. At 8 kHz no sample is changed."""

    def __init__(self, rate_hz: int) -> None:
        self._resampler = Resampler(g711.SAMPLE_RATE_HZ, rate_hz, steady=True)
        self.delay_ms = 0.0 if rate_hz == g711.SAMPLE_RATE_HZ else STEADY_DELAY_MS
        """How late the converted audio is, at most."""

    def convert(self, mulaw: bytes) -> bytes:
        """Return the next block as signed 16-bit samples at the device's rate."""
        samples: Any = self._resampler.resample(numpy.frombuffer(g711.to_pcm(mulaw), "<i2").astype(numpy.float32))
        return bytes(numpy.clip(numpy.rint(samples), -32768, 32767).astype("<i2").tobytes())
