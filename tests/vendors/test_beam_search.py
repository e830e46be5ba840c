"""The search for the most probable text, with a model of a few tokens that a test can foresee."""

import numpy
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hub.vendors.moonshine.beam_search import BeamSearch, Candidate

END = 0


def logits(*rows: list[float]) -> "NDArray[numpy.float32]":
    """The scores of a model that gives these probabilities."""
    return numpy.log(numpy.maximum(numpy.array(rows, numpy.float32), 1e-9)) + 3.0  # scores are known up to a constant


def test_one_candidate_takes_the_likeliest_token_each_time() -> None:
    search = BeamSearch(1, END)
    assert search.advance(logits([0.1, 0.2, 0.7])) == [0]
    assert search.advance(logits([0.2, 0.5, 0.3])) == [0]
    assert search.advance(logits([0.9, 0.05, 0.05])) == []
    assert search.best().tokens == (2, 1)
    assert numpy.isclose(search.best().log_probability, numpy.log(0.7 * 0.5 * 0.9), atol=1e-4)


def test_a_second_candidate_finds_the_text_that_the_first_token_hides() -> None:
    search = BeamSearch(2, END)
    assert search.advance(logits([0.0, 0.6, 0.4])) == [0, 0]
    # After 1 everything is equally likely, after 2 the text is clear.
    assert search.advance(logits([0.33, 0.33, 0.34], [0.0, 1.0, 0.0]))[0] == 1
    assert search.candidates[0].tokens == (2, 1)
    search.advance(logits([1.0, 0.0, 0.0], [0.4, 0.3, 0.3]))
    assert search.best().tokens == (2, 1)


def test_the_search_ends_when_no_candidate_can_overtake_the_text_that_is_over() -> None:
    search = BeamSearch(2, END)
    assert search.advance(logits([0.7, 0.2, 0.1])) == []
    assert search.best() == Candidate((), search.best().log_probability)


def test_a_text_that_is_over_is_no_candidate_and_may_be_overtaken() -> None:
    search = BeamSearch(2, END)
    assert search.advance(logits([0.3, 0.5, 0.2])) == [0]
    assert search.candidates[0].tokens == (1,)
    assert search.advance(logits([0.9, 0.05, 0.05])) == []
    assert search.best().tokens == (1,)


def test_without_an_end_the_most_probable_text_so_far_is_the_best() -> None:
    search = BeamSearch(2, END)
    search.advance(logits([0.0, 0.6, 0.4]))
    assert search.best().tokens == (1,)


def test_a_text_that_is_known_is_found_again_only_by_one_more_probable() -> None:
    for known, expected in ((-0.3, (7,)), (-3.0, (2,))):
        search = BeamSearch(2, END, Candidate((7,), known))
        if search.advance(logits([0.0, 0.3, 0.7])):
            search.advance(logits([0.9, 0.05, 0.05], [0.1, 0.45, 0.45]))
        assert search.best().tokens == expected


def test_a_search_without_hope_ends_at_once() -> None:
    assert BeamSearch(2, END, Candidate((7,), -0.3)).advance(logits([0.0, 0.3, 0.7])) == []


ROWS = st.lists(st.lists(st.floats(0.01, 1.0), min_size=6, max_size=6), min_size=3, max_size=3)


@given(st.lists(ROWS, min_size=1, max_size=8))
def test_candidates_are_distinct_and_ordered_and_rows_are_rows_of_the_step_before(steps: list[list[list[float]]]) -> None:
    search = BeamSearch(3, END)
    for step in steps:
        before = list(search.candidates)
        rows = search.advance(logits(*step[: len(before)]))
        if not rows:
            break
        assert len(rows) == len(search.candidates) <= 3
        assert len({each.tokens for each in search.candidates}) == len(rows)
        assert all(each.tokens[:-1] == before[row].tokens for each, row in zip(search.candidates, rows, strict=True))
        probabilities = [each.log_probability for each in search.candidates]
        assert probabilities == sorted(probabilities, reverse=True)
