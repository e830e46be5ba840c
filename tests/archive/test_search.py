"""SQLite, PostgreSQL and memory find the same calls: the index has every call that `CallSearch` finds, whatever was said or typed."""

import random

import msgspec
import pytest

from hub.archive.archive import Archive, CallFilter, StoredCall
from hub.events import CallSummary
from hub.transcript.search import CallSearch, Query
from tests.archive.made import change, seal_all, sids, write_ended

pytestmark = pytest.mark.one_python

SAID = [
    "I want a refund for the order.", "Don't you REFUND caf\u00e9 bills?", "call 415 555 01 99 or (030) 12-34",
    "今日は良い天気ですね iPhone",
    "สวัสดี ครับ", "हिन्दी में बात", "한국어 좋아요", "😀 thanks", "Ёлка and мой", "l\u2019avion d'or", "x\x00y z\u2028w", "שָׁלוֹם أحمد",
    "NEAR(a b) OR text:c -d \"e\" f* ^g", "w" * 300, "back\\slash and 'quotes' and %percent_", "\ue000u \ufdd0 \uffff",
]  # fmt: skip
ASKED = [
    *[word[:150] for text in SAID for word in text.split()], "refund order", "dont", "avion", "5550199", "天気", "iph", "hi", "cafe",
    '"for the ord"',
    "+1 415 555 0123", "4155550", "0123", "deepgram", "caller refund", "sales", "ca0", "\ue000u", "-refund", "refund*", "w" * 150, "%", "é",
]  # fmt: skip


@pytest.fixture
def filled(archive: Archive) -> Archive:
    """An archive with 60 sealed calls, of some of the sentences each."""
    chance = random.Random(1)
    for at in range(60):
        texts = [text.encode("utf-8", "replace").decode() for text in chance.sample(SAID, chance.randint(0, 4))]
        from_, agent = chance.choice([None, "+14155550123", "sip:ada@pbx.example.com"]), chance.choice([None, "sales"])
        write_ended(archive, f"CA{at:032d}", *texts, at=1000.0 + at, from_=from_, agent=agent)
    seal_all(archive)
    return archive


def exactly(call: StoredCall, archive: Archive, query: Query) -> CallSearch:
    """Search in the events of a call, as it is done in memory."""
    log = archive.log(call.call_sid)
    assert log is not None
    search = query.of(msgspec.json.decode(call.facts.summary, type=CallSummary))
    search.read(log.payloads)
    return search


def test_the_index_has_every_call_that_is_found(filled: Archive) -> None:
    everything = filled.page(CallFilter(), None, 100)
    assert len(everything) == 60
    found = 0
    for asked in ASKED:
        query = Query(asked)
        candidates = sids(filled.page(CallFilter(words=query.words), None, 100))
        exact = [call.call_sid for call in everything if exactly(call, filled, query).fits]
        assert [sid for sid in candidates if sid in exact] == exact, asked
        found += len(exact)
    assert found > 100


@pytest.mark.parametrize("asked", ["".join(map(chr, range(0x4E00, 0x4E00 + 200))), " ".join("abcdefghijkl"), "1" * 200, "(" * 199 + "a"])
def test_the_longest_queries_are_answered(filled: Archive, asked: str) -> None:
    write_ended(filled, "CA1", asked, at=5000.0)
    seal_all(filled)
    query = Query(asked)
    candidates = filled.page(CallFilter(words=query.words), None, 100)
    assert "CA1" in sids(candidates)
    assert all(exactly(call, filled, query).fits for call in candidates if call.call_sid == "CA1")


def test_what_a_search_reads_of_a_call_is_what_its_events_say(filled: Archive) -> None:
    calls = filled.page(CallFilter(), None, 100)
    spoken = filled.spoken(calls)
    for asked in ("refund order", "dont", "4155550199", "天気"):
        query = Query(asked)
        for call, parts in zip(calls, spoken, strict=True):
            exact, search = exactly(call, filled, query), query.of(msgspec.json.decode(call.facts.summary, type=CallSummary))
            for part in parts:
                search.read_spoken(part)
            assert (search.fits, search.hits, search.found, search.utterances) == (exact.fits, exact.hits, exact.found, exact.utterances)


def test_a_call_that_goes_on_after_it_was_sealed_is_found_by_all_its_words(archive: Archive) -> None:
    write_ended(archive, "CA1", "first words", at=1000.0)
    seal_all(archive)
    archive.write([change("CA1", "second words", at=1000.0, after=1)])
    archive.write([change("CA1", at=1000.0, ended_at=1200.0)])
    seal_all(archive)
    query = Query("first second")
    calls = archive.page(CallFilter(words=query.words), None, 10)
    assert sids(calls) == ["CA1"]
    search = query.of(msgspec.json.decode(calls[0].facts.summary, type=CallSummary))
    for part in archive.spoken(calls)[0]:
        search.read_spoken(part)
    assert search.fits


def test_an_erased_call_has_nothing_to_be_searched(archive: Archive) -> None:
    write_ended(archive, "CA1", "a refund", at=1000.0)
    seal_all(archive)
    calls = archive.page(CallFilter(), None, 10)
    archive.erase(["CA1"], "erased", 2000.0)
    assert archive.spoken(calls) == [[]]
    assert archive.page(CallFilter(words=("refund",)), None, 10) == []
