"""One sentence per event, whoever prints it."""

from typing import Any

import pytest

from hub import events
from hub.transcript.wording import clock, figured, sentence
from tests.completeness import COMPLETE
from tests.insight.scripts import SCRIPTS
from tests.media import CALL

TRANSCRIBER = events.TranscriberName(provider="deepgram", model="nova-3")
SENTENCE = events.NoteSentence(text="They talked.", offsets=[2])
STARTED: dict[str, Any] = {"tracks": ["inbound"], "speakers": {}, "parameters": {}, "stream_sid": "MZ1", "transcriber": TRANSCRIBER}


@pytest.mark.parametrize(
    ("event", "says"),
    [
        (events.CallStarted(call_sid=CALL, **STARTED), f"call {CALL}: transcribed by deepgram (nova-3)"),
        (events.CallStarted(call_sid=CALL, **STARTED, to="+1555"), f"call {CALL}: +1555, transcribed by deepgram (nova-3)"),
        (
            events.CallStarted(call_sid=CALL, **STARTED, from_="+1444", to="+1555", agent="desk"),
            f"call {CALL}: +1444 → +1555, answered by the agent desk, deepgram (nova-3)",
        ),
        (
            events.CallEnded(call_sid=CALL, reason="completed", duration=754.04, completeness=COMPLETE, audio={}),
            "call ended: completed, 12:34.0; complete",
        ),
        (
            events.Gap(call_sid=CALL, track="outbound", start=1.0, end=62.5, reason="no stream"),
            "outbound from 00:01.0 to 01:02.5 was not transcribed: no stream",
        ),
        (
            events.Steered(call_sid=CALL, order="o1", action="say", state="asked", by="ada", text="We close.", time=1.0),
            "ada wants to have the agent say “We close.”",
        ),
        (
            events.Steered(call_sid=CALL, order="o1", action="transfer", state="refused", by="ada", to="+1555", reason="no", time=1.0),
            "ada wanted to transfer the call to +1555, which was refused: no",
        ),
        (
            events.Steered(call_sid=CALL, order="o1", action="hang-up", state="failed", by="ada", reason="Twilio is away", time=1.0),
            "what ada wanted (hang-up) failed: Twilio is away",
        ),
        (
            events.Steered(call_sid=CALL, order="o1", action="take-over", state="done", by="ada", to="sales", time=1.0),
            "what ada wanted (take-over) is done",
        ),
        (events.Dtmf(call_sid=CALL, track="inbound", digit="#"), "key #"),
        (events.StreamFailed(call_sid=CALL, stream_sid="MZ1", reason="31921"), "Twilio reports that a stream failed: 31921"),
        (events.TranscriberLost(call_sid=CALL, provider="deepgram", reason="HTTP 401", attempt=0), "deepgram lost: HTTP 401"),
        (events.TranscriberRestored(call_sid=CALL, provider="deepgram", reason="", attempt=1), "deepgram transcribes again"),
        (events.TranscriberSwitched(call_sid=CALL, provider="local", reason="bad key", attempt=0), "local transcribes from here: bad key"),
        (events.WordsDoubted(call_sid=CALL, track="inbound", reason="not English"), "the words of inbound may be wrong: not English"),
        (events.RecordingStarted(call_sid=CALL, time=0.0), "the call is recorded"),
        (events.RecordingPaused(call_sid=CALL, time=1.0), "the recording is paused"),
        (events.RecordingResumed(call_sid=CALL, time=2.0), "the recording goes on"),
        (events.RecordingFailed(call_sid=CALL, time=2.0, reason="No space left on device"), "nothing is recorded: No space left on device"),
        (
            events.RecordingStored(call_sid=CALL, seconds=61.5, media_type="audio/flac", size=1, sha256="0"),
            "the recording is stored: 01:01.5",
        ),
        (events.RecordingErased(call_sid=CALL, reason="kept for 30 days"), "the recording is gone: kept for 30 days"),
        (events.AgentInterrupted(call_sid=CALL, time=1.0, heard=1.24, generated=3.5), "the agent was interrupted after 1.2 of 3.5 s"),
        (
            events.Alert(call_sid=CALL, rule="cancel", kind="phrase", summary="“close it”", speaker="Ada", start=1.0, end=2.0),
            "alert cancel: Ada: “close it”",
        ),
        (
            events.Alert(call_sid=CALL, rule="silent", kind="silence", summary="nobody speaks for 20 s", start=1.0, end=21.0),
            "alert silent: nobody speaks for 20 s",
        ),
        (
            events.AlertWithdrawn(call_sid=CALL, alert=7, rule="cancel", reason="wrong", left=0),
            "alert cancel is withdrawn: the final has other words",
        ),
        (
            events.AlertWithdrawn(call_sid=CALL, alert=7, rule="silent", reason="over", left=0),
            "alert silent is over: somebody speaks again",
        ),
        (
            events.Note(call_sid=CALL, model="m", ended=4, summary=[SENTENCE, SENTENCE], next_steps=[], open_questions=[]),
            "note by m: They talked. They talked.",
        ),
        (
            events.Note(
                call_sid=CALL, model="m", ended=4, summary=[SENTENCE], next_steps=[SENTENCE], open_questions=[SENTENCE], whole=False
            ),
            "note by m: They talked. — next steps: They talked. — open questions: They talked. "
            "— the model was not given all of this long call",
        ),
    ],
)
def test_each_event_is_one_sentence(event: events.Event, says: str) -> None:
    assert sentence(event) == says
    assert sentence(event, brief=True) == says


def test_what_a_tool_was_given_and_what_it_answered_are_left_out_where_many_calls_are_watched() -> None:
    called = events.ToolCalled(call_sid=CALL, invocation="i", tool="book", arguments={"day": "1"}, time=2.0)
    returned = events.ToolReturned(call_sid=CALL, invocation="i", tool="book", outcome="timeout", detail="8 s", time=2.0, seconds=8.0)
    assert (sentence(called), sentence(called, brief=True)) == ('the agent uses book: {"day": "1"}', "the agent uses book")
    assert (sentence(returned), sentence(returned, brief=True)) == ("book took too long: 8 s", "book took too long")


def test_words_are_no_sentence_about_the_call() -> None:
    assert (
        sentence(events.Interim(call_sid=CALL, utterance="u", revision=1, track="inbound", speaker="c", text="hi", start=0, end=1)) is None
    )


def test_call_time_is_minutes_seconds_and_tenths() -> None:
    assert [clock(seconds) for seconds in (0, 7.94, 59.96, 600.5, 6000)] == ["00:00.0", "00:07.9", "01:00.0", "10:00.5", "1:40:00.0"]


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (
            "dead air",
            "talk: inbound 76 %, outbound 24 %; longest monologue: inbound 00:02.0 at 00:00.0; silence 00:16.9; 2 times dead air, 00:12.0; "
            "words a minute: inbound -, outbound -; response: inbound 4.9 s, outbound 7.0 s",
        ),
        (
            "an agent that is interrupted",
            "talk: inbound 41 %, outbound 59 %; longest monologue: outbound 00:04.8 at 00:00.0; silence 00:01.0; cross-talk 00:02.8; "
            "interruptions: inbound 2, outbound 0; words a minute: inbound 90, outbound 89; response: inbound -, outbound 1.0 s",
        ),
    ],
)
def test_figures_are_one_sentence(script: str, says: str) -> None:
    said = SCRIPTS[script]
    figures = said.conversation.counted(round(said.until * 1000))
    assert figured(figures) == says
    assert sentence(events.Statistics(call_sid=CALL, figures=figures)) == says
    named = sentence(events.Statistics(call_sid=CALL, figures=figures), speakers={"inbound": "Ada", "outbound": "Maya (agent)"})
    assert named == says.replace("inbound", "Ada").replace("outbound", "Maya (agent)")
