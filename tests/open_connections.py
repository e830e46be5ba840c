"""Connections to databases that this process has opened and not closed.

Python 3.13 warns of a connection that is collected without having been closed. It warns when it is collected, which is during some later
test. Here a test that leaves one is found at its own end, on every Python, and told where the connection was made.
"""

import sqlite3
import sys
from typing import Any

import psycopg

_FRAMES = 30
"""How much of the way to a connection is told: SQLAlchemy alone takes ten frames of it."""

_open: dict[object, str] = {}
"""Where each open connection was made. The keys are connections of libpq, and tokens of those of SQLite."""


class _WatchedConnection(sqlite3.Connection):
    """A connection of SQLite that is known until it is closed. The token outlives one that is collected, unlike the connection itself."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._token = object()
        _open[self._token] = _where()

    def close(self) -> None:
        super().close()
        _open.pop(self._token, None)


def watch() -> None:
    """Know all connections that are made from now on."""
    connect, begin = sqlite3.connect, psycopg.Connection.__init__

    def connected(*arguments: Any, **named: Any) -> sqlite3.Connection:
        return connect(*arguments, **({"factory": _WatchedConnection} | named))

    def begun(self: psycopg.Connection[Any], pgconn: Any, *arguments: Any, **named: Any) -> None:
        begin(self, pgconn, *arguments, **named)
        _open[pgconn] = _where()

    sqlite3.connect = connected
    psycopg.Connection.__init__ = begun  # type: ignore[method-assign]


def all_open() -> dict[object, str]:
    """Return where each connection was made that is open now."""
    for made in [made for made in _open if getattr(made, "status", None) == psycopg.pq.ConnStatus.BAD]:
        del _open[made]  # closed, by whoever opened it or by the server
    return dict(_open)


def _where() -> str:
    frame, lines = sys._getframe(2), []
    while frame is not None and len(lines) < _FRAMES:
        lines.append(f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_name}")
        frame = frame.f_back
    return "\n  ".join(lines)
