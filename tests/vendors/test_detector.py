"""The voice detector, with its real model: voice is voice, noise is not, and no track disturbs another."""

import random

import pytest

from hub.vendors.moonshine.detector import IDLE_DETECTORS, WINDOW_BYTES, SileroDetector, SileroPool
from tests.transcribers.sample import tracks

pytestmark = pytest.mark.timeout(90)  # it computes, with whatever else is computed here

SPEECH = tracks(9)[0][int(4.7 * 8000) : int(8.9 * 8000)]
NOISE = bytes(random.Random(1).choices((0x50, 0x58, 0x60, 0xD0, 0xD8, 0xE0), k=32_000))


@pytest.fixture(scope="module")
def detector() -> SileroDetector:
    return SileroDetector()


def probabilities(detector: SileroDetector, mulaw: bytes, piece_bytes: int = 800) -> list[float]:
    detector.reset()
    return [each for at in range(0, len(mulaw), piece_bytes) for each in detector.probabilities(mulaw[at : at + piece_bytes])]


def test_speech_is_voice_and_noise_and_silence_are_not(detector: SileroDetector) -> None:
    voiced = probabilities(detector, SPEECH)
    assert sum(each > 0.5 for each in voiced) > 0.8 * len(voiced)
    for quiet in (NOISE, b"\xff" * 32_000):
        assert max(probabilities(detector, quiet)) < 0.2


def test_every_window_has_a_probability_whatever_the_pieces(detector: SileroDetector) -> None:
    whole = probabilities(detector, SPEECH, len(SPEECH))
    assert len(whole) == len(SPEECH) // WINDOW_BYTES
    for piece_bytes in (1, 255, 800, 4001):
        assert probabilities(detector, SPEECH, piece_bytes) == whole


def test_two_detectors_in_turn_answer_as_each_would_alone(detector: SileroDetector) -> None:
    alone, other = probabilities(detector, SPEECH), SileroDetector()
    detector.reset()
    together = []
    for at in range(0, len(SPEECH), 800):
        together += detector.probabilities(SPEECH[at : at + 800])
        list(other.probabilities(NOISE[at % len(NOISE) : at % len(NOISE) + 800]))
    assert together == alone


def test_a_detector_that_was_reset_remembers_no_window_and_no_part_of_one(detector: SileroDetector) -> None:
    fresh = probabilities(detector, SPEECH)
    list(detector.probabilities(NOISE[:1001]))
    assert probabilities(detector, SPEECH) == fresh


def test_forgetting_between_two_windows_counts_for_the_second_and_loses_no_byte(detector: SileroDetector) -> None:
    fresh = probabilities(detector, SPEECH[5 * WINDOW_BYTES :])
    detector.reset()
    found = []
    for at in range(0, len(SPEECH), 800):
        for probability in detector.probabilities(SPEECH[at : at + 800]):
            found.append(probability)
            if len(found) == 5:
                detector.forget()
    assert found[5:] == fresh


def test_the_pool_lends_what_was_given_back_without_its_past() -> None:
    pool = SileroPool()
    first = pool.take()
    fresh = list(first.probabilities(SPEECH))
    assert pool.lent == 1
    pool.give_back(first)
    assert pool.lent == 0
    second = pool.take()
    assert second is first
    assert list(second.probabilities(SPEECH)) == fresh
    assert pool.take() is not first
    assert pool.lent == 2


def test_the_pool_keeps_a_bounded_number_of_idle_detectors() -> None:
    pool = SileroPool()
    lent = [pool.take() for _ in range(IDLE_DETECTORS + 2)]
    for detector in lent:
        pool.give_back(detector)
    again = [pool.take() for _ in range(IDLE_DETECTORS + 2)]
    assert sum(detector in lent for detector in again) == IDLE_DETECTORS
