"""A conversation without sockets: how it opens and closes, the caller's words and keys, and clocks that leap."""

from hub.agents.commands import (
    Answered,
    CallerFrame,
    CallOver,
    ClockLeapt,
    GiveUp,
    Interrupted,
    KeyPressed,
    ToModel,
    ToolDone,
    Trouble,
)
from hub.agents.conversation import EARLY_MS
from hub.agents.turn_taking import TurnState
from hub.agents.voice_model import (
    AddCallerText,
    AgentAudioDone,
    AgentTextDelta,
    AppendAudio,
    CallerSpeechStarted,
    CallerSpeechStopped,
    CallerText,
    CallerTextDelta,
    CallerTextFailed,
    CreateResponse,
    SessionReady,
    TruncateItem,
)
from hub.transcribers.utterances import NotTranscribed, Recognized
from tests.agents.room import Room, ended, started, tool_call, voice

# Opening.


def test_no_audio_goes_to_the_model_before_its_session_is_ready_and_the_oldest_audio_is_dropped() -> None:
    room = Room(ready=False)
    room.wait(EARLY_MS + 1000)
    assert room.commands == []
    room.take(SessionReady())
    assert len(room.asked(AppendAudio)) == EARLY_MS // 20
    room.take(CallerSpeechStarted("q", 0), CallerText("q", "first words"))
    (first,) = (each for each in room.reports if isinstance(each, Recognized) and each.settled)
    assert first.start == 1.0  # the model's clock began a second into the call


def test_a_session_that_is_ready_twice_greets_once_and_gets_early_audio_once() -> None:
    room = Room("Hello.", ready=False)
    room.wait(40)
    room.take(SessionReady(), SessionReady())
    (greeting,) = room.asked(CreateResponse)
    assert isinstance(greeting, CreateResponse)
    assert greeting.instructions.endswith("and nothing else: Hello.")
    assert len(room.asked(AppendAudio)) == 2
    assert not room.conversation._early  # kept for nothing any more
    assert room.conversation.state is TurnState.RESPONSE_DUE


def test_an_agent_without_a_greeting_waits_for_the_caller() -> None:
    room = Room()
    assert (room.commands, room.conversation.state) == ([], TurnState.LISTENING)


def test_a_frame_of_the_caller_is_one_request_to_the_model() -> None:
    room = Room()
    assert room.take(CallerFrame(0, b"\x02" * 160)) == [ToModel(AppendAudio(b"\x02" * 160))]


# The caller's words.


def test_a_turn_cannot_begin_or_end_later_than_the_audio_that_has_come() -> None:
    room = Room()
    room.wait(1000)
    room.take(CallerSpeechStarted("q", 5000), CallerSpeechStopped("q", 6000), CallerText("q", "Hello."))
    assert room.reports == [Recognized("inbound", 1.0, 1.0, "Hello.", settled=True, closes=True)]


def test_a_callers_words_are_published_even_if_no_event_announced_that_they_began() -> None:
    room = Room()
    room.wait(3000)
    room.take(CallerTextDelta("q", "Good "), CallerText("q", "Good morning."), CallerText("q", "Good morning."))
    assert room.finals() == ["Good morning."]
    room.take(CallerTextDelta("r", "And"))  # and never more of it: the rest is not held up for ever
    room.wait(9000)
    assert room.finals()[-1] == "And"


def test_words_that_could_not_be_written_down_are_a_gap_with_the_reason() -> None:
    room = Room()
    room.wait(1000)
    room.take(CallerSpeechStarted("q", 0), CallerSpeechStopped("q", 500), CallerTextFailed("q", "unintelligible"))
    assert room.reports[0] == NotTranscribed("inbound", 0.0, 0.5, "it could not be transcribed: unintelligible")


def test_words_that_do_not_come_are_waited_for_as_long_as_was_asked() -> None:
    room = Room(late_ms=1000)
    room.take(CallerSpeechStarted("q", 0), CallerSpeechStopped("q", 0))
    room.wait(980)
    assert room.reports == []
    room.wait(20)
    assert room.reports[0] == NotTranscribed("inbound", 0.0, 0.0, "its transcription did not come")


def test_keys_are_given_to_the_model_as_one_number_and_answered() -> None:
    room = Room(ready=False)
    room.take(KeyPressed("#"))  # no session is there yet
    room.wait(100)
    assert room.commands == []
    room.take(SessionReady())
    room.wait(100)
    for key in "123":
        room.take(KeyPressed(key))
        room.wait(1000)
    room.wait(600)
    room.take(started(), voice(400), ended())
    for key in "4#":
        room.take(KeyPressed(key))
    room.wait(20)
    assert room.asked(AddCallerText) == [AddCallerText(f"[The caller pressed on the keypad: {keys}]") for keys in ("#", "123", "4#")]
    assert len(room.asked(CreateResponse)) == 2  # the answer to the first was made when the second was known; the third is due


# Clocks.


def test_holes_of_the_callers_audio_keep_the_models_clock_in_call_time() -> None:
    room = Room()
    room.wait(1000)
    room.at_ms += 2000  # two seconds were lost
    room.wait(1000)
    room.take(CallerSpeechStarted("a", 900), CallerSpeechStopped("a", 950), CallerText("a", "before"))
    room.take(CallerSpeechStarted("b", 1500), CallerSpeechStopped("b", 1900), CallerText("b", "after"))
    assert [each.start for each in room.reports if isinstance(each, Recognized) and each.settled] == [0.9, 3.5]


def test_a_clock_that_leaps_gives_up_no_model_that_was_asked_a_moment_ago() -> None:
    room = Room()
    room.take(CallerSpeechStarted("q", 0))
    room.wait(1000)
    room.take(CallerSpeechStopped("q", 900))
    room.wait(100)
    room.take(ClockLeapt(60_000))
    room.at_ms += 60_000
    room.wait(100)
    assert not [each for each in room.commands if isinstance(each, GiveUp | Trouble)]
    room.take(started(), voice(100))
    assert [each for each in room.commands if isinstance(each, Answered)] == [Answered(300.0)]
    room.take(ClockLeapt(60_000))
    room.at_ms += 60_000
    room.wait(200)
    assert not [each for each in room.commands if isinstance(each, GiveUp | Trouble)]


def test_a_clock_that_leaps_takes_nothing_for_heard_that_is_still_to_be_played() -> None:
    room = Room()
    room.take(started(), AgentTextDelta("r1", "i1", "One two three four"), voice(1000))
    room.wait(500)
    room.take(ClockLeapt(60_000))
    room.at_ms += 60_000
    room.wait(100)
    room.take(CallerSpeechStarted("q", 600))
    assert room.asked(TruncateItem) == [TruncateItem("i1", 600)]
    assert room.cuts == [Interrupted(600.0, 1000.0)]


def test_a_clock_that_leaps_gives_up_no_words_that_are_still_to_come() -> None:
    room = Room()
    room.take(CallerSpeechStarted("q", 0))
    room.wait(1000)
    room.take(CallerSpeechStopped("q", 900), ClockLeapt(60_000))
    room.at_ms += 60_000
    room.wait(1000)
    room.take(CallerText("q", "Hello."))
    assert room.reports == [Recognized("inbound", 0.0, 0.9, "Hello.", settled=True, closes=True)]


def test_a_clock_that_leaps_ends_no_number_that_is_being_typed_and_takes_no_tool_output_for_old() -> None:
    room = Room()
    room.take(started(), tool_call("c1"), ended())
    room.wait(100)
    room.take(KeyPressed("1"), CallerSpeechStarted("q", 0), ToolDone("c1", "5"), ClockLeapt(60_000))
    room.at_ms += 60_000
    room.wait(100)
    assert room.asked(AddCallerText) == []
    room.take(CallerSpeechStopped("q", 100), started("r2"), ended("r2"))
    assert len(room.asked(CreateResponse)) == 1


def test_at_the_end_what_was_heard_is_published_and_what_is_missing() -> None:
    room = Room()
    room.take(CallerSpeechStarted("q", 0), CallerSpeechStopped("q", 500), started(), AgentTextDelta("r1", "i1", "Yes of course"))
    room.take(voice(900))
    room.wait(300)
    room.take(CallOver())
    assert room.conversation.complete is False
    assert room.finals() == ["Yes"]
    assert any(isinstance(each, NotTranscribed) for each in room.reports)
    assert room.cuts == []  # nobody interrupted


def test_at_the_end_words_that_were_heard_to_the_end_are_published_though_their_text_may_not_be_whole() -> None:
    room = Room()
    room.take(started(), AgentTextDelta("r1", "i1", "Yes."), voice(300), AgentAudioDone("r1", "i1"))
    room.wait(400)
    room.take(CallOver())
    assert (room.finals(), room.conversation.complete) == (["Yes."], True)
