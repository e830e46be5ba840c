"""Finds calls by what was said in them, and by their numbers and names. Pure: a fold over payloads of a log, a part at a time.

**One meaning.** `CallSearch` decides whether a call is found, and where, whether it is live in memory or was archived long ago. The archive
has an index with the `document` of each call, and finds there which calls can have the `Query.words`. Each call that `CallSearch` finds is
among them, because both compare text in the form of `hub.text.words`.

**What is found.** Every term of the query must be in the call's facts or in its words. A term is a word, or several in quotes, which must
stand together. The end of a term may be the beginning of a word, so `refund` finds `refunded`. A term of digits finds a number however it
is written, in the facts and in what was said.

Does not know which calls there are.
"""

import re
from collections.abc import Iterable, Iterator

import msgspec

from hub.audio.g711 import Track
from hub.events import CallSummary, Part
from hub.text.phone_numbers import national, normal
from hub.text.words import comparable, tokens, wanted

__all__ = ["CallSearch", "Hit", "Query", "document", "tokens"]

MAX_CHARACTERS = 200
"""A longer query is refused: nobody types it."""

MAX_WORDS = 12
"""Words beyond these are refused: each one costs as much as all before it."""

SHOWN = 3
"""How many utterances are shown of a call that is found."""

TOKEN_CHARACTERS = 64
"""Of a word in the index. PostgreSQL takes 2,046 bytes, and nobody tells two words apart by what follows so late."""

NUMBER_DIGITS = 15
"""Of a number in the index. No phone number has more (E.164)."""

SHORTEST_NUMBER = 3
"""Digits of the shortest piece by which a number is found. Fewer would find nearly every number."""

_PHRASES = re.compile(r'(?<!\S)"([^"]*)"(?!\S)|(\S+)')
"""A phrase in quotes, or a word. A quote within a word is nothing but a blank."""

_QUOTES = dict.fromkeys(map(ord, "\u201c\u201d\u201e\u201f\u00ab\u00bb\uff02"), '"')
"""The quotes that phones and word processors write by themselves."""

_SPOKEN_NUMBER = re.compile(r"(?<= )[0-9]+(?: [0-9]+)+")
"""Groups of digits that stand together in the form of `comparable`: they may be one number."""

_FINAL = b'{"type":"final"'
"""How the payload of a final begins: the encoder writes the tag first."""

_WORDS = b',"words":['
"""Where the words of a final begin, of which each has its times: most of the payload. No text contains this: its quotes are escaped."""


class Hit(Part, frozen=True, kw_only=True):
    """An utterance that has words of the query. `start` is seconds of call time: the moment to go to."""

    offset: int
    utterance: str
    track: Track
    speaker: str
    text: str
    start: float


class _Said(msgspec.Struct, frozen=True, rename="camel"):
    """What a search reads of a final."""

    offset: int
    utterance: str
    track: Track
    speaker: str
    text: str
    start: float


_decoder = msgspec.json.Decoder(_Said)


class Term:
    """A part of a query that must be found as a whole."""

    __slots__ = ("digits", "needle", "pattern")

    def __init__(self, words: tuple[str, ...]) -> None:
        self.needle = "".join(f" {word}" for word in words)
        """What is in the form of `comparable` of each text that has the term."""
        digits = "".join(words)
        self.digits = digits if len(digits) >= SHORTEST_NUMBER and digits.isascii() and digits.isdigit() else ""
        """Of a number that is looked for. Empty for words."""
        self.pattern = re.compile(" " + " ?".join(self.digits)) if self.digits else None

    def is_in(self, text: str) -> bool:
        """Return whether a text in the form of `comparable` has the term."""
        return self.needle in text if self.pattern is None else self.pattern.search(text) is not None

    @property
    def words(self) -> list[str]:
        """Words of the index that each call with this term has: each one begins a word of the call's document."""
        if self.digits:
            return [self.digits[:NUMBER_DIGITS]]
        return [word[:TOKEN_CHARACTERS] for word in self.needle.split()]


class Query:
    """What is searched for."""

    def __init__(self, text: str) -> None:
        """Raises: ValueError, with a sentence, for a query that is too long."""
        if len(text) > MAX_CHARACTERS or len(text.split()) > MAX_WORDS:
            raise ValueError(f"a search has at most {MAX_CHARACTERS} characters and {MAX_WORDS} words")
        if text.lstrip().startswith("00"):
            text = normal(text) or text
        terms = (tuple(wanted(phrase or word)) for phrase, word in _PHRASES.findall(text.translate(_QUOTES)))
        self.terms = tuple(Term(words) for words in dict.fromkeys(terms) if words)
        """Empty for a query without a letter or digit, which finds every call."""
        words = dict.fromkeys(word for term in self.terms for word in term.words)
        self.words = tuple(word for word in words if not any(other != word and other.startswith(word) for other in words))
        """For `CallFilter.words`: each one begins a word in the `document` of every call that is found."""

    def of(self, summary: CallSummary) -> "CallSearch":
        """Begin with one call."""
        return CallSearch(self.terms, summary)


class CallSearch:
    """The search in one call: `read` the payloads of its log, in order; then see what was `found`."""

    def __init__(self, terms: tuple[Term, ...], summary: CallSummary) -> None:
        self._terms = terms
        facts = "\n".join(map(comparable, _facts(summary)))
        numbers = list(_digits(summary)) if any(term.digits for term in terms) else []
        self._wanted = {term for term in terms if not term.is_in(facts) and not any(term.digits in number for number in numbers)}
        """Terms that the facts do not have, and nobody has said so far."""
        self._best = 1
        """The most terms of the query in one utterance so far."""
        self.hits = 0
        """How many utterances have that many."""
        self.found: list[Hit] = []
        """The first of them."""

    @property
    def fits(self) -> bool:
        """Whether the call has every term of the query, as far as it was read."""
        return not self._wanted

    def read(self, payloads: Iterable[bytes]) -> None:
        """Take the next payloads of the call's log."""
        for said in _said(payloads):
            text = comparable(said.text)
            have = [term for term in self._terms if term.is_in(text)]
            if have:
                self._wanted.difference_update(have)
                self._count(said, len(have))

    def _count(self, said: _Said, terms: int) -> None:
        if terms > self._best:
            self._best, self.hits, self.found = terms, 0, []
        if terms == self._best:
            self.hits += 1
            if len(self.found) < SHOWN:
                self.found.append(
                    Hit(
                        offset=said.offset,
                        utterance=said.utterance,
                        track=said.track,
                        speaker=said.speaker,
                        text=said.text,
                        start=said.start,
                    )
                )


def document(summary: CallSummary, payloads: Iterable[bytes]) -> frozenset[str]:
    """Return all words by which a call can be found: its facts, and what was said in it.

    A word has at most TOKEN_CHARACTERS characters. A call of a day may have hundreds of thousands of different ones.
    """
    words: set[str] = set()
    for text in _facts(summary):
        words.update(comparable(text).split())
    for number in _digits(summary):
        words.update(number[at:] for at in range(len(number) - SHORTEST_NUMBER + 1))
    for said in _said(payloads):
        text = comparable(said.text)
        words.update(text.split())
        words.update(_spoken_numbers(text))
    return frozenset(word[:TOKEN_CHARACTERS] for word in words)


def _facts(summary: CallSummary) -> Iterator[str]:
    """Yield what is known of a call besides its words."""
    provider = summary.transcriber.provider if summary.transcriber is not None else None
    end_of_sid = summary.call_sid[-4:]  # lists show it
    for fact in (summary.call_sid, end_of_sid, summary.from_, summary.to, *summary.speakers.values(), summary.agent, provider):
        if fact:
            yield fact


def _digits(summary: CallSummary) -> Iterator[str]:
    """Yield the digits of the call's numbers, as they are dialled from abroad and in their own country."""
    for number in (summary.from_, summary.to):
        if number:
            yield re.sub(r"[^0-9]", "", number)
            yield national(number)


def _spoken_numbers(text: str) -> Iterator[str]:
    """Yield numbers of which the digits stand in groups, from each group on: 415 555 0123 is found by 5550123."""
    for run in _SPOKEN_NUMBER.findall(text):
        groups = run.split()
        for at in range(len(groups) - 1):
            yield "".join(groups[at : at + NUMBER_DIGITS])[:NUMBER_DIGITS]


def _said(payloads: Iterable[bytes]) -> Iterator[_Said]:
    """Yield the utterances among these events that have text, in the order in which they ended."""
    for payload in payloads:
        if payload.startswith(_FINAL):
            head, found, _ = payload.partition(_WORDS)
            said = _decoder.decode(head + b"}" if found else payload)
            if said.text:
                yield said
