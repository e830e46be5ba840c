"""What of a model's answer is believed."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.notes.reply import OFFSETS_MOST, SENTENCE_CHARACTERS, SENTENCES_MOST, BadReply, read
from tests.providers.fake_chat import note

OFFSETS = frozenset(range(2, 20))


def test_a_note_has_sentences_with_what_they_rest_on() -> None:
    draft = read(note([("It was about a parcel.", [4, 2, 4])], [("The caller writes.", [9])], [("When does it come?", [3])]), OFFSETS)
    assert [(each.text, each.offsets) for each in draft.summary] == [("It was about a parcel.", [2, 4])]
    assert [(each.text, each.offsets) for each in draft.next_steps] == [("The caller writes.", [9])]
    assert [(each.text, each.offsets) for each in draft.open_questions] == [("When does it come?", [3])]
    assert draft.offsets == {2, 3, 4, 9}


def test_a_sentence_that_rests_on_nothing_of_the_call_is_dropped_and_so_are_offsets_that_are_none() -> None:
    draft = read(note([("One.", [2, 99]), ("Two.", [3]), ("Three.", [4]), ("Made up.", [99]), ("No ground.", [])]), OFFSETS, strict=False)
    assert [(each.text, each.offsets) for each in draft.summary] == [("One.", [2]), ("Two.", [3]), ("Three.", [4])]


def test_an_answer_is_refused_of_which_too_much_rests_on_nothing() -> None:
    answer = note([("One.", [2])], [("Made up.", [99])])
    with pytest.raises(BadReply, match="1 of its 2 sentences rest on no utterance that you were given"):
        read(answer, OFFSETS)
    assert len(read(answer, OFFSETS, strict=False).summary) == 1


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ("", "it has no JSON object"),
        ("I am sorry, I cannot do that.", "it has no JSON object"),
        ("} {", "it has no JSON object"),
        ("{'summary': []}", "it is not a JSON object of the form"),
        ('{"summary": "They talked."}', "it is not a JSON object of the form"),
        ('{"summary": [{"text": "a", "offsets": ["2"]}]}', "it is not a JSON object of the form"),
        ('{"summary":' * 100_000 + "}", "it is not a JSON object of the form"),
        (note([]), "no sentence of its summary rests on an utterance"),
        (note([("Made up.", [99])]), "no sentence of its summary rests on an utterance"),
        (note([(" \u200b", [2])], [("But this.", [2])]), "no sentence of its summary rests on an utterance"),
    ],
)
@pytest.mark.parametrize("strict", [True, False])
def test_an_answer_that_is_no_note_is_refused_in_a_sentence_without_its_words(answer: str, problem: str, strict: bool) -> None:
    with pytest.raises(BadReply, match=re.escape(problem)):
        read(answer, OFFSETS, strict=strict)


@pytest.mark.parametrize("around", ["```json\n%s\n```", "<think>hm, so</think>%s", "Here it is:\n%s\nAnything else?", "%s"])
def test_what_stands_around_the_object_does_not_count(around: str) -> None:
    assert len(read(around % note([("They talked.", [2])]), OFFSETS).summary) == 1


def test_markup_is_text_and_what_acts_on_other_text_is_gone() -> None:
    evil = '<img src=x onerror="alert(1)">\x1b[2J\u202egnp.exe\u2066\r\n**now**\u0000'
    (sentence,) = read(note([(evil, [2])]), OFFSETS).summary
    assert sentence.text == '<img src=x onerror="alert(1)"> [2Jgnp.exe **now**'


def test_a_note_is_bounded() -> None:
    draft = read(note([("word " * 1000, list(OFFSETS))] * 100, [("a", [2])] * 100), OFFSETS)
    assert (len(draft.summary), len(draft.next_steps)) == (SENTENCES_MOST, SENTENCES_MOST)
    assert len(draft.summary[0].text) <= SENTENCE_CHARACTERS
    assert draft.summary[0].text.endswith("word…")
    assert len(draft.summary[0].offsets) == OFFSETS_MOST


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["summary", "next_steps", "text", "offsets"]) | st.text(), inner),
)


@given(st.text() | st.builds(json.dumps, _json) | st.builds(lambda value: json.dumps({"summary": value}), _json))
def test_any_text_is_a_note_or_refused(answer: str) -> None:
    try:
        draft: Any = read(answer, OFFSETS, strict=False)
    except BadReply:
        return
    for sentence in (*draft.summary, *draft.next_steps, *draft.open_questions):
        assert any(map(str.isalnum, sentence.text))
        assert sentence.offsets
        assert OFFSETS.issuperset(sentence.offsets)
