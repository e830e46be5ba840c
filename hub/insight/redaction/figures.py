"""Reads figures in a text: digits as they are written, and digits as they are said. Pure.

A *figure* is the least piece of a number that stands for digits of its own: `4111`, `four`, `double five`, `forty-one`, `four hundred and
eleven`, `1,250.00`. Knows words and digits. Does not know which figures make one number, nor which numbers are secret.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hub.insight.redaction.number_words import (
    AFTER_OH,
    AND,
    ARTICLES,
    BEFORE_UNITS,
    FILLERS,
    HOMOPHONES,
    INTERJECTIONS,
    NEVER_ALONE,
    NUMBER_WORDS,
    PLURALS,
    REPEATS,
    SIXTY,
    TEN,
    VINGTS,
    NumberWord,
    is_long_german,
    meaning,
)

_PHRASE: Final = (
    r"\b(?:hold on|hang on|bear with me|followed by|and then(?: it['\u2019]s)?|i (?:think|guess|believe|mean)|you (?:know|see)"
    r"|got it|it goes|let['\u2019]?s see|what (?:is|was) it|ich (?:glaube|meine|schau mal)|warte(?:n sie)?(?: mal)?|zum schluss"
    r"|je crois|attend(?:s|ez)|(?:yo )?creo(?: que)?|a ver|esper[ae]"
    r"|let me (?:just )?(?:see|check|look|think|get it|find it)|(?:just )?(?:a|one) (?:second|sec|moment|minute)"
    r"|the (?:next|last|other|rest)(?: (?:one|two|three|four|five|six|digits?|ones|part))*(?: (?:is|are))?"
    r"|(?:einen? )?moment(?: bitte)?|einen augenblick|(?:und )?die (?:nächsten|letzten)(?: (?:vier|drei))?|un momento|un instant)\b"
)
"""What people say between the parts of a number while they look for the next one. It counts as one filler."""

_LETTERS: Final = r"[^\W\d_](?:[^\W\d_]|[\u0300-\u036f])*"
_WORD: Final = rf"{_LETTERS}(?:['\u2019]{_LETTERS})?"
_TOKEN: Final = re.compile(rf"(?P<phrase>{_PHRASE})|\d+(?:st|nd|rd|th)\b|{_WORD}|\d+", re.IGNORECASE)
"""A run of letters or of digits. An ordinal, as `4th`, is a word."""

_WORDS: Final = re.compile(rf"{_WORD}|\d")

_PLAIN_DIGITS: Final = {
    code: str(unicodedata.digit(chr(code)))
    for code in (*range(0xB2, 0xBA), *range(0x2070, 0x208A), *range(0x2460, 0x2793), 0x24EA, 0x24FF)
    if unicodedata.digit(chr(code), None) is not None
}
"""Raised, lowered and circled digits, which are no digits to a regular expression. One character each, so that all places stay."""

PHRASES_COUNT = 8
"""A text with fewer words may be nothing but a phrase between two parts of a number."""

SHORT_WORDS = 3
"""An utterance that has so many words before a weak one at its end may be the first digit of a number: `c'est le un`."""


MULTIPLIED_DIGITS = 3
"""So many digits may stand before a `thousand`."""


@dataclass(slots=True, eq=False)
class Token:
    """A word or a run of digits, from `start` to `end` of the text."""

    start: int
    end: int
    text: str
    """In small letters."""
    phrase: bool = False
    """Whether it is one of the phrases that may stand between two parts of a number."""
    word: NumberWord | None = None
    """What it means if it is a number word that counts here. None otherwise."""

    @property
    def digits(self) -> bool:
        """Whether it is written in digits."""
        return self.text.isdecimal()

    @property
    def one_digit(self) -> bool:
        """Whether it stands for one digit, written or said."""
        return (self.digits and len(self.text) == 1) or (self.word is not None and self.word.size == "unit")

    @property
    def counts(self) -> bool:
        """Whether it stands for digits."""
        return self.digits or self.word is not None


@dataclass(frozen=True, slots=True)
class Figure:
    """A piece of a number: tokens `first` to `last` of the text, without `last`, and the digits that they stand for."""

    first: int
    last: int
    digits: str
    written: bool
    """Whether it is written in digits."""
    round_: bool = False
    """Whether it is said with thousands or millions and has four digits at most that are not zeros at its end: `two million`."""


def words_without_digits(text: str) -> list[str] | None:
    """Return the words of a text in small letters. None if one of them may stand for digits, or if it is so short that phrases count.

    Most of what people say has no number in it, and this is much less work than `tokens`.
    """
    lowered = text.lower()
    if not lowered.isascii():
        lowered = unicodedata.normalize("NFC", lowered.translate(_PLAIN_DIGITS))
    words = _WORDS.findall(lowered)
    if len(words) < PHRASES_COUNT or not NUMBER_WORDS.keys().isdisjoint(words) or any(map(str.isdecimal, words)):
        return None
    return None if is_long_german(lowered) else words


def tokens(text: str) -> list[Token]:
    """Return the words and runs of digits of a text. Of the number words among them, those count that are nothing else."""
    if not text.isascii():
        text = text.translate(_PLAIN_DIGITS)
    made = [Token(found.start(), found.end(), found[0].lower(), found["phrase"] is not None) for found in _TOKEN.finditer(text)]
    for token in made:
        if not token.text.isascii():
            token.text = unicodedata.normalize("NFC", token.text)
        word = meaning(token.text)
        if word is not None and not word.weak:
            token.word = word
    return made


def count_weak(made: list[Token], *, begins: bool, ends: bool, unfinished: bool = False) -> None:
    """Let those weak words count that are digits here.

    They are beside a number, also by way of fillers and of another weak word. `ends`: at the end, because the text says that a number is
    coming: `my number is oh`. `begins`: at the beginning, because a number was said before: `oh, and then`. `unfinished`: more of the text
    follows.
    """
    weak = [at for at, token in enumerate(made) if token.word is None and (token.text in NUMBER_WORDS or token.text in HOMOPHONES)]
    if weak:
        _count_last(made, ends=ends)
        if unfinished:
            _count_last(made[:-1], ends=ends)  # an engine still changes its mind about the last word
    if weak and begins:
        _count_first(made, unsure=unfinished and len(made) <= SHORT_WORDS)
    for at in (*weak, *reversed(weak)):
        token = made[at]
        if token.text in HOMOPHONES:
            if 0 < at < len(made) - 1 and made[at - 1].one_digit and made[at + 1].one_digit and (begins or _is_among_digits(made, at)):
                token.word = NumberWord(HOMOPHONES[token.text], "unit", weak=True)
        elif _neighbour_counts(made, at, -1) or _neighbour_counts(made, at, 1):
            token.word = NUMBER_WORDS[token.text]


def _is_among_digits(made: list[Token], at: int) -> bool:
    """Return whether one more digit stands beside those on both sides of a word: `four one to one`, but not `nine to five`."""
    return (at > 1 and made[at - 2].one_digit) or (at + 2 < len(made) and made[at + 2].one_digit)


def _neighbour_counts(made: list[Token], at: int, step: int) -> bool:
    """Return whether the nearest word in this direction that is no filler stands for digits."""
    place = at + step
    while 0 <= place < len(made) and is_filler(made[place]) and not made[place].counts:
        place += step
    return 0 <= place < len(made) and made[place].counts


def _count_last(made: list[Token], *, ends: bool) -> None:
    at = len(made) - 1
    while at >= 0 and (is_filler(made[at]) or (ends and made[at].text in HOMOPHONES)):
        at -= 1
    if at < 0 or made[at].text in NEVER_ALONE or (not ends and (at > SHORT_WORDS or made[at].text in INTERJECTIONS)):
        return
    made[at].word = meaning(made[at].text)


def _count_first(made: list[Token], *, unsure: bool) -> None:
    at = next((at for at, token in enumerate(made) if not is_filler(token)), len(made))
    if at == len(made):
        return
    follower = made[at + 1] if at + 1 < len(made) else None
    digit = follower is None or follower.phrase or follower.text in AFTER_OH or follower.text in NUMBER_WORDS
    if digit or unsure or made[at].text not in INTERJECTIONS:
        made[at].word = meaning(made[at].text)


def figures(made: Sequence[Token]) -> list[Figure]:
    """Return the figures among these tokens, in order."""
    found: list[Figure] = []
    at = 0
    while at < len(made):
        figure = _figure(made, at)
        if figure is not None:
            found.append(figure)
        at = figure.last if figure is not None else at + 1
    return found


def _figure(made: Sequence[Token], at: int) -> Figure | None:
    token = made[at]
    if token.digits and not _is_multiplied(made, at):
        return Figure(at, at + 1, _ascii(token.text), written=True)
    times = REPEATS.get(token.text)
    if times is not None:
        return _repeated(made, at, times)
    if token.word is None:
        return None
    return _counted(made, at) or _said(made, at)


def _is_multiplied(made: Sequence[Token], at: int) -> bool:
    """Return whether digits are said with a word behind them that multiplies them: `5 hundred and eleven`. They are a word then."""
    token, word = made[at], _word(made, at + 1)
    if word is None or word.size not in {"hundred", "scale"} or len(token.text) > MULTIPLIED_DIGITS:
        return False
    token.word = NumberWord(int(token.text), "unit" if len(token.text) == 1 else "whole")
    return True


def _repeated(made: Sequence[Token], at: int, times: int) -> Figure | None:
    """Return a digit that is said to come several times: `double five`, `dreimal die sieben`."""
    place = at + 2 if at + 1 < len(made) and made[at + 1].text in ARTICLES else at + 1
    if place == len(made) or not made[place].one_digit:
        return None
    digit = made[place]
    return Figure(at, place + 1, (_ascii(digit.text) if digit.digits else str(_word_value(digit))) * times, written=False)


def _counted(made: Sequence[Token], at: int) -> Figure | None:
    """Return a digit that is counted: `three ones`."""
    times, digit = made[at], made[at + 1] if at + 1 < len(made) else None
    if digit is None or digit.text not in PLURALS or times.text in PLURALS or not times.one_digit:
        return None
    return Figure(at, at + 2, str(_word_value(digit)) * _word_value(times), written=False)


def _said(made: Sequence[Token], at: int) -> Figure:
    """Return the figure that begins with a number word."""
    total, next_, scaled = 0, at, False
    while True:
        value, end = _below_thousand(made, next_)
        word = _word(made, end)
        if word is None or word.size != "scale":
            break
        total, next_, scaled = total + (value if end > next_ else 1) * word.value, end + 1, True
        if _joins_after_and(made, next_) and _word_value(made[next_ + 1]) < 1000:
            next_ += 1
    if end > next_:
        total, next_ = total + value, end
    digits = str(total)
    return Figure(at, next_, digits, written=False, round_=scaled and len(digits.rstrip("0")) <= 4)


def _below_thousand(made: Sequence[Token], at: int) -> tuple[int, int]:
    """Return the value of the words from `at` on that make a number below 10,000, and where they end. No words: `at` itself."""
    word = _word(made, at)
    if word is None or word.size == "scale":
        return 0, at
    if word.size == "hundred":
        value, end = 100, at + 1
    else:
        value, end = _below_hundred(made, at)
        following = _word(made, end)
        if following is not None and following.size == "hundred" and 0 < value < 100:
            value, end = value * 100, end + 1
        elif word.size != "hundreds":
            return value, end
    rest = end + 1 if _joins_after_and(made, end) else end
    following = _word(made, rest)
    if following is not None and following.size in {"unit", "teen", "tens", "whole"} and 0 < following.value < 100:
        more, rest = _below_hundred(made, rest)
        return value + more, rest
    return value, end


def _below_hundred(made: Sequence[Token], at: int) -> tuple[int, int]:
    word = _word(made, at)
    assert word is not None
    value, end = word.value, at + 1
    unit = _word(made, end)
    if made[at].text == TEN and unit is not None and unit.size == "unit" and unit.value > 6:
        return value + unit.value, end + 1
    if word.value == 4 and end < len(made) and made[end].text in VINGTS:
        return _counted_on(made, 80, end + 1)
    if made[at].text == SIXTY:
        return _counted_on(made, 60, end)
    if word.size == "tens":
        joined = _joins_after_and(made, end) and made[end].text != "and"
        rest = end + 1 if joined else end
        following = _word(made, rest) if joined or made[at].text in BEFORE_UNITS else None
        if following is not None and following.size == "unit" and following.value:
            return value + following.value, rest + 1
    return value, end


def _counted_on(made: Sequence[Token], value: int, at: int) -> tuple[int, int]:
    """Return a French number from sixty or eighty on: `soixante et onze`, `quatre-vingt-dix-sept`."""
    rest = at + 1 if _joins_after_and(made, at) else at
    following = _word(made, rest)
    if following is None or following.size not in {"unit", "teen"} or not following.value:
        return value, at
    if following.value == 10 and (unit := _word(made, rest + 1)) is not None and unit.size == "unit" and unit.value > 6:
        return value + 10 + unit.value, rest + 2
    return value + following.value, rest + 1


def _joins_after_and(made: Sequence[Token], at: int) -> bool:
    """Return whether an `and` stands here, with a number word behind it."""
    return at + 1 < len(made) and made[at].text in AND and made[at + 1].word is not None


def _word(made: Sequence[Token], at: int) -> NumberWord | None:
    return made[at].word if at < len(made) else None


def _word_value(token: Token) -> int:
    return token.word.value if token.word is not None else 0


def _ascii(digits: str) -> str:
    """Return digits of any script in those of ASCII."""
    return digits if digits.isascii() else "".join(str(int(each)) for each in digits)


def is_filler(token: Token) -> bool:
    """Return whether a word may stand between two parts of one number."""
    return token.phrase or token.text in FILLERS or not token.text.strip("x")  # 4111 xxxx xxxx 1111
