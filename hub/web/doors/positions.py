"""Positions as they travel in `Last-Event-ID`: in one call, and in all calls. Pure.

**In one call** a position is `epoch:offset`, as in `after` at `/client`.

**In all calls** there is no one log, so there is no one offset. A position is a moment, and the positions in those calls that the reader
got something of since then: `2026-11-26T12:00:00.000Z,3339322b3c12:14,7a6b3c2d1e0f:3`. What it means: of a call that it names, the reader
has everything up to that offset. Of every other call it has what was published (`at`) up to the moment. So it names the calls of the last
minute, and not all that there ever were; it needs no memory at the hub, and it holds on every node and over a restart.

The moment is a minute old, because an event can be told later than it is stamped: it is stored first, or it comes from another node.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import NamedTuple

from hub.events import Position, stamped

MARGIN_SECONDS = 60.0
"""How old the moment of a position is. An event is told within this time of its `at`, or the moment stands still."""

MOST_BYTES = 7500
"""The longest position: servers and proxies refuse headers of more than 8 KiB. That is some 400 calls."""

ROUNDING_SECONDS = 0.0001
"""What is added to a moment that is read: as a fraction of a second it would otherwise be the millisecond before, half of the times."""

_ONE = re.compile(r"([A-Za-z0-9_-]{1,64}):(\d{1,15})", re.ASCII)


def read_position(text: str) -> Position:
    """Return a position in one call. Raises: ValueError."""
    found = _ONE.fullmatch(text)
    if found is None:
        raise ValueError("a position in a call is an epoch and an offset, such as 3339322b3c12:14")
    return Position(found[1], int(found[2]))


def _unix_seconds(moment: str) -> float:
    """Return a moment in ISO 8601, in UTC unless it names a zone, as Unix seconds. Raises: ValueError, OverflowError."""
    found = datetime.fromisoformat(moment)
    return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp() + ROUNDING_SECONDS


class _Reached(NamedTuple):
    """How far the reader is in one call."""

    offset: int
    at: float
    """When that was reached at the latest, in Unix seconds."""
    text: str
    """As it travels."""


class AllCallsPosition:
    """How far a reader of all calls has come. It moves as the reader receives events."""

    def __init__(self, moment: float, offsets: Mapping[str, int] = MappingProxyType({}), reached_at: float = 0.0) -> None:
        """`moment`: Unix seconds. `offsets`: by epoch, what the reader has of the calls of which it got something since then.

        `reached_at`: Unix seconds when the newest of these offsets can have been reached. A call is named until the moment is as late.
        """
        self.moment = moment
        self._moment = stamped(moment)
        """The same as events carry it."""
        self._calls: dict[str, _Reached] = {epoch: _Reached(offset, reached_at, f",{epoch}:{offset}") for epoch, offset in offsets.items()}
        """By epoch. What was reached last is at the end."""

    @classmethod
    def read(cls, text: str, now: float) -> "AllCallsPosition":
        """Return what `text()` has said, or a bare moment in ISO 8601. `now`: Unix seconds; no moment is later. Raises: ValueError."""
        moment, *calls = text.split(",")
        try:
            seconds = _unix_seconds(moment.replace(" ", "+") if "T" in moment else moment)
        except (ValueError, OverflowError) as error:
            raise ValueError(
                "a position in all calls begins with a moment, such as 2026-11-26T12:00:00.000Z, and goes on with ,epoch:offset"
            ) from error
        positions = [read_position(each) for each in calls]
        return cls(min(max(seconds, 0.0), now), {each.epoch: each.offset for each in positions}, now)

    def settle(self, published: Mapping[str, str]) -> None:
        """Take note when the newest event that the reader has of a call was published, by epoch, as events carry it (`at`).

        So calls that are over are named no longer than that, also for a reader whose connections are short.
        """
        found = [
            (epoch, each._replace(at=min(each.at, _unix_seconds(published[epoch]))) if epoch in published else each)
            for epoch, each in self._calls.items()
        ]
        self._calls = dict(sorted(found, key=lambda each: each[1].at))

    def offset(self, epoch: str) -> int | None:
        """Return how far the reader is in a call. None where the moment says it."""
        known = self._calls.get(epoch)
        return known.offset if known is not None else None

    @property
    def epochs(self) -> set[str]:
        """The epochs of the calls that are named."""
        return set(self._calls)

    def reach(self, epoch: str, offset: int, now: float) -> None:
        """Take note that the reader is so far in a call. `now`: Unix seconds."""
        self._calls.pop(epoch, None)
        self._calls[epoch] = _Reached(offset, now, f",{epoch}:{offset}")

    def drop(self, epoch: str) -> None:
        """Name a call no longer."""
        self._calls.pop(epoch, None)

    def advance(self, moment: float) -> None:
        """Let the moment be this one, in Unix seconds: the reader has everything that was published before it."""
        if moment <= self.moment:
            return
        self.moment, self._moment = moment, stamped(moment)
        while self._calls and self._calls[oldest := next(iter(self._calls))].at <= moment:
            del self._calls[oldest]

    @property
    def latest(self) -> str:
        """The moment as events carry theirs (`at`)."""
        return self._moment

    def text(self) -> str:
        """Return the position as it travels."""
        return self._moment + "".join(each.text for each in self._calls.values())
