"""Numbers that are dictated as people do it: nobody gets a digit, whatever stands between and whoever repeats them."""

import pytest

from tests.insight.redaction.corpus import FORMS
from tests.insight.redaction.dictation import STRANGE, dictations
from tests.insight.redaction.spoken import digits_left, said


def test_no_digit_of_a_dictated_number_is_shown_with_hedges_pauses_and_echoes() -> None:
    heard = list(dictations(seed=15, count=500))
    assert {dictation.form for dictation in heard} == set(FORMS)
    assert sum(len(dictation.lines) > 4 for dictation in heard) > 100
    assert [(dictation.lines, dictation.shown) for dictation in heard if dictation.shown] == []


@pytest.mark.parametrize("lines", STRANGE.values(), ids=STRANGE)
def test_no_digit_is_shown_however_strangely_it_is_written_or_said(lines: tuple[str | tuple[str, str], ...]) -> None:
    heard = said(*lines)
    shown = [*heard.texts, *heard.interims, *(word.text for final in heard.finals for word in final.words)]
    assert [text for text in shown if digits_left(text) or any(map(str.isdigit, text))] == []


def test_an_echo_of_a_number_that_turns_out_harmless_is_published() -> None:
    heard = said("There are 250", ("outbound", "yes"), "people in this building", ("outbound", "250 is too many"))
    assert heard.texts == ["yes", "There are 250", "people in this building", "250 is too many"]


def test_digits_alone_long_after_a_number_are_no_echo() -> None:
    heard = said(
        "My card is 4111 2222 3333 4444 thanks a lot",
        ("outbound", "Great. And how many of them do you need?"),
        ("outbound", "A few?"),
        "I do not know yet.",
        ("outbound", "Take your time, please, and then tell me all of it."),
        "Two please, for now.",
    )
    assert heard.texts[-1] == "Two please, for now."


def test_words_after_which_more_is_asked_for_do_not_let_the_first_digit_out() -> None:
    heard = said("yes two", ("outbound", "mhm, go on"), "let me see", "hmm", "one one three five")
    assert heard.texts == ["mhm, go on", "yes [number]", "let me see", "hmm", "[number]"]
