"""A text that somebody who steers the call wants said: when the model is asked for it, and what becomes of it."""

from hub.agents.commands import ClearCaller, MarkReturned, Said, Say, ToCaller
from hub.agents.saying import AGAIN_MS, EXACTLY, MOST_WAIT_MS, OTHER_WORDS
from hub.agents.turn_taking import TurnState
from hub.agents.voice_model import (
    AgentAudioDone,
    AgentText,
    CallerSpeechStarted,
    CallerSpeechStopped,
    CallerText,
    CancelResponse,
    CreateResponse,
    ResponseRefused,
    TruncateItem,
)
from tests.agents.room import Room, ended, started, tool_call, voice

TEXT = "We close early today."


def said(room: Room) -> list[Said]:
    return [each for each in room.commands if isinstance(each, Said)]


def asked(room: Room) -> list[str]:
    return [each.instructions for each in room.asked(CreateResponse) if isinstance(each, CreateResponse)]


def say(room: Room, *, now: bool = False) -> None:
    room.take(Say("o1", TEXT, now))


def made(room: Room, text: str = TEXT, response: str = "r9", item: str = "i9", duration_ms: int = 400) -> None:
    """Have the model say a text in a response."""
    room.take(started(response), voice(duration_ms, response, item), AgentAudioDone(response, item), AgentText(response, item, text))
    room.take(ended(response))


def heard(room: Room) -> None:
    """Have Twilio play everything that was sent."""
    room.wait(2000)
    for mark in [each.mark for each in room.caller if isinstance(each, ToCaller)]:
        room.take(MarkReturned(mark))


def test_an_agent_that_is_silent_is_asked_at_once_word_for_word_and_without_tools() -> None:
    room = Room()
    say(room)
    assert room.asked(CreateResponse) == [CreateResponse(EXACTLY + TEXT, tools=False)]
    assert room.conversation.says
    assert not room.conversation.quiet
    made(room)
    assert said(room) == []  # the caller has yet to hear it
    heard(room)
    assert said(room) == [Said("o1")]
    assert room.finals() == [TEXT]
    assert not room.conversation.says
    assert room.conversation.quiet


def test_a_text_waits_until_the_agent_has_been_heard_to_the_end() -> None:
    room = Room()
    room.take(started(), voice(1000))
    say(room)
    room.take(AgentAudioDone("r1", "i1"), AgentText("r1", "i1", "We are open from nine to five."), ended())
    assert asked(room) == []
    heard(room)
    assert asked(room) == [EXACTLY + TEXT]
    made(room)
    heard(room)
    assert room.finals() == ["We are open from nine to five.", TEXT]


def test_a_text_that_is_wanted_now_breaks_the_agent_off() -> None:
    room = Room()
    room.take(started(), voice(4000), AgentText("r1", "i1", "We are open from nine to five."))
    room.wait(400)
    commands = room.take(Say("o1", TEXT, True))
    assert isinstance(commands[0], ClearCaller)
    assert room.asked(CancelResponse) == [CancelResponse("r1")]
    assert len(room.asked(TruncateItem)) == 1
    assert asked(room) == []  # the model has one response at a time
    assert room.take(voice(200)) == []  # nothing more of it is played
    room.take(ended(status="cancelled"))
    assert asked(room) == [EXACTLY + TEXT]
    made(room)
    heard(room)
    assert said(room) == [Said("o1")]
    assert room.cuts == []  # it was not the caller who interrupted
    assert room.finals()[-1] == TEXT
    assert room.troubles == []


def test_a_text_that_is_wanted_now_drops_what_has_come_and_is_not_heard() -> None:
    room = Room()
    room.take(started(), voice(4000), AgentAudioDone("r1", "i1"), AgentText("r1", "i1", "We are open from nine to five."), ended())
    room.wait(400)
    commands = room.take(Say("o1", TEXT, True))
    assert isinstance(commands[0], ClearCaller)
    assert isinstance(commands[1].request, TruncateItem)  # type: ignore[union-attr]
    assert asked(room) == [EXACTLY + TEXT]


def test_nobody_speaks_over_the_caller_and_what_the_model_begins_to_answer_gives_way() -> None:
    room = Room()
    room.take(CallerSpeechStarted("q", 0))
    say(room, now=True)
    room.wait(400)
    room.take(CallerSpeechStopped("q", 400), CallerText("q", "When do you close?"))
    assert asked(room) == []  # the model answers by itself
    room.take(started())
    assert room.asked(CancelResponse) == [CancelResponse("r1")]
    room.take(ended(status="cancelled"))
    assert asked(room) == [EXACTLY + TEXT]


def test_a_text_for_the_next_turn_comes_after_the_answer_to_a_caller_who_speaks() -> None:
    room = Room()
    room.take(CallerSpeechStarted("q", 0))
    say(room)
    room.take(CallerSpeechStopped("q", 400), CallerText("q", "When do you close?"), started(), voice(200))
    room.take(AgentAudioDone("r1", "i1"), AgentText("r1", "i1", "At six."), ended())
    assert asked(room) == []
    heard(room)
    assert asked(room) == [EXACTLY + TEXT]


def test_a_caller_who_speaks_before_the_model_has_begun_is_answered_first() -> None:
    room = Room()
    say(room)
    room.take(CallerSpeechStarted("q", 0), started("r9"))
    assert room.asked(CancelResponse) == [CancelResponse("r9")]
    room.take(ended("r9", "cancelled"), CallerSpeechStopped("q", 400), CallerText("q", "Hello?"))
    room.take(started(), voice(200), AgentAudioDone("r1", "i1"), AgentText("r1", "i1", "Hello."), ended())
    heard(room)
    assert asked(room) == [EXACTLY + TEXT] * 2
    made(room, response="r10")
    heard(room)
    assert said(room) == [Said("o1")]


def test_a_caller_who_interrupts_the_text_is_told_of_with_what_they_heard() -> None:
    room = Room()
    say(room)
    room.take(started("r9"), voice(4000, "r9", "i9"), AgentText("r9", "i9", TEXT))
    room.wait(1200)
    room.take(CallerSpeechStarted("q", 1200))
    (fate,) = said(room)
    assert fate.problem == "the caller heard 1 of 4 words"
    assert not room.conversation.says


def test_a_caller_who_interrupts_after_all_of_it_has_come_is_told_of_as_well() -> None:
    room = Room()
    say(room)
    made(room, duration_ms=4000)
    room.wait(2000)
    room.take(CallerSpeechStarted("q", 2000))
    assert [each.problem for each in said(room)] == ["the caller heard 2 of 4 words"]


def test_a_model_that_says_it_in_other_words_is_done_and_said_so() -> None:
    room = Room()
    say(room)
    made(room, "Today we close early.")
    heard(room)
    assert said(room) == [Said("o1", note=OTHER_WORDS)]


def test_capitals_and_punctuation_are_no_other_words() -> None:
    room = Room()
    say(room)
    made(room, "we close early, today")
    heard(room)
    assert said(room) == [Said("o1")]


def test_a_response_without_a_voice_is_asked_for_once_more_with_the_same_text() -> None:
    room = Room()
    say(room)
    room.take(started("r9"), ended("r9"))
    assert asked(room) == [EXACTLY + TEXT] * 2
    made(room, response="r10")
    heard(room)
    assert said(room) == [Said("o1")]


def test_a_model_that_makes_another_response_is_asked_again_a_little_later_and_not_in_a_circle() -> None:
    room = Room()
    say(room)
    room.take(ResponseRefused())
    assert len(asked(room)) == 1
    room.take(started(), voice(200), AgentAudioDone("r1", "i1"), AgentText("r1", "i1", "So."), ended())
    heard(room)
    room.wait(AGAIN_MS)
    made(room, "Anything else?", "r2", "i2")  # the response that the refusal made the hub ask for
    heard(room)
    assert asked(room)[-1] == EXACTLY + TEXT
    made(room)
    heard(room)
    assert said(room)[-1] == Said("o1")


def test_a_tools_answer_that_waits_is_given_after_a_text_that_is_wanted_now() -> None:
    room = Room()
    room.take(started(), tool_call("c1"), voice(2000), AgentText("r1", "i1", "One moment please."))
    say(room, now=True)
    room.take(ended(status="cancelled"))
    made(room)
    heard(room)
    assert said(room) == [Said("o1")]
    assert room.conversation.state is TurnState.LISTENING


def test_a_text_that_finds_no_turn_is_given_up() -> None:
    room = Room()
    room.take(CallerSpeechStarted("q", 0))
    say(room)
    room.speak(MOST_WAIT_MS - 1000)
    assert said(room) == []
    room.speak(1200)
    assert said(room) == [Said("o1", "the agent did not come to say it within 60 s")]


def test_a_text_that_comes_while_the_session_opens_waits_for_the_greeting() -> None:
    room = Room("Hello.", ready=False)
    say(room, now=False)
    room.wait(200)
    assert asked(room) == []
