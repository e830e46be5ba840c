"""What a list shows of an utterance that was found: its text, cut if it is long, and where the words stand in it. Pure.

A search compares words in another spelling (`hub.text.words`), in which letters come and go: `Straße` has eight, and `don't` four. Here the
places are brought back to the text as it was written. Does not know calls.
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple
from unicodedata import category

from hub.text.words import comparable, spelled
from hub.transcript.terms import Term

SHOWN_CHARACTERS = 240
"""Of an utterance in a list. A longer one is cut around its first match."""

_LEAD_CHARACTERS = 60
"""What is shown before the first match of an utterance that is cut."""

_PART_CHARACTERS = 2000
"""Of a very long utterance, the part that is looked at closely: it takes a millisecond."""

_WORD = re.compile("[^ ]+")

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


def _spans(text: str, terms: Sequence[Term]) -> list[Span]:
    """Return where a text has the terms, in order and without overlaps, in characters of the text.

    Empty for a text in which characters act on each other in a way that is not known here: no mark is better than a wrong one.
    """
    spelling = spelled(text)
    ranges = [each for apart in ((True, False) if "'" in spelling else (True,)) for each in _Words(spelling, apart=apart).ranges(terms)]
    if ranges and not text.isascii():
        pieces = _pieces(text)
        if "".join(each for _, _, each in pieces) != spelling:
            return []
        origins = [(begin, end) for begin, end, each in pieces for _ in each]
        ranges = [(origins[begin][0], origins[end - 1][1]) for begin, end in ranges]
    spans: list[Span] = []
    for begin, end in sorted(ranges):
        if spans and begin <= spans[-1].start + spans[-1].length:
            begin, end = spans[-1].start, max(end, spans[-1].start + spans[-1].length)
            spans.pop()
        spans.append(Span(begin, end - begin))
    return spans


class _Words:
    """The words of a spelled text as `comparable` has them, and where they come from."""

    def __init__(self, spelling: str, *, apart: bool) -> None:
        """`apart`: an apostrophe stands between two words. Otherwise it stands for nothing."""
        self._spelling = spelling.replace("'", " ") if apart else spelling
        self._begins: list[int] = []
        """Where each word begins in the spelling."""
        self._places: list[int] = []
        """Where each word begins in `text`."""
        words: list[str] = []
        place = 1
        for word in _WORD.finditer(self._spelling):
            if letters := word[0].replace("'", ""):
                words.append(letters)
                self._begins.append(word.start())
                self._places.append(place)
                place += len(letters) + 1
        self.text = "".join(f" {word}" for word in words)

    def ranges(self, terms: Sequence[Term]) -> list[tuple[int, int]]:
        """Return where terms begin and end in the spelling."""
        return [(self._origin(begin), self._origin(end - 1) + 1) for term in terms for begin, end in term.places(self.text)]

    def _origin(self, place: int) -> int:
        """Return where a letter of `text` stands in the spelling."""
        word = bisect_right(self._places, place) - 1
        at, letters = self._begins[word], place - self._places[word]
        if "'" not in self._spelling:
            return at + letters
        return [each for each in range(at, len(self._spelling)) if self._spelling[each] != "'"][letters]


def _pieces(text: str) -> list[tuple[int, int, str]]:
    """Return a text in pieces that are spelled without regard to the others: where each begins and ends, and how it is spelled."""
    starts = [at for at, each in enumerate(text) if at == 0 or not (category(each)[0] == "M" or _JOINS.match(each))]
    return [(begin, end, spelled(text[begin:end])) for begin, end in pairwise([*starts, len(text)])]


def _in_utf_16(text: str, span: Span) -> Span:
    """Return a span of characters in UTF-16 code units."""
    if text.isascii():
        return span
    start, length = (
        len(part.encode("utf-16-le", "surrogatepass")) // 2 for part in (text[: span.start], text[span.start :][: span.length])
    )
    return Span(start, length)
