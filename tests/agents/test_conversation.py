"""A conversation without sockets: events in, commands out, at the moments that are hard to meet on a real line."""

import pytest

from hub.agents.commands import (
    Answered,
    CallerFrame,
    CallOver,
    ClearCaller,
    ClockLeapt,
    Command,
    ConversationEvent,
    GiveUp,
    Interrupted,
    KeyPressed,
    MarkReturned,
    Play,
    Publish,
    ToCaller,
    ToModel,
    ToolDone,
    UseTool,
)
from hub.agents.conversation import EARLY_MS, Conversation
from hub.agents.turn_taking import TurnState
from hub.agents.voice_model import (
    AddCallerText,
    AddToolOutput,
    AgentAudio,
    AgentAudioDone,
    AgentText,
    AgentTextDelta,
    AppendAudio,
    CallerSpeechStarted,
    CallerSpeechStopped,
    CallerText,
    CallerTextDelta,
    CallerTextFailed,
    CancelResponse,
    CreateResponse,
    ModelActivity,
    ModelRequest,
    ResponseEnded,
    ResponseRefused,
    ResponseStarted,
    ResponseStatus,
    SessionLost,
    SessionReady,
    ToolCall,
    TruncateItem,
)
from hub.transcribers.utterances import NotTranscribed, Recognized


class Room:
    """A conversation, and all the commands that it returned."""

    def __init__(self, greeting: str = "", *, ready: bool = True, late_ms: float = 8000.0) -> None:
        self.conversation = Conversation(greeting, late_ms=late_ms)
        self.commands: list[Command] = []
        self.at_ms = 0
        if ready:
            self.take(SessionReady())

    def take(self, *events: ConversationEvent) -> list[Command]:
        """Have the conversation receive events; return what they asked for."""
        before = len(self.commands)
        for event in events:
            self.commands += self.conversation.receive(event)
        return self.commands[before:]

    def wait(self, duration_ms: int) -> None:
        for _ in range(0, duration_ms, 20):
            self.take(CallerFrame(self.at_ms, b"\xff" * 160))
            self.at_ms += 20

    def asked(self, kind: type[ModelRequest]) -> list[ModelRequest]:
        return [each.request for each in self.commands if isinstance(each, ToModel) and isinstance(each.request, kind)]

    @property
    def caller(self) -> list[ToCaller | ClearCaller]:
        return [each for each in self.commands if isinstance(each, ToCaller | ClearCaller)]

    @property
    def reports(self) -> list[Recognized | NotTranscribed]:
        return [each.report for each in self.commands if isinstance(each, Publish)]

    @property
    def cuts(self) -> list[Interrupted]:
        return [each for each in self.commands if isinstance(each, Interrupted)]

    def finals(self) -> list[str]:
        return [each.text for each in self.reports if isinstance(each, Recognized) and each.settled and each.text]


def started(response_id: str = "r1") -> ResponseStarted:
    return ResponseStarted(response_id)


def ended(response_id: str = "r1", status: ResponseStatus = "completed") -> ResponseEnded:
    return ResponseEnded(response_id, status)


def voice(duration_ms: int, response_id: str = "r1", item_id: str = "i1") -> AgentAudio:
    return AgentAudio(response_id, item_id, b"\x01" * 8 * duration_ms)


def tool_call(call_id: str, response_id: str = "r1") -> ToolCall:
    return ToolCall(response_id, call_id, "t", "{}")


def kinds(commands: list[Command]) -> list[type[Command]]:
    return [type(command) for command in commands]


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


# Responses and tools.


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
    room.take(CallerSpeechStopped("q", 1600), started("r2"), ended("r2"))
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


def test_a_response_that_completes_forgives_a_failure() -> None:
    room = Room()
    failed = ResponseEnded("r1", "failed", "could not answer", True)
    room.take(started(), failed, started("r2"), ended("r2"), started("r1"), failed)
    assert len(room.asked(CreateResponse)) == 2
    assert room.conversation.state is TurnState.RESPONSE_DUE


def test_a_response_that_was_cancelled_forgives_no_failure() -> None:
    room = Room()
    failed = ResponseEnded("r1", "failed", "could not answer", True)
    room.take(started(), failed, started("r2"), ended("r2", "cancelled"), started("r1"))
    assert room.take(failed) == [GiveUp("could not answer")]


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


# How long an answer is waited for.


@pytest.mark.parametrize("begun", [False, True])
def test_how_long_nothing_comes_of_a_question_is_known(begun: bool) -> None:
    room = Room()
    room.take(CallerSpeechStarted("q", 0))
    room.wait(700)
    assert room.conversation.unanswered_ms == 0
    room.take(CallerSpeechStopped("q", 600))
    room.wait(1000)
    if begun:
        assert room.conversation.unanswered_ms == 1000
        room.take(started(), voice(400))
        room.wait(400)
        assert room.conversation.unanswered_ms == 0  # there is something to hear
        room.wait(1000)
        assert room.conversation.unanswered_ms == 1000
        room.take(ModelActivity())  # and a model that says anything at all is there
        assert room.conversation.unanswered_ms == 0
        room.take(ended())
    else:
        assert room.conversation.unanswered_ms == 1000
        room.take(started(), ended())
    room.wait(1000)
    assert room.conversation.unanswered_ms == 0


def test_a_caller_who_goes_on_speaking_before_an_answer_began_is_listened_to_for_as_long_as_it_takes() -> None:
    room = Room()
    room.take(CallerSpeechStarted("q", 0))
    room.wait(1000)
    room.take(CallerSpeechStopped("q", 900))
    room.wait(200)
    room.take(CallerSpeechStarted("r", 1100))
    room.wait(30_000)
    assert room.conversation.unanswered_ms == 0
    room.take(CallerSpeechStopped("r", 31_000))
    room.wait(500)
    assert room.conversation.unanswered_ms == 500


def test_a_greeting_that_never_comes_is_waited_for_from_the_moment_it_was_asked_for() -> None:
    room = Room("Hello.", ready=False)
    room.wait(3000)
    assert room.conversation.unanswered_ms == 0
    room.take(SessionReady())
    room.wait(700)
    assert room.conversation.unanswered_ms == 700


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
    assert room.conversation.unanswered_ms == 200
    room.take(started(), voice(100))
    assert [each for each in room.commands if isinstance(each, Answered)] == [Answered(300.0)]
    room.take(ClockLeapt(60_000))
    assert room.conversation.unanswered_ms == 0


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
