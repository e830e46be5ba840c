"""The board as a table that fits the terminal.

Knows rows, widths and colours. Does not know where rows come from.
"""

from rich.cells import cell_len, split_graphemes
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from clients.follow import HubConnection
from clients.terminal.board import Board, Row
from clients.terminal.colours import ALARMS, COLOURS
from hub import events
from hub.text.foreign_text import line as one_line

WIDE = 80
"""From this many columns on, a call's state has a column of its own. In a narrower terminal, trouble and the end replace the words."""

STATE_SHARE = 3
"""In a wide terminal a call's state may take this part of the width. What is longer goes on in the next line."""

NARROW_COLUMNS = 30
"""What the other columns of a narrow terminal take at most."""


class BoardView:
    """The board as a table that fits the terminal."""

    def __init__(self, board: Board, connection: HubConnection, console: Console) -> None:
        self._board = board
        self._connection = connection
        self._console = console
        self._was_connected = False
        """Whether there was ever a connection."""

    def page(self) -> Group:
        """Return what to show now."""
        self._board.forget()
        rows = list(self._board.rows.values())
        shown = self._shown(rows)
        counts = (
            (sum(row.live for row in rows), "live"),
            (sum(row.urgency > 0 for row in rows), "in trouble"),
            (len(rows) - len(shown), "more than fit here"),
        )
        return Group(
            self._heading(", ".join(f"{count} {what}" for count, what in counts if count or what == "live")),
            Text(),
            self._table(shown) if rows else Text("No call is live. A new call appears here.", style="dim"),
        )

    @property
    def _wide(self) -> bool:
        return self._console.width >= WIDE

    @property
    def _state_width(self) -> int:
        return self._console.width // STATE_SHARE if self._wide else max(10, self._console.width - NARROW_COLUMNS)

    def _shown(self, rows: list[Row]) -> list[Row]:
        """Return the rows that there is room for. Calls that need attention come first; the others stand in the order of their start.

        Live calls matter more than ended ones. Of each kind, the newest are shown.
        """
        room = max(1, self._console.height - 5)
        shown: set[int] = set()
        for at in sorted(range(len(rows)), key=lambda at: (rows[at].urgency, rows[at].live, at), reverse=True):
            room -= self._height(rows[at])
            if room < 0 and shown:
                break
            shown.add(at)
        return [rows[at] for at in sorted(shown, key=lambda at: (-rows[at].urgency, at))]

    def _height(self, row: Row) -> int:
        """Return how many lines a row takes at most."""
        return len(_state(row).wrap(self._console, self._state_width)) if row.missing or row.trouble else 1

    def _table(self, rows: list[Row]) -> Table:
        table = Table(expand=True, box=None, padding=(0, 2, 0, 0), header_style="dim")
        table.add_column("call", no_wrap=True, max_width=34 if self._wide else 16)
        table.add_column("time", no_wrap=True, justify="right", min_width=5)
        table.add_column("last words", no_wrap=True, ratio=1)
        if self._wide:
            table.add_column("state", overflow="fold", max_width=self._state_width)
        now = self._board.now()
        for row in rows:
            state, name, time_ = _state(row), one_line(row.name), _length(row, now)
            style = "" if row.live and self._connection.connected else "dim"
            if self._wide:
                table.add_row(name, time_, LastWords(row.said), state, style=style)
            else:
                calm = row.live and not row.trouble and not row.missing
                table.add_row(name.partition(" → ")[0], time_, LastWords(row.said) if calm else state, style=style)
        return table

    def _heading(self, count: str) -> Text:
        self._was_connected = self._was_connected or self._connection.connected
        if self._connection.connected:
            return _one_row((count, "bold"), (f"  {self._connection.url}", "dim"))
        state = "connection lost, trying again" if self._was_connected else "connecting"
        return _one_row((f"{state} …", "bold yellow"), (f"  {self._connection.url}", "dim"))


class LastWords:
    """The newest words of a call. Where the column is too narrow, their beginning is cut off: the end is the news."""

    def __init__(self, said: events.Interim | events.Final | None) -> None:
        self._said = said

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Take all the width that is left."""
        return Measurement(min(10, options.max_width), options.max_width)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield one line."""
        if self._said is None:
            yield Text("—", style="dim")
            return
        settled = isinstance(self._said, events.Final)
        speaker, words = one_line(self._said.speaker) + ": ", one_line(self._said.text) + ("" if settled else " …")
        room = options.max_width - cell_len(speaker)
        if cell_len(words) > room:
            words = "…" + _ending(words, room - 1)
        yield Text.assemble((speaker, f"bold {COLOURS[self._said.track]}"), (words, "" if settled else "italic"), no_wrap=True)


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
    if row.duration is not None:
        return _clock(row.duration)
    return _clock(max(0.0, now - row.began)) if row.began is not None else ""


def _clock(seconds: float) -> str:
    """Return a call's length as minutes and whole seconds, with hours where there are any."""
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes:02d}:{seconds:02d}"


def _state(row: Row) -> Text:
    """Return who transcribes, or how the call ended, or what is wrong: of the record in the hub's own words."""
    parts = [] if row.live else [f"ended: {row.reason}" if row.reason else "ended"]
    if row.live and row.trouble and not row.untranscribed:  # the record's own sentence says that nobody transcribes
        parts.append(f"{row.transcriber} {row.trouble}")
    if row.missing:
        parts.append(row.missing)
    wrong = row.missing or (row.live and row.trouble)
    style = ALARMS["not-transcribed" if row.urgency == 2 or row.untranscribed else "incomplete"] if wrong else ""
    return Text(one_line("; ".join(parts) or row.transcriber), style=style, no_wrap=False, overflow="fold")
