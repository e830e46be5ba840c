"""Answers that are none, turns that never end and models that go silent: the caller never waits without end."""

import pytest

from hub.agents.answering import WRITTEN
from hub.agents.commands import CallOver, GiveUp, MarkReturned, ToCaller, ToolDone
from hub.agents.patience import ModelPatience
from hub.agents.turn_taking import TurnState
from hub.agents.voice_model import (
    AddCallerText,
    AgentAudioDone,
    AgentText,
    AgentTextDelta,
    CallerSpeechStarted,
    CallerSpeechStopped,
    CancelResponse,
    CreateResponse,
    ModelActivity,
    ModelEvent,
    ResponseRefused,
    SessionReady,
)
from tests.agents.room import Room, ended, question, started, tool_call, voice

HALF_MS = round(ModelPatience().answer_ms / 2)


def over(room: Room) -> bool:
    """End the call. Returns whether it is complete."""
    room.take(CallOver())
    return room.conversation.complete


# Responses that are no answer.


@pytest.mark.parametrize(
    ("end", "problem"),
    [
        (ended("r1"), "answered without a sound"),
        (ended("r1", "incomplete", "stopped in the middle: its filter"), "stopped in the middle: its filter"),
        (ended("r1", "incomplete"), "stopped in the middle of an answer"),
        (ended("r1", "cancelled"), "broke off an answer"),
        (ended("r1", "failed", "could not"), "could not"),
    ],
)
def test_a_response_without_sound_is_asked_for_once_more_and_a_second_one_ends_the_agents_part(end: ModelEvent, problem: str) -> None:
    room = Room()
    room.take(*question(), started(), end)
    assert room.troubles == [f"{problem}; it is asked once more"]
    assert len(room.asked(CreateResponse)) == 1
    assert room.take(started("r1"), end)[-1] == GiveUp(problem)
    assert not over(room)


def test_a_greeting_without_sound_is_asked_for_again_in_the_same_words() -> None:
    room = Room("Hello.")
    room.take(started(), ended())
    first, second = room.asked(CreateResponse)
    assert first == second
    room.take(started("r2"), voice(100, "r2"), ended("r2"))
    assert room.conversation.state is TurnState.LISTENING


def test_once_the_caller_has_spoken_no_greeting_is_asked_for_again() -> None:
    room = Room("Hello.")
    room.take(started(), voice(100), ended(), *question(), started("r2"), ended("r2"))
    assert room.asked(CreateResponse)[1:] == [CreateResponse()]


def test_an_answer_in_text_is_published_as_not_spoken_and_the_model_is_told_that_nobody_heard_it() -> None:
    room = Room()
    room.take(*question(), started(), AgentTextDelta("r1", "i1", "On Fri"), AgentText("r1", "i1", "On Friday."), ended())
    written = room.settled()[-1]
    assert (written.text, written.unspoken, written.cut, written.track) == ("On Friday.", True, False, "outbound")
    assert room.asked(AddCallerText) == [AddCallerText(WRITTEN)]
    room.take(started("r2"), voice(100, "r2", "i2"), AgentText("r2", "i2", "On Friday."), ended("r2"))
    room.wait(200)
    assert not room.settled()[-1].unspoken
    assert room.given_up == []
    assert not over(room)


def test_the_text_of_an_answer_that_a_filter_stopped_is_published_as_cut_and_not_spoken() -> None:
    room = Room()
    room.take(*question(), started(), AgentTextDelta("r1", "i1", "On Fri"), ended("r1", "incomplete"))
    written = room.settled()[-1]
    assert (written.text, written.unspoken, written.cut) == ("On Fri", True, True)


def test_a_sentence_that_the_model_stopped_in_is_marked_as_cut_once_it_was_heard() -> None:
    room = Room()
    room.take(*question(), started(), AgentTextDelta("r1", "i1", "It is on"), voice(400), ended("r1", "incomplete"))
    assert len(room.asked(CreateResponse)) == 1
    room.wait(500)
    said = room.settled()[-1]
    assert (said.text, said.cut, said.unspoken, said.interrupted) == ("It is on", True, False, False)
    assert not over(room)


def test_only_the_last_sentence_of_a_response_that_was_stopped_is_marked() -> None:
    room = Room()
    room.take(started(), AgentText("r1", "i1", "Yes."), voice(100), AgentAudioDone("r1", "i1"))
    room.take(AgentTextDelta("r1", "i2", "It is"), voice(100, item_id="i2"), ended("r1", "incomplete"))
    room.wait(3000)  # no marks come back here
    assert [(each.text, each.cut) for each in room.settled()] == [("Yes.", False), ("It is", True)]


def test_a_text_that_is_whole_is_published_also_if_the_caller_speaks_or_hangs_up_before_the_response_has_ended() -> None:
    for last in (question(), [CallOver()]):
        room = Room()
        room.take(started(), AgentText("r1", "i1", "Good bye."), *last)
        assert [(each.text, each.unspoken) for each in room.settled()][-1:] == [("Good bye.", True)]


def test_a_response_that_uses_a_tool_and_says_nothing_is_an_answer() -> None:
    room = Room()
    room.take(*question(), started(), tool_call("c1"), ended(), ToolDone("c1", "5"), started("r2"), tool_call("c2", "r2"), ended("r2"))
    assert room.troubles == []


def test_a_response_that_the_caller_interrupted_needs_no_sound() -> None:
    room = Room()
    room.take(started(), CallerSpeechStarted("q", 0), ended("r1", "cancelled"), CallerSpeechStopped("q", 0))
    assert (room.troubles, room.asked(CreateResponse)) == ([], [])


def test_a_failure_while_the_caller_speaks_is_published_and_their_words_are_answered_anyway() -> None:
    room = Room()
    room.take(started(), CallerSpeechStarted("q", 0), ended("r1", "failed", "could not"))
    assert (room.troubles, room.asked(CreateResponse)) == (["could not"], [])


def test_a_voice_that_no_event_announced_is_a_response() -> None:
    room = Room()
    room.take(*question(), voice(100), AgentText("r1", "i1", "Yes."))
    assert room.conversation.state is TurnState.RESPONDING
    room.take(ended())
    room.wait(200)
    assert (room.finals(), room.conversation.state) == (["Well?", "Yes."], TurnState.LISTENING)


def test_the_end_of_an_earlier_response_does_not_end_the_one_that_is_being_made() -> None:
    room = Room()
    room.take(started(), CallerSpeechStarted("q", 0), CallerSpeechStopped("q", 0), started("r2"), ended("r1", "cancelled"))
    assert room.conversation.state is TurnState.RESPONDING
    room.take(voice(100, "r2", "i2"), ended("r2"))
    assert room.conversation.state is TurnState.LISTENING


def test_responses_without_names_are_played() -> None:
    room = Room()
    room.take(*question(), started(""), voice(100, ""), ended(""))
    assert len([each for each in room.caller if isinstance(each, ToCaller)]) == 1
    assert room.troubles == []


def test_an_end_that_names_no_response_is_the_end_of_the_one_that_is_made() -> None:
    room = Room()
    room.take(*question(), started(), voice(100), ended(""))
    assert room.conversation.state is TurnState.LISTENING


def test_an_end_that_no_beginning_announced_is_an_end() -> None:
    room = Room()
    room.take(*question(), ended())
    assert room.troubles == ["answered without a sound; it is asked once more"]


def test_the_voice_of_another_response_is_no_sound_of_this_one() -> None:
    room = Room()
    room.take(*question(), started("r2"), voice(100, "r1"), ended("r2"))
    assert room.troubles == ["answered without a sound; it is asked once more"]


def test_a_response_that_was_stopped_is_not_asked_for_again_before_its_tools_have_come_to_something() -> None:
    room = Room()
    room.take(*question(), started(), voice(100), tool_call("c1"), ended("r1", "incomplete"))
    assert (len(room.troubles), room.asked(CreateResponse)) == (1, [])
    room.take(ToolDone("c1", "5"))
    assert room.asked(CreateResponse) == [CreateResponse()]


# Answers that do not come.


def test_an_answer_that_does_not_begin_is_asked_for_once_more_and_then_the_agent_is_given_up() -> None:
    room = Room()
    room.take(*question())
    room.wait(HALF_MS - 200)
    assert room.asked(CreateResponse) == []
    room.wait(400)
    assert room.asked(CreateResponse) == [CreateResponse()]
    room.take(ResponseRefused())  # there is one after all
    room.wait(HALF_MS - 400)
    assert room.given_up == []
    room.wait(600)
    assert room.given_up == ["did not answer within 15 s"]


def test_a_model_that_says_anything_but_an_answer_is_not_waited_for_longer() -> None:
    room = Room("Hello.")
    for _ in range(20):
        room.wait(1000)
        room.take(ModelActivity())
    assert room.given_up == ["did not answer within 15 s"]


def test_a_session_that_never_becomes_ready_is_given_up() -> None:
    room = Room("Hello.", ready=False)
    room.wait(24_800)
    assert room.given_up == []
    room.wait(400)
    assert room.given_up == ["did not begin the session within 25 s"]


def test_an_answer_that_is_refused_again_and_again_is_not_waited_for_without_end() -> None:
    room = Room()
    room.take(started(), tool_call("c1"), ended(), ToolDone("c1", "5"), ResponseRefused())
    room.wait(HALF_MS + 200)
    assert len(room.asked(CreateResponse)) == 2
    room.take(ResponseRefused())
    room.wait(HALF_MS + 200)
    assert room.given_up == ["did not answer within 15 s"]


def test_after_an_interrupted_response_has_ended_the_answer_to_the_caller_is_waited_for() -> None:
    room = Room()
    room.take(started(), CallerSpeechStarted("q", 0), CallerSpeechStopped("q", 0), ended("r1", "cancelled"))
    room.wait(HALF_MS + 200)
    assert len(room.asked(CreateResponse)) == 1


def test_a_caller_may_go_on_speaking_before_an_answer_has_begun() -> None:
    room = Room()
    room.take(CallerSpeechStarted("q", 0), CallerSpeechStopped("q", 0))
    room.wait(5000)
    room.take(CallerSpeechStarted("r", 5000))
    room.speak(10_000)
    room.take(CallerSpeechStopped("r", 15_000))
    room.wait(5000)
    assert (room.troubles, room.given_up) == ([], [])


# Responses of which nothing more comes.


def test_a_response_of_which_nothing_comes_is_cancelled_and_asked_for_again() -> None:
    room = Room()
    room.take(*question(), started())
    room.wait(HALF_MS + 200)
    assert room.asked(CancelResponse) == [CancelResponse("r1")]
    assert room.troubles == ["began to answer, and then nothing came for 7.5 s; it is asked once more"]
    # What still comes of it is not played, and its end is not the end of the one that was asked for.
    room.take(voice(100), ended("r1", "cancelled"), started("r2"))
    assert room.caller == []
    room.take(voice(100, "r2", "i2"), ended("r2"))
    assert room.conversation.state is TurnState.LISTENING
    assert room.given_up == []


def test_a_response_that_is_whole_and_never_ends_leaves_the_caller_the_word() -> None:
    room = Room()
    room.take(*question(), started(), voice(400), AgentAudioDone("r1", "i1"), AgentText("r1", "i1", "Yes."))
    room.wait(400 + HALF_MS + 200)
    assert (room.troubles, room.asked(CreateResponse)) == ([], [])
    assert room.conversation.state is TurnState.LISTENING
    assert over(room)


def test_a_voice_that_stops_in_the_middle_is_a_sentence_that_was_cut() -> None:
    room = Room()
    room.take(*question(), started(), voice(400), AgentTextDelta("r1", "i1", "It is on"))
    room.wait(400 + HALF_MS + 200)
    assert (room.settled()[-1].text, room.settled()[-1].cut) == ("It is on", True)
    assert len(room.asked(CreateResponse)) == 1


def test_a_model_that_is_at_work_is_waited_for_longer_and_not_without_end() -> None:
    room = Room()
    room.take(*question(), started())
    for _ in range(29):
        room.wait(1000)
        room.take(ModelActivity())
    assert room.given_up == []
    room.wait(1200)
    assert room.given_up == ["was at work for 30 s and said nothing"]


def test_a_long_story_is_not_silence() -> None:
    room = Room()
    room.take(*question(), started(), voice(60_000))
    room.wait(59_000)
    assert (room.troubles, room.given_up) == ([], [])


def test_a_voice_whose_marks_never_come_back_is_not_waited_for_without_end() -> None:
    room = Room()
    room.take(started(), voice(400), AgentAudioDone("r1", "i1"), AgentText("r1", "i1", "Yes."), ended())
    room.wait(3000)
    assert room.take(MarkReturned("9:9")) == []
    assert room.finals() == ["Yes."]


def test_a_session_that_is_ready_after_a_while_is_waited_for_from_then() -> None:
    room = Room("Hello.", ready=False)
    room.wait(14_000)
    room.take(SessionReady())
    room.wait(HALF_MS - 200)
    assert room.troubles == []


def test_an_answer_that_came_late_is_not_given_twice() -> None:
    room = Room()
    room.take(*question())
    room.wait(HALF_MS + 200)
    room.take(ResponseRefused(), started(), voice(100), ended())
    assert room.asked(CreateResponse) == [CreateResponse()]


def test_a_turn_that_has_ended_twice_is_answered_once() -> None:
    room = Room()
    room.take(*question(), started(), voice(100), ended(), CallerSpeechStopped("q", 0))
    room.wait(HALF_MS + 200)
    assert room.asked(CreateResponse) == []


def test_neither_a_long_pause_nor_a_slow_tool_is_a_wait_for_the_model() -> None:
    room = Room()
    room.wait(40_000)
    room.take(started(), tool_call("c1"))
    room.wait(200)
    room.take(ended())
    room.wait(40_000)
    room.take(ToolDone("c1", "5"), started("r2"))
    room.wait(200)
    assert (room.troubles, room.given_up) == ([], [])
