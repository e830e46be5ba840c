"""A transcript as a table: CSV (RFC 4180) that a spreadsheet opens as it is.

The file begins with a byte order mark, without which Excel takes UTF-8 for another encoding. Words of a call must not act in a spreadsheet,
so a cell never begins with what begins a formula: an apostrophe stands before it. Where a semicolon separates cells, as in much of Europe,
Excel splits this file at semicolons inside of cells. A blank follows each of those, and what begins with a blank is no formula. Pure.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from hub.audio.g711 import TRACKS, Track
from hub.events import CallSummary
from hub.text.foreign_text import line
from hub.transcript.lines import TranscriptLine

COLUMNS = ("callSid", "offset", "kind", "utc", "start", "end", "track", "speaker", "text", "value")
"""`kind` is the type of the event, `about` for what the file says of itself, or `figure` for one of the statistics, which has its name in
`text` and its number in `value`. `utc`: when the line began. `start`, `end`: call time."""

BYTE_ORDER_MARK = "\ufeff"

_BEGINS = r"[=+\-@＝＋－＠]"  # noqa: RUF001  full-width signs begin formulas where East Asian text is typed
_FORMULA = re.compile(_BEGINS)
_SEMICOLON = re.compile(r";(?!\s)")


def csv(summary: CallSummary, heading: Sequence[str], lines: Iterable[TranscriptLine]) -> Iterator[str]:
    """Yield the names of the columns, then one row per line of the heading, one per figure, and one per line of the transcript."""
    began = datetime.fromisoformat(summary.started_at).replace(tzinfo=None) if summary.started_at else None
    call = _cell(summary.call_sid)
    yield f"{BYTE_ORDER_MARK}{','.join(COLUMNS)}\r\n"
    for words in heading:
        yield f"{call},,about,,,,,,{_cell(words)},\r\n"
    for track, name, value in _figures(summary):
        speaker = _cell(summary.speakers.get(track, track)) if track else ""
        yield f"{call},,figure,,,,{track},{speaker},{name},{value}\r\n"
    for each in lines:
        utc = (began + timedelta(seconds=each.start)).isoformat(" ", "milliseconds") if began else ""
        speaker = _cell(each.speaker) if each.track else ""
        yield (
            f"{call},{each.offset},{each.kind},{utc},{each.start:.3f},{each.end:.3f},{each.track or ''},{speaker},{_cell(each.text)},\r\n"
        )


def _figures(summary: CallSummary) -> Iterator[tuple[Track | Literal[""], str, str]]:
    """Yield each figure of the call: whose it is, its name as in `transcript.json`, and its number; empty where there is none."""
    if summary.statistics is None:
        return
    whole = msgspec.to_builtins(summary.statistics)
    sides = whole.pop("sides")
    for name, value in whole.items():
        yield "", name, "" if value is None else str(value)
    for track in TRACKS:
        for name, value in sides[track].items():
            yield track, name, "" if value is None else str(value)


def _cell(text: str) -> str:
    """Return foreign text as a cell."""
    words = _SEMICOLON.sub("; ", line(text))
    if _FORMULA.match(words):
        words = f"'{words}"
    return '"' + words.replace('"', '""') + '"'
