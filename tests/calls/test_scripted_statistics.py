"""The statistics of coded calls equal those of their scripts, in the log and in the list, whoever has published the call."""

import pytest
from msgspec import to_builtins

from hub.events import AgentInterrupted, CallStatistics, Final, Gap, Statistics
from hub.insight.redaction.redactor import Redactor
from hub.topics.past import Past
from hub.transcribers.utterances import Recognized, RecognizedWord
from tests.calls.statistics_desk import NAME, Desk
from tests.insight.scripts import SCRIPTS, CallScript, Ended, Line, Missed

EVERYTHING = Redactor(frozenset({"cards", "digits", "phone", "iban", "email"}))


def play(desk: Desk, step: Line | Missed | Ended) -> None:
    """Publish a step of a script as a call does."""
    match step:
        case Line():
            desk.publisher.report(Recognized(step.track, step.start, step.end, step.text, settled=True, closes=True, interrupted=step.cut))
            if step.cut:
                desk.publisher.publish(AgentInterrupted(call_sid="CA1", time=step.end, heard=step.end, generated=step.end + 5))
        case Missed(track, start, end):
            if not desk.record.live:
                desk.publisher.began("MZ2", {}, ["inbound", "outbound"], NAME)
            desk.publisher.publish(Gap(call_sid="CA1", track=track, start=start, end=end, reason="no stream"))
        case Ended(at):
            desk.end(at)


def played(script: CallScript, desk: Desk | None = None, first: int = 0) -> Desk:
    desk = desk or Desk()
    for step in script.steps[first:]:
        play(desk, step)
    return desk


def last_figures(desk: Desk) -> CallStatistics:
    figures, ended = desk.events()[-2:]
    assert isinstance(figures, Statistics)
    assert ended.offset == figures.offset + 1
    assert desk.record.summary().statistics == figures.figures
    return figures.figures


scripts = pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)


@scripts
def test_the_statistics_of_a_call_are_those_of_its_script(script: CallScript) -> None:
    found = last_figures(played(script))
    assert found == script.conversation.counted(round(script.until * 1000))
    by_hand = {name: getattr(found, name) for name in script.figures}
    assert by_hand == script.figures
    for track, figures in script.sides.items():
        assert {name: getattr(found.sides[track], name) for name in figures} == figures


@scripts
@pytest.mark.parametrize("epoch", ["epoch", "another"], ids=["take-over", "new epoch"])
def test_a_process_that_takes_the_call_over_at_any_step_counts_the_same(script: CallScript, epoch: str) -> None:
    """It has the log and nothing else. Where events were told that nobody has stored, the log goes on in another epoch."""
    expected = last_figures(played(script))
    for cut in range(1, len(script.steps)):
        first = Desk()
        for step in script.steps[:cut]:
            play(first, step)
        second = Desk(Past(first.record.topic.log.after(0)), epoch=epoch)
        assert last_figures(played(script, second, cut)) == expected, cut


@scripts
def test_masking_changes_no_figure_of_a_call_without_numbers(script: CallScript) -> None:
    assert last_figures(played(script, Desk(redactor=EVERYTHING))) == last_figures(played(script))


def test_a_masked_number_is_one_word_that_lasts_as_long_as_all_of_it() -> None:
    """The log does not say how many words were masked, nor where the speaker took a breath between two of them."""
    said = "my card is four one one one one one one one one one one one one one one one thanks"
    spoken = said.split()
    times = [(at * 0.5, at * 0.5 + 0.4) for at in range(len(spoken))]
    words = tuple(RecognizedWord(word, start, end) for word, (start, end) in zip(spoken, times, strict=True))
    found = []
    for redactor in (None, EVERYTHING):
        desk = Desk(redactor=redactor)
        desk.publisher.report(Recognized("inbound", 0.0, times[-1][1], said, settled=True, closes=True, words=words))
        desk.publisher.report(Recognized("outbound", 12.0, 13.0, "Thank you", settled=True, closes=True))
        desk.end(20.0)
        found.append(to_builtins(last_figures(desk)))
        (masked_final, _) = [event for event in desk.events() if isinstance(event, Final)]
        assert ("[card]" in masked_final.text) is (redactor is not None)
    clear, masked = found
    assert (clear["sides"]["inbound"].pop("words"), masked["sides"]["inbound"].pop("words")) == (20, 5)
    assert clear["sides"]["inbound"].pop("wordsPerMinute") > masked["sides"]["inbound"].pop("wordsPerMinute")
    assert clear == masked
