"""Joins pieces of text as their script does: with blanks between words, or without where a script writes none. Pure."""

import re
from collections.abc import Iterable
from typing import Final

_WITHOUT_BLANKS: Final = (
    "\u2e80-\u303f"  # radicals of Han, and the punctuation of Chinese and Japanese
    "\u3040-\u312f\u31a0-\u33ff"  # Hiragana, Katakana, Bopomofo, strokes, enclosed signs
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # Han
    "\ufe30-\ufe4f\uff01-\uff9f\uffe0-\uffe6"  # forms of full and half width, without those of Hangul
    "\U0001aff0-\U0001b16f\U00020000-\U0003ffff"  # more Kana, more Han
)
"""Chinese and Japanese: no blank, not even beside a Latin word: `今日は` and `iPhone` are `今日はiPhone`. Korean has blanks."""

_BLANKS_BETWEEN_PHRASES: Final = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u0f00-\u0fff"  # Tibetan
    "\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f"  # Burmese
    "\u1780-\u17ff\u19e0-\u19ff"  # Khmer
    "\u1950-\u19df\u1a20-\u1aaf"  # Tai Le, New Tai Lue, Tai Tham
    "\u1b00-\u1b7f\ua980-\ua9df"  # Balinese, Javanese
)
"""Scripts that write words of their own without blanks, and put one beside a word of another script and after a sentence."""

_SENTENCE_ENDS: Final = "\u0f0d-\u0f12\u104a\u104b\u17d4\u17d5"
"""Signs of `_BLANKS_BETWEEN_PHRASES` after which a blank follows."""

_NO_BLANK: Final = re.compile(
    # A full stop or comma of ASCII counts as the word before it: `OK.` and `今日は` get a blank, `你好,` and `世界` get none.
    rf"[{_WITHOUT_BLANKS}]\n|[{_WITHOUT_BLANKS}][.,!?;:]+\n[{_WITHOUT_BLANKS}]|[^.,!?;:]\n[{_WITHOUT_BLANKS}]"
    rf"|(?![{_SENTENCE_ENDS}])[{_BLANKS_BETWEEN_PHRASES}]\n[{_BLANKS_BETWEEN_PHRASES}]"
)
"""Finds a seam, written as a line break, that gets no blank."""

_EDGE: Final = 4
"""How many characters before a seam are looked at: the letter, and the signs after it."""


def joined(pieces: Iterable[str]) -> str:
    """Return pieces of one text as one text. Blanks at the edges of pieces, and pieces that hold nothing else, are dropped."""
    whole: list[str] = []
    edge = ""
    for piece in (piece.strip() for piece in pieces):
        if not piece:
            continue
        if whole and not _is_without_blank(edge, piece[0]):
            whole.append(" ")
        whole.append(piece)
        edge = (edge + piece)[-_EDGE:]
    return "".join(whole)


def _is_without_blank(edge: str, following: str) -> bool:
    """Return whether no blank belongs between the end of a text and the character that follows it."""
    return not (edge + following).isascii() and _NO_BLANK.search(f"{edge}\n{following}") is not None
