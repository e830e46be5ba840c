"""What is masked on this hub, and why: the kinds that its settings name, and patterns of its own. Pure; knows no call.

**Numbers of which nobody knows the end.** A number that is read out in parts, `four one one one` and then `one one one one`, is secret as a
whole and harmless in its first part. So a number is judged as one of three: secret, harmless, or *undecided* as long as it may go on.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from hub.insight.redaction.addresses import EMAIL, IBAN, IBAN_LENGTHS, emails, ibans
from hub.insight.redaction.masks import Mask, label
from hub.insight.redaction.numbers import SaidNumber, Topic

KINDS: Final = ("cards", "digits", "email", "phone", "iban")
"""What `HUB_REDACT` can name."""

CARD: Final = label("card")
PHONE: Final = label("phone")
NUMBER: Final = label("number")
PATTERN: Final = label("redacted")

LONG_DIGITS = 5
"""A number of so many digits is masked by `digits`. Four are the end of a card, a year or a time, which people need to read."""

SECRET_DIGITS = 3
"""A PIN or a card's check number may be as short as that. The words before it say what it is."""

FEW_WORDS = 3
"""So many words around the digits of a number that is read out do not end it."""

ORDER_DIGITS = 5
"""The number of an order, a room or a ticket stays up to this length, if the words before it say what it is."""

CARD_DIGITS: Final = range(13, 20)
"""Lengths of card numbers, by ISO/IEC 7812."""

PHONE_DIGITS: Final = range(7, 16)
"""Lengths of phone numbers, from a local one to the longest that ITU-T E.164 allows."""

IBAN_DIGITS = 8
"""An account number of so many digits behind the letters of a country is one."""

_LETTERS: Final = re.compile(r"(?:\b([A-Za-z])[ .,-]{1,3}([A-Za-z])|\b([A-Za-z]{2}))[ .,-]{0,3}$")


class Pattern(Protocol):
    """A compiled regular expression that takes time in proportion to the text, whatever the text is."""

    def finditer(self, text: str, /) -> Iterable[re.Match[str]]:
        """Yield all matches, from left to right."""


@dataclass(frozen=True, slots=True)
class Redactor:
    """What is masked. Empty: nothing."""

    kinds: frozenset[str]
    """Of KINDS."""
    patterns: Sequence[Pattern] = field(default=())

    @property
    def numbers(self) -> bool:
        """Whether any kind of number is masked."""
        return not self.kinds.isdisjoint({"cards", "digits", "phone", "iban"})

    def others(self, text: str) -> list[Mask]:
        """Return what is masked in a text besides numbers."""
        found = emails(text) if "email" in self.kinds else []
        if "iban" in self.kinds:
            found += ibans(text)
        for pattern in self.patterns:
            found += [Mask(match.start(), match.end(), PATTERN) for match in pattern.finditer(text) if match.end() > match.start()]
        return found

    def secret(self, digits: str, number: SaidNumber, topic: Topic) -> str:
        """Return the label of a number that is secret. Empty if it is not, or not yet.

        `digits`: all of them, those of the utterances before included.
        """
        count = len(digits)
        if count == len(number.digits) and is_plain(number, topic):
            return ""
        if "cards" in self.kinds and _has_card(digits, number):
            return CARD
        if "phone" in self.kinds and count in PHONE_DIGITS and ("digits" not in self.kinds or _looks_like_phone(digits)):
            return PHONE
        if "digits" not in self.kinds:
            return ""
        if topic == "order" and count <= ORDER_DIGITS:
            return ""
        return NUMBER if count >= LONG_DIGITS or (topic == "secret" and count >= SECRET_DIGITS) else ""

    def account(self, text: str, number: SaidNumber) -> Mask | None:
        """Return the mask of an account number that is read out with its letters, `D E eight nine …`. None if it is none."""
        if "iban" not in self.kinds or len(number.digits) < IBAN_DIGITS:
            return None
        start = self.account_letters(text, number)
        return Mask(start, number.end, IBAN) if start is not None else None

    def account_letters(self, text: str, number: SaidNumber) -> int | None:
        """Return where the letters of a country stand before a number. None if none do, or account numbers are not masked."""
        if "iban" not in self.kinds:
            return None
        first = max(0, number.start - 8)
        letters = _LETTERS.search(text[first : number.start])
        if letters is None:
            return None
        country = letters[3] or letters[1] + letters[2]
        spelled = letters[3] is None or country.isupper()
        return first + letters.start() if spelled and country.upper() in IBAN_LENGTHS else None

    def may_go_on(self, digits: str, number: SaidNumber) -> bool:
        """Return whether a number at the end of an utterance may turn out secret with what follows."""
        if not self.numbers or number.plain in {"price", "date", "round"}:
            return False
        return not self.kinds.isdisjoint({"digits", "iban"}) or len(digits) < CARD_DIGITS.stop - 1

    def begun(self, digits: str, number: SaidNumber, topic: Topic) -> bool:
        """Return whether a number is read out in parts, by all signs, so that more will follow at the end of the utterance, or soon."""
        if not self.numbers or is_plain(number, topic) or topic == "order" or len(digits) < SECRET_DIGITS:
            return False
        return len(number.figures) > 1 or topic in {"secret", "number"}

    def broken_off(self, digits: str, number: SaidNumber, topic: Topic) -> bool:
        """Return whether a number is read out in parts, though its side says something else behind it: `four one one one, I think`."""
        if "digits" not in self.kinds or not 0 < number.words_behind <= FEW_WORDS or not self.begun(digits, number, topic):
            return False
        return topic in {"secret", "number"} or len(number.figures) > 2 or len(digits) > SECRET_DIGITS

    def doubtful(self, digits: str, number: SaidNumber, topic: Topic) -> bool:
        """Return whether a number at the end of an utterance is masked if its side says nothing more for a while."""
        if is_plain(number, topic) or topic == "order":
            return False
        return topic in {"secret", "number"} or ("digits" in self.kinds and len(digits) >= SECRET_DIGITS)


def is_plain(number: SaidNumber, topic: Topic) -> bool:
    """Return whether a number is a price, a time, a date and the like. After `my card number is`, digits are no time and no year."""
    return bool(number.plain) and not (topic in {"secret", "number"} and number.plain in {"time", "year", "list"})


def _has_card(digits: str, number: SaidNumber) -> bool:
    """Return whether card numbers are among these digits.

    A digit that was misheard breaks the check sum, so digits in the groups that are printed on cards count as well.
    """
    if len(digits) < CARD_DIGITS.start:
        return False
    for length in CARD_DIGITS:
        for first in range(len(digits) - length + 1):
            if first == 0 or length >= 15:
                part = digits[first : first + length]
                if part[0] != "0" and luhn(part):
                    return True
    lengths = [len(figure.digits) for figure in number.figures]
    return lengths[:4] == [4, 4, 4, 4] or lengths[:3] == [4, 6, 5] or (len(digits) in {15, 16} and digits[0] in "3456")


def luhn(digits: str) -> bool:
    """Return whether the check digit of a card number is right."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _looks_like_phone(digits: str) -> bool:
    return len(digits) in {10, 11, 12} or digits[0] == "0"


__all__ = ["CARD", "EMAIL", "IBAN", "KINDS", "NUMBER", "PATTERN", "PHONE", "Pattern", "Redactor", "luhn"]
