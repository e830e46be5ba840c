"""When a track's words are doubted."""

import pytest

from hub.vendors.moonshine.doubt import LEAST_CONFIDENCE, NEWEST_WORDS, Doubt

TEN = "one two three four five six seven eight nine ten"


def test_words_of_which_the_model_was_certain_are_believed() -> None:
    doubt = Doubt()
    assert not any(doubt.arises(TEN, 0.9) for _ in range(100))
    assert not doubt.arises(TEN, 0.1)  # one that was bad


def test_words_of_which_it_was_not_are_doubted_once() -> None:
    doubt = Doubt()
    assert [doubt.arises(TEN, 0.45) for _ in range(6)] == [False, False, False, True, False, False]


def test_a_few_words_are_too_few_to_doubt() -> None:
    doubt = Doubt()
    assert not any(doubt.arises("si", 0.2) for _ in range(NEWEST_WORDS - 1))
    assert doubt.arises("si", 0.2)


def test_somebody_who_goes_on_in_another_language_is_doubted_then() -> None:
    doubt = Doubt()
    assert not any(doubt.arises(TEN, 0.9) for _ in range(100))
    assert sum(doubt.arises(TEN, 0.4) for _ in range(5)) == 1


@pytest.mark.parametrize(("confidence", "doubted"), [(LEAST_CONFIDENCE - 0.01, True), (LEAST_CONFIDENCE + 0.01, False)])
def test_the_bound_is_the_mean_over_the_newest_words(confidence: float, doubted: bool) -> None:
    doubt = Doubt()
    assert any(doubt.arises(TEN, confidence) for _ in range(10)) == doubted


def test_an_impossible_text_is_no_error() -> None:
    assert not Doubt().arises("", 0.0)
