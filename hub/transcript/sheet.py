"""A transcript as a table: CSV (RFC 4180) that a spreadsheet opens as it is.

The file begins with a byte order mark, without which Excel takes UTF-8 for another encoding. Words of a call must not act in a spreadsheet,
so a cell never begins with what begins a formula: an apostrophe stands before it. Where a semicolon separates cells, as in much of Europe,
Excel splits this file at semicolons inside of cells. A blank follows each of those, and what begins with a blank is no formula. Pure.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from hub.events import CallSummary
from hub.text.foreign_text import line
from hub.transcript.lines import TranscriptLine

COLUMNS = ("callSid", "offset", "kind", "utc", "start", "end", "track", "speaker", "text")
"""`kind` is the type of the event, or `about` for what the file says of itself. `utc`: when the line began. `start`, `end`: call time."""

BYTE_ORDER_MARK = "\ufeff"

_BEGINS = r"[=+\-@＝＋－＠]"  # noqa: RUF001  full-width signs begin formulas where East Asian text is typed
_FORMULA = re.compile(_BEGINS)
_SEMICOLON = re.compile(r";(?!\s)")


def csv(summary: CallSummary, heading: Sequence[str], lines: Iterable[TranscriptLine]) -> Iterator[str]:
    """Yield the names of the columns, then one row per line of the heading, then one per line of the transcript."""
    began = datetime.fromisoformat(summary.started_at).replace(tzinfo=None) if summary.started_at else None
    call = _cell(summary.call_sid)
    yield f"{BYTE_ORDER_MARK}{','.join(COLUMNS)}\r\n"
    for words in heading:
        yield f"{call},,about,,,,,,{_cell(words)}\r\n"
    for each in lines:
        utc = (began + timedelta(seconds=each.start)).isoformat(" ", "milliseconds") if began else ""
        speaker = _cell(each.speaker) if each.track else ""
        yield (
            f"{call},{each.offset},{each.kind},{utc},{each.start:.3f},{each.end:.3f},{each.track or ''},{speaker},{_cell(each.text)}\r\n"
        )


def _cell(text: str) -> str:
    """Return foreign text as a cell."""
    words = _SEMICOLON.sub("; ", line(text))
    if _FORMULA.match(words):
        words = f"'{words}"
    return '"' + words.replace('"', '""') + '"'
