"""Which words of an agent were heard: never more than there are, never half a word, never fewer as more is played."""

from hypothesis import given
from hypothesis import strategies as st

from hub.agents.agent_utterance import LETTERS_PER_MS, AgentUtterance

texts = st.lists(st.text("abcäß.,", min_size=1, max_size=9), max_size=12).map(" ".join)
spans = st.floats(0, 60_000)


@given(texts, st.tuples(spans, spans, spans).map(sorted), st.booleans(), st.floats(0.001, 0.1))
def test_what_was_heard_is_whole_words_from_the_beginning_and_only_grows(text: str, times: list[float], done: bool, pace: float) -> None:
    before_ms, now_ms, sent_ms = times
    utterance = AgentUtterance("r", text, audio_done=done)
    before, now = (utterance.heard(each, sent_ms, pace) for each in (before_ms, now_ms))
    assert text.startswith(now)
    assert now.startswith(before)
    assert now.split() == text.split()[: len(now.split())]


@given(texts, st.floats(1, 60_000))
def test_all_of_it_was_heard_once_all_its_audio_was(text: str, sent_ms: float) -> None:
    assert AgentUtterance("r", text, audio_done=True).heard(sent_ms, sent_ms, LETTERS_PER_MS) == text


def test_nothing_was_heard_of_text_whose_audio_has_not_come() -> None:
    assert AgentUtterance("r", "Hello.").heard(0, 0, LETTERS_PER_MS) == ""


def test_a_pace_is_taken_from_what_is_long_enough_to_have_one() -> None:
    assert AgentUtterance("r", "x" * 100).pace(10_000, 0.5) == 0.01
    assert AgentUtterance("r", "Hi.").pace(200, 0.5) == 0.5
    assert AgentUtterance("r", "").pace(5_000, 0.5) == 0.5
