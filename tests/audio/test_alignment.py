"""The place of one stream's audio in another stream of the same call."""

import random

import pytest

from hub.audio.alignment import place
from hub.audio.g711 import silence

_chance = random.Random(7)
SOUND = bytes(_chance.choices(range(256), k=8 * 4000))
"""Four seconds, no stretch like another."""


def sample(end_ms: int, size_ms: int = 1000, sound: bytes = SOUND) -> bytes:
    return sound[(end_ms - size_ms) * 8 : end_ms * 8]


@pytest.mark.parametrize("off_by_ms", [0.0, 7.0, -7.0, 180.0, -180.0])
def test_the_place_is_exact_however_far_the_clocks_are_apart(off_by_ms: float) -> None:
    audio = {"inbound": (50_000.0 + off_by_ms, SOUND)}
    assert place({"inbound": sample(2500)}, audio, 52_500.0) == 52_500.0 + off_by_ms


def test_audio_that_begins_after_the_sample_has_its_place_by_the_samples_end() -> None:
    audio = {"inbound": (1000.0, SOUND[8 * 2000 :])}
    assert place({"inbound": sample(2400)}, audio, 1390.0) == 1400.0


def test_one_track_is_enough() -> None:
    audio = {"inbound": (0.0, silence(8 * 4000)), "outbound": (0.0, SOUND)}
    assert place({"inbound": silence(8000), "outbound": sample(3000)}, audio, 2950.0) == 3000.0


@pytest.mark.parametrize(
    ("heard", "held"),
    [
        (silence(8000), silence(8 * 4000)),  # the same everywhere
        (bytes([1, 2, 3, 4] * 2000), bytes([1, 2, 3, 4] * 8000)),  # a hum
        (sample(2000), bytes(_chance.choices(range(256), k=8 * 4000))),  # another call
        (b"", SOUND),
        (sample(200, 200), SOUND),  # too short to be sure
    ],
)
def test_what_says_nothing_about_the_place_is_not_believed(heard: bytes, held: bytes) -> None:
    assert place({"inbound": heard}, {"inbound": (0.0, held)}, 2000.0) is None


def test_of_equal_places_the_nearest_counts() -> None:
    assert place({"inbound": SOUND[:8000]}, {"inbound": (0.0, SOUND[:8000] * 3)}, 1900.0) == 2000.0


def test_a_place_that_is_too_far_away_is_an_accident() -> None:
    assert place({"inbound": sample(3800)}, {"inbound": (0.0, SOUND)}, 2500.0) is None
