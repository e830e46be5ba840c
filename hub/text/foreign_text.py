"""Text that others chose, made safe to show: names, numbers, words, and whatever else a caller, a provider or another program sent.

Such text may contain characters that act on the text around it. A line break starts a line that nobody wrote, an escape sequence moves the
cursor of a terminal, and U+202E turns the number beside it around. What people do need in their languages is kept: joiners (U+200C,
U+200D), combining marks, no-break spaces, and the letters of scripts that are written from right to left.

Knows characters. Does not know where the text is shown.
"""

import re

_BREAKS = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029], " ")
"""Control characters, among them every kind of line break and ESC, and Unicode's own line and paragraph separators."""

_EMBEDDINGS = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])
"""Characters that turn the direction of what follows until another one ends it: embeddings, overrides, isolates. A writer may leave the end
out, and then they turn the rest of the line as well."""

_MARKS = dict.fromkeys([0x061C, 0x200B, 0x200E, 0x200F, 0x2060, 0xFEFF])
"""Invisible characters that a name or a number does not need: marks of the direction, and spaces without a width. They come along when
something is copied from a web page. In a sentence, marks of the direction may be right: they act on their neighbours only."""

_NO_CHARACTERS = dict.fromkeys([*range(0xD800, 0xE000), 0xFFFE, 0xFFFF], "\ufffd")
"""Halves of characters, as JSON can spell them, which cannot be written in UTF-8; and two numbers that XML cannot hold."""

_LINE: dict[int, str | None] = {**_BREAKS, **_EMBEDDINGS, **_NO_CHARACTERS, 0xFEFF: None}
_NAME: dict[int, str | None] = {**_LINE, **_MARKS}
_QUOTED = {
    number: {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(chr(number)) or (f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}")
    for number in (*_BREAKS, *_EMBEDDINGS, *_MARKS, *_NO_CHARACTERS)
}

_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\u200f\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]")
"""A character that makes text run from right to left: the blocks that Unicode has set aside for such scripts, and the mark for it."""

_ISOLATE, _END = "\u2068", "\u2069"
"""FIRST STRONG ISOLATE and POP DIRECTIONAL ISOLATE (unicode.org/reports/tr9)."""


def line(text: str) -> str:
    """Return words as one line: a blank in place of control characters, and nothing that turns the direction of what follows."""
    return text.strip() if text.isprintable() else _without_runs(text.translate(_LINE))


def name(text: str) -> str:
    """Return a name or a number as one line, without invisible characters that could make it look like another one."""
    return text.strip() if text.isprintable() else _without_runs(text.translate(_NAME))


def isolated(text: str) -> str:
    """Return words as one line that can stand in a line of other text, in a file for example.

    Text that runs from right to left is put between the characters that Unicode has for this. Its own full stop then stands at its own
    end, and a number beside it stays in its place.
    """
    words = line(text)
    return f"{_ISOLATE}{words}{_END}" if _RIGHT_TO_LEFT.search(words) else words


def quoted(text: str) -> str:
    r"""Return text for a log: each character that acts on the text around it is written as its escape, `\n` or `\x1b` or `\u202e`."""
    return text if text.isprintable() else text.translate(_QUOTED)


def _without_runs(text: str) -> str:
    return re.sub(" {2,}", " ", text).strip(" ")
