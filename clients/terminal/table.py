"""The board as lines that fit the terminal: what needs attention, what is live, what is over.

Knows rows, widths and colours. Does not know where rows come from, nor which keys there are.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import TypeAlias

from rich.cells import cell_len, split_graphemes
from rich.console import Console, Group
from rich.text import Text

from clients.follow import HubConnection
from clients.terminal.board import Board, Row
from clients.terminal.browsing import Browsing, Part, seconds
from clients.terminal.colours import ALARMS, COLOURS
from hub import events
from hub.text.foreign_text import line as one_line

WIDE = 80
"""From this many columns on, a call's state has a column of its own. In a narrower terminal, trouble and the end replace the words."""

ALL_COLUMNS = 100
"""From this many on there is room for who answers, the queue, the direction and the shares of talk, where any call has one."""

STATE_SHARE, MOST_STATE = 3, 48
"""In a wide terminal a call's state takes this part of the width, and so many columns at most. What is longer goes on in the next line."""

NUMBER, TIME, AGENT, QUEUE, DIRECTION, TALK = 16, 5, 12, 10, 3, 6
"""Widths of columns: at least, for the time. A number has at most sixteen characters."""

GAP = 2
"""Blanks between two columns."""

AROUND = 4
"""Lines above and below the calls: the heading, the filter, the names of the columns, and the keys."""

LOST = 6
"""From this urgency on, words are lost at this moment: nobody transcribes the call, or the provider is being looked for."""

Draw: TypeAlias = Callable[[], Text]

KEYS = "↑↓ scroll · s order: {order} · f show: {show} · / filter · q quit"


class BoardView:
    """The board as lines that fit the terminal."""

    def __init__(self, board: Board, connection: HubConnection, console: Console, browsing: Browsing | None = None) -> None:
        """`browsing`: what the reader chose. None where there are no keys."""
        self._board = board
        self._connection = connection
        self._console = console
        self._browsing = browsing or Browsing()
        self._has_keys = browsing is not None
        self._was_connected = False
        """Whether there was ever a connection."""

    def page(self) -> Group:
        """Return what to show now."""
        self._board.forget()
        rows = list(self._board.rows.values())
        parts = self._browsing.parts(rows, self._board.now())
        layout = _Layout(self._console, rows, self._board.now(), connected=self._connection.connected)
        calls = list(layout.lines(parts))
        room = max(1, self._console.height - AROUND - 1)
        self._browsing.page = room
        self._browsing.top = top = max(0, min(self._browsing.top, len(calls) - room))
        counts = (
            (sum(row.urgency > 0 for row in rows), "need attention"),
            (sum(row.live for row in rows), "live"),
            (max(0, len(calls) - top - room), "more lines below"),
        )
        heading = self._heading(", ".join(f"{count} {what}" for count, what in counts if count or what == "live"))
        shown = [draw() for draw in calls[top : top + room]] if calls else [Text(self._emptiness(rows), style="dim")]
        return Group(heading, self._filter(), layout.names() if calls else Text(), *shown, *self._foot())

    def _emptiness(self, rows: list[Row]) -> str:
        return "No call fits the filter. Esc takes it away." if rows else "No call is live. A new call appears here."

    def _filter(self) -> Text:
        browsing = self._browsing
        if not browsing.typing and not browsing.query:
            return Text()
        return _one_row(("filter: ", "bold"), (browsing.query, ""), ("▏" if browsing.typing else "", "bold"))

    def _foot(self) -> list[Text]:
        if not self._has_keys:
            return []
        return [_one_row((KEYS.format(order=self._browsing.order, show=self._browsing.show), "dim"))]

    def _heading(self, count: str) -> Text:
        self._was_connected = self._was_connected or self._connection.connected
        if self._connection.connected:
            return _one_row((count, "bold"), (f"  {self._connection.url}", "dim"))
        state = "connection lost, trying again" if self._was_connected else "connecting"
        return _one_row((f"{state} …", "bold yellow"), (f"  {self._connection.url}", "dim"))


class _Layout:
    """The columns of one drawing."""

    def __init__(self, console: Console, rows: list[Row], now: float, *, connected: bool) -> None:
        self._console = console
        self._now = now
        self._connected = connected
        self._wide = console.width >= WIDE
        time = max([TIME, *(len(_length(row, now)) for row in rows)])
        state = [("state", min(MOST_STATE, console.width // STATE_SHARE))] if self._wide else []
        columns = [("call", NUMBER), ("time", time), *(_facts(rows) if console.width >= ALL_COLUMNS else []), *state]
        taken = sum(width + GAP for _, width in columns)
        self._columns = [*columns, ("last words", max(10, console.width - taken))]

    def names(self) -> Text:
        """Return the names of the columns."""
        return self._joined([Text(name, style="dim") for name, _ in self._columns])

    def lines(self, parts: list[Part]) -> Iterator[Draw]:
        """Yield what draws each line of the calls. Only those in view are drawn."""
        for part in parts:
            yield partial(Text, part.title, style="bold dim")
            for row in part.rows:
                yield from (partial(self._line, row, at) for at in range(self._height(row)))

    def _height(self, row: Row) -> int:
        """Return how many lines a row takes."""
        return len(_state(row).wrap(self._console, self._state_width)) if row.why or not row.live else 1

    @property
    def _state_width(self) -> int:
        return dict(self._columns)["state" if self._wide else "last words"]

    def _line(self, row: Row, at: int) -> Text:
        """Return one line of a row: the first has everything, those below it what its state goes on with."""
        state = _state(row).wrap(self._console, self._state_width)
        told = state[at] if at < len(state) else Text()
        if at:
            line = self._joined([told if name == ("state" if self._wide else "last words") else Text() for name, _ in self._columns])
        else:
            line = self._joined([self._cell(name, width, row, told) for name, width in self._columns])
        if not row.live or not self._connected:
            line.stylize("dim")
        return line

    def _cell(self, name: str, width: int, row: Row, state: Text) -> Text:
        match name:
            case "call":
                return Text(one_line(row.name), style="bold" if row.urgency else "")
            case "time":
                return Text(_length(row, self._now).rjust(width))
            case "agent":
                return Text(one_line(row.agent or ""))
            case "queue":
                return Text(one_line(row.queue or ""))
            case "dir":
                return Text("" if row.direction is None else "out" if row.is_outbound else "in")
            case "talk":
                return Text(row.talk.rjust(width))
            case "state":
                return state
            case _:
                return last_words(row.said, width) if self._wide or (row.live and not row.why) else state

    def _joined(self, cells: list[Text]) -> Text:
        line = Text(no_wrap=True)
        for cell, (_, width) in zip(cells, self._columns, strict=True):
            cell.truncate(width, overflow="ellipsis", pad=True)
            line.append_text(cell)
            line.append(" " * GAP)
        line.truncate(self._console.width, overflow="crop")
        return line


def _facts(rows: list[Row]) -> list[tuple[str, int]]:
    """Return the columns of facts that any call has."""
    columns = (
        ("agent", AGENT, [row.agent for row in rows]),
        ("queue", QUEUE, [row.queue for row in rows]),
        ("dir", DIRECTION, [row.direction for row in rows]),
        ("talk", TALK, [row.talk for row in rows]),
    )
    return [(name, width) for name, width, values in columns if any(values)]


def last_words(said: events.Interim | events.Final | None, width: int) -> Text:
    """Return the newest words of a call. Where there is no room for all, their beginning is cut off: the end is the news."""
    if said is None:
        return Text("—", style="dim")
    settled = isinstance(said, events.Final)
    speaker, words = one_line(said.speaker) + ": ", one_line(said.text) + ("" if settled else " …")
    room = width - cell_len(speaker)
    if cell_len(words) > room:
        words = "…" + _ending(words, room - 1)
    return Text.assemble((speaker, f"bold {COLOURS[said.track]}"), (words, "" if settled else "italic"), no_wrap=True)


def _ending(words: str, cells: int) -> str:
    """Return the end of the words that fits into so many cells. What is one letter to its reader, as an emoji of several, is not torn."""
    start = len(words)
    for start_of_letter, _, width in reversed(split_graphemes(words)[0]):
        if width > cells:
            break
        start, cells = start_of_letter, cells - width
    return words[start:]


def _one_row(*parts: tuple[str, str]) -> Text:
    return Text.assemble(*parts, no_wrap=True, overflow="ellipsis")


def _length(row: Row, now: float) -> str:
    return _clock(seconds(row, now)) if row.duration is not None or row.began is not None else ""


def _clock(lasted: float) -> str:
    """Return a call's length as minutes and whole seconds, with hours where there are any."""
    minutes, rest = divmod(int(lasted), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes:02d}:{rest:02d}"


def _state(row: Row) -> Text:
    """Return why a call stands out, in the hub's own words; or who transcribes it; or when it was, and how it ended."""
    parts = [] if row.live else [" ".join(part for part in (_moment(row.began), row.reason or "ended") if part)]
    if row.why:
        parts.append(row.why)
    elif row.live:
        parts.append(f"{row.transcriber} {row.trouble}" if row.trouble else row.transcriber)
    style = ALARMS["not-transcribed" if row.untranscribed or row.urgency >= LOST else "incomplete"] if row.why else ""
    return Text(one_line("; ".join(parts)), style=style, overflow="fold")


def _moment(unix_seconds: float | None) -> str:
    """Return date and time in this machine's time zone."""
    return "" if unix_seconds is None else datetime.fromtimestamp(unix_seconds).astimezone().strftime("%Y-%m-%d %H:%M")
