"""The terms of a search: what is typed is read into them, and they are found in a text. Pure.

A term is a word, several words in quotes, or a number. Nothing that is typed has another meaning: `OR`, `NEAR(`, `-x` and `a*` are words
between signs, and signs count as blanks. Does not know calls.
"""

import re
from collections.abc import Iterator

from hub.text.phone_numbers import normal
from hub.text.words import comparable, wanted

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


class Term:
    """A part of a query that must be found as a whole."""

    __slots__ = ("_pattern", "begins", "digits", "needle", "single")

    def __init__(self, words: tuple[str, ...]) -> None:
        self.needle = "".join(f" {word}" for word in words)
        """What is in the form of `comparable` of each text that has the term."""
        digits = "".join(words)
        self.digits = digits if len(digits) >= SHORTEST_NUMBER and digits.isascii() and digits.isdigit() else ""
        """Of a number that is looked for. Empty for words."""
        self.single = len(words) == 1 and not self.digits
        """Whether it is found in the form of `roughly_comparable` as well."""
        self.begins = self.needle[:2] if self.digits else f" {words[0]}"
        """What is in the form of `roughly_comparable` of each text that has the term."""
        self._pattern = re.compile(" " + " ?".join(self.digits)) if self.digits else None

    def is_in(self, text: str) -> bool:
        """Return whether a text in the form of `comparable` has the term."""
        return self.needle in text if self._pattern is None else self._pattern.search(text) is not None

    def places(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield where the term begins and ends in a text in the form of `comparable`, without the blank before it."""
        if self._pattern is not None:
            for match in self._pattern.finditer(text):
                yield match.start() + 1, match.end()
            return
        at = text.find(self.needle)
        while at >= 0:
            end = at + len(self.needle)
            yield at + 1, end
            at = text.find(self.needle, end)

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
