"""What is done to a call's sound before it is measured: noise, echoes, an hour without a pause. Samples are floats between -1 and 1."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy

from hub.audio import g711
from hub.audio.resample import floats

Samples: TypeAlias = "numpy.typing.NDArray[numpy.floating[Any]]"
Change: TypeAlias = Callable[[Samples], Samples]


def mulaw(samples: Samples) -> bytes:
    """Encode samples, clipped where they are too loud."""
    return g711.to_mulaw((numpy.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())


def through_a_band(samples: Samples, low_hz: float = 400, high_hz: float = 2200) -> Samples:
    """Keep these frequencies and nothing else, as the loudspeaker and microphone of a telephone do."""
    spectrum, frequencies = numpy.fft.rfft(samples), numpy.fft.rfftfreq(len(samples), 1 / g711.SAMPLE_RATE_HZ)
    return numpy.fft.irfft(numpy.where((frequencies < low_hz) | (frequencies > high_hz), 0, spectrum), len(samples))


def echoed(track: bytes, other: bytes, *, delay_ms: int = 180, weaker_db: float = 22, change: Change | None = None) -> bytes:
    """Return a track with the echo of the other one in it."""
    echo = numpy.concatenate((numpy.zeros(delay_ms * g711.BYTES_PER_MS), floats(other)))[: len(track)] * 10 ** (-weaker_db / 20)
    return mulaw(floats(track) + (change(echo) if change else echo))


def with_noise(track: bytes, lines: list[dict[str, Any]], below_db: float, noise: Samples) -> tuple[bytes, list[dict[str, Any]]]:
    """Put a minute of noise before a track and let it go on under it, so much weaker than the voice of its lines. The noise repeats."""
    speech = floats(track)
    voice = numpy.concatenate([speech[int(line["start"] * 8000) : int(line["end"] * 8000)] for line in lines])
    noise = numpy.resize(noise, len(speech) + 60 * g711.SAMPLE_RATE_HZ)
    noise = noise * numpy.sqrt(numpy.mean(voice**2) / numpy.mean(noise**2)) * 10 ** (-below_db / 20)
    noise[-len(speech) :] += speech
    return mulaw(noise), [{**line, "start": line["start"] + 60, "end": line["end"] + 60} for line in lines]


def pink_noise(seconds: float) -> Samples:
    """Return noise with as much energy in each octave, like wind, or a car far away."""
    return _coloured(seconds, lambda hz: 1 / numpy.sqrt(numpy.maximum(hz, 20)))


def hiss(seconds: float) -> Samples:
    """Return white noise, like a bad line."""
    return _coloured(seconds, numpy.ones_like)


def car_noise(seconds: float) -> Samples:
    """Return what a telephone leaves of an engine and a road: most of it below 400 Hz, and it swells and fades."""
    swell = 1 + 0.4 * numpy.sin(2 * numpy.pi * 0.3 * numpy.arange(int(seconds * 8000)) / 8000)
    return _coloured(seconds, lambda hz: numpy.where(hz < 200, 0.1, 1) / numpy.maximum(hz, 100) ** 1.5) * swell


def babble(voices: list[bytes], count: int = 12) -> Samples:
    """Return many people who talk at once: these tracks over each other, at different times and speeds."""
    samples = [floats(voice) for voice in voices]
    size = max(map(len, samples))
    random, sum_ = numpy.random.default_rng(5), numpy.zeros(size)
    for number in range(count):
        one = samples[number % len(samples)]
        loud = one[numpy.convolve(numpy.abs(one), numpy.ones(800) / 800, "same") > 0.005]
        speed = random.uniform(0.85, 1.15)
        stretched = numpy.interp(numpy.arange(0, len(loud) - 1, speed), numpy.arange(len(loud)), loud)
        sum_ += numpy.roll(numpy.resize(stretched, size), random.integers(size)) / numpy.sqrt(numpy.mean(stretched**2))
    return sum_


def without_pauses(tracks: list[bytes], minutes: float) -> bytes:
    """Join what is loud of these tracks, over and over: no pause of 0.2 s is left."""
    speech = bytearray()
    for track in tracks:
        steps = [track[at : at + 160] for at in range(0, len(track), 160)]
        loud = [g711.level(step) > 200 for step in steps]
        speech += b"".join(
            step for at, step in enumerate(steps) if any(loud[max(0, at - 4) : at + 5]) and any(loud[max(0, at - 4) : at + 1])
        )
    size = int(minutes * 60 * g711.SAMPLE_RATE_HZ)
    return (bytes(speech) * (size // len(speech) + 1))[:size]


def _coloured(seconds: float, shape: Change) -> Samples:
    size = int(seconds * g711.SAMPLE_RATE_HZ)
    spectrum = numpy.fft.rfft(numpy.random.default_rng(7).normal(size=size))
    return numpy.fft.irfft(spectrum * shape(numpy.fft.rfftfreq(size, 1 / g711.SAMPLE_RATE_HZ)), size)
