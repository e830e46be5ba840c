"""The language in which phrases are written, read into a tree.

    cancel my account              these words, one after the other
    cancel (my|the) account        alternatives, of one word or several
    cancel [my] account            what may be left out
    cancel* my account             words that begin so: cancel, cancelled, cancellation
    cancel <3> account             up to three other words in between
    cancel ~3 account              the same, in either order

Words are compared as a search compares them (`hub.text.words`): capitals, accents and punctuation make no difference. Pure. Does not know
how a phrase is found in a text.
"""

import re
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

from hub.text.words import wanted

MOST_BETWEEN = 30
"""Words that may stand in between at most. Further apart, two words of a conversation have little to do with each other."""

MOST_CHARACTERS = 500
"""A longer phrase is refused: it is a text."""

DEEPEST = 10
"""Brackets inside brackets, at most."""

_TOKEN = re.compile(r"<\s*(\d{1,6})\s*>|~\s*(\d{1,6})|([()\[\]|])|(\*)|([^()\[\]|<>~*]+)|(.)", re.DOTALL)

_REGULAR_EXPRESSION = re.compile(r"[\\^{}]|[)\]][+?]|\.[*+]")
"""Signs that stand in regular expressions, and in no words that people say."""


class PhraseError(ValueError):
    """A phrase cannot be read. The text says what is wrong with it, to stand after the phrase."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word. `begins`: any word that begins with it."""

    word: str
    begins: bool = False


@dataclass(frozen=True, slots=True)
class Between:
    """Up to so many other words."""

    words: int


@dataclass(frozen=True, slots=True)
class Sequence:
    """Parts that stand one after the other."""

    parts: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Choice:
    """Parts of which one is there."""

    parts: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Optional:
    """A part that may be left out."""

    part: "Node"


Node: TypeAlias = Word | Between | Sequence | Choice | Optional


def read_phrase(text: str) -> Node:
    """Return a phrase as a tree. Raises: PhraseError."""
    if len(text) > MOST_CHARACTERS:
        raise PhraseError(f"is longer than {MOST_CHARACTERS} characters")
    if (sign := _REGULAR_EXPRESSION.search(text)) is not None:  # read as words, it would be found in nothing, and nobody would notice
        raise PhraseError(f"has a {sign[0]}, as in a regular expression: write words, and (a|b), [ ], * and <3> for what may vary")
    return _Reader(text).read()


class _Reader:
    """Reads one phrase, token by token."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_TOKEN.finditer(text))
        self._at = 0
        self._depth = 0

    def read(self) -> Node:
        left = self._choice()
        if (near := self._near()) is not None:
            right = self._choice()
            left = Choice((_joined(left, near, right), _joined(right, near, left)))
            if self._near() is not None:
                _refuse("has two ~, and one is possible")
        if (token := self._peek()) is not None:
            _refuse(f"has a {token[0]} that nothing opens")
        if _empty(left):
            _refuse("has no word that must be said")
        return left

    def _choice(self) -> Node:
        parts = [self._sequence()]
        while (token := self._peek()) is not None and token[0] == "|":
            self._at += 1
            parts.append(self._sequence())
        if len(parts) > 1 and any(part == Sequence(()) for part in parts):
            _refuse("has an alternative without a word: put what may be left out into [ ]")
        return parts[0] if len(parts) == 1 else Choice(tuple(parts))

    def _sequence(self) -> Node:
        parts: list[Node] = []
        while (token := self._peek()) is not None and token[2] is None and token[0] not in {")", "]", "|"}:
            self._at += 1
            parts.extend(self._part(token))
        if parts and (isinstance(parts[0], Between) or isinstance(parts[-1], Between)):
            _refuse("has words in between < > on one side only")
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def _part(self, token: "re.Match[str]") -> list[Node]:
        between, _, bracket, star, words, other = token.groups()
        if between is not None:
            return [Between(_count(between))]
        if bracket is not None:
            return [self._bracket(bracket)]
        if star is not None:
            _refuse("has a * that follows no word")
        if other is not None:
            _refuse(f"has a {other} that is not complete: write <3> or ~3")
        said: list[Node] = [Word(word) for word in wanted(words)]
        if (following := self._peek()) is not None and following[4] is not None:
            if not said or words[-1].isspace():
                _refuse("has a * that follows no word")
            self._at += 1
            last = said[-1]
            assert isinstance(last, Word)
            said[-1] = Word(last.word, begins=True)
        return said

    def _bracket(self, opening: str) -> Node:
        self._depth += 1
        if self._depth > DEEPEST:
            _refuse(f"has more than {DEEPEST} brackets inside each other")
        inside = self._choice()
        closing = self._peek()
        if closing is not None and closing[2] is not None:
            _refuse("has a ~ inside brackets, and it is possible outside only")
        if closing is None or closing[0] != {"(": ")", "[": "]"}[opening]:
            _refuse(f"has a {opening} that is not closed")
        self._at += 1
        self._depth -= 1
        if inside == Sequence(()):
            _refuse("has brackets without a word")
        return inside if opening == "(" else Optional(inside)

    def _near(self) -> int | None:
        """Return the number of a `~`, if one comes now."""
        token = self._peek()
        if token is None or token[2] is None:
            return None
        self._at += 1
        return _count(token[2])

    def _peek(self) -> "re.Match[str] | None":
        return self._tokens[self._at] if self._at < len(self._tokens) else None


def _joined(first: Node, between: int, second: Node) -> Node:
    if _empty(first) or _empty(second):
        _refuse("has a ~ without words on both sides")
    return Sequence((first, Between(between), second))


def _empty(node: Node) -> bool:
    """Return whether a part can be found where nothing is said."""
    match node:
        case Word():
            return False
        case Between() | Optional():
            return True
        case Sequence(parts):
            return all(map(_empty, parts))
        case Choice(parts):
            return any(map(_empty, parts))


def _count(digits: str) -> int:
    if not 1 <= int(digits) <= MOST_BETWEEN:
        _refuse(f"has {digits} words in between: 1 to {MOST_BETWEEN} are possible")
    return int(digits)


def _refuse(problem: str) -> NoReturn:
    raise PhraseError(problem)
