"""Whether a track's sound is the other track's echo: real speech, and the echo made from it."""

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.audio import g711
from hub.audio.resample import floats
from hub.vendors.moonshine.echo import KEPT_MS, LATEST_MS, RecentSound, is_echo
from tests.bench.disturbances import Change, echoed, mulaw, through_a_band
from tests.transcribers.sample import tracks

INBOUND, OUTBOUND = tracks(21)


def stretch(track: bytes, start: float, end: float) -> bytes:
    return track[round(start * 8000) : round(end * 8000)]


@pytest.mark.parametrize("delay_ms", [0, 40, 180, 300, 499])
@pytest.mark.parametrize("weaker_db", [12, 22, 30])
@pytest.mark.parametrize("change", [None, through_a_band])
def test_a_voice_that_comes_back_weaker_and_later_is_an_echo(delay_ms: int, weaker_db: float, change: Change | None) -> None:
    track = echoed(g711.silence(len(OUTBOUND)), OUTBOUND, delay_ms=delay_ms, weaker_db=weaker_db, change=change)
    for start, end in ((0.7, 3.9), (0.7, 1.3), (1.1, 1.4)):
        heard = stretch(track, start + delay_ms / 1000, end + delay_ms / 1000)
        assert is_echo(heard, stretch(OUTBOUND, start + (delay_ms - LATEST_MS) / 1000, end + delay_ms / 1000))


def test_an_echo_whose_wave_a_codec_has_changed_is_known_by_its_loudness() -> None:
    voice = floats(stretch(OUTBOUND, 0.5, 3.9))
    loudness = numpy.abs(numpy.fft.irfft(numpy.fft.rfft(numpy.abs(voice))[:80], len(voice)))  # slower than 25 Hz
    noise = numpy.random.default_rng(1).normal(size=len(voice))
    changed = mulaw(0.05 * noise * loudness)
    assert is_echo(changed[LATEST_MS * 8 :], stretch(OUTBOUND, 0.5, 3.9))
    assert not is_echo(mulaw(0.002 * noise)[LATEST_MS * 8 :], stretch(OUTBOUND, 0.5, 3.9))


@pytest.mark.parametrize("weaker_db", [0, 14, 20])
def test_two_people_who_speak_at_once_are_no_echo_however_softly_one_speaks(weaker_db: float) -> None:
    soft = mulaw(floats(INBOUND) * 10 ** (-weaker_db / 20))
    for length in (0.3, 0.5, 1.0, 3.0):
        for at in numpy.arange(1.0, 3.9 - length + 0.01, 0.25):
            for other in (4.8, 5.5):
                heard = stretch(soft, other, other + length)
                assert not is_echo(heard, stretch(OUTBOUND, at - LATEST_MS / 1000, at + length))


def test_the_same_word_said_by_both_at_the_same_loudness_is_no_echo() -> None:
    word = stretch(INBOUND, 13.35, 13.6)
    assert not is_echo(word, g711.silence(LATEST_MS * 8) + word)
    assert not is_echo(word, g711.silence(LATEST_MS * 8 - 800) + word + g711.silence(800))


def test_speech_over_silence_is_no_echo_and_neither_is_silence() -> None:
    word = stretch(INBOUND, 13.35, 13.6)
    assert not is_echo(word, g711.silence(LATEST_MS * 8 + len(word)))
    assert not is_echo(g711.silence(len(word)), g711.silence(LATEST_MS * 8 + len(word)))


def test_recent_sound_is_the_sound_between_two_moments_and_silence_where_there_is_none() -> None:
    sound = RecentSound()
    sound.take(100.0, b"\x01" * 800)
    sound.take(200.0, b"\x02" * 800)
    sound.take(400.0, b"\x03" * 800)
    assert sound.between(150.0, 250.0) == b"\x01" * 400 + b"\x02" * 400
    assert sound.between(50.0, 110.0) == g711.silence(400) + b"\x01" * 80
    assert sound.between(290.0, 410.0) == b"\x02" * 80 + g711.silence(800) + b"\x03" * 80
    assert sound.between(450.0, 550.0) == b"\x03" * 400 + g711.silence(400)


@given(st.integers(1, 400), st.integers(0, 3000))
def test_recent_sound_is_bounded_and_reaches_back_to_the_longest_utterance(pieces: int, back_ms: int) -> None:
    sound = RecentSound()
    for count in range(pieces):
        sound.take(count * 100.0, bytes([count % 250]) * 800)
    assert len(sound._pieces) <= KEPT_MS / 100 + 1
    at_ms = max(0, (pieces - 1) * 100 - back_ms)
    assert sound.between(at_ms, at_ms + 1)[0] == at_ms // 100 % 250
