"""The terms of a search: what is typed is read into them, and they find their places in a text. Pure.

A term is a word, several words in quotes, or a number. Nothing that is typed has another meaning: `OR`, `NEAR(`, `-x` and `a*` are words
between signs, and signs count as blanks. Does not know calls.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple
from unicodedata import category

from hub.text.phone_numbers import normal
from hub.text.words import comparable, spelled, wanted

TOKEN_CHARACTERS = 64
"""Of a word in the index. PostgreSQL takes 2,046 bytes, and nobody tells two words apart by what follows so late."""

NUMBER_DIGITS = 15
"""Of a number in the index. No phone number has more (E.164)."""

SHORTEST_NUMBER = 3
"""Digits of the shortest piece by which a number is found. Fewer would find nearly every number."""

SHOWN_CHARACTERS = 240
"""Of an utterance in a list. A longer one is cut around its first match."""

_LEAD_CHARACTERS = 60
"""What is shown before the first match of an utterance that is cut."""

_PART_CHARACTERS = 2000
"""Of a very long utterance, the part that is looked at closely: it takes a millisecond."""

_PHRASES = re.compile(r'(?<!\S)"([^"]*)"(?!\S)|(\S+)')
"""A phrase in quotes, or a word. A quote within a word is nothing but a blank."""

_QUOTES = dict.fromkeys(map(ord, "\u201c\u201d\u201e\u201f\u00ab\u00bb\uff02"), '"')
"""The quotes that phones and word processors write by themselves."""

_SPOKEN_NUMBER = re.compile(r"(?<= )[0-9]+(?: [0-9]+)+")
"""Groups of digits that stand together in the form of `comparable`: they may be one number."""

_JOINS = re.compile("[\u1160-\u11ff\ud7b0-\ud7ff\uff9e\uff9f]")
"""Characters besides marks that may become one with the character before them: later letters of a Korean syllable, dots of half width."""


class Span(NamedTuple):
    """A piece of a text: where it starts, and its length."""

    start: int
    length: int


class Passage(NamedTuple):
    """What is shown of an utterance, and where the matches stand in it, in UTF-16 code units: that is how a browser counts."""

    text: str
    matches: list[Span]


class Term:
    """A part of a query that must be found as a whole."""

    __slots__ = ("_pattern", "digits", "needle")

    def __init__(self, words: tuple[str, ...]) -> None:
        self.needle = "".join(f" {word}" for word in words)
        """What is in the form of `comparable` of each text that has the term."""
        digits = "".join(words)
        self.digits = digits if len(digits) >= SHORTEST_NUMBER and digits.isascii() and digits.isdigit() else ""
        """Of a number that is looked for. Empty for words."""
        self._pattern = re.compile(" " + " ?".join(self.digits)) if self.digits else None

    def is_in(self, text: str) -> bool:
        """Return whether a text in the form of `comparable` has the term."""
        return self.needle in text if self._pattern is None else self._pattern.search(text) is not None

    def places(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield where the term begins and ends in a text in the form of `comparable`, without the blank before it."""
        for match in (self._pattern or re.compile(re.escape(self.needle))).finditer(text):
            yield match.start() + 1, match.end()

    @property
    def words(self) -> list[str]:
        """Words of the index that each call with this term has: each one begins a word of the call's document."""
        if self.digits:
            return [self.digits[:NUMBER_DIGITS]]
        return [word[:TOKEN_CHARACTERS] for word in self.needle.split()]


def read_terms(text: str) -> tuple[Term, ...]:
    """Return the terms of what was typed. None for a text without a letter, a digit or an emoji."""
    if text.lstrip().startswith("00"):
        text = normal(text) or text
    terms = (tuple(wanted(phrase or word)) for phrase, word in _PHRASES.findall(text.translate(_QUOTES)))
    return tuple(Term(words) for words in dict.fromkeys(terms) if words)


def indexed(text: str) -> Iterator[str]:
    """Yield the words by which a text is found: of every term that is in it, the `words` each begin one of these."""
    words = comparable(text)
    yield from words.split()
    for run in _SPOKEN_NUMBER.findall(words):  # 415 555 0123 is found by 5550123
        groups = run.split()
        for at in range(len(groups) - 1):
            yield "".join(groups[at : at + NUMBER_DIGITS])[:NUMBER_DIGITS]


def passage(text: str, terms: Sequence[Term]) -> Passage:
    """Return an utterance as a list shows it, cut around the first match if it is long, with the places of all matches that are shown."""
    part = text if len(text) <= _PART_CHARACTERS else _part(text, terms)
    found = _spans(part, terms)
    if len(text) <= SHOWN_CHARACTERS:
        return Passage(text, [_in_utf_16(text, span) for span in found])
    begin = _cut(part, (found[0].start if found else 0) - _LEAD_CHARACTERS)
    shown = part[begin : begin + SHOWN_CHARACTERS]
    if begin + len(shown) < len(part) and " " in shown[-_LEAD_CHARACTERS:]:
        shown = shown[: shown.rindex(" ")]
    before = "" if text.startswith(shown) else "…"
    after = "" if text.endswith(shown) else "…"
    kept = [Span(start - begin + len(before), length) for start, length in found if begin <= start and start + length <= begin + len(shown)]
    shown = f"{before}{shown}{after}"
    return Passage(shown, [_in_utf_16(shown, span) for span in kept])


def _part(text: str, terms: Sequence[Term]) -> str:
    """Return the first part of a very long text that has a match; the beginning if none is found."""
    for at in range(0, len(text), _PART_CHARACTERS // 2):
        part = text[_cut(text, at) :][:_PART_CHARACTERS]
        words = comparable(part)
        if any(term.is_in(words) for term in terms):
            return part
    return text[:_PART_CHARACTERS]


def _cut(text: str, at: int) -> int:
    """Return where to cut a text: behind the last blank before this place, if one is near."""
    if at <= 0:
        return 0
    blank = text.rfind(" ", max(0, at - _LEAD_CHARACTERS // 2), at)
    return blank + 1 if blank >= 0 else at


def _spans(text: str, terms: Iterable[Term]) -> list[Span]:
    """Return where a text has the terms, in order and without overlaps, in characters of the text."""
    pieces = _pieces(text)
    if "".join(spelling for _, _, spelling in pieces) != spelled(text):
        return []  # characters act on each other in a way that is not known here: no mark is better than a wrong one
    ranges: list[tuple[int, int]] = []
    for apostrophe in (" ", "") if any("'" in spelling for _, _, spelling in pieces) else (" ",):
        words, origins = _placed(pieces, apostrophe)
        for term in terms:
            ranges += [(origins[begin][0], origins[end - 1][1]) for begin, end in term.places(words)]
    spans: list[Span] = []
    for begin, end in sorted(ranges):
        if spans and begin <= spans[-1].start + spans[-1].length:
            begin, end = spans[-1].start, max(end, spans[-1].start + spans[-1].length)
            spans.pop()
        spans.append(Span(begin, end - begin))
    return spans


def _pieces(text: str) -> list[tuple[int, int, str]]:
    """Return a text in pieces that are spelled without regard to the others: where each begins and ends, and how it is spelled."""
    if text.isascii():
        return [(at, at + 1, spelling) for at, spelling in enumerate(spelled(text))]
    starts = [at for at, each in enumerate(text) if at == 0 or not (category(each)[0] == "M" or _JOINS.match(each))]
    return [(begin, end, spelled(text[begin:end])) for begin, end in pairwise([*starts, len(text)])]


def _placed(pieces: Iterable[tuple[int, int, str]], apostrophe: str) -> tuple[str, list[tuple[int, int]]]:
    """Return the words of pieces in one string as `comparable` does, and for each character of it where its piece begins and ends."""
    words: list[str] = []
    origins: list[tuple[int, int]] = []
    blank = True
    for begin, end, spelling in pieces:
        for character in spelling.replace("'", apostrophe):
            if character == " ":
                blank = True
                continue
            if blank:
                words.append(" ")
                origins.append((begin, begin))
                blank = False
            words.append(character)
            origins.append((begin, end))
    return "".join(words), origins


def _in_utf_16(text: str, span: Span) -> Span:
    """Return a span of characters in UTF-16 code units."""
    if text.isascii():
        return span
    start, length = (
        len(part.encode("utf-16-le", "surrogatepass")) // 2 for part in (text[: span.start], text[span.start :][: span.length])
    )
    return Span(start, length)
