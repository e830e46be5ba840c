"""Calls are found by what was said in them, and by their numbers and names."""

import pytest

from hub.events import CallStarted, Final, TranscriberName, encode
from hub.transcript.outline import Outline
from hub.transcript.search import MAX_CHARACTERS, MAX_WORDS, SHOWN, CallSearch, Query

SAID = ["Hello, I want a refund.", "A REFUNDED order?", "Yes, Straße 5. Café.", "Good-bye"]


def search(query: str, said: list[str] = SAID) -> CallSearch:
    outline = Outline()
    outline.apply(
        CallStarted(
            call_sid="CA77", from_="+14155550123", to="+4930123456", tracks=["inbound"], speakers={"inbound": "Ada", "outbound": "desk"},
            parameters={}, stream_sid="MZ1", transcriber=TranscriberName(provider="deepgram", model="nova-3"),
        )
    )  # fmt: skip
    found = Query(query).of(outline.summary("CA77", "e", 1))
    payloads = [
        encode(
            Final(
                call_sid="CA77", utterance=f"u{at}", revision=1, track="inbound", speaker="Ada", text=text, start=at, end=at + 1, words=[],
                offset=at + 2,
            )
        )
        for at, text in enumerate(said)
    ]  # fmt: skip
    for payload in payloads:
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
        ("ada", []),
        ("DeepGram refund", [0, 1]),
        ("ca77", []),
        ("(415) 555", []),
        ("0123", []),
        ("  ", []),
    ],
)
def test_a_call_is_found_if_it_has_every_word(query: str, hits: list[int]) -> None:
    found = search(query)
    assert found.fits
    assert [hit.start for hit in found.found] == hits
    assert found.hits == len(hits)


@pytest.mark.parametrize("query", ["refund nothing", "xyz", "555999", "99"])
def test_a_call_that_lacks_a_word_is_not_found(query: str) -> None:
    assert not search(query).fits


def test_few_of_many_utterances_are_shown_and_all_are_counted() -> None:
    found = search("refund", ["a refund"] * 40)
    assert (found.hits, len(found.found)) == (40, SHOWN)


@pytest.mark.parametrize("query", ["x" * (MAX_CHARACTERS + 1), " ".join(map(str, range(MAX_WORDS + 1)))])
def test_a_query_that_is_too_long_is_refused_in_a_sentence(query: str) -> None:
    with pytest.raises(ValueError, match="a search has at most"):
        Query(query)
