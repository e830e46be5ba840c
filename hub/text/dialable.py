"""Whom a caller may be connected with: numbers, and the beginnings of numbers, that somebody has allowed.

Knows numbers and addresses. Does not know who dials.
"""

import re
from dataclasses import dataclass
from typing import Self

from hub.text.phone_numbers import EXAMPLE, dialled

_BEGINNING = re.compile(r"\+[1-9][0-9]{0,14}")


@dataclass(frozen=True, slots=True)
class Dialable:
    """Numbers that may be dialled. A number that is not listed may not: premium-rate numbers look like any other."""

    whole: frozenset[str] = frozenset()
    """Numbers in E.164 form, and `sip:…` and `client:…`."""
    beginnings: tuple[str, ...] = ()
    """Each begins with + and a country code."""

    @classmethod
    def of(cls, text: str) -> Self:
        """Read a list, such as `+14155550100, +4930*, sip:desk@example.com`. Raises: ValueError, whose text says what is wrong."""
        whole, beginnings = [], []
        for entry in filter(None, (part.strip() for part in text.split(","))):
            if entry.endswith("*"):
                if not _BEGINNING.fullmatch(entry[:-1]):
                    raise ValueError(f"{entry!r} is no beginning of numbers: write + and a country code at least, as +4930*")
                beginnings.append(entry[:-1])
            elif (known := dialled(entry)) is not None:
                whole.append(known)
            else:
                raise ValueError(f"{entry!r} cannot be called: use a number as {EXAMPLE}, +4930* for all that begin so, sip:… or client:…")
        return cls(frozenset(whole), tuple(beginnings))

    def __contains__(self, whom: object) -> bool:
        """Return whether this number or address, as `dialled` returns it, may be dialled."""
        return isinstance(whom, str) and (whom in self.whole or whom.startswith(self.beginnings))
