"""How much of what is secret is masked, and how much that is not: measured on the corpus. The pages quote these figures."""

import pytest

from tests.docs.pages import text
from tests.insight.redaction.corpus import FORMS, ORDINARY, secrets
from tests.insight.redaction.ordinary import SENTENCES
from tests.insight.redaction.spoken import digits_left, said

DIALOGUES = 500

MASKED = [
    "I live on 5th avenue number 120",
    "We split it fifty fifty",
    "We sold 12,345 tickets",
    "The population is 8,336,817",
    "Three, two, one, go",
]
"""What is masked although it is harmless."""


@pytest.fixture(scope="module")
def heard() -> "list[tuple[str, list[str], list[str], list[str]]]":
    """The form of each dialogue, and what readers get of it: texts of finals, words of finals, texts of interims."""
    made = []
    for dialogue in secrets(seed=15, count=DIALOGUES):
        conversation = said(*dialogue.lines)
        words = [word.text for final in conversation.finals for word in final.words]
        made.append((dialogue.form, conversation.texts, words, conversation.interims))
    return made


def test_no_digit_of_a_secret_number_is_in_any_final(heard: "list[tuple[str, list[str], list[str], list[str]]]") -> None:
    assert {form for form, *_ in heard} == set(FORMS)
    assert [(form, texts) for form, texts, _, _ in heard if any(map(digits_left, texts))] == []


def test_no_digit_of_a_secret_number_is_in_the_words_of_a_final(heard: "list[tuple[str, list[str], list[str], list[str]]]") -> None:
    assert [(form, words) for form, _, words, _ in heard if any(map(digits_left, words))] == []


def test_no_interim_shows_a_digit_of_a_number_that_goes_on(heard: "list[tuple[str, list[str], list[str], list[str]]]") -> None:
    assert [(form, interims) for form, _, _, interims in heard if any(map(digits_left, interims))] == []


def test_each_secret_number_is_told_as_one(heard: "list[tuple[str, list[str], list[str], list[str]]]") -> None:
    assert [form for form, texts, words, _ in heard if "[" not in "".join(texts) or "[" not in "".join(words)] == []


def stays(sentence: str, part: str, *after: "tuple[str, str]") -> bool:
    """Return whether a part of a sentence is published as it was said."""
    return any(part in final.text for final in said(sentence, *after).finals if final.utterance == "inbound-1")


def test_prices_times_dates_and_short_numbers_stay() -> None:
    """`precision`: nothing of what is masked in a conversation that goes on is harmless."""
    lost = [
        sentence
        for sentence, part in ORDINARY
        if not stays(sentence, part, ("outbound", "let me look"), ("inbound", "Thanks, that is all."))
    ]
    assert lost == []


def test_at_the_end_of_a_call_a_few_short_numbers_are_taken_for_the_beginning_of_long_ones() -> None:
    lost = [sentence for sentence, part in ORDINARY if not stays(sentence, part)]
    assert lost == ["I paid two hundred and fifty."]


def test_of_sentences_that_the_rules_were_not_made_by_a_few_are_masked() -> None:
    heard = {sentence: said(f"{sentence}.", ("outbound", "let me look"), ("inbound", "Thanks, that is all.")) for sentence in SENTENCES}
    assert [sentence for sentence, conversation in heard.items() if any("[" in text for text in conversation.texts)] == MASKED


def test_the_operators_page_quotes_these_figures() -> None:
    page = " ".join(text("hub/deploy/README.md").split())
    assert f"{DIALOGUES} of {DIALOGUES} secret numbers are masked" in page
    assert f"{len(ORDINARY)} of {len(ORDINARY)} harmless ones stay" in page
    assert f"{len(SENTENCES) - len(MASKED)} of {len(SENTENCES)} other sentences stay" in page
