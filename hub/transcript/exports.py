"""The forms in which a call's log can be had as a file, whole or a part of it. A new form needs one line here, in `FORMS`.

Pure. A file is yielded a piece at a time, so that nobody has to hold all of it: the payloads of the log are there anyway, and each line is
made when its turn comes.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from hub.events import CallSummary, DurableEvent, Final
from hub.transcript import files, sheet, vcon
from hub.transcript.lines import Lines, TranscriptLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """What a file is made of: a call's log as it was when it was asked for, or a range of it. It does not change any more."""

    summary: CallSummary
    """Of the call, not of the range."""
    payloads: list[bytes]
    """All that the log has up to `until`, also those before the range: they tell how far the call had come."""
    first: int
    """Offset of the first of them."""
    after: int
    """The range has the events behind this offset."""
    until: int
    """The range ends with this offset."""

    @property
    def events(self) -> Iterator[bytes]:
        """The payloads of the range."""
        return iter(self.payloads[max(0, self.after + 1 - self.first) :])

    @property
    def whole(self) -> bool:
        """Whether all events of the range are there. A very long call loses its oldest."""
        return self.first - 1 <= self.after

    @property
    def heading(self) -> list[str]:
        """What a file for people says before its first line."""
        heading = files.head(self.summary)
        if self.after or self.until < self.summary.offset:
            heading.append(f"a part of the record: events {self.after + 1} to {self.until} of {self.summary.offset}")
        if not self.whole:
            heading.append(f"events before {self.first} are no longer kept")
        return heading


class Transcript(CallSummary, frozen=True, kw_only=True, omit_defaults=False):
    """`transcript.json`: the summary of the call, its utterances in the order in which they began, and its events as subscribers got them.

    `after` and `until`: the events behind the one offset, up to and including the other. `whole` is false if some of these are no longer
    kept.
    """

    after: int
    until: int
    whole: bool
    utterances: list[Final]  # type: ignore[assignment]  # themselves, where a summary has their number
    events: list[DurableEvent]


def json(excerpt: Excerpt, lines: Lines) -> Iterator[bytes]:
    """Yield a `Transcript`. Events are not encoded again: they are the bytes that subscribers got."""
    head = msgspec.to_builtins(excerpt.summary) | {"after": excerpt.after, "until": excerpt.until, "whole": excerpt.whole}
    del head["utterances"]
    yield msgspec.json.encode(head)[:-1] + b',"utterances":['
    yield from _separated(lines.spoken(excerpt.payloads))
    yield b'],"events":['
    yield from _separated(excerpt.events)
    yield b"]}"


def _separated(members: Iterator[bytes]) -> Iterator[bytes]:
    if (first := next(members, None)) is not None:
        yield first
    for each in members:
        yield b"," + each


def _csv(excerpt: Excerpt, lines: Lines) -> Iterator[bytes]:
    for row in sheet.csv(excerpt.summary, excerpt.heading, lines.ordered(excerpt.payloads)):
        yield row.encode()


Write: TypeAlias = Callable[[Excerpt, Lines], Iterator[bytes]]


def _vcon(excerpt: Excerpt, lines: Lines) -> Iterator[bytes]:
    return vcon.vcon(excerpt.summary, json(excerpt, lines), list(excerpt.events))


def _for_people(written: Callable[[list[str], Iterator[TranscriptLine]], Iterator[str]]) -> Write:
    def write(excerpt: Excerpt, lines: Lines) -> Iterator[bytes]:
        for each in written(excerpt.heading, lines.ordered(excerpt.payloads)):
            yield each.encode()

    return write


@dataclass(frozen=True, slots=True)
class Form:
    """A form of a file."""

    media_type: str
    write: Write
    """`lines` must have read all payloads of the excerpt."""
    summary: str
    """What it is, in a line."""


FORMS: dict[str, Form] = {
    "json": Form("application/json", json, "everything: the summary, the utterances, and the events as subscribers got them"),
    "txt": Form("text/plain; charset=utf-8", _for_people(files.text), "plain text, a line for each utterance and happening"),
    "srt": Form("application/x-subrip; charset=utf-8", _for_people(files.srt), "SubRip captions"),
    "vtt": Form("text/vtt; charset=utf-8", _for_people(files.vtt), "WebVTT captions"),
    "csv": Form("text/csv; charset=utf-8; header=present", _csv, "a table for spreadsheets, a row for each utterance and happening"),
    "vcon.json": Form("application/vcon", _vcon, "a vCon (draft-ietf-vcon-vcon-core-03), for products that exchange conversations"),
}
"""By the ending of the file's name."""
