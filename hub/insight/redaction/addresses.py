"""Finds e-mail addresses in a text, written and said, and account numbers with letters in them (IBAN). Pure."""

import re
from collections.abc import Sequence
from typing import Final

from hub.insight.redaction.masks import Mask, label
from hub.insight.redaction.number_words import NUMBER_WORDS, words_of

EMAIL: Final = label("email")
IBAN: Final = label("iban")

_WRITTEN: Final = re.compile(r"[^\s<>()\[\]{}\"',;:]{1,64}@[^\s<>()\[\]{}\"',;:]{0,255}")
_ATOM: Final = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)?|[._+-]")
_AT: Final = frozenset({"at", "arroba", "arobase", "ät"})
_DOTS: Final = frozenset({".", "dot", "punkt", "punto", "point"})
_SEPARATORS: Final = _DOTS | words_of("_ - + underscore dash hyphen minus plus bindestrich unterstrich guion guión tiret underline")
_HOSTS: Final = words_of("gmail googlemail yahoo hotmail outlook icloud aol gmx proton protonmail live msn")
"""Names of providers that people say without the end of their domain."""

_SAID: Final = re.compile(rf"\b(?:{'|'.join(sorted(_AT))})\b")
"""Without one of these, no address is said."""

_SPOKEN_SEPARATOR: Final = re.compile(rf"_|\+|\b(?:{'|'.join(sorted(word for word in _SEPARATORS if word.isalpha()))})\b")

IBAN_LENGTHS: Final = {
    each[:2]: int(each[3:])
    for each in words_of(
        "AD:24 AE:23 AL:28 AT:20 AZ:28 BA:20 BE:16 BG:22 BH:22 BR:29 BY:28 CH:21 CR:22 CY:28 CZ:24 DE:22 DK:18 DO:28 EE:20 EG:29 ES:24 "
        "FI:18 FO:18 FR:24 GB:22 GE:22 GI:23 GL:18 GR:27 GT:28 HR:21 HU:28 IE:22 IL:23 IS:26 IT:27 JO:30 KW:30 KZ:20 LB:28 LI:21 LT:20 "
        "LU:20 LV:21 MC:27 MD:24 ME:22 MK:19 MR:27 MT:31 NL:18 NO:15 PK:24 PL:28 PS:29 PT:25 QA:29 RO:24 RS:22 SA:24 SE:24 SI:19 SK:24 "
        "SM:27 TN:24 TR:26 UA:29 VA:22 XK:20 FR:27"
    )
}
"""How many characters an account number of each country has; https://www.swift.com/standards/data-standards/iban-international-bank-account-number."""

_IBAN: Final = re.compile(r"\b([A-Z]{2})\d{2}(?:[ -]?(?=[A-Z0-9]{0,33}\d|[A-Z]{4}\b)[A-Z0-9]{1,34})*")


def emails(text: str) -> list[Mask]:
    """Return the e-mail addresses of a text: `a.b@example.com`, `a dot b at example dot com`, and what is a part of one by its `@`."""
    found = [Mask(match.start(), match.end(), EMAIL) for match in _WRITTEN.finditer(text)] if "@" in text else []
    if _SAID.search(text.lower()) is None:
        return found
    atoms = list(_ATOM.finditer(text))
    words = [atom[0].lower() for atom in atoms]
    for at, word in enumerate(words):
        if word in _AT and at > 0:
            end = _domain(words, at + 1)
            if end:
                found.append(Mask(atoms[_local(words, at)].start(), atoms[end - 1].end(), EMAIL))
    return found


def email_begun(text: str) -> Mask | None:
    """Return the end of a text that may be the beginning of an e-mail address: `john dot smith`, `john underscore smith at gmail`."""
    if _SPOKEN_SEPARATOR.search(text.lower()) is None:
        return None
    atoms = list(_ATOM.finditer(text))
    words = [atom[0].lower() for atom in atoms]
    end = len(words)
    while end and words[end - 1] in {".", "-"} and atoms[end - 1].end() == len(text):
        end -= 1  # the full stop of the sentence
    if not end:
        return None
    last = next((at for at in range(end - 1, max(-1, end - 4), -1) if words[at] in _AT), end)
    first = _local(words, last)
    spoken = any(
        words[at] in _SEPARATORS - {".", "-"} and not _is_number(words[at - 1]) and not (at + 1 < last and _is_number(words[at + 1]))
        for at in range(first + 1, last)
    )
    return Mask(atoms[first].start(), atoms[end - 1].end(), EMAIL) if spoken and first < end else None


def _local(words: Sequence[str], at: int) -> int:
    """Return where the local part begins that ends before `at`."""
    first = max(0, at - 1)
    if words[first] in _SEPARATORS and first:
        first -= 1
    while first:
        before = words[first - 1]
        if before in _SEPARATORS and first > 1:
            first -= 2
        elif (len(words[first]) == 1 and len(before) == 1) or (_is_number(words[first]) and before not in _AT):
            first -= 1
        else:
            break
    return first


def _is_number(word: str) -> bool:
    return word.isdecimal() or word in NUMBER_WORDS


def _domain(words: Sequence[str], at: int) -> int:
    """Return where the domain ends that begins at `at`. 0 if there is none."""
    end = at
    while end < len(words) and words[end] not in _SEPARATORS:
        end += 1
        if len(words[end - 1]) > 1:
            break
    if end == at:
        return 0
    is_host = words[end - 1] in _HOSTS
    dotted = 0
    while end + 1 < len(words) and words[end] in _SEPARATORS and words[end + 1] not in _SEPARATORS:
        if words[end] in _DOTS and len(words[end + 1]) > 1 and words[end + 1].isalpha():
            dotted = end + 2
        end += 2
    return dotted or (at + 1 if is_host else 0)


def ibans(text: str) -> list[Mask]:
    """Return the account numbers of a text that are written with their letters, and what begins like one."""
    return [
        Mask(match.start(), match.end(), IBAN)
        for match in _IBAN.finditer(text)
        if match[1] in IBAN_LENGTHS and sum(each.isalnum() for each in match[0]) >= 6
    ]
