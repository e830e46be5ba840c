"""Turns of the caller that the model takes to go on: they end, and what waits behind them is said."""

import pytest

from hub.agents.commands import KeyPressed, ToolDone
from hub.agents.turn_taking import TurnState
from hub.agents.voice_model import (
    AgentAudioDone,
    AgentText,
    CallerSpeechStarted,
    CallerSpeechStopped,
    CallerText,
    CallerTextRevised,
    CancelResponse,
    CreateResponse,
    EndCallerTurn,
    ModelEvent,
)
from tests.agents.room import Room, ended, started, tool_call, voice


def test_a_turn_that_never_ends_is_ended_once_the_caller_is_silent_and_a_tools_result_is_spoken() -> None:
    room = Room()
    room.take(started(), tool_call("c1"), ended())
    room.take(CallerSpeechStarted("q", 0))
    room.speak(1000)
    room.take(ToolDone("c1", "5"))
    room.wait(5800)
    assert room.asked(CreateResponse) == []
    room.wait(400)
    assert room.troubles == ["did not notice that the caller had finished"]
    assert room.asked(EndCallerTurn) == [EndCallerTurn()]
    assert room.asked(CreateResponse) == [CreateResponse()]
    # The model may notice later: its own end of the turn is the same one.
    room.take(CallerSpeechStopped("q", 1000), started("r2"), voice(100, "r2", "i2"), ended("r2"))
    assert room.conversation.state is TurnState.LISTENING
    assert len(room.asked(CreateResponse)) == 1


def test_a_line_that_is_never_silent_makes_no_turn_without_end() -> None:
    for wanted, most_ms in ((True, 20_000), (False, 60_000)):
        room = Room()
        room.take(started(), tool_call("c1"), ended(), CallerSpeechStarted("q", 0))
        if wanted:
            room.take(ToolDone("c1", "5"))
        room.speak(most_ms - 200)
        assert room.asked(CreateResponse) == []
        room.speak(400)
        assert room.asked(CreateResponse) == [CreateResponse()]


def test_turns_that_begin_without_end_are_ended_too() -> None:
    room = Room()
    for turn in range(40):
        room.take(CallerSpeechStarted(f"q{turn}", 0))
        room.speak(1600)
    assert room.asked(EndCallerTurn)


def test_a_turn_that_begins_twice_is_one_turn() -> None:
    room = Room()
    for _ in range(8):
        room.take(CallerSpeechStarted("q", 0))
        room.wait(1000)
    assert len(room.asked(EndCallerTurn)) == 1


def test_a_turn_without_end_behind_an_interrupted_response_is_answered_once_that_has_ended() -> None:
    room = Room()
    room.take(started(), CallerSpeechStarted("q", 0))
    room.wait(6200)
    assert room.asked(CancelResponse) == [CancelResponse("r1")]
    assert room.asked(CreateResponse) == []
    room.take(ended("r1", "cancelled"))
    assert room.asked(CreateResponse) == [CreateResponse()]


def test_words_after_a_turn_that_never_ended_are_not_held_up() -> None:
    room = Room()
    room.take(CallerSpeechStarted("a", 0))
    room.wait(1000)
    room.take(CallerSpeechStarted("b", 1000), CallerSpeechStopped("b", 1500), CallerText("b", "Second."))
    room.wait(9000)
    assert room.finals() == ["Second."]


@pytest.mark.parametrize("last", [CallerSpeechStopped("q", None), CallerText("q", "Well?")])
def test_a_turn_whose_end_is_told_by_its_words_or_by_its_place_in_the_conversation_is_over(last: ModelEvent) -> None:
    room = Room()
    room.take(CallerSpeechStarted("q", 0))
    room.wait(500)
    room.take(last, started("r1"), voice(100))
    assert room.asked(CancelResponse) == []
    assert room.conversation.state is TurnState.RESPONDING


def test_a_model_that_gives_no_times_of_speech_is_interrupted_all_the_same() -> None:
    room = Room()
    room.take(started(), AgentText("r1", "i1", "One two three four."), voice(1200), AgentAudioDone("r1", "i1"), ended())
    room.wait(600)
    room.take(CallerSpeechStarted("q", None), CallerTextRevised("q", "St"), CallerTextRevised("q", "Stop"))
    room.wait(400)
    room.take(CallerSpeechStopped("q", None), CallerText("q", None))
    assert [(each.text, each.interrupted, each.start, each.end) for each in room.settled()] == [
        ("One two", True, 0.0, 0.6),
        ("Stop", False, 0.6, 1.0),
    ]


def test_keys_behind_a_turn_that_never_ends_are_answered() -> None:
    room = Room()
    room.take(CallerSpeechStarted("q", 0), KeyPressed("#"))
    room.wait(6500)
    assert room.asked(CreateResponse) == [CreateResponse()]
