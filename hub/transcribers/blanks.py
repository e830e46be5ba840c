"""Joins pieces of text as their script does: with blanks between words, or without where a script writes none. Pure."""

import re
from collections.abc import Iterable
from typing import Final

from hub.text.scripts import BLANKS_BETWEEN_PHRASES, WITHOUT_BLANKS

_SENTENCE_ENDS: Final = "\u0f0d-\u0f12\u104a\u104b\u17d4\u17d5"
"""Signs of `BLANKS_BETWEEN_PHRASES` after which a blank follows."""

_NO_BLANK: Final = re.compile(
    # A full stop or comma of ASCII counts as the word before it: `OK.` and `今日は` get a blank, `你好,` and `世界` get none.
    rf"[{WITHOUT_BLANKS}]\n|[{WITHOUT_BLANKS}][.,!?;:]+\n[{WITHOUT_BLANKS}]|[^.,!?;:]\n[{WITHOUT_BLANKS}]"
    rf"|(?![{_SENTENCE_ENDS}])[{BLANKS_BETWEEN_PHRASES}]\n[{BLANKS_BETWEEN_PHRASES}]"
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
