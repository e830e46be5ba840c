"""How whole a record is: a fold over the log, and one sentence."""

import pytest

from hub.events import (
    CallEnded,
    CallStarted,
    ConditionChanged,
    Durable,
    Final,
    Gap,
    TranscriberLost,
    TranscriberName,
    TranscriberRestored,
    TranscriberSwitched,
)
from hub.transcript.completeness import Findings, Measured
from tests.completeness import COMPLETE

SID = "CA1"
STARTED = CallStarted(
    call_sid=SID,
    tracks=["inbound"],
    speakers={},
    parameters={},
    stream_sid="MZ1",
    transcriber=TranscriberName(provider="deepgram", model=""),
)
ENDED = CallEnded(call_sid=SID, reason="completed", duration=60.0, completeness=COMPLETE, audio={})


def said(text: str = "hello", track: str = "inbound") -> Final:
    return Final(call_sid=SID, utterance="u", revision=1, track=track, speaker="s", text=text, start=0, end=1, words=[])  # type: ignore[arg-type]


def gap(start: float, end: float, track: str = "inbound") -> Gap:
    return Gap(call_sid=SID, track=track, start=start, end=end, reason="no stream")  # type: ignore[arg-type]


def lost(attempt: int = 0, reason: str = "refused the key (401): it is wrong; check DEEPGRAM_API_KEY") -> TranscriberLost:
    return TranscriberLost(call_sid=SID, provider="deepgram", reason=reason, attempt=attempt)


def found(*events: Durable) -> Findings:
    findings = Findings()
    for event in events:
        findings.apply(event)
    return findings


RESTORED = TranscriberRestored(call_sid=SID, provider="deepgram", reason="back", attempt=1)
SWITCHED = TranscriberSwitched(call_sid=SID, provider="assemblyai", reason="refused", attempt=0)


@pytest.mark.parametrize(
    ("events", "measured", "state", "summary"),
    [
        ((), Measured(), "complete", "complete"),
        ((said(),), Measured(lost_percent=0.9), "complete", "complete"),
        ((said(), gap(0, 12)), Measured(), "incomplete", "incomplete: 12 s not transcribed"),
        ((said(), gap(0, 5), gap(20, 24)), Measured(), "incomplete", "incomplete: 9.0 s not transcribed"),
        ((said(), gap(0, 5), gap(0, 5, "outbound")), Measured(), "incomplete", "incomplete: 5.0 s not transcribed"),
        ((said(), gap(5, 5.01)), Measured(), "incomplete", "incomplete: 0.1 s not transcribed"),
        ((said(),), Measured(words_missing=True), "incomplete", "incomplete: words may be missing"),
        ((said(), gap(0, 12)), Measured(words_missing=True), "incomplete", "incomplete: 12 s not transcribed"),
        ((said(),), Measured(lost_percent=20.4), "incomplete", "20 % of the audio was lost"),
        ((said(),), Measured(unheard="outbound"), "incomplete", "only one side was heard"),
        ((lost(),), Measured(), "not-transcribed", "not transcribed: deepgram refused the key"),
        ((lost(), gap(0, 60)), Measured(), "not-transcribed", "not transcribed: deepgram refused the key"),
        ((lost(3, "lost the connection"),), Measured(), "not-transcribed", "not transcribed: deepgram lost the connection"),
        ((said(), lost(), gap(30, 60)), Measured(), "incomplete", "incomplete: 30 s not transcribed"),
        ((lost(), RESTORED), Measured(), "complete", "complete"),
        ((lost(), SWITCHED), Measured(), "complete", "complete"),
        ((lost(), ENDED, STARTED, said()), Measured(), "complete", "complete"),
        (
            (said(), gap(0, 12), gap(20, 25)),
            Measured(lost_percent=20, unheard="outbound"),
            "incomplete",
            "incomplete: 17 s not transcribed; 20 % of the audio was lost; only one side was heard",
        ),
    ],
)
def test_an_ended_call_has_one_sentence(events: tuple[Durable, ...], measured: Measured, state: str, summary: str) -> None:
    completeness = found(*events).completeness(ended=True, measured=measured)
    assert (completeness.state, completeness.summary) == (state, summary)


def test_a_live_call_is_not_transcribed_as_soon_as_the_provider_refused_for_good_and_not_while_it_is_tried_again() -> None:
    assert found(said(), lost()).completeness(ended=False).summary == "not transcribed: deepgram refused the key"
    assert found(said(), lost(2)).completeness(ended=False).summary == "complete"


def test_the_whole_reason_is_kept_beside_the_sentence() -> None:
    assert found(lost()).completeness(ended=True).reason == "deepgram refused the key (401): it is wrong; check DEEPGRAM_API_KEY"


def test_a_side_that_spoke_before_is_silent_not_unheard() -> None:
    findings = found(said(), said(track="outbound"))
    assert findings.completeness(ended=False, measured=Measured(unheard="outbound")).summary == "one side is silent"


def test_a_fold_over_the_log_finds_what_was_published() -> None:
    measured = found(said(), gap(0, 12)).completeness(ended=False, measured=Measured(20.0, "outbound"))
    again = found(said(), gap(0, 12), ConditionChanged(call_sid=SID, completeness=measured))
    assert again.completeness(ended=False) == measured
