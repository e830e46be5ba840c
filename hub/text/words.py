"""Text as words that are compared: one spelling of each, whoever wrote or typed it. Pure.

`Café`, `CAFÉ` and `cafe` are one word, because many people type no accents. Marks that make another letter stay: the vowel signs of Indian
scripts, the dots of Japanese, the breve of a Russian `й`. A hyphen stands between two words. A character of a script that has no blanks
(Chinese, Japanese, Thai …) is a word of its own, and so is an emoji. Everything else that is neither letter nor digit is a blank.

**Apostrophes** are asked for in three ways. People look for `don't` or `dont`, and for the `avion` in `l'avion`. So a text with an
apostrophe is compared twice: as `l avion`, and as `lavion`. What somebody looks for is always read in the second way.

Knows characters. Does not know what is searched, or how.
"""

import re
import unicodedata
from typing import Final

from hub.text.scripts import BLANKS_BETWEEN_PHRASES, WITHOUT_BLANKS

_ALONE: Final = re.compile(f"[{WITHOUT_BLANKS}{BLANKS_BETWEEN_PHRASES}]")
"""A character that is a word of its own."""

_DROPPED_MARKS: Final = re.compile(
    "[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"  # accents
    "\u0591-\u05bd\u05bf-\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06ed\u0711\u0730-\u074a"  # vowels of Hebrew, Arabic, Syriac
    "\ufe00-\ufe0f\U000e0100-\U000e01ef\U0001f3fb-\U0001f3ff]"  # variants of a form, colours of a skin
)
"""Marks that people leave out when they type."""

_APOSTROPHES: Final = "'\u2018\u2019\u201b\u02bb\u02bc\u05f3`"

_TYPED_AS: Final = {
    "ł": "l", "ø": "o", "đ": "d", "ħ": "h", "ŧ": "t", "\u0131": "i", "æ": "ae", "œ": "oe",
    "\u0451": "\u0435", "\u0450": "\u0435", "\u045d": "\u0438",  # `ё` is typed as `e`, and accents over Cyrillic vowels are left out
}  # fmt: skip
"""Letters that are typed as others, and that Unicode does not take for a letter with an accent."""

_KEPT_WHOLE: Final = re.compile("[\u0400-\u052f]")
"""Cyrillic: `й` is another letter than `и`, not one with an accent."""

_HANGUL: Final = re.compile("[\uac00-\ud7a3]")

_CACHED: Final = 20_000
"""Characters whose spelling is remembered: more than any language has. All of Unicode would take 150 MB."""


class _Spellings(dict[int, str]):
    """Code point -> how it is compared, for `str.translate`."""

    def __missing__(self, code: int) -> str:
        spelling = _spelling(chr(code))
        if len(self) < _CACHED:
            self[code] = spelling
        return spelling


def _spelling(character: str) -> str:
    """Return how one character is compared: as a word's part, as a word between blanks, as a blank, or not at all."""
    if character in _APOSTROPHES:
        return "'"
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.decimal(character))
    if character == "\u200b":  # stands between words where no blank is seen
        return " "
    if category in {"Cf", "Me"} or _DROPPED_MARKS.match(character):
        return ""
    if category == "So" or (_ALONE.match(character) and category[0] in "LNM"):
        return f" {character} "
    if category[0] not in "LNM":
        return " "
    if character in _TYPED_AS:
        return _TYPED_AS[character]
    if _KEPT_WHOLE.match(character):
        return character
    letters = _DROPPED_MARKS.sub("", unicodedata.normalize("NFD", character))
    # A Korean syllable stays in its letters, so that it is found while its last letter has not been typed yet.
    return letters if _HANGUL.match(character) else unicodedata.normalize("NFC", letters)


_spellings: Final = _Spellings()
_NOT_ASCII: Final = re.compile("[^\x00-\x7f]")
_DEAR: Final = 12
"""To replace one character costs as much as to look so many up."""

_ascii_spellings: Final = "".join(_spellings[code] for code in range(128)).lower().encode() + bytes(128)
"""The same for ASCII, where each character is compared as one: five times as fast."""


def spelled(text: str) -> str:
    """Return text with each character as it is compared. Apostrophes are `'`, and there are blanks around whatever is a word."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
        if len(_NOT_ASCII.findall(text)) * _DEAR > len(text):
            return text.translate(_spellings)
        few = _NOT_ASCII.sub(lambda found: _spellings[ord(found[0])], text)  # a few accents, or a dash
        if not few.isascii():  # a letter that has no other spelling, or a word of its own: once more from the beginning
            return text.translate(_spellings)
        text = few
    return text.encode().translate(_ascii_spellings).decode()


def tokens(text: str) -> list[str]:
    """Return the words of a text in order. An apostrophe stands between two words."""
    return spelled(text).replace("'", " ").split()


def wanted(text: str) -> list[str]:
    """Return the words of a text that somebody looks for, in order. An apostrophe stands for nothing."""
    return spelled(text).replace("'", "").split()


def comparable(text: str) -> str:
    """Return the words of a text in one string, each behind a blank.

    With an apostrophe in the text it is two lines: ` i don t` and ` i dont`. A word begins with `re` if `" re"` is in the string, and words
    stand together if they do so here.
    """
    words = spelled(text)
    if "'" not in words:
        return " " + " ".join(words.split())
    apart, joined = (" ".join(words.replace("'", instead).split()) for instead in (" ", ""))
    return f" {apart}\n {joined}"


def roughly_comparable(text: str) -> str:
    """Return the same with more blanks between words: in half the time, and as good where single words are looked for."""
    words = spelled(text)
    if "'" not in words:
        return " " + words
    apart, joined = (words.replace("'", instead) for instead in (" ", ""))
    return f" {apart}\n {joined}"
