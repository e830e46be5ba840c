"""Resampling: nothing of the sound is lost, nothing is added, and blocks join without a seam."""

import subprocess
import sys

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.audio import g711
from hub.audio.resample import Quality, Resampler, floats, resampled

RATES = [(8000, 16000), (16000, 8000), (48000, 8000), (44100, 8000), (8000, 48000), (8000, 44100)]


def tone(hz: float, rate_hz: int, seconds: float = 1.0) -> numpy.ndarray:
    return (0.5 * numpy.sin(2 * numpy.pi * hz * numpy.arange(round(rate_hz * seconds)) / rate_hz)).astype(numpy.float32)


def level_db(samples: numpy.ndarray, hz: float, rate_hz: int) -> float:
    """How strong a frequency is, to within 20 Hz."""
    spectrum = numpy.abs(numpy.fft.rfft(samples * numpy.hanning(len(samples))))
    at, width = round(hz * len(samples) / rate_hz), round(20 * len(samples) / rate_hz)
    return float(20 * numpy.log10(spectrum[max(0, at - width) : at + width + 1].max() + 1e-12))


def in_blocks(samples: numpy.ndarray, sizes: list[int], stream: Resampler) -> numpy.ndarray:
    parts, at, count = [], 0, 0
    while at < len(samples):
        size = sizes[count % len(sizes)]
        parts.append(stream.resample(samples[at : at + size]))
        at, count = at + size, count + 1
    return numpy.concatenate([*parts, stream.finish()])


@pytest.mark.parametrize(("from_hz", "to_hz"), RATES)
def test_a_tone_that_both_rates_carry_keeps_its_length_its_place_and_its_level(from_hz: int, to_hz: int) -> None:
    out = resampled(tone(1000, from_hz), from_hz, to_hz)
    assert len(out) == to_hz
    middle = slice(to_hz // 10, -to_hz // 10)  # the tone's own hard edges ring at either end
    assert numpy.abs(out - tone(1000, to_hz))[middle].max() < 1e-3


def test_a_raised_rate_has_no_mirror_image_of_the_sound() -> None:
    out = resampled(tone(3000, 8000), 8000, 16000)[1600:-1600]
    assert level_db(out, 5000, 16000) < level_db(out, 3000, 16000) - 80


def test_what_the_lower_rate_cannot_carry_does_not_fold_back_into_speech() -> None:
    out = resampled(tone(5000, 16000), 16000, 8000)[800:-800]
    assert numpy.abs(out).max() < 1e-3


@pytest.mark.parametrize("quality", ["LQ", "MQ", "HQ", "VHQ"])
@pytest.mark.parametrize("steady", [False, True])
@pytest.mark.parametrize(("from_hz", "to_hz"), RATES)
@settings(deadline=None, max_examples=20)
@given(sizes=st.lists(st.integers(1, 2000), min_size=1, max_size=5))
def test_any_blocks_give_the_sound_that_one_block_gives(from_hz: int, to_hz: int, steady: bool, quality: Quality, sizes: list[int]) -> None:
    sound = numpy.random.default_rng(1).normal(0, 0.1, from_hz // 10).astype(numpy.float32)
    whole = in_blocks(sound, [len(sound)], Resampler(from_hz, to_hz, quality=quality, steady=steady))
    parts = in_blocks(sound, sizes, Resampler(from_hz, to_hz, quality=quality, steady=steady))
    assert abs(len(whole) - len(sound) * to_hz / from_hz) <= 1
    assert numpy.array_equal(parts, whole)


def test_a_column_of_stereo_is_resampled_as_a_copy_of_it_is() -> None:
    stereo = numpy.stack([tone(440, 48000), tone(880, 48000)], axis=1)
    assert numpy.array_equal(
        in_blocks(stereo[:, 1], [960], Resampler(48000, 8000)), in_blocks(stereo[:, 1].copy(), [960], Resampler(48000, 8000))
    )
    assert numpy.array_equal(resampled(stereo[:, 1], 48000, 8000), resampled(stereo[:, 1].copy(), 48000, 8000))


def test_whole_numbers_are_clipped_instead_of_turning_over() -> None:
    square = (numpy.sign(numpy.sin(numpy.arange(8000) / 10)) * 32767).astype(numpy.int16)
    out = in_blocks(square, [160], Resampler(8000, 16000, dtype="int16"))
    assert out.dtype == numpy.int16
    steps = numpy.abs(numpy.diff(out.astype(int)))
    assert out.max() == 32767
    assert steps[numpy.abs(out[1:]) == 32767].max() < 40_000  # a turned-over sample would be a step of 65,535


def test_one_rate_changes_nothing() -> None:
    sound = tone(1000, 8000)
    assert numpy.array_equal(in_blocks(sound, [160], Resampler(8000, 8000)), sound)
    assert numpy.array_equal(resampled(sound, 8000, 8000), sound)


def test_no_sound_stays_no_sound() -> None:
    nothing = numpy.zeros(0, numpy.float32)
    assert len(resampled(nothing, 8000, 16000)) == 0
    assert len(Resampler(8000, 16000).finish()) == 0


def test_importing_it_needs_neither_numpy_nor_soxr() -> None:
    hidden = "import sys; sys.modules['numpy'] = sys.modules['soxr'] = None; import hub.audio.resample"
    subprocess.run([sys.executable, "-c", hidden], check=True)


def test_mu_law_becomes_samples_between_minus_one_and_one() -> None:
    every = bytes(range(256))
    samples = floats(every)
    assert samples.dtype == numpy.float32
    assert numpy.abs(samples).max() < 1
    assert g711.to_pcm(every) == (samples * 32768).astype("<i2").tobytes()
    assert samples[g711.SILENCE_BYTE] == 0
