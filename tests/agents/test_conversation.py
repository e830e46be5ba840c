"""A conversation without sockets: messages in, messages out, at the moments that are hard to meet on a real line."""

import json
from typing import Any

import pytest

from hub.agents import Agent
from hub.agents.conversation import EARLY_MS, Dialogue
from hub.errors import ProviderError
from hub.transcribers.utterances import NotTranscribed, Recognized
from hub.twilio.media import Speech
from hub.vendors.openai import wire as openai


class Room:
    """A dialogue, and all that it says."""

    def __init__(self, greeting: str = "", *, ready: bool = True) -> None:
        self.model: list[dict[str, Any]] = []
        self.caller: list[dict[str, Any]] = []
        self.heard: list[Recognized | NotTranscribed] = []
        self.played = bytearray()
        self.cuts: list[tuple[float, float]] = []
        self.waits: list[float] = []
        self.used: list[openai.Item] = []
        agent = Agent(
            name="a", model="m", voice="v", instructions="i", greeting=greeting, transcription_model="t", turn_detection="server_vad",
            apology="s",
        )  # fmt: skip
        self.dialogue = Dialogue(
            agent, Speech("MZ"), to_model=lambda message: self.model.append(json.loads(message)), to_caller=self._to_caller,
            hear=self.heard.append, played=lambda _, mulaw: self.played.extend(mulaw), interrupted=lambda *cut: self.cuts.append(cut),
            answered=self.waits.append, use=self.used.append,
        )  # fmt: skip
        self.dialogue.opened(agent.session(0.0, "", ""))
        self.at_ms = 0
        if ready:
            self.dialogue.take(openai.SessionUpdated())

    def _to_caller(self, message: bytes, another: bytes | None) -> None:
        self.caller += [json.loads(each) for each in (message, another) if each is not None]

    def wait(self, duration_ms: int) -> None:
        for _ in range(0, duration_ms, 20):
            self.dialogue.frame(self.at_ms, b"\xff" * 160)
            self.at_ms += 20

    def take(self, *messages: openai.Message) -> None:
        for message in messages:
            self.dialogue.take(message)

    def asked(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.model if message["type"] == kind]

    def finals(self) -> list[str]:
        return [each.text for each in self.heard if isinstance(each, Recognized) and each.settled and each.text]


def created(response_id: str = "r1") -> openai.ResponseCreated:
    return openai.ResponseCreated(openai.Response(id=response_id))


def done(response_id: str = "r1", status: str = "completed") -> openai.ResponseDone:
    return openai.ResponseDone(openai.Response(id=response_id, status=status))


def sound(duration_ms: int, response_id: str = "r1", item_id: str = "i1") -> openai.AudioDelta:
    return openai.AudioDelta(response_id, item_id, b"\x01" * 8 * duration_ms)


def call(call_id: str, response_id: str = "r1") -> openai.ItemDone:
    return openai.ItemDone(response_id, openai.Item("function_call", status="completed", name="t", call_id=call_id, arguments="{}"))


def test_no_audio_goes_to_the_model_before_the_formats_hold_and_the_oldest_is_let_go() -> None:
    room = Room(ready=False)
    room.wait(EARLY_MS + 1000)
    assert [message["type"] for message in room.model] == ["session.update"]
    room.take(openai.SessionUpdated())
    assert len(room.asked("input_audio_buffer.append")) == EARLY_MS // 20
    room.take(openai.SpeechStarted(0, "q"), openai.CallerSaid("q", "first words"))
    (first,) = (each for each in room.heard if isinstance(each, Recognized) and each.settled)
    assert first.start == 1.0  # the model's clock began a second into the call


def test_settings_that_are_changed_again_greet_nobody_twice() -> None:
    room = Room("Hello.")
    room.take(openai.SessionUpdated())
    assert len(room.asked("response.create")) == 1


def test_what_comes_after_an_interruption_is_muted_and_the_model_is_told_that_nothing_of_it_was_heard() -> None:
    room = Room()
    room.take(created(), openai.AgentWords("r1", "i1", "One two three four"), sound(1000))
    room.wait(500)
    room.take(openai.SpeechStarted(500, "q"))
    assert room.caller[-1]["event"] == "clear"
    room.take(sound(500), openai.AgentWords("r1", "i1", " five"), sound(500, item_id="i2"), openai.AgentSaid("r1", "i2", "Six."))
    room.take(openai.AudioDone("r1", "i1"), done(status="cancelled"))
    assert [message["event"] for message in room.caller] == ["media", "mark", "clear"]
    assert [(each["item_id"], each["audio_end_ms"]) for each in room.asked("conversation.item.truncate")] == [("i1", 500), ("i2", 0)]
    assert room.finals() == ["One two"]
    assert room.cuts == [(500.0, 1000.0)]
    room.take(openai.SpeechStopped(900, "q"), created("r2"), sound(100, "r2", "i3"))
    assert room.caller[-2]["event"] == "media"


def test_an_answer_that_was_heard_as_far_as_it_had_come_is_cut_short_too() -> None:
    room = Room()
    room.take(created(), openai.AgentWords("r1", "i1", "One"), sound(200))
    room.wait(600)
    room.take(openai.SpeechStarted(500, "q"))
    assert [each["audio_end_ms"] for each in room.asked("conversation.item.truncate")] == [200]
    assert [message["event"] for message in room.caller] == ["media", "mark"]  # nothing to clear
    assert room.cuts == [(200.0, 200.0)]


def test_text_that_is_ahead_of_its_audio_was_not_heard() -> None:
    tale = "word " * 40
    room = Room()
    room.take(created(), openai.AgentWords("r1", "i1", tale), sound(1000))
    room.wait(1000)
    room.take(openai.SpeechStarted(900, "q"))
    (said,) = room.finals()
    assert said == "word word word"  # a second of speech, not all the words that were to come


def test_the_agents_own_pace_says_how_much_of_an_unfinished_answer_was_heard() -> None:
    room = Room()
    slow = "word " * 8
    room.take(created(), sound(4000), openai.AudioDone("r1", "i1"), openai.AgentSaid("r1", "i1", slow), done())
    room.wait(4500)
    room.take(openai.SpeechStarted(4300, "q"), openai.SpeechStopped(4400, "q"), openai.CallerSaid("q", "and"))
    room.take(created("r2"), openai.AgentWords("r2", "i2", "word " * 40), sound(2000, "r2", "i2"))
    room.wait(2000)
    room.take(openai.SpeechStarted(6000, "q2"))
    assert room.finals()[-1] == "word word word word"


def test_an_answer_that_was_heard_to_its_end_is_not_interrupted() -> None:
    room = Room()
    room.take(created(), sound(200), openai.AudioDone("r1", "i1"), openai.AgentSaid("r1", "i1", "One."), done())
    room.wait(300)
    room.take(openai.SpeechStarted(250, "q"))
    assert room.cuts == []
    assert room.asked("conversation.item.truncate") == []
    assert room.finals() == ["One."]


def test_a_caller_who_speaks_before_anything_was_said_interrupts_nothing() -> None:
    room = Room()
    room.take(created(), openai.SpeechStarted(0, "q"))
    assert (room.cuts, room.caller) == ([], [])


def test_no_response_is_asked_for_while_there_is_one_and_none_twice() -> None:
    room = Room()
    room.take(created(), call("c1"))
    room.dialogue.returned("c1", "5")
    assert room.asked("response.create") == []
    room.take(done())
    assert len(room.asked("response.create")) == 1
    room.take(openai.Error(openai.Trouble(code=openai.EAGER)))  # one began by itself in the same moment
    room.take(created("r2"), done("r2"))
    assert len(room.asked("response.create")) == 2


def test_a_result_that_comes_while_the_caller_speaks_is_taken_up_by_the_answer_to_that() -> None:
    room = Room()
    room.take(created(), call("c1"), done())
    room.wait(200)
    room.take(openai.SpeechStarted(100, "q"))
    room.dialogue.returned("c1", "5")
    room.wait(1500)
    room.take(openai.SpeechStopped(1600, "q"), created("r2"), done("r2"))
    assert room.asked("response.create") == []


def test_an_answer_that_begins_while_the_caller_speaks_is_called_off_and_not_heard() -> None:
    room = Room()
    room.take(created(), call("c1"), done())
    room.dialogue.returned("c1", "5")
    room.take(openai.SpeechStarted(100, "q"), created("r2"), sound(500, "r2", "i2"), done("r2", "cancelled"))
    assert [each["response_id"] for each in room.asked("response.cancel")] == ["r2"]
    assert room.caller == []
    room.wait(1500)
    room.take(openai.SpeechStopped(1600, "q"), created("r3"), sound(100, "r3", "i3"))
    assert [message["event"] for message in room.caller] == ["media", "mark"]
    assert len(room.asked("response.create")) == 1


def test_a_result_that_comes_when_an_answer_is_due_waits_for_that() -> None:
    room = Room()
    room.take(created(), call("c1"), done(), openai.SpeechStarted(100, "q"), openai.SpeechStopped(600, "q"))
    room.dialogue.returned("c1", "5")
    assert room.asked("response.create") == []
    room.take(created("r2"), done("r2"))
    assert len(room.asked("response.create")) == 1


@pytest.mark.parametrize("begun", [False, True])
def test_how_long_nothing_comes_of_a_question_is_known(begun: bool) -> None:
    room = Room()
    room.take(openai.SpeechStarted(0, "q"))
    room.wait(700)
    assert room.dialogue.unanswered_ms == 0
    room.take(openai.SpeechStopped(600, "q"))
    room.wait(1000)
    if begun:
        assert room.dialogue.unanswered_ms == 1000
        room.take(created(), sound(400))
        room.wait(400)
        assert room.dialogue.unanswered_ms == 0  # there is something to hear
        room.wait(1000)
        assert room.dialogue.unanswered_ms == 1000
        room.take(None)  # and a model that says anything at all is there
        assert room.dialogue.unanswered_ms == 0
        room.take(done())
    else:
        assert room.dialogue.unanswered_ms == 1000
        room.take(created(), done())
    room.wait(1000)
    assert room.dialogue.unanswered_ms == 0


def test_who_goes_on_speaking_before_an_answer_began_is_listened_to_for_as_long_as_it_takes() -> None:
    room = Room()
    room.take(openai.SpeechStarted(0, "q"))
    room.wait(1000)
    room.take(openai.SpeechStopped(900, "q"))
    room.wait(200)
    room.take(openai.SpeechStarted(1100, "r"))
    room.wait(30_000)
    assert room.dialogue.unanswered_ms == 0
    room.take(openai.SpeechStopped(31_000, "r"))
    room.wait(500)
    assert room.dialogue.unanswered_ms == 500


def test_a_callers_words_are_told_even_if_nobody_said_that_he_began() -> None:
    room = Room()
    room.wait(3000)
    room.take(openai.CallerWords("q", "Good "), openai.CallerSaid("q", "Good morning."), openai.CallerSaid("q", "Good morning."))
    assert room.finals() == ["Good morning."]
    room.take(openai.CallerWords("r", "And"))  # and never more of it: the rest is not held up for ever
    room.wait(9000)
    assert room.finals()[-1] == "And"


def test_keys_are_told_to_the_model_as_one_number_and_answered() -> None:
    room = Room(ready=False)
    pressed = room.dialogue.keypad.press
    pressed("#", room.dialogue.now_ms)  # nobody is there yet
    room.wait(100)
    room.take(openai.SessionUpdated())
    room.wait(100)
    for key in "123":
        pressed(key, room.dialogue.now_ms)
        room.wait(1000)
    room.wait(600)
    room.take(created(), sound(400), done())
    for key in "4#":
        pressed(key, room.dialogue.now_ms)
    room.wait(20)
    typed = [each["item"]["content"][0]["text"] for each in room.asked("conversation.item.create")]
    assert typed == [f"[The caller pressed on the keypad: {keys}]" for keys in ("#", "123", "4#")]
    assert len(room.asked("response.create")) == 2  # the answer to the first was made when the second was known; the third is due


def test_a_call_that_was_cut_off_while_it_was_written_is_not_made() -> None:
    room = Room()
    room.take(created(), openai.ItemDone("r1", openai.Item("function_call", status="incomplete", name="t", call_id="c", arguments='{"a')))
    assert room.used == []


def test_a_model_that_runs_away_is_stopped() -> None:
    room = Room()
    room.take(created())
    for _ in range(61):
        room.take(sound(10_000))
    with pytest.raises(ProviderError, match="further ahead"):
        room.take(sound(10_000))


def test_repeats_and_holes_of_the_callers_audio_keep_the_models_clock_in_call_time() -> None:
    room = Room()
    room.wait(1000)
    room.at_ms += 2000  # two seconds were lost
    room.wait(1000)
    room.take(openai.SpeechStarted(900, "a"), openai.SpeechStopped(950, "a"), openai.CallerSaid("a", "before"))
    room.take(openai.SpeechStarted(1500, "b"), openai.SpeechStopped(1900, "b"), openai.CallerSaid("b", "after"))
    assert [each.start for each in room.heard if isinstance(each, Recognized) and each.settled] == [0.9, 3.5]


def test_what_was_played_is_the_agents_audio_to_the_byte() -> None:
    room = Room()
    said = bytes(range(128)) * 100
    room.take(created(), openai.AudioDelta("r1", "i1", said[:5000]), openai.AudioDelta("r1", "i1", said[5000:]))
    for _ in range(20):
        room.wait(100)
        for message in [each for each in room.caller if each["event"] == "mark"]:
            if int(message["mark"]["name"].split(":")[1]) <= room.at_ms * 8:
                room.dialogue.mark(message["mark"]["name"])
    assert bytes(room.played) == said


def test_at_the_end_what_was_heard_is_told_and_what_is_missing() -> None:
    room = Room()
    room.take(openai.SpeechStarted(0, "q"), openai.SpeechStopped(500, "q"), created(), openai.AgentWords("r1", "i1", "Yes of course"))
    room.take(sound(900))
    room.wait(300)
    assert room.dialogue.finish() is False
    assert room.finals() == ["Yes"]
    assert any(isinstance(each, NotTranscribed) for each in room.heard)


def test_how_long_a_caller_waits_for_an_answer_is_told_once_for_each() -> None:
    room = Room()
    room.take(
        created(), sound(100), openai.AudioDone("r1", "i1"), openai.AgentSaid("r1", "i1", "Hi."), done()
    )  # a greeting answers nothing
    room.wait(2000)
    room.take(openai.SpeechStarted(400, "q"), openai.SpeechStopped(1200, "q"))
    room.wait(400)
    room.take(created("r2"), sound(100, "r2", "i2"), sound(100, "r2", "i2"))
    assert room.waits == [1200.0]
