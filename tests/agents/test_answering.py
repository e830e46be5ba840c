"""Answers that are none, turns that never end and models that go silent: the caller never waits without end."""

import pytest

from hub.agents.answering import WRITTEN
from hub.agents.commands import CallerFrame, CallOver, Command, GiveUp, KeyPressed, MarkReturned, ToCaller, ToolDone, Trouble
from hub.agents.patience import Patience
from hub.agents.turn_taking import TurnState
from hub.agents.voice_model import (
    AddCallerText,
    AddToolOutput,
    AgentAudioDone,
    AgentText,
    AgentTextDelta,
    CallerSpeechStarted,
    CallerSpeechStopped,
    CallerText,
    CallerTextRevised,
    CancelResponse,
    CreateResponse,
    EndCallerTurn,
    ModelActivity,
    ModelEvent,
    ResponseRefused,
    SessionReady,
)
from hub.transcribers.utterances import Recognized
from tests.agents.room import Room, ended, started, tool_call, voice

HALF_MS = round(Patience().answer_ms / 2)

LOUD = b"\x10" * 160


def troubles(room: Room) -> list[str]:
    return [each.problem for each in room.commands if isinstance(each, Trouble)]


def given_up(commands: list[Command]) -> list[str]:
    return [each.problem for each in commands if isinstance(each, GiveUp)]


def settled(room: Room) -> list[Recognized]:
    return [each for each in room.reports if isinstance(each, Recognized) and each.settled]


def question(item_id: str = "q") -> list[ModelEvent]:
    return [CallerSpeechStarted(item_id, 0), CallerSpeechStopped(item_id, 0), CallerText(item_id, "Well?")]


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
    assert troubles(room) == [f"{problem}; it is asked once more"]
    assert len(room.asked(CreateResponse)) == 1
    assert given_up(room.take(started("r1"), end)) == [problem]
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
    written = settled(room)[-1]
    assert (written.text, written.unspoken, written.cut, written.track) == ("On Friday.", True, False, "outbound")
    assert room.asked(AddCallerText) == [AddCallerText(WRITTEN)]
    room.take(started("r2"), voice(100, "r2", "i2"), AgentText("r2", "i2", "On Friday."), ended("r2"))
    room.wait(200)
    assert not settled(room)[-1].unspoken
    assert given_up(room.commands) == []
    assert not over(room)


def test_the_text_of_an_answer_that_a_filter_stopped_is_published_as_cut_and_not_spoken() -> None:
    room = Room()
    room.take(*question(), started(), AgentTextDelta("r1", "i1", "On Fri"), ended("r1", "incomplete"))
    written = settled(room)[-1]
    assert (written.text, written.unspoken, written.cut) == ("On Fri", True, True)


def test_a_sentence_that_the_model_stopped_in_is_marked_as_cut_once_it_was_heard() -> None:
    room = Room()
    room.take(*question(), started(), AgentTextDelta("r1", "i1", "It is on"), voice(400), ended("r1", "incomplete"))
    assert len(room.asked(CreateResponse)) == 1
    room.wait(500)
    said = settled(room)[-1]
    assert (said.text, said.cut, said.unspoken, said.interrupted) == ("It is on", True, False, False)
    assert not over(room)


def test_only_the_last_sentence_of_a_response_that_was_stopped_is_marked() -> None:
    room = Room()
    room.take(started(), AgentText("r1", "i1", "Yes."), voice(100), AgentAudioDone("r1", "i1"))
    room.take(AgentTextDelta("r1", "i2", "It is"), voice(100, item_id="i2"), ended("r1", "incomplete"))
    room.wait(3000)  # no marks come back here
    assert [(each.text, each.cut) for each in settled(room)] == [("Yes.", False), ("It is", True)]


def test_a_text_that_is_whole_is_published_also_if_the_caller_speaks_or_hangs_up_before_the_response_has_ended() -> None:
    for last in (question(), [CallOver()]):
        room = Room()
        room.take(started(), AgentText("r1", "i1", "Good bye."), *last)
        assert [(each.text, each.unspoken) for each in settled(room)][-1:] == [("Good bye.", True)]


def test_a_response_that_uses_a_tool_and_says_nothing_is_an_answer() -> None:
    room = Room()
    room.take(*question(), started(), tool_call("c1"), ended(), ToolDone("c1", "5"), started("r2"), tool_call("c2", "r2"), ended("r2"))
    assert troubles(room) == []


def test_a_response_that_the_caller_interrupted_needs_no_sound() -> None:
    room = Room()
    room.take(started(), CallerSpeechStarted("q", 0), ended("r1", "cancelled"), CallerSpeechStopped("q", 0))
    assert (troubles(room), room.asked(CreateResponse)) == ([], [])


def test_a_failure_while_the_caller_speaks_is_published_and_their_words_are_answered_anyway() -> None:
    room = Room()
    room.take(started(), CallerSpeechStarted("q", 0), ended("r1", "failed", "could not"))
    assert (troubles(room), room.asked(CreateResponse)) == (["could not"], [])


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
    assert troubles(room) == []


# Answers that do not come.


def test_an_answer_that_does_not_begin_is_asked_for_once_more_and_then_the_agent_is_given_up() -> None:
    room = Room()
    room.take(*question())
    room.wait(HALF_MS - 200)
    assert room.asked(CreateResponse) == []
    room.wait(300)
    assert room.asked(CreateResponse) == [CreateResponse()]
    room.take(ResponseRefused())  # there is one after all
    room.wait(HALF_MS - 300)
    assert given_up(room.commands) == []
    room.wait(400)
    assert given_up(room.commands) == ["did not answer within 15 s"]


def test_a_model_that_says_anything_but_an_answer_is_not_waited_for_longer() -> None:
    room = Room("Hello.")
    for _ in range(20):
        room.wait(1000)
        room.take(ModelActivity())
    assert given_up(room.commands) == ["did not answer within 15 s"]


def test_a_session_that_never_becomes_ready_is_given_up() -> None:
    room = Room("Hello.", ready=False)
    room.wait(24_800)
    assert given_up(room.commands) == []
    room.wait(400)
    assert given_up(room.commands) == ["did not begin the session within 25 s"]


def test_an_answer_that_is_refused_again_and_again_is_not_waited_for_without_end() -> None:
    room = Room()
    room.take(started(), tool_call("c1"), ended(), ToolDone("c1", "5"), ResponseRefused())
    room.wait(HALF_MS + 200)
    assert len(room.asked(CreateResponse)) == 2
    room.take(ResponseRefused())
    room.wait(HALF_MS + 200)
    assert given_up(room.commands) == ["did not answer within 15 s"]


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
    loudly(room, 10_000)
    room.take(CallerSpeechStopped("r", 15_000))
    room.wait(5000)
    assert (troubles(room), given_up(room.commands)) == ([], [])


# Responses of which nothing more comes.


def test_a_response_of_which_nothing_comes_is_cancelled_and_asked_for_again() -> None:
    room = Room()
    room.take(*question(), started())
    room.wait(HALF_MS + 200)
    assert room.asked(CancelResponse) == [CancelResponse("r1")]
    assert troubles(room) == ["began to answer, and then nothing came for 7.5 s; it is asked once more"]
    # What still comes of it is not played, and its end is not the end of the one that was asked for.
    room.take(voice(100), ended("r1", "cancelled"), started("r2"))
    assert room.caller == []
    room.take(voice(100, "r2", "i2"), ended("r2"))
    assert room.conversation.state is TurnState.LISTENING
    assert given_up(room.commands) == []


def test_a_response_that_is_whole_and_never_ends_leaves_the_caller_the_word() -> None:
    room = Room()
    room.take(*question(), started(), voice(400), AgentAudioDone("r1", "i1"), AgentText("r1", "i1", "Yes."))
    room.wait(400 + HALF_MS + 200)
    assert (troubles(room), room.asked(CreateResponse)) == ([], [])
    assert room.conversation.state is TurnState.LISTENING
    assert over(room)


def test_a_voice_that_stops_in_the_middle_is_a_sentence_that_was_cut() -> None:
    room = Room()
    room.take(*question(), started(), voice(400), AgentTextDelta("r1", "i1", "It is on"))
    room.wait(400 + HALF_MS + 200)
    assert (settled(room)[-1].text, settled(room)[-1].cut) == ("It is on", True)
    assert len(room.asked(CreateResponse)) == 1


def test_a_model_that_is_at_work_is_waited_for_longer_and_not_without_end() -> None:
    room = Room()
    room.take(*question(), started())
    for _ in range(29):
        room.wait(1000)
        room.take(ModelActivity())
    assert given_up(room.commands) == []
    room.wait(1200)
    assert given_up(room.commands) == ["was at work for 30 s and said nothing"]


def test_a_long_story_is_not_silence() -> None:
    room = Room()
    room.take(*question(), started(), voice(60_000))
    room.wait(59_000)
    assert (troubles(room), given_up(room.commands)) == ([], [])


def test_a_voice_whose_marks_never_come_back_is_not_waited_for_without_end() -> None:
    room = Room()
    room.take(started(), voice(400), AgentAudioDone("r1", "i1"), AgentText("r1", "i1", "Yes."), ended())
    room.wait(3000)
    assert room.take(MarkReturned("9:9")) == []
    assert room.finals() == ["Yes."]


# Turns of the caller.


def loudly(room: Room, duration_ms: int) -> None:
    """Have the line be loud."""
    for _ in range(0, duration_ms, 20):
        room.take(CallerFrame(room.at_ms, LOUD))
        room.at_ms += 20


def test_a_turn_that_never_ends_is_ended_once_the_caller_is_silent_and_a_tools_result_is_spoken() -> None:
    room = Room()
    room.take(started(), tool_call("c1"), ended())
    room.take(CallerSpeechStarted("q", 0))
    loudly(room, 1000)
    room.take(ToolDone("c1", "5"))
    room.wait(5800)
    assert room.asked(CreateResponse) == []
    room.wait(400)
    assert troubles(room) == ["did not notice that the caller had finished"]
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
        loudly(room, most_ms - 200)
        assert room.asked(CreateResponse) == []
        loudly(room, 400)
        assert room.asked(CreateResponse) == [CreateResponse()]


def test_turns_that_begin_without_end_are_ended_too() -> None:
    room = Room()
    for turn in range(40):
        room.take(CallerSpeechStarted(f"q{turn}", 0))
        loudly(room, 1600)
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
    assert [(each.text, each.interrupted, each.start, each.end) for each in settled(room)] == [
        ("One two", True, 0.0, 0.6),
        ("Stop", False, 0.6, 1.0),
    ]


# Tools.


def test_keys_behind_a_turn_that_never_ends_are_answered() -> None:
    room = Room()
    room.take(CallerSpeechStarted("q", 0), KeyPressed("#"))
    room.wait(6500)
    assert room.asked(CreateResponse) == [CreateResponse()]


def test_what_is_beyond_the_bound_of_a_response_is_refused_in_words_and_published_once() -> None:
    room = Room()
    room.take(started(), *(tool_call(f"c{number}") for number in range(2000)))
    assert len([each for each in room.commands if type(each).__name__ == "UseTool"]) == 10
    refusals = [each for each in room.asked(AddToolOutput) if isinstance(each, AddToolOutput)]
    assert len(refusals) == 50
    assert "refused" in refusals[0].output
    assert "10 uses of tools in one response are the most" in refusals[0].output
    assert len(troubles(room)) == 1
    room.take(ended())
    assert room.asked(CreateResponse) == []  # ten still run
    room.take(*(ToolDone(f"c{number}", "5") for number in range(10)))
    assert room.asked(CreateResponse) == [CreateResponse()]


def test_a_model_that_answers_each_output_with_another_tool_call_comes_to_an_end() -> None:
    room = Room()
    room.take(*question(), started("r0"))
    used = 0
    for number in range(50):
        commands = room.take(tool_call(f"c{number}", f"r{number}"), ended(f"r{number}"))
        if any(type(each).__name__ == "UseTool" for each in commands):
            used += 1
            room.take(ToolDone(f"c{number}", "5"))
        room.take(started(f"r{number + 1}"))
    assert used == 8
    assert room.asked(CreateResponse)[-1] == CreateResponse(tools=False)
    assert given_up(room.commands) == ["goes on using tools and does not answer the caller"]
    assert "8 responses in a row" in str(room.asked(AddToolOutput)[-1])


def test_an_answer_or_a_word_of_the_caller_allows_tools_again() -> None:
    for number in range(2):
        room = Room()
        for turn in range(6):
            for step in range(3):
                name = f"{turn}.{step}"
                room.take(started(name), tool_call(name, name), ended(name), ToolDone(name, "5"))
            if number:
                room.take(*question(f"q{turn}"))
            else:
                room.take(started(f"a{turn}"), voice(20, f"a{turn}", f"a{turn}"), ended(f"a{turn}"))
                room.wait(40)
        assert (troubles(room), given_up(room.commands)) == ([], [])


def test_a_call_has_so_many_tools_and_no_more() -> None:
    room = Room()
    for number in range(102):
        room.take(*question(f"q{number}"), started(f"r{number}"), tool_call(f"c{number}", f"r{number}"), ToolDone(f"c{number}", "5"))
        room.take(ended(f"r{number}"), started(f"s{number}"), voice(20, f"s{number}", f"s{number}"), ended(f"s{number}"))
    assert len([each for each in room.commands if type(each).__name__ == "UseTool"]) == 100
    assert len(troubles(room)) == 2
    assert "100 times in this call" in troubles(room)[0]


def test_a_tool_call_that_comes_again_after_its_output_is_not_run_again() -> None:
    room = Room()
    room.take(started(), tool_call("c1"), ToolDone("c1", "5"))
    assert room.take(tool_call("c1")) == []


def test_a_session_that_is_ready_after_a_while_is_waited_for_from_then() -> None:
    room = Room("Hello.", ready=False)
    room.wait(14_000)
    room.take(SessionReady())
    room.wait(HALF_MS - 200)
    assert troubles(room) == []
