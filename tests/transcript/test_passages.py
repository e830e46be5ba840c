"""Terms are found in a text, and marked where a reader sees them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.text.words import comparable, roughly_comparable
from hub.transcript.passages import SHOWN_CHARACTERS, Passage, passage
from hub.transcript.terms import read_terms


def marked(text: str, query: str) -> list[str]:
    return pieces(passage(text, read_terms(query)))


def pieces(shown: Passage) -> list[str]:
    """The marked pieces, cut out as JavaScript does."""
    units = shown.text.encode("utf-16-le", "surrogatepass")
    return [units[2 * start : 2 * (start + length)].decode("utf-16-le", "surrogatepass") for start, length in shown.matches]


@pytest.mark.parametrize(
    ("text", "query", "found"),
    [
        ("A REFUNDED order", "refund", ["REFUND"]),
        ("Cafe\u0301 Straße", "café strass", ["Cafe\u0301", "Straß"]),
        ("I don\u2019t know", "dont", ["don\u2019t"]),
        ("l\u2019avion", "avion", ["avion"]),
        ("😀 refund 😀", "refund 😀", ["😀", "refund", "😀"]),
        ("今日は良い", "日は", ["日は"]),
        ("call 415-555 0199 now", "(415)5550", ["415-555 0"]),
        ("re refund, refund", "re refund", ["re", "refund", "refund"]),
        ("ｶﾞｽ", "ガ", ["ｶﾞ"]),
        ("한국", "하", ["한"]),
        ("want a refund", '"want a ref"', ["want a ref"]),
        ("nothing", "refund", []),
    ],
)
def test_what_was_found_is_marked_in_the_text_as_it_was_written(text: str, query: str, found: list[str]) -> None:
    assert marked(text, query) == found


@pytest.mark.parametrize("words", [50, 5000])
def test_a_long_utterance_is_cut_around_its_first_match(words: int) -> None:
    shown = passage("and so on " * words + "until I had my refund" + " at last" * words, read_terms("refund"))
    assert pieces(shown) == ["refund"]
    assert len(shown.text) <= SHOWN_CHARACTERS + 2
    assert shown.text.startswith("…")
    assert shown.text.endswith((" at…", " last…"))
    assert " until I had my refund at last at" in shown.text


def test_a_long_utterance_with_the_match_at_its_beginning_begins_with_it() -> None:
    shown = passage("refund " * 100, read_terms("refund"))
    assert shown.text.startswith("refund refund")
    assert shown.text.endswith("refund…")


def test_the_end_of_a_long_utterance_is_its_end() -> None:
    shown = passage("and so on " * 50 + "my refund", read_terms("refund"))
    assert (shown.text[0], shown.text[-9:]) == ("…", "my refund")


LETTERS = st.text(st.sampled_from("aB'\u2019 é1\u06612今ด😀\u0301ßİが\u3099ㅎ한\u11ab-"), max_size=12)


@given(LETTERS, LETTERS)
def test_a_mark_is_of_the_words_that_are_looked_for(text: str, query: str) -> None:
    terms = read_terms(query)
    found = marked(text, query)
    if any(term.is_in(comparable(text)) for term in terms):
        assert found
        assert all(any(comparable(term.needle).split()[0][0] in comparable(piece) for term in terms) for piece in found)
    else:
        assert not found


@given(LETTERS, LETTERS | st.text(st.sampled_from("12 -a"), max_size=6))
def test_what_a_text_has_is_seen_in_its_rough_form_first(text: str, query: str) -> None:
    for term in read_terms(query):
        if term.is_in(comparable(text)):
            assert term.begins in roughly_comparable(text)
