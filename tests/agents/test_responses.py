"""When a response is asked for and how long it is waited for, with tools and with responses that fail."""

from hub.agents.commands import (
    Answered,
    CallerFrame,
    CallOver,
    GiveUp,
    MarkReturned,
    ToModel,
    ToolDone,
    UseTool,
)
from hub.agents.turn_taking import TurnState
from hub.agents.voice_model import (
    AddToolOutput,
    AgentAudioDone,
    AgentText,
    AgentTextDelta,
    CallerSpeechStarted,
    CallerSpeechStopped,
    CreateResponse,
    ResponseEnded,
    ResponseRefused,
    SessionLost,
)
from tests.agents.room import Room, ended, started, tool_call, voice

# Responses and tools.


def failed(response_id: str) -> ResponseEnded:
    return ResponseEnded(response_id, "failed", "could not answer", True)


def test_no_response_is_asked_for_while_there_is_one_and_none_twice() -> None:
    room = Room()
    room.take(started(), tool_call("c1"))
    room.take(ToolDone("c1", "5"))
    assert room.asked(CreateResponse) == []
    room.take(ended())
    assert len(room.asked(CreateResponse)) == 1
    room.take(ResponseRefused())  # one started by itself in the same moment
    room.take(started("r2"), ended("r2"))
    assert len(room.asked(CreateResponse)) == 2


def test_a_tool_call_is_used_once_and_its_output_goes_to_the_model() -> None:
    room = Room()
    room.take(started())
    assert room.take(tool_call("c1"), tool_call("c1")) == [UseTool(tool_call("c1"))]
    assert room.take(ToolDone("c1", "5")) == [ToModel(AddToolOutput("c1", "5"))]


def test_a_response_is_asked_for_once_all_tool_calls_of_one_response_have_come_to_something() -> None:
    room = Room()
    room.take(started(), tool_call("c1"), tool_call("c2"), ended(), ToolDone("c2", "2"))
    assert room.asked(CreateResponse) == []
    room.take(ToolDone("c1", "1"))
    assert len(room.asked(CreateResponse)) == 1


def test_a_tool_output_that_comes_while_the_caller_speaks_is_taken_up_by_the_answer_to_that() -> None:
    room = Room()
    room.take(started(), tool_call("c1"), ended())
    room.wait(200)
    room.take(CallerSpeechStarted("q", 100), ToolDone("c1", "5"))
    room.wait(1500)
    room.take(CallerSpeechStopped("q", 1600), started("r2"), voice(100, "r2", "i2"), ended("r2"))
    assert room.asked(CreateResponse) == []


def test_a_tool_output_that_comes_just_before_the_caller_stops_may_be_missed_by_the_answer_so_another_is_asked_for() -> None:
    room = Room()
    room.take(started(), tool_call("c1"), ended(), CallerSpeechStarted("q", 0))
    room.wait(1500)
    room.take(ToolDone("c1", "5"))
    room.wait(900)
    room.take(CallerSpeechStopped("q", 2300), started("r2"), ended("r2"))
    assert len(room.asked(CreateResponse)) == 1


def test_a_tool_output_that_comes_when_an_answer_is_due_waits_for_that() -> None:
    room = Room()
    room.take(started(), tool_call("c1"), ended(), CallerSpeechStarted("q", 100), CallerSpeechStopped("q", 600), ToolDone("c1", "5"))
    assert room.asked(CreateResponse) == []
    room.take(started("r2"), ended("r2"))
    assert len(room.asked(CreateResponse)) == 1


def test_a_response_that_fails_once_is_asked_for_again_and_one_that_fails_twice_ends_the_agents_part() -> None:
    room = Room()
    failed = ResponseEnded("r1", "failed", "could not answer: It failed.", True)
    room.take(started(), failed)
    assert len(room.asked(CreateResponse)) == 1
    assert room.take(started(), failed) == [GiveUp("could not answer: It failed.")]


def test_an_answer_forgives_a_failure() -> None:
    room = Room()
    room.take(started(), failed("r1"), started("r2"), voice(100, "r2", "i2"), ended("r2"), started("r3"), failed("r3"))
    assert len(room.asked(CreateResponse)) == 2
    assert room.conversation.state is TurnState.RESPONSE_DUE


def test_a_response_that_the_caller_interrupted_forgives_no_failure() -> None:
    room = Room()
    room.take(started(), failed("r1"), started("r2"), CallerSpeechStarted("q", 0), ended("r2", "cancelled"), CallerSpeechStopped("q", 0))
    assert room.take(started("r3"), failed("r3")) == [GiveUp("could not answer")]


def test_a_failure_that_no_further_try_can_mend_ends_the_agents_part_at_once() -> None:
    room = Room()
    assert room.take(started(), ResponseEnded("r1", "failed", "has no credit left", False)) == [GiveUp("has no credit left")]


def test_after_giving_up_nothing_has_an_effect_but_the_end_of_the_call() -> None:
    room = Room()
    room.take(started(), AgentTextDelta("r1", "i1", "Hello there"), voice(1000))
    room.wait(500)
    assert room.take(SessionLost("lost the connection")) == [GiveUp("lost the connection")]
    assert room.take(SessionLost("again"), voice(100), CallerFrame(500, b"\xff" * 160), ToolDone("c", "5"), MarkReturned("0:8000")) == []
    room.take(CallOver())
    assert room.finals() == ["Hello"]
    assert room.take(CallOver(), voice(100)) == []


def test_a_model_that_runs_away_is_given_up() -> None:
    room = Room()
    room.take(started())
    for _ in range(61):
        room.take(voice(10_000))
    assert room.take(voice(10_000)) == [GiveUp("speaks further ahead than anyone could hear")]


# How long a caller waits.


def test_how_long_a_caller_waits_for_an_answer_is_counted_once_for_each() -> None:
    room = Room()
    # A greeting answers nothing.
    room.take(started(), voice(100), AgentAudioDone("r1", "i1"), AgentText("r1", "i1", "Hi."), ended())
    room.wait(2000)
    room.take(CallerSpeechStarted("q", 400), CallerSpeechStopped("q", 1200))
    room.wait(400)
    room.take(started("r2"), voice(100, "r2", "i2"), voice(100, "r2", "i2"))
    assert [each for each in room.commands if isinstance(each, Answered)] == [Answered(1200.0)]


def test_the_agent_is_quiet_once_all_was_heard_and_nothing_is_due() -> None:
    room = Room()
    assert room.conversation.quiet
    room.take(started())
    assert not room.conversation.quiet
    room.take(voice(100), AgentAudioDone("r1", "i1"), AgentText("r1", "i1", "Hi."), ended())
    assert not room.conversation.quiet  # it is still being played
    room.wait(120)
    assert room.conversation.quiet
    room.take(CallerSpeechStarted("q", 100))
    assert not room.conversation.quiet
    assert room.conversation.caller_speaks


def test_an_agent_that_has_a_response_to_ask_for_is_not_quiet() -> None:
    room = Room()
    room.take(ResponseRefused())
    assert room.conversation.state is TurnState.LISTENING
    assert not room.conversation.quiet


def test_audio_that_comes_while_the_caller_speaks_answers_nothing() -> None:
    room = Room()
    room.take(CallerSpeechStarted("q", 0), CallerSpeechStopped("q", 0), CallerSpeechStarted("r", 0), voice(100, "unannounced"))
    assert [each for each in room.commands if isinstance(each, Answered)] == []
