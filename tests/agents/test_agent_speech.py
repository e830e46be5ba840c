"""What a caller hears of an agent, and what the model and the transcript are told of it, above all when the caller interrupts."""

from hub.agents.commands import (
    ClearCaller,
    Interrupted,
    MarkReturned,
    Play,
    Publish,
    ToCaller,
    ToModel,
    ToolDone,
)
from hub.agents.turn_taking import TurnState
from hub.agents.voice_model import (
    AgentAudio,
    AgentAudioDone,
    AgentText,
    AgentTextDelta,
    CallerSpeechStarted,
    CallerSpeechStopped,
    CallerText,
    CancelResponse,
    CreateResponse,
    TruncateItem,
)
from hub.transcribers.utterances import Recognized
from tests.agents.room import Room, ended, kinds, started, tool_call, voice

# Interruptions.


def test_what_comes_after_an_interruption_is_not_played_and_the_model_is_told_that_nothing_of_it_was_heard() -> None:
    room = Room()
    room.take(started(), AgentTextDelta("r1", "i1", "One two three four"), voice(1000))
    room.wait(500)
    room.take(CallerSpeechStarted("q", 500))
    assert isinstance(room.caller[-1], ClearCaller)
    room.take(voice(500), AgentTextDelta("r1", "i1", " five"), voice(500, item_id="i2"), AgentText("r1", "i2", "Six."))
    room.take(AgentAudioDone("r1", "i1"), ended(status="cancelled"))
    assert kinds(room.caller) == [ToCaller, ClearCaller]
    assert room.asked(TruncateItem) == [TruncateItem("i1", 500), TruncateItem("i2", 0)]
    assert room.finals() == ["One two"]
    assert room.cuts == [Interrupted(500.0, 1000.0)]
    room.take(CallerSpeechStopped("q", 900), started("r2"), voice(100, "r2", "i3"))
    assert isinstance(room.caller[-1], ToCaller)


def test_an_interruption_is_one_clear_one_truncation_the_words_that_were_heard_and_one_event_in_this_order() -> None:
    room = Room()
    room.take(started(), AgentTextDelta("r1", "i1", "One two three four"), voice(1000))
    room.wait(500)
    commands = room.take(CallerSpeechStarted("q", 500))
    assert kinds(commands) == [ClearCaller, ToModel, Publish, Interrupted]
    final = commands[2]
    assert isinstance(final, Publish)
    assert isinstance(final.report, Recognized)
    assert (final.report.text, final.report.interrupted, final.report.track) == ("One two", True, "outbound")


def test_an_answer_that_was_heard_as_far_as_it_had_come_is_cut_short_too() -> None:
    room = Room()
    room.take(started(), AgentTextDelta("r1", "i1", "One"), voice(200))
    room.wait(600)
    room.take(CallerSpeechStarted("q", 500))
    assert room.asked(TruncateItem) == [TruncateItem("i1", 200)]
    assert kinds(room.caller) == [ToCaller]  # nothing to clear
    assert room.cuts == [Interrupted(200.0, 200.0)]


def test_text_that_is_ahead_of_its_audio_was_not_heard() -> None:
    tale = "word " * 40
    room = Room()
    room.take(started(), AgentTextDelta("r1", "i1", tale), voice(1000))
    room.wait(1000)
    room.take(CallerSpeechStarted("q", 900))
    (said,) = room.finals()
    assert said == "word word word"  # a second of speech, not all the words that were to come


def test_the_agents_own_pace_says_how_much_of_an_unfinished_answer_was_heard() -> None:
    room = Room()
    slow = "word " * 8
    room.take(started(), voice(4000), AgentAudioDone("r1", "i1"), AgentText("r1", "i1", slow), ended())
    room.wait(4500)
    room.take(CallerSpeechStarted("q", 4300), CallerSpeechStopped("q", 4400), CallerText("q", "and"))
    room.take(started("r2"), AgentTextDelta("r2", "i2", "word " * 40), voice(2000, "r2", "i2"))
    room.wait(2000)
    room.take(CallerSpeechStarted("q2", 6000))
    assert room.finals()[-1] == "word word word word"


def test_an_answer_that_was_heard_to_its_end_is_not_interrupted() -> None:
    room = Room()
    room.take(started(), voice(200), AgentAudioDone("r1", "i1"), AgentText("r1", "i1", "One."), ended())
    room.wait(300)
    room.take(CallerSpeechStarted("q", 250))
    assert room.cuts == []
    assert room.asked(TruncateItem) == []
    assert room.finals() == ["One."]


def test_a_caller_who_speaks_before_anything_was_said_interrupts_nothing() -> None:
    room = Room()
    room.take(started(), CallerSpeechStarted("q", 0))
    assert (room.cuts, room.caller) == ([], [])
    assert room.conversation.state is TurnState.INTERRUPTED


def test_a_response_that_starts_while_the_caller_speaks_is_cancelled_and_not_played() -> None:
    room = Room()
    room.take(started(), tool_call("c1"), ended(), ToolDone("c1", "5"))
    room.take(CallerSpeechStarted("q", 100), started("r2"), voice(500, "r2", "i2"), ended("r2", "cancelled"))
    assert room.asked(CancelResponse) == [CancelResponse("r2")]
    assert room.caller == []
    room.wait(1500)
    room.take(CallerSpeechStopped("q", 1600), started("r3"), voice(100, "r3", "i3"))
    assert kinds(room.caller) == [ToCaller]
    assert len(room.asked(CreateResponse)) == 1


def test_a_caller_who_stops_before_the_interrupted_response_has_ended_is_answered_by_the_next_one() -> None:
    room = Room()
    room.take(started(), voice(500))
    room.wait(100)
    room.take(CallerSpeechStarted("q", 80))
    room.wait(600)
    room.take(CallerSpeechStopped("q", 600))
    assert room.conversation.state is TurnState.YIELDING
    room.take(voice(100), ended(status="cancelled"), started("r2"), voice(100, "r2", "i2"))
    assert kinds(room.caller) == [ToCaller, ClearCaller, ToCaller]


# What was played.


def test_what_was_played_is_the_agents_audio_to_the_byte() -> None:
    room = Room()
    said = bytes(range(128)) * 100
    room.take(started(), AgentAudio("r1", "i1", said[:5000]), AgentAudio("r1", "i1", said[5000:]))
    for _ in range(20):
        room.wait(100)
        for message in [each for each in room.caller if isinstance(each, ToCaller)]:
            if int(message.mark.split(":")[1]) <= room.at_ms * 8:
                room.take(MarkReturned(message.mark))
    assert b"".join(each.mulaw for each in room.commands if isinstance(each, Play)) == said


def test_audio_without_a_sample_is_not_sent() -> None:
    room = Room()
    room.take(started(), AgentAudio("r1", "i1", b""))
    assert room.caller == []


def test_an_agents_interims_come_no_more_often_than_words_do() -> None:
    room = Room()
    room.take(started(), AgentTextDelta("r1", "i1", "word " * 40), voice(2000))
    room.wait(2000)
    interims = [each for each in room.reports if isinstance(each, Recognized) and not each.settled]
    assert 5 <= len(interims) <= 10
