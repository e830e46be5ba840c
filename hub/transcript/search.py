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
from hub.text.phone_numbers import national
from hub.text.words import comparable, roughly_comparable, tokens
from hub.transcript.passages import Span, passage
from hub.transcript.terms import SHORTEST_NUMBER, TOKEN_CHARACTERS, Term, indexed, read_terms

__all__ = ["CallSearch", "Hit", "Query", "document", "spoken", "tokens"]

MAX_CHARACTERS = 200
"""A longer query is refused: nobody types it."""

MAX_WORDS = 12
"""Words beyond these are refused: each one costs as much as all before it."""

INDEXED = 24
"""How many words the index is asked for. Each one costs a look-up, and a sentence in Chinese has 200: the first few leave few calls."""

SHOWN = 3
"""How many utterances are shown of a call that is found."""

_FINAL = b'{"type":"final"'
"""How the payload of a final begins: the encoder writes the tag first."""

_WORDS = b',"words":['
"""Where the words of a final begin, of which each has its times: most of the payload. No text contains this: its quotes are escaped."""


class Hit(Part, frozen=True, kw_only=True):
    """An utterance that has terms of the query.

    `text`: a long utterance is cut around its first match, with `…` where something was cut off. `matches`: where terms stand in this text,
    each as its start and its length in UTF-16 code units, as JavaScript counts. `start`: seconds of call time, the moment to go to.
    """

    offset: int
    utterance: str
    track: Track
    speaker: str
    text: str
    matches: list[Span]
    start: float


class _Said(msgspec.Struct, frozen=True, rename="camel"):
    """What a search reads of a final."""

    offset: int
    utterance: str
    track: Track
    speaker: str
    text: str
    start: float


class _Packed(_Said, frozen=True, array_like=True):
    """The same without the names of its fields."""


_decoder = msgspec.json.Decoder(_Said)
_unpacker = msgspec.json.Decoder(list[_Packed])


class Query:
    """What is searched for."""

    def __init__(self, text: str) -> None:
        """Raises: ValueError, with a sentence, for a query that is too long."""
        if len(text) > MAX_CHARACTERS or len(text.split()) > MAX_WORDS:
            raise ValueError(f"a search has at most {MAX_CHARACTERS} characters and {MAX_WORDS} words")
        self.terms = read_terms(text)
        """Empty for a query without a letter or digit, which finds every call."""
        words = dict.fromkeys(word for term in self.terms for word in term.words)
        longest = [word for word in words if not any(other != word and other.startswith(word) for other in words)]
        self.words = tuple(sorted(longest, key=len, reverse=True)[:INDEXED])
        """For `CallFilter.words`: each one begins a word in the `document` of every call that is found."""

    def of(self, summary: CallSummary) -> "CallSearch":
        """Begin with one call."""
        return CallSearch(self.terms, summary)


class CallSearch:
    """The search in one call: `read` the payloads of its log, in order; then see what was `found`."""

    def __init__(self, terms: tuple[Term, ...], summary: CallSummary) -> None:
        self._terms = terms
        self._are_single = all(term.single for term in terms)
        facts = "\n".join(map(comparable, _facts(summary)))
        numbers = list(_digits(summary)) if any(term.digits for term in terms) else []
        self._wanted = {term for term in terms if not term.is_in(facts) and not any(term.digits in number for number in numbers)}
        """Terms that the facts do not have, and nobody has said so far."""
        self._best = 1
        """The most terms of the query in one utterance so far."""
        self.utterances = 0
        """How many were read."""
        self.hits = 0
        """How many utterances have that many."""
        self._first: list[_Said] = []
        """The first of them."""

    @property
    def fits(self) -> bool:
        """Whether the call has every term of the query, as far as it was read."""
        return not self._wanted

    @property
    def found(self) -> list[Hit]:
        """The first of the utterances that `hits` counts."""
        return [self._hit(said) for said in self._first]

    def read(self, payloads: Iterable[bytes]) -> None:
        """Take the next payloads of the call's log."""
        self._read(_said(payloads))

    def read_spoken(self, packed: bytes) -> None:
        """Take the next events of the call in the form of `spoken`."""
        self._read(_unpacker.decode(packed))

    def _read(self, utterances: Iterable[_Said]) -> None:
        for said in utterances:
            self.utterances += 1
            text = roughly_comparable(said.text)
            if not self._are_single:
                if not any(term.begins in text for term in self._terms):
                    continue
                text = comparable(said.text)
            have = [term for term in self._terms if term.is_in(text)]
            if have:
                self._wanted.difference_update(have)
                self._count(said, len(have))

    def _count(self, said: _Said, terms: int) -> None:
        if terms > self._best:
            self._best, self.hits, self._first = terms, 0, []
        if terms == self._best:
            self.hits += 1
            if len(self._first) < SHOWN:
                self._first.append(said)

    def _hit(self, said: _Said) -> Hit:
        text, matches = passage(said.text, self._terms)
        return Hit(
            offset=said.offset,
            utterance=said.utterance,
            track=said.track,
            speaker=said.speaker,
            text=text,
            matches=matches,
            start=said.start,
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
        words.update(indexed(said.text))
    return frozenset(word[:TOKEN_CHARACTERS] for word in words)


def spoken(payloads: Iterable[bytes]) -> bytes:
    """Return what a search reads of events: a tenth of their bytes."""
    return msgspec.json.encode([_Packed(*msgspec.structs.astuple(said)) for said in _said(payloads)])


def _facts(summary: CallSummary) -> Iterator[str]:
    """Yield what is known of a call besides its words."""
    provider = summary.transcriber.provider if summary.transcriber is not None else None
    end_of_sid = summary.call_sid[-4:]  # lists show it
    for fact in (
        summary.call_sid,
        end_of_sid,
        summary.from_,
        summary.to,
        *summary.speakers.values(),
        summary.agent,
        summary.person,
        summary.queue,
        provider,
    ):
        if fact:
            yield fact


def _digits(summary: CallSummary) -> Iterator[str]:
    """Yield the digits of the call's numbers, as they are dialled from abroad and in their own country."""
    for number in (summary.from_, summary.to):
        if number:
            yield re.sub(r"[^0-9]", "", number)
            yield national(number)


def _said(payloads: Iterable[bytes]) -> Iterator[_Said]:
    """Yield the utterances among these events that have text, in the order in which they ended."""
    for payload in payloads:
        if payload.startswith(_FINAL):
            head, found, _ = payload.partition(_WORDS)
            said = _decoder.decode(head + b"}" if found else payload)
            if said.text:
                yield said
