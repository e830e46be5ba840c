"""A live table of all calls: who calls whom, how long, the last words, which transcriber, and whether it is lost.

Knows what is shown of each call, and what to ask the hub for. Does not know how the hub is reached.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from datetime import datetime

from rich.cells import cell_len, split_graphemes
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.live import Live
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from clients.follow import HubConnection, Position, Refused, Request, subscription
from clients.terminal.transcript import COLOURS
from hub import events
from hub.foreign_text import line as one_line
from hub.transcript.wording import sentence

KEEP_SECONDS = 30.0
"""How long an ended call stays on the board, dimmed: long enough to see how it ended."""

RECENT_EVENTS = 20
"""How many events of a running call are replayed: enough for its last words and for a transcriber that is lost."""

MOST_FOLLOWED = 500
"""How many calls' words are followed: more than any screen shows. Starts and ends come from all calls."""

KEEP_LINES, WRAP_LINES = "\x1b[?7l", "\x1b[?7h"
"""Tells a terminal to cut a line that is too long, or to wrap it again (DECAWM). Terminals do not agree on how wide letters of Indian
scripts and some emojis are. A row that is wider than we think would otherwise push all rows below it down."""

REFRESH_SECONDS = 0.2
"""The time between two drawings. Nobody reads faster."""

WIDE = 80
"""From this many columns on, the transcriber has a column of its own. In a narrower terminal its problems replace the words."""

LIST: Request = {"action": "subscribe", "calls": "all"}


@dataclass(slots=True)
class Row:
    """What the board knows of one call."""

    call_sid: str
    numbers: str = ""
    began: float | None = None
    """Unix seconds on the hub's clock; None while unknown."""
    live: bool = True
    duration: float | None = None
    """Seconds of call time, once the call has ended."""
    ended: float | None = None
    """Unix seconds on the hub's clock; None while the call is live."""
    reason: str = ""
    """Why the call ended."""
    transcriber: str = ""
    trouble: str = ""
    """Why the call is not transcribed, or why by another provider. Empty if all is well."""
    said: events.Interim | events.Final | None = None
    """The newest words, of either side."""
    followed: bool = False
    """Whether the call's words were requested on the present connection."""
    position: Position | None = None
    """Where to resume; None before the first event."""

    @property
    def name(self) -> str:
        """Who calls whom, or the callSid of a call without numbers."""
        return self.numbers or self.call_sid


class Board:
    """Folds the hub's messages into rows, and returns what to ask the hub for."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, interims: bool = True) -> None:
        self.rows: dict[str, Row] = {}
        """By callSid, oldest call first."""
        self._interims = interims
        """Whether words are wanted before they are final."""
        self._clock = clock
        self._hub_ahead = time.time() - clock()
        """The hub's clock minus `clock`, so that durations are right on a machine whose time is wrong."""

    def now(self) -> float:
        """Return Unix seconds on the hub's clock."""
        return self._clock() + self._hub_ahead

    def receive(self, message: events.Message) -> Iterator[Request]:
        """Take one message of the hub. Yield the requests that it makes necessary."""
        match message:
            case events.CallList(calls=calls, at=at):
                self._hub_ahead = _moment(at) - self._clock()
                yield from self._list(calls)
            case events.Subscribed(call_sid=call_sid, epoch=epoch, offset=offset):
                self._row(call_sid).position = Position(epoch, offset)
            case events.Refusal(code="unknown-call", call_sid=str() as call_sid):
                self.rows.pop(call_sid, None)
            case events.Interim():
                self._row(message.call_sid).said = message
            case events.Final():
                row = self._row(message.call_sid)
                row.position = Position(message.epoch, message.offset)
                if message.text:
                    row.said = message
                elif row.said is not None and row.said.utterance == message.utterance:
                    row.said = None  # the provider took its interims back
            case events.Durable():
                yield from self._change(message)

    def forget(self) -> None:
        """Drop the calls that ended more than KEEP_SECONDS ago."""
        before = self.now() - KEEP_SECONDS
        self.rows = {sid: row for sid, row in self.rows.items() if row.live or (row.ended is not None and row.ended > before)}

    def _list(self, calls: list[events.CallSummary]) -> Iterator[Request]:
        known, self.rows = self.rows, {}
        before = self.now() - KEEP_SECONDS
        for call in calls:
            ended = _moment(call.ended_at) if call.ended_at else None
            if ended is not None and ended <= before:
                continue
            row = self.rows[call.call_sid] = known.get(call.call_sid) or Row(call.call_sid)
            if row.position is not None and row.position.epoch != call.epoch:
                row.position = None
            row.numbers = _numbers(call.from_, call.to)
            row.began = _moment(call.started_at) if call.started_at else None
            row.live, row.ended, row.duration, row.reason = call.live, ended, call.duration, call.reason or ""
            if call.transcriber is not None and not row.transcriber:
                row.transcriber = call.transcriber.provider
            row.position = row.position or Position(call.epoch, max(0, call.offset - RECENT_EVENTS))
            row.followed = False
        for row in [row for row in self.rows.values() if row.live or row.said is None][-MOST_FOLLOWED:]:
            yield self._follow(row)

    def _follow(self, row: Row) -> Request:
        row.followed = True
        return subscription(row.call_sid, row.position, interims=self._interims)

    def _change(self, event: events.Durable) -> Iterator[Request]:
        row = self._row(event.call_sid)
        row.position = Position(event.epoch, event.offset)
        match event:
            case events.CallStarted():
                row.numbers = row.numbers or _numbers(event.from_, event.to)
                row.began = row.began or _moment(event.at)
                row.transcriber, row.trouble = event.transcriber.provider, ""
                row.live, row.ended, row.duration, row.reason = True, None, None, ""
                if not row.followed:
                    yield self._follow(row)
            case events.CallEnded():
                row.live, row.ended, row.duration, row.reason = False, _moment(event.at), event.duration, event.reason
                if row.followed:
                    row.followed = False
                    yield {"action": "unsubscribe", "callSid": event.call_sid}
            case events.TranscriberLost(provider=provider, reason=reason):
                row.transcriber, row.trouble = provider, f"lost: {reason}"
            case events.TranscriberRestored(provider=provider):
                row.transcriber, row.trouble = provider, ""
            case events.TranscriberSwitched(provider=provider, reason=reason):
                row.transcriber, row.trouble = provider, f"took over: {reason}"

    def _row(self, call_sid: str) -> Row:
        return self.rows.setdefault(call_sid, Row(call_sid))


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
        rows, now = list(self._board.rows.values()), self._board.now()
        live = sum(row.live for row in rows)
        room = max(1, self._console.height - 5)
        # Live calls matter more than ended ones. Of each kind, the newest are shown.
        shown = set(sorted(range(len(rows)), key=lambda at: (rows[at].live, at))[-room:])
        wide = self._console.width >= WIDE
        table = Table(expand=True, box=None, padding=(0, 2, 0, 0), header_style="dim")
        table.add_column("call", no_wrap=True, max_width=34 if wide else 16)
        table.add_column("time", no_wrap=True, justify="right", min_width=5)
        table.add_column("last words", no_wrap=True, ratio=1)
        if wide:
            table.add_column("transcriber", no_wrap=True, max_width=40)
        for at, row in enumerate(rows):
            if at in shown:
                state = _state(row)
                words: LastWords | Text = LastWords(row.said) if wide or (row.live and not row.trouble) else state
                cells = (one_line(row.name if wide else row.name.partition(" → ")[0]), _length(row, now), words, state)
                table.add_row(*(cells if wide else cells[:3]), style="" if row.live and self._connection.connected else "dim")
        hidden = len(rows) - len(shown)
        more = f", {hidden} more than fit here" if hidden else ""
        return Group(
            self._heading(f"{live} live" + more),
            Text(),
            table if rows else Text("No call is live. A new call appears here.", style="dim"),
        )

    def _heading(self, count: str) -> Text:
        self._was_connected = self._was_connected or self._connection.connected
        if self._connection.connected:
            return Text.assemble((count, "bold"), (f"  {self._connection.url}", "dim"))
        state = "connection lost, trying again" if self._was_connected else "connecting"
        return Text.assemble((f"{state} …", "bold yellow"), (f"  {self._connection.url}", "dim"))


class LastWords:
    """The newest words of a call. Where the column is too narrow, their beginning is cut off: the end is the news."""

    def __init__(self, said: events.Interim | events.Final | None) -> None:
        self._said = said

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Take all the width that is left."""
        return Measurement(min(20, options.max_width), options.max_width)

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


def line(row: Row, message: events.Event) -> str | None:
    """Return one line of text for a change, for a pipe. None for interims, keys and whatever else a pipe does not need."""
    match message:
        case events.CallStarted(transcriber=transcriber):
            what: str | None = f"call started, transcribed by {transcriber.provider}"
        case events.Final(speaker=speaker, text=text):
            what = f"{speaker}: {text}" if text else None
        case events.Dtmf() | events.Subscribed():
            what = None
        case _:
            what = sentence(message, brief=True)
    if what is None:
        return None
    return one_line(f"{message.at} {row.call_sid} {row.numbers + ' ' if row.numbers else ''}| {what}")


async def show_board(url: str, token: str | None = None) -> None:
    """Show all calls until interrupted: as a table in a terminal, as one line per change in a pipe. Raises: Refused."""
    console = Console(highlight=False)
    board = Board(interims=console.is_terminal)
    connection = HubConnection(url, token, lambda: [LIST])
    if not console.is_terminal:
        await _receive(board, connection, _print)
        return
    view = BoardView(board, connection, console)
    try:
        with _unwrapped(console), Live(console=console, auto_refresh=False, get_renderable=view.page, screen=True) as live:
            async with asyncio.TaskGroup() as group:
                drawing = group.create_task(_draw(live))
                await _receive(board, connection)
                drawing.cancel()
    except* Refused as refusals:
        raise refusals.exceptions[0] from None


@contextmanager
def _unwrapped(console: Console) -> Iterator[None]:
    if console.legacy_windows:
        yield
        return
    console.file.write(KEEP_LINES)
    try:
        yield
    finally:
        console.file.write(WRAP_LINES)
        console.file.flush()


async def _draw(live: Live) -> None:
    # Not in rich's own thread, which would read rows while they change.
    while True:
        live.refresh()
        await asyncio.sleep(REFRESH_SECONDS)


async def _receive(board: Board, connection: HubConnection, each: Callable[[Board, events.Message], None] | None = None) -> None:
    async with aclosing(connection.messages()) as messages:
        async for message in messages:
            match message:
                case events.Refusal(code="token" | "too-many" as code, message=words, call_sid=None):
                    raise Refused(code, words)
            for request in board.receive(message):
                await connection.send(request)
            if each is not None:
                each(board, message)


def _print(board: Board, message: events.Message) -> None:
    if isinstance(message, events.Event):
        row = board.rows.get(message.call_sid, Row(message.call_sid))
        if text := line(row, message):
            print(text, flush=True)
    board.forget()


def _numbers(from_: str | None, to: str | None) -> str:
    return f"{from_ or '?'} → {to or '?'}" if from_ or to else ""


def _moment(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()


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
    if not row.live:
        return Text(f"ended: {row.reason}" if row.reason else "ended")
    if row.trouble:
        return Text(one_line(f"{row.transcriber} {row.trouble}"), style="bold red" if row.trouble.startswith("lost") else "yellow")
    return Text(one_line(row.transcriber))
