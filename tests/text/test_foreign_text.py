"""Text that others chose, as it is shown."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.text.foreign_text import isolated, line, name, quoted

EMBEDDINGS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Zoë 你好 €", "Zoë 你好 €"),
        ("\x1b[2Jhello", "[2Jhello"),
        ("a\nb\tc\x7f", "a b c"),
        ("one\u2028two\u2029three\x85four\x0bfive\x0csix", "one two three four five six"),
        ("+14155550100\u202e9", "+141555501009"),
        ("میﺮﻭم می\u200cروم", "میﺮﻭم می\u200cروم"),
        ("👩\u200d💻 is 10\u00a0km off", "👩\u200d💻 is 10\u00a0km off"),
        ("cafe\u0301", "cafe\u0301"),
        ("\ufeffBOM", "BOM"),
        ("half \ud83d", "half \ufffd"),
        ("شكر\u200f!", "شكر\u200f!"),
        ("", ""),
    ],
)
def test_words_become_one_line_and_keep_what_their_language_needs(text: str, shown: str) -> None:
    assert line(text) == shown


@pytest.mark.parametrize("mark", "\u061c\u200b\u200e\u200f\u2060\ufeff" + EMBEDDINGS)
def test_a_name_or_number_has_no_invisible_marks(mark: str) -> None:
    assert name(f"+1415{mark}5550100") == "+14155550100"


@given(st.text())
def test_any_text_becomes_one_line_that_can_be_written(text: str) -> None:
    for shown in (line(text), name(text), quoted(text)):
        assert len(shown.splitlines()) <= 1
        shown.encode()
        assert not any(unicodedata.category(letter) in {"Cc", "Zl", "Zp", "Cs"} or letter in EMBEDDINGS for letter in shown)


@pytest.mark.parametrize("words", ["شكر, 12.", "شكر", "Shalom شكر", "\u200f12", "\U0001e900"])
def test_words_from_right_to_left_are_isolated(words: str) -> None:
    assert isolated(words) == f"\u2068{words}\u2069"


@pytest.mark.parametrize("words", ["Hello, 12.", "Zoë 你好 €", "", "\u202eHello"])
def test_other_words_are_left_alone(words: str) -> None:
    assert isolated(words) == words.strip("\u202e")


def test_an_isolate_cannot_be_ended_from_inside() -> None:
    assert isolated("شكر\u2069\u202e 12") == "\u2068شكر 12\u2069"


def test_a_log_shows_characters_that_act_as_their_escapes() -> None:
    assert quoted("done\n2026 ERROR \x1b[31mforged\u202e\u2028\x9b\t") == r"done\n2026 ERROR \x1b[31mforged\u202e\u2028\x9b\t"
    assert quoted("Zoë said “no” at C:\\new 你好") == "Zoë said “no” at C:\\new 你好"
