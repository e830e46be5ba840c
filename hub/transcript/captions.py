"""A transcript as a file: plain text, SubRip, WebVTT. Pure. Times are seconds of call time."""

import re
from collections.abc import Iterable
from typing import Literal

from hub.events import Final
from hub.foreign_text import isolated, line

WRAP_SECONDS = 0.5
"""The least time for which a caption is shown: a shorter one cannot be read."""

_ARROW = re.compile("-{2,}>")
"""What stands between the times of a caption, and what could become that if a part of it were removed."""

_MARKUP = re.compile(r"<(?=[A-Za-z/!?])|\{(?=\\)")
"""Where markup begins in a SubRip caption, for the players that know some."""


def ordered(finals: Iterable[Final]) -> list[Final]:
    """Return utterances in the order in which they began, as a conversation is read. They end in another order when people overlap."""
    return sorted(finals, key=lambda final: (final.start, final.end))


def text(finals: Iterable[Final]) -> str:
    """Return one line per utterance: `[00:03.2] caller: Hello.`."""
    return "".join(f"[{clock(final.start)}] {isolated(final.speaker)}: {isolated(final.marked())}\n" for final in ordered(finals))


def clock(seconds: float) -> str:
    """Return call time for people: minutes, seconds and tenths, with hours only if there are any."""
    tenths = round(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    return (f"{hours}:" if hours else "") + f"{minutes:02d}:{rest // 10:02d}.{rest % 10}"


def srt(finals: Iterable[Final]) -> str:
    """Return SubRip captions, with the speaker before the text."""
    return "\n".join(
        f"{number}\n{_span(final, ',')}\n{_subrip(final.speaker)}: {_subrip(final.marked())}\n"
        for number, final in enumerate(ordered(finals), 1)
    )


def vtt(finals: Iterable[Final]) -> str:
    """Return WebVTT captions with voice tags (w3.org/TR/webvtt1)."""
    return "WEBVTT\n" + "".join(
        f"\n{final.utterance}\n{_span(final, '.')}\n<v {_webvtt(final.speaker)}>{_webvtt(final.marked())}\n" for final in ordered(finals)
    )


def _span(final: Final, point: Literal[",", "."]) -> str:
    return f"{_stamp(final.start, point)} --> {_stamp(max(final.end, final.start + WRAP_SECONDS), point)}"


def _stamp(seconds: float, point: str) -> str:
    whole, millis = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}{point}{millis:03d}"


def _subrip(words: str) -> str:
    """Return words as they can stand in a SubRip caption. A blank line would end it, and an arrow would be taken for the times of another.

    SubRip has no escapes, and players take `<b>` and `{\\an8}` for markup. The word joiner, which is not seen, keeps them from it.
    """
    return _MARKUP.sub("\\g<0>\u2060", _without_arrows(isolated(words)))


def _webvtt(words: str) -> str:
    """Return words as they can stand in a WebVTT cue, whose direction is that of its first letter: nothing has to be isolated."""
    return _without_arrows(line(words)).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _without_arrows(words: str) -> str:
    return _ARROW.sub("->", words)
