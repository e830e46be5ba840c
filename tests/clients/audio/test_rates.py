"""Resampling, measured with tones: what must be kept is kept, and what must not come back does not."""

import math

import numpy
import pytest

from clients.audio.rates import STEADY_DELAY_MS, FromTelephone, ToTelephone
from hub.audio import g711

DEVICE_RATES_HZ = [11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 96_000]

MULAW_STEP = 8
"""The smallest 16-bit value of mu-law that is not zero."""


def tone(hz: float, rate_hz: int, seconds: float = 1.0, amplitude: float = 0.5) -> numpy.ndarray:
    return (amplitude * numpy.sin(2 * math.pi * hz * numpy.arange(round(rate_hz * seconds)) / rate_hz)).astype(numpy.float32)


def telephoned(samples: numpy.ndarray, rate_hz: int, *, steady: bool, block: int = 960) -> numpy.ndarray:
    """Convert samples to the telephone's rate block by block; return them as 16-bit values."""
    converter = ToTelephone(rate_hz, steady=steady)
    for at in range(0, len(samples), block):
        converter.add(samples[at : at + block])
    return numpy.frombuffer(g711.to_pcm(converter.finish()), "<i2")


def strengths(samples: numpy.ndarray, rate_hz: int) -> tuple[numpy.ndarray, numpy.ndarray]:
    """The frequencies in the middle of a recording, and how strong each is."""
    middle = samples[len(samples) // 4 : -len(samples) // 4]
    return numpy.fft.rfftfreq(len(middle), 1 / rate_hz), numpy.abs(numpy.fft.rfft(middle * numpy.blackman(len(middle))))


def decibels(ratio: float) -> float:
    return 20 * math.log10(ratio)


@pytest.mark.parametrize("steady", [False, True])
@pytest.mark.parametrize("rate_hz", DEVICE_RATES_HZ)
@pytest.mark.parametrize("hz", [4600, 5200])
def test_a_tone_above_the_telephones_band_is_silence_and_not_another_tone(hz: int, rate_hz: int, steady: bool) -> None:
    middle = telephoned(tone(hz, rate_hz), rate_hz, steady=steady)[800:-800]
    assert max(abs(middle)) <= MULAW_STEP, "at 0.5 of full scale that is 66 dB below the tone"


@pytest.mark.parametrize("steady", [False, True])
@pytest.mark.parametrize("rate_hz", DEVICE_RATES_HZ)
def test_speech_up_to_3400_hz_keeps_its_level_within_a_tenth_of_a_decibel(rate_hz: int, steady: bool) -> None:
    def level(hz: int) -> float:
        return float(strengths(telephoned(tone(hz, rate_hz), rate_hz, steady=steady), 8000)[1].max())

    # Odd frequencies: a tone of 2000 Hz has four samples per wave, and mu-law would round each of its waves alike.
    assert [decibels(level(hz) / level(1013)) for hz in (317, 1913, 3389)] == pytest.approx([0.0] * 3, abs=0.1)


@pytest.mark.parametrize("rate_hz", DEVICE_RATES_HZ)
def test_speech_that_is_played_has_no_mirror_image(rate_hz: int) -> None:
    mulaw = g711.to_mulaw((tone(3000, 8000) * 32767).astype("<i2").tobytes())
    converter = FromTelephone(rate_hz)
    pcm = b"".join(converter.convert(mulaw[at : at + 160]) for at in range(0, len(mulaw), 160))
    at_hz, strength = strengths(numpy.frombuffer(pcm, "<i2"), rate_hz)
    assert at_hz[strength.argmax()] == pytest.approx(3000, abs=3)
    assert decibels(strength[at_hz > 4100].max() / strength.max()) < -90, "the image of 3000 Hz would be at 5000 Hz"


@pytest.mark.parametrize(("steady", "shift"), [(False, 0), (True, 2)])
@pytest.mark.parametrize("rate_hz", DEVICE_RATES_HZ)
def test_a_click_stays_where_it_was_and_no_sample_is_added(rate_hz: int, steady: bool, shift: int) -> None:
    click = numpy.zeros(rate_hz, numpy.float32)
    click[rate_hz // 2] = 0.9
    samples = telephoned(click, rate_hz, steady=steady)
    assert int(abs(samples).argmax()) == 4000 + shift, "soxr's steady mode is off by two samples, a quarter of a millisecond"
    assert len(samples) == 8000


@pytest.mark.parametrize("rate_hz", DEVICE_RATES_HZ)
def test_a_live_device_gets_20_ms_for_20_ms_and_never_later_than_promised(rate_hz: int) -> None:
    speaker, mic = FromTelephone(rate_hz), ToTelephone(rate_hz, steady=True)
    played_ms = recorded_ms = 0.0
    for number in range(200):
        played_ms += len(speaker.convert(g711.silence(160))) * 1000 / (2 * rate_hz)
        mic.add(numpy.zeros(rate_hz * (number + 1) // 50 - rate_hz * number // 50, numpy.float32))
        while mic.take(8) is not None:
            recorded_ms += 1
        now_ms = 20 * (number + 1)
        assert now_ms - played_ms <= STEADY_DELAY_MS + 0.2
        assert now_ms - recorded_ms <= STEADY_DELAY_MS + 1, "taken a whole millisecond at a time"


@pytest.mark.parametrize("steady", [False, True])
def test_the_size_of_the_blocks_changes_no_sample(steady: bool) -> None:
    samples = tone(700, 44_100, seconds=1.3)
    assert (telephoned(samples, 44_100, steady=steady, block=7) == telephoned(samples, 44_100, steady=steady, block=50_000)).all()


def test_at_the_telephones_own_rate_no_sample_is_changed() -> None:
    mulaw = bytes(code for code in range(256) if code != 0x7F)  # 0x7F is the other zero
    converter = ToTelephone(8000)
    converter.add(numpy.frombuffer(g711.to_pcm(mulaw), "<i2").astype(numpy.float32) / 32768)
    assert converter.finish() == mulaw
    assert FromTelephone(8000).convert(mulaw) == g711.to_pcm(mulaw)
    assert FromTelephone(8000).delay_ms == 0.0


@pytest.mark.parametrize("rate_hz", [8000, 48_000])
def test_what_is_too_loud_is_clipped_and_does_not_wrap_around(rate_hz: int) -> None:
    samples = telephoned(tone(400, rate_hz, amplitude=4.0), rate_hz, steady=False)
    assert max(samples) == -min(samples) == 32_124, "the loudest that mu-law has"
    assert (samples[1000:1008] >= 0).all() or (samples[1000:1008] <= 0).all(), "half a wave of 400 Hz has ten samples"


def test_converted_audio_is_taken_once_and_in_order() -> None:
    converter = ToTelephone(8000)
    converter.add(numpy.arange(5, dtype=numpy.float32) / 8)
    assert converter.take(6) is None
    whole = converter.take(2), converter.take(2)
    assert converter.take(2) is None
    assert b"".join(part or b"" for part in whole) + converter.finish() == g711.to_mulaw(
        numpy.arange(0, 20480, 4096, dtype="<i2").tobytes()
    )
