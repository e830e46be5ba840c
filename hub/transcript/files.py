"""A transcript as a file for people: plain text, SubRip, WebVTT. Each says at its head what it is, and has everything that happened.

Pure. Files are yielded a piece at a time, so that whoever sends one can do something else in between. Times are seconds of call time.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from hub.events import CallSummary
from hub.text.foreign_text import isolated, line
from hub.transcript.lines import TranscriptLine
from hub.transcript.wording import clock

WRAP_SECONDS = 0.5
"""The least time for which a caption is shown: a shorter one cannot be read."""

_ARROW = re.compile("-{2,}>")
"""What stands between the times of a caption, and what could become that if a part of it were removed."""

_MARKUP = re.compile(r"<(?=[A-Za-z/!?])|\{(?=\\)")
"""Where markup begins in a SubRip caption, for the players that know some."""


SHOWN_SECONDS = 3.0
"""How long a caption is shown that says what happened, or what the file is."""


def head(summary: CallSummary) -> list[str]:
    """Return what a file says of the call before its first line: who, when, who transcribed, and how whole the record is."""
    numbers = " to ".join(isolated(number) for number in (summary.from_, summary.to) if number)
    began = f"began {_date(summary.started_at)}" if summary.started_at else ""
    if summary.live:
        state = "the call is live, and this is its transcript so far"
    else:
        state = f"ended after {clock(summary.duration or 0.0)}: {summary.reason}"
    name = summary.transcriber
    provider = f"transcriber: {name.provider}" + (f" ({isolated(name.model)})" if name.model else "") if name else ""
    so_far = " so far" if summary.live else ""
    return [
        f"Call {summary.call_sid}"
        + (f", {numbers}" if numbers else "")
        + (f", {isolated(summary.direction)}" if summary.direction else ""),
        ", ".join(part for part in (began, state) if part),
        provider or "no transcriber yet",
        f"the record{so_far}: {isolated(summary.completeness.summary)}",
    ]


def text(heading: Sequence[str], lines: Iterable[TranscriptLine]) -> Iterator[str]:
    """Yield plain text: the head, then one line per utterance, `[00:03.2] caller: Hello.`, or happening, `[00:05.0] — key 4`."""
    yield "".join(f"{each}\n" for each in heading) + "\n"
    for each in lines:
        yield f"[{clock(each.start)}] {f'{isolated(each.speaker)}: ' if each.track else '— '}{_words(each)}\n"


def srt(heading: Sequence[str], lines: Iterable[TranscriptLine]) -> Iterator[str]:
    """Yield SubRip captions, with the speaker before the text. The first caption is the head: SubRip has no comments."""
    yield f"1\n{_span(0.0, SHOWN_SECONDS, ',')}\n" + "".join(f"[{_subrip(each)}]\n" for each in heading)
    for number, each in enumerate(lines, 2):
        words = f"{_subrip(isolated(each.speaker))}: {_subrip(_words(each))}" if each.track else f"[{_subrip(_words(each))}]"
        yield f"\n{number}\n{_span(each.start, _until(each), ',')}\n{words}\n"


def vtt(heading: Sequence[str], lines: Iterable[TranscriptLine]) -> Iterator[str]:
    """Yield WebVTT captions with voice tags (w3.org/TR/webvtt1). The head is a comment."""
    yield "WEBVTT\n\nNOTE\n" + "".join(f"{_webvtt(each)}\n" for each in heading)
    for each in lines:
        words = f"<v {_webvtt(each.speaker)}>{_webvtt(each.text)}" if each.track else f"<i>{_webvtt(each.text)}</i>"
        yield f"\n{_webvtt(each.name)}\n{_span(each.start, _until(each), '.')}\n{words}\n"


def _words(each: TranscriptLine) -> str:
    """Return what was said, on one line of its own direction. The foreign parts of a sentence of ours are so already."""
    return isolated(each.text) if each.track else each.text


def _until(each: TranscriptLine) -> float:
    """Return when a caption goes: what has no length of its own stays as long as it takes to read."""
    return max(each.end, each.start + (WRAP_SECONDS if each.track else SHOWN_SECONDS))


def _date(at: str) -> str:
    """Return a moment as events carry it with its date and zone, for people."""
    return at[:19].replace("T", " ") + " UTC"


def _span(start: float, end: float, point: Literal[",", "."]) -> str:
    return f"{_stamp(start, point)} --> {_stamp(end, point)}"


def _stamp(seconds: float, point: str) -> str:
    whole, millis = divmod(round(max(0.0, seconds) * 1000), 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}{point}{millis:03d}"


def _subrip(words: str) -> str:
    """Return a line as it can stand in a SubRip caption. A blank line would end it, and an arrow would be taken for the times of another.

    SubRip has no escapes, and players take `<b>` and `{\\an8}` for markup. The word joiner, which is not seen, keeps them from it.
    """
    return _MARKUP.sub("\\g<0>\u2060", _without_arrows(words))


def _webvtt(words: str) -> str:
    """Return words as they can stand in a WebVTT cue, whose direction is that of its first letter: nothing has to be isolated."""
    return _without_arrows(line(words)).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _without_arrows(words: str) -> str:
    return _ARROW.sub("->", words)
