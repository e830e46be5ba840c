"""Calls are found by what was said in them, and by their numbers and names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.events import CallStarted, CallSummary, Final, TranscriberName, encode
from hub.transcript.outline import Outline
from hub.transcript.search import MAX_CHARACTERS, MAX_WORDS, SHOWN, CallSearch, Query, document
from hub.transcript.terms import TOKEN_CHARACTERS

SAID = ["Hello, I want a refund.", "A REFUNDED order?", "Yes, Straße 5. Café.", "Good-bye", "Call 415 555 01 99, don't", "今日はiPhone"]


def summary() -> CallSummary:
    outline = Outline()
    outline.apply(
        CallStarted(
            call_sid="CA77ff12", from_="+14155550123", to="+4930123456", tracks=["inbound"],
            speakers={"inbound": "Ada", "outbound": "desk"}, parameters={}, stream_sid="MZ1",
            transcriber=TranscriberName(provider="deepgram", model="nova-3"), agent="scheduling",
        )
    )  # fmt: skip
    return outline.summary("CA77ff12", "e", 1)


def finals(said: list[str]) -> list[bytes]:
    return [
        encode(
            Final(
                call_sid="CA77ff12", utterance=f"u{at}", revision=1, track="inbound", speaker="Ada", text=text, start=at, end=at + 1,
                words=[], offset=at + 2,
            )
        )
        for at, text in enumerate(said)
    ]  # fmt: skip


def search(query: str, said: list[str] = SAID) -> CallSearch:
    found = Query(query).of(summary())
    for payload in finals(said):
        found.read([payload])
    return found


@pytest.mark.parametrize(
    ("query", "hits"),
    [
        ("refund", [0, 1]),
        ("Refund hello", [0]),
        ("refund bye", [0, 1, 3]),
        ("STRASSE", [2]),
        ("caf\u0065\u0301", [2]),
        ("cafe", [2]),
        ("good-bye", [3]),
        ("ada", []),
        ("DeepGram refund", [0, 1]),
        ("scheduling", []),
        ("ca77", []),
        ("ff12", []),
        ("(415) 555", [4]),
        ("+1 (415) 555-0123", [4]),
        ("0123", []),
        ("0049 30 123456", []),
        ("030 123456", []),
        ("555-0199", [4]),
        ("4155550199", [4]),
        ("dont", [4]),
        ("don't", [4]),
        ("日はip", [5]),
        ('"want a ref"', [0]),
        ("“want a”", [0]),
        ("  ", []),
        ('*"', []),
        ("-refund", [0, 1]),
        ("want* ^hello", [0]),
        ('unbalanced" refund', None),
        ('"refund', [0, 1]),
    ],
)
def test_a_call_is_found_if_it_has_every_word(query: str, hits: list[int] | None) -> None:
    found = search(query)
    assert found.fits == (hits is not None)
    if hits is not None:
        assert [hit.start for hit in found.found] == hits
        assert found.hits == len(hits)


@pytest.mark.parametrize(
    "query",
    [
        "refund nothing",
        "xyz",
        "555999",
        "fund",
        "日今",
        '"hello want"',
        "NEAR(hello refund)",
        "hello OR nothing",
        "text:refund",
        "hello\x00a",
    ],
)
def test_a_call_that_lacks_a_word_is_not_found(query: str) -> None:
    assert not search(query).fits


def test_few_of_many_utterances_are_shown_and_all_are_counted() -> None:
    found = search("refund", ["a refund"] * 40)
    assert (found.hits, len(found.found)) == (40, SHOWN)


@pytest.mark.parametrize("query", ["x" * (MAX_CHARACTERS + 1), " ".join(map(str, range(MAX_WORDS + 1)))])
def test_a_query_that_is_too_long_is_refused_in_a_sentence(query: str) -> None:
    with pytest.raises(ValueError, match="a search has at most"):
        Query(query)


def test_a_document_has_the_words_and_the_facts_and_each_part_of_a_number() -> None:
    words = document(summary(), finals(["Don't wait", "415 555 01 99", "w" * 200]))
    assert {"don", "t", "dont", "ada", "desk", "deepgram", "scheduling", "ca77ff12", "ff12", "w" * TOKEN_CHARACTERS} <= words
    assert {"14155550123", "4155550123", "123", "030123456", "4155550199", "5550199"} <= words
    assert not {"23", "14155550199"} & words


WORDS = st.text(st.sampled_from("a\u0431é'\u2019-1٣ 今日ด😀\u0301\u200b\u200d\"İßが\u3099ㅎ한\ud800\x00.ŁC"), max_size=14) | st.text(
    max_size=8
)


@given(st.lists(WORDS, max_size=4), st.data())
def test_the_index_has_every_call_that_is_found(said: list[str], data: st.DataObject) -> None:
    payloads = finals([text.encode("utf-8", "replace").decode() for text in said])
    whole = " ".join(said)
    begin = data.draw(st.integers(0, len(whole)))
    query = Query(data.draw(st.just(whole[begin : begin + data.draw(st.integers(0, 20))]) | WORDS))
    found = query.of(summary())
    found.read(payloads)
    words = document(summary(), payloads)
    if found.fits:
        assert all(any(word.startswith(wanted) for word in words) for wanted in query.words)


@pytest.mark.parametrize("query", [text for text in SAID if text.isascii()] + ["w" * 199])
def test_whole_utterances_and_long_words_are_found_through_the_index(query: str) -> None:
    said = [*SAID, "w" * 199]
    assert search(query, said).fits
    words = document(summary(), finals(said))
    assert all(any(word.startswith(wanted) for word in words) for wanted in Query(query).words)
