"""Words are compared in one spelling, whoever wrote them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.text.words import comparable, roughly_comparable, spelled, tokens, wanted


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Café CAFÉ cafe\u0301", ["cafe", "cafe", "cafe"]),
        ("Straße Łódź İstanbul Ørsted", ["strasse", "lodz", "istanbul", "orsted"]),
        ("check-in, a.b@c.de x_y", ["check", "in", "a", "b", "c", "de", "x", "y"]),
        ("don\u2019t l'avion", ["don", "t", "l", "avion"]),
        ("今日はiPhoneです", ["今", "日", "は", "iphone", "で", "す"]),
        ("がか", ["が", "か"]),
        ("ดี ລາວ", ["ด", "ี", "ລ", "າ", "ວ"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("Ёлка мой", ["елка", "мой"]),
        ("مُحَمَّد أحمد می\u200cخواهم", ["محمد", "احمد", "میخواهم"]),  # noqa: RUF001
        ("שָׁלוֹם", ["שלום"]),
        ("Οδός ΟΔΌΣ", ["οδοσ", "οδοσ"]),
        ("٣٤ \uff11\uff12\uff13 ½", ["34", "123", "1", "2"]),
        ("thanks😀👍🏽 1\ufe0f\u20e3", ["thanks", "😀", "👍", "1"]),
        ("a\x00b\ud800c\u200bd e\u00adf \u202egh", ["a", "b", "c", "d", "ef", "gh"]),
        ("-- * \" ' (", []),
    ],
)
def test_a_text_has_these_words(text: str, words: list[str]) -> None:
    assert tokens(text) == words


def test_a_korean_syllable_begins_with_the_one_that_is_typed_first() -> None:
    assert tokens("한국")[0].startswith(tokens("하")[0])


def test_words_with_an_apostrophe_are_found_with_it_without_it_and_by_their_second_part() -> None:
    text = comparable("Don't miss l\u2019avion")
    for asked in ("don't", "dont", "l'avion", "avion", "don't miss"):
        assert "".join(f" {word}" for word in wanted(asked)) in text, asked


TEXTS = st.text(st.sampled_from("aé'\u2019 -1今ด\u0301\u200d한.A"), max_size=8)


@given(st.text())
def test_any_text_is_words_of_letters_digits_and_marks(text: str) -> None:
    assert tokens(text) == comparable(text).partition("\n")[0].split()
    assert all(word and not re.search(r"[\s'\x00]", word) for word in tokens(text))


@given(st.text(), st.sampled_from(["a" * 99, "é" * 99, "И" * 99]))
def test_a_text_is_spelled_the_same_whatever_stands_around_it(text: str, around: str) -> None:
    alone, among = spelled(f" {text} "), spelled(f"{around} {text} {around}")
    assert among.split() == [*spelled(around).split(), *alone.split(), *spelled(around).split()]
    assert spelled(alone).split() == alone.split()


@given(TEXTS, TEXTS)
def test_a_single_word_is_found_in_the_rough_form_where_it_is_found_in_the_exact_one(text: str, query: str) -> None:
    for word in wanted(query):
        assert (f" {word}" in roughly_comparable(text)) == (f" {word}" in comparable(text))


@given(st.text(), st.text())
def test_a_text_has_the_words_of_its_parts(before: str, after: str) -> None:
    assert tokens(f"{before} {after}") == tokens(before) + tokens(after)
