"""Pages of the list and of the search: every filter, alone and with others, against going through all calls."""

import random
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import pytest

from hub.archive.archive import Archive, CallFilter, Facts
from hub.events import CallSummary
from hub.transcript.search import document
from tests.archive.made import change, facts, number_at, seal_all, sids, write_ended

pytestmark = pytest.mark.one_python

ALL = CallFilter()

NUMBERS = ["+14155550100", "+14155550101", "+14155550102", "client:ann", None]
AGENTS = ["sales", "billing", None]
STATES = ["complete", "incomplete", "not-transcribed"]
QUEUES = [None, "billing", "sales"]
WORDS = ["refund", "refunded", "invoice", "broken", "thanks", "r2d2", "a"]


@dataclass(frozen=True)
class Kept:
    """A call of the example."""

    call_sid: str
    facts: Facts
    words: frozenset[str]
    sealed: bool

    def fits(self, wanted: CallFilter) -> bool:
        """Return whether the call is asked for: what `CallFilter` says, word by word."""
        its = self.facts
        keys = {self.call_sid, its.from_, its.to}
        return (
            (wanted.allowed is None or bool(wanted.allowed & keys))
            and (wanted.ended_after is None or its.ended_at is None or its.ended_at > wanted.ended_after)
            and (wanted.since is None or its.started_at >= wanted.since)
            and (wanted.until is None or its.started_at < wanted.until)
            and (wanted.number is None or wanted.number in (its.from_, its.to))
            and (wanted.agent is None or its.agent == wanted.agent)
            and (wanted.queue is None or its.queue == wanted.queue)
            and (wanted.state is None or its.state == wanted.state)
            and (wanted.live is None or wanted.live == (its.ended_at is None))
            and (not wanted.words or self.may_have(wanted.words))
        )

    def may_have(self, words: tuple[str, ...]) -> bool:
        """Return whether the call is found by words: a live one is not, and one that is not sealed yet always is."""
        if self.facts.ended_at is None:
            return False
        return not self.sealed or all(any(own.startswith(word) for own in self.words) for word in words)


def kept(archive: Archive, count: int = 160) -> list[Kept]:
    """Store calls of all kinds, and return them, the newest first."""
    chance = random.Random(count)
    calls = []
    for i in range(count):
        started = 1000.0 + i * 10 + chance.random()
        sid = f"CA{i:032x}"
        ended = None if chance.random() < 0.1 else started + chance.random() * 200
        told = facts(
            sid,
            started,
            ended_at=ended,
            from_=chance.choice(NUMBERS),
            to=chance.choice(NUMBERS),
            agent=chance.choice(AGENTS),
            queue=chance.choice(QUEUES),
            state=chance.choice(STATES),
        )
        new = replace(change(sid, *chance.sample(WORDS, chance.randrange(4))), facts=told)
        archive.write([new])
        words = document(msgspec.json.decode(told.summary, type=CallSummary), [event.payload for event in new.events])
        calls.append(Kept(call_sid=sid, facts=told, words=words, sealed=False))
        if i == count - 20:
            seal_all(archive)
            calls = [replace(each, sealed=each.facts.ended_at is not None) for each in calls]
    return calls[::-1]


def question(chance: random.Random, calls: list[Kept]) -> CallFilter:
    """Return a question: each filter is in a third of them."""

    def moment() -> float:
        return chance.choice([calls[0], calls[-1], chance.choice(calls)]).facts.started_at + chance.choice([-1.0, 0.0, 1.0, 50.0])

    def allowed() -> frozenset[str]:
        some = [each.call_sid for each in chance.sample(calls, chance.choice([0, 1, 3, 30]))]
        return frozenset(some + [each for each in chance.sample(NUMBERS, chance.choice([0, 1, 2, 4])) if each])

    may: dict[str, Any] = {
        "allowed": allowed,
        "ended_after": moment,
        "since": moment,
        "until": moment,
        "number": lambda: chance.choice([*filter(None, NUMBERS), "+1"]),
        "agent": lambda: chance.choice([*filter(None, AGENTS), "nobody"]),
        "queue": lambda: chance.choice([*filter(None, QUEUES), "nobody"]),
        "state": lambda: chance.choice(STATES),
        "live": lambda: chance.random() < 0.5,
        "words": lambda: tuple(chance.choice(WORDS)[: chance.choice([1, 2, 3, 5, 9])] for _ in range(chance.choice([1, 2]))),
    }
    chosen = chance.sample(list(may), chance.choice([0, 1, 1, 2, 2, 3, 4]))
    return CallFilter(**{name: may[name]() for name in chosen})


def test_every_question_is_answered_as_by_going_through_all_calls(archive: Archive) -> None:
    calls, chance = kept(archive), random.Random(5)
    for _ in range(400):
        wanted = question(chance, calls)
        before = chance.choice([None, None, chance.choice(calls).facts.number])
        limit = chance.choice([1, 5, 200])
        expected = [each.call_sid for each in calls if each.fits(wanted) and (before is None or each.facts.number < before)][:limit]
        assert sids(archive.page(wanted, before, limit)) == expected, (wanted, before, limit)


@pytest.mark.parametrize(
    "wanted", [ALL, CallFilter(number="+14155550100"), CallFilter(words=("re",)), CallFilter(agent="sales", state="complete")]
)
def test_pages_follow_each_other_without_a_hole_or_a_repeat(archive: Archive, wanted: CallFilter) -> None:
    calls = kept(archive)
    seen: list[str] = []
    before = None
    while page := archive.page(wanted, before, 7):
        seen += sids(page)
        before = page[-1].facts.number
    assert seen == [each.call_sid for each in calls if each.fits(wanted)]


def test_nothing_is_allowed_and_nothing_is_asked_for(archive: Archive) -> None:
    write_ended(archive, "CA1", "word", at=1.0)
    assert archive.page(CallFilter(allowed=frozenset()), None, 10) == []
    assert archive.page(ALL, None, 0) == []


def test_a_token_with_hundreds_of_calls_and_numbers(archive: Archive) -> None:
    for i in range(30):
        write_ended(archive, f"CA{i:032x}", at=1.0 + i, from_=f"+1{i}", to="+99")
    many = frozenset([f"CA{i:032x}" for i in range(20, 700)] + [f"+1{i}" for i in range(5)] + [f"+2{i}" for i in range(700)])
    expected = [f"CA{i:032x}" for i in [*range(29, 19, -1), 4, 3, 2, 1, 0]]
    assert sids(archive.page(CallFilter(allowed=many), None, 50)) == expected
    seal_all(archive)
    assert sids(archive.page(CallFilter(allowed=many), None, 50)) == expected
    assert sids(archive.page(CallFilter(allowed=many, number="+99"), None, 50)) == expected


def test_a_call_between_two_allowed_numbers_comes_once(archive: Archive) -> None:
    write_ended(archive, "CA1", at=1.0, from_="+1", to="+2")
    assert sids(archive.page(CallFilter(allowed=frozenset({"+1", "+2", "CA1"})), None, 10)) == ["CA1"]
    assert sids(archive.page(CallFilter(number="+1"), None, 10)) == ["CA1"]


def test_moments_and_numbers_without_bounds(archive: Archive) -> None:
    write_ended(archive, "CA1", at=1.0)
    for wanted, found in (
        (CallFilter(since=-5.0), ["CA1"]),
        (CallFilter(since=1e300), []),
        (CallFilter(until=1e300), ["CA1"]),
        (CallFilter(until=-1.0), []),
        (CallFilter(ended_after=1e300), []),
    ):
        assert sids(archive.page(wanted, None, 10)) == found, wanted
    assert sids(archive.page(ALL, 2**70, 10)) == ["CA1"]
    assert archive.page(ALL, -(2**70), 10) == []
    assert archive.page(ALL, number_at(1.0), 10) == []


@pytest.mark.parametrize("punctuation", ["!\"#$%&'()*+,-./", ":;<=>?@[\\]^_`", "{|}~", "ÀßøŁ", "中", "😀", "שלום", "\ue000"])
def test_every_character_can_be_in_a_word(archive: Archive, punctuation: str) -> None:
    for i, character in enumerate(punctuation):
        write_ended(archive, f"CA{i}", at=1.0 + i, from_=f"x{character}y")
    seal_all(archive)
    for character in punctuation:
        archive.page(CallFilter(words=(f"x{character}y", f"{character}")), None, 10)  # nothing in it is the database's own language


def test_a_word_that_is_too_long_is_found_by_its_beginning(archive: Archive) -> None:
    write_ended(archive, "CA1", "x" * 5000, at=1.0)
    write_ended(archive, "CA2", "x" * 50, at=2.0)
    seal_all(archive)
    assert sids(archive.page(CallFilter(words=("x" * 5000,)), None, 10)) == ["CA1"]
