"""Turns come out in the order of speaking, whenever their words come."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from hub.agents.turns import LATE_MS, Turns
from hub.transcribers.utterances import NotTranscribed, Recognized


def finals(reports: Iterator[Recognized | NotTranscribed]) -> list[str]:
    return [report.text for report in reports if isinstance(report, Recognized) and report.settled]


def test_an_agents_answer_waits_for_the_callers_late_question() -> None:
    turns = Turns()
    turns.begin("question", "inbound", 1000)
    turns.end("question", 2000)
    turns.begin("answer", "outbound", 2500)
    assert finals(turns.settle("answer", "It is nine.", 4000)) == []
    assert finals(turns.settle("question", "What time is it?", 4500)) == ["What time is it?", "It is nine."]


def test_interims_are_not_held_back_but_a_second_turn_of_a_track_waits() -> None:
    turns = Turns()
    turns.begin("question", "inbound", 0)
    turns.begin("answer", "outbound", 1000)
    turns.begin("more", "inbound", 1500)
    assert [each.text for each in turns.revise("answer", "It", 1200) if isinstance(each, Recognized)] == ["It"]
    assert list(turns.extend("more", "And?", 1600)) == []
    assert finals(turns.settle("question", "When?", 1700)) == ["When?"]


def test_a_transcription_that_never_comes_is_given_up_and_published_as_a_gap() -> None:
    turns = Turns()
    turns.begin("question", "inbound", 0)
    turns.end("question", 1000)
    turns.begin("answer", "outbound", 1500)
    assert list(turns.settle("answer", "Nine.", 2000)) == []
    assert list(turns.due(999 + LATE_MS)) == []
    missed, nothing, answer = turns.due(1000 + LATE_MS)
    assert missed == NotTranscribed("inbound", 0.0, 1.0, "its transcription did not come")
    assert isinstance(nothing, Recognized)
    assert nothing.text == ""
    assert isinstance(answer, Recognized)
    assert answer.text == "Nine."


def test_a_caller_who_still_speaks_is_not_given_up() -> None:
    turns = Turns()
    turns.begin("monologue", "inbound", 0)
    assert list(turns.due(10 * LATE_MS)) == []


def test_a_turn_that_is_open_at_the_end_comes_out_with_what_is_known() -> None:
    turns = Turns()
    turns.begin("question", "inbound", 0)
    turns.begin("answer", "outbound", 1000)
    list(turns.settle("answer", "Nine", 2000, interrupted=True))
    missed, _, answer = turns.close(3000)
    assert isinstance(missed, NotTranscribed)
    assert isinstance(answer, Recognized)
    assert (answer.text, answer.interrupted) == ("Nine", True)
    assert len(turns) == 0


@given(st.permutations(range(8)), st.lists(st.booleans(), min_size=8, max_size=8))
def test_any_order_of_settling_comes_out_in_the_order_of_speaking(order: list[int], by_caller: list[bool]) -> None:
    turns = Turns()
    for number, caller in enumerate(by_caller):
        turns.begin(str(number), "inbound" if caller else "outbound", number * 100)
    told = [text for number in order for text in finals(turns.settle(str(number), str(number), 1000))]
    assert told == [str(number) for number in range(8)]


def test_words_that_come_after_they_were_given_up_come_out_once() -> None:
    turns = Turns()
    turns.begin("question", "inbound", 0)
    turns.end("question", 1000)
    assert finals(turns.due(1000 + LATE_MS)) == [""]
    (late,) = turns.settle("question", "When?", 12_000)
    assert late == Recognized("inbound", 0.0, 1.0, "When?", settled=True, closes=True)
    assert list(turns.settle("question", "When?", 13_000)) == []


def test_late_words_do_not_come_out_amid_a_newer_turn_of_that_side() -> None:
    turns = Turns()
    turns.begin("first", "inbound", 0)
    turns.end("first", 1000)
    assert finals(turns.due(1000 + LATE_MS)) == [""]
    turns.begin("second", "inbound", 10_000)
    assert [each.text for each in turns.extend("second", "And", 10_500) if isinstance(each, Recognized)] == ["And"]
    assert list(turns.settle("first", "When?", 10_600)) == []
    assert finals(turns.settle("second", "And where?", 11_000)) == ["And where?", "When?"]


def test_a_turn_that_came_out_does_not_begin_again() -> None:
    turns = Turns()
    turns.begin("question", "inbound", 0)
    assert finals(turns.settle("question", "When?", 1000)) == ["When?"]
    turns.begin("question", "inbound", 0)
    assert list(turns.settle("question", "When?", 1000)) == []
    assert len(turns) == 0
