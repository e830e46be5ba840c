"""Shows all calls until interrupted: as a live table in a terminal, as one line per change in a pipe.

Knows which of the two is wanted, and what a pipe gets. Does not know what the table looks like.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager

from rich.console import Console
from rich.live import Live

from clients.follow import HubConnection, Refused, Request
from clients.terminal.board import Board, Row
from clients.terminal.browsing import Browsing
from clients.terminal.keyboard import Keyboard, keyboard
from clients.terminal.table import BoardView
from hub import events
from hub.text.foreign_text import line as one_line
from hub.transcript.wording import sentence

KEEP_LINES, WRAP_LINES = "\x1b[?7l", "\x1b[?7h"
"""Tells a terminal to cut a line that is too long, or to wrap it again (DECAWM). Terminals do not agree on how wide letters of Indian
scripts and some emojis are. A row that is wider than we think would otherwise push all rows below it down."""

REFRESH_SECONDS = 0.2
"""The time between two drawings. Nobody reads faster."""

KEY_SECONDS = 0.05
"""How often keys are looked for: what follows a key within a tenth of a second feels immediate."""

LIST: Request = {"action": "subscribe", "calls": "all"}


async def show_board(url: str, token: str | None = None) -> None:
    """Show all calls until interrupted: as a table in a terminal, as one line per change in a pipe. Raises: Refused."""
    console = Console(highlight=False)
    board = Board(interims=console.is_terminal)
    connection = HubConnection(url, token, lambda: [LIST])
    if not console.is_terminal:
        await _receive(board, connection, _print)
        return
    try:
        with _unwrapped(console), keyboard() as keys:
            browsing = Browsing() if keys.there else None
            view = BoardView(board, connection, console, browsing)
            with Live(console=console, auto_refresh=False, get_renderable=view.page, screen=True) as live:
                async with asyncio.TaskGroup() as group:
                    receiving = group.create_task(_receive(board, connection))
                    await _draw(live, keys, browsing)
                    receiving.cancel()
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


async def _draw(live: Live, keys: Keyboard, browsing: Browsing | None) -> None:
    """Draw until the reader leaves."""
    # Not in rich's own thread, which would read rows while they change.
    waited = REFRESH_SECONDS
    while browsing is None or not browsing.left:
        pressed = keys.pressed() if browsing is not None else []
        for key in pressed:
            assert browsing is not None
            browsing.press(key)
        if pressed or waited >= REFRESH_SECONDS:
            live.refresh()
            waited = 0.0
        await asyncio.sleep(KEY_SECONDS)
        waited += KEY_SECONDS


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
    for text in lines(board, message):
        print(text, flush=True)
    board.forget()


def lines(board: Board, message: events.Message) -> Iterator[str]:
    """Yield what a pipe gets of a message that the board has received: a line for a change, and for trouble that a new list tells of."""
    match message:
        case events.CallList(at=at):
            for row in board.rows.values():
                if row.live and row.completeness is not None and (row.missing or "complete") != row.told:
                    row.told = row.missing or "complete"
                    event = events.ConditionChanged(call_sid=row.call_sid, at=at, completeness=row.completeness)
                    yield line(row, event) or ""
        case events.ConditionChanged(completeness=completeness):
            row = board.rows[message.call_sid]
            if completeness.summary != row.told:  # a list may have told it before
                row.told = completeness.summary
                yield line(row, message) or ""
        case events.Event():
            row = board.rows.get(message.call_sid, Row(message.call_sid))
            if text := line(row, message):
                yield text


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
