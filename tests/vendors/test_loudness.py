"""What is loud on a track: compared with its own quiet moments."""

from hub.audio import g711
from hub.vendors.moonshine.loudness import Loudness
from tests.vendors.fake_engine import noise, voice

QUIET, SPEECH, MUTE = noise(1), voice(1), g711.silence(256)


def test_what_is_far_above_the_quiet_is_loud() -> None:
    loudness = Loudness()
    assert [loudness.take(window) for window in [QUIET] * 5 + [SPEECH] * 20 + [QUIET] * 5] == [False] * 5 + [True] * 20 + [False] * 5


def test_on_a_noisy_line_nothing_is() -> None:
    loudness, noisy = Loudness(), bytes([0x2E, 0xAE]) * 128
    assert g711.level(noisy) > g711.level(SPEECH) / 3
    assert not any(loudness.take(window) for window in [noisy] * 50 + [SPEECH] * 50)


def test_a_line_is_noisy_by_its_quiet_moments() -> None:
    loudness = Loudness()
    assert not loudness.noisy
    for window in [QUIET] * 5 + [SPEECH] * 20:
        loudness.take(window)
    assert not loudness.noisy
    rumble = Loudness()
    rumble.take(bytes([0xD0, 0x50]) * 128)
    assert rumble.noisy


def test_the_quiet_follows_a_line_that_becomes_noisy() -> None:
    loudness = Loudness()
    loudness.take(QUIET)
    answers = [loudness.take(SPEECH) for _ in range(1000)]
    assert answers[0]
    assert not answers[-1]


def test_behind_digital_silence_faint_noise_is_not_loud() -> None:
    loudness = Loudness()
    assert not any(loudness.take(window) for window in [MUTE] * 50 + [bytes([0xF0, 0x70]) * 128] * 5)
    assert loudness.take(SPEECH)
