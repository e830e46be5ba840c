"""How a reader goes through the board: which calls they want to see, in which order, and where in them they are. Pure: takes keys.

The order is the dashboard's: calls that need attention, the most urgent first, then the live ones, then those that are over, each newest
first unless another order was chosen.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

from clients.terminal.board import Row

Order: TypeAlias = Literal["newest", "number", "agent", "queue", "direction", "duration", "state"]
Show: TypeAlias = Literal["all", "attention", "live", "past"]

ORDERS: tuple[Order, ...] = ("newest", "number", "agent", "queue", "direction", "duration", "state")
SHOWS: tuple[Show, ...] = ("all", "attention", "live", "past")

STEPS = {"up": -1, "k": -1, "down": 1, "j": 1}

LONGER = re.compile(r">(\d+)m?")
"""In a filter: calls of so many minutes, or longer."""


class Part(NamedTuple):
    """A part of the board."""

    title: str
    rows: list[Row]


@dataclass(slots=True)
class Browsing:
    """What the reader chose."""

    order: Order = "newest"
    show: Show = "all"
    query: str = ""
    """Words that a call must have, in lower case."""
    typing: bool = False
    """Whether keys are letters of the query."""
    top: int = 0
    """The first line of the calls in view."""
    page: int = 10
    """How many lines of calls fit. The view sets it."""
    left: bool = field(default=False)
    """Whether the reader wants to leave."""

    def press(self, key: str) -> None:
        """Take a key: a character, or the name of a key."""
        if self.typing:
            self._type(key)
        elif key in STEPS:
            self._go(self.top + STEPS[key])
        elif key in {"page up", "page down", " "}:
            self._go(self.top + (-self.page if key == "page up" else self.page))
        elif key in {"home", "end"}:
            self._go(0 if key == "home" else 1 << 30)
        elif key == "s":
            self.order = ORDERS[(ORDERS.index(self.order) + 1) % len(ORDERS)]
            self._go(0)
        elif key == "f":
            self.show = SHOWS[(SHOWS.index(self.show) + 1) % len(SHOWS)]
            self._go(0)
        elif key == "/":
            self.typing = True
        elif key == "escape":
            self.query, self.show = "", "all"
            self._go(0)
        elif key == "q":
            self.left = True

    def _type(self, key: str) -> None:
        if key == "enter":
            self.typing = False
        elif key == "escape":
            self.query, self.typing = "", False
        elif key == "backspace":
            self.query = self.query[:-1]
        elif len(key) == 1:
            self.query += key.lower()
        self._go(0)

    def _go(self, line: int) -> None:
        self.top = max(0, line)

    def parts(self, rows: Iterable[Row], now: float) -> list[Part]:
        """Return the calls that the reader wants to see. `now`: Unix seconds on the hub's clock."""
        wanted = [row for row in rows if self._wants(row, now)]
        parts = {
            "attention": ("Needs attention", [row for row in wanted if row.urgency]),
            "live": ("Live", [row for row in wanted if row.live and not row.urgency]),
            "past": ("Past", [row for row in wanted if not row.live]),
        }
        found = []
        for name, (title, mine) in parts.items():
            if mine and self.show in {"all", name}:
                mine.sort(key=lambda row: (-(row.began or 0.0), row.call_sid))
                if self.order != "newest":
                    mine.sort(key=lambda row: _KEYS[self.order](row, now))
                elif name == "attention":
                    mine.sort(key=lambda row: -row.urgency)
                found.append(Part(f"{title} · {len(mine)}", mine))
        return found

    def _wants(self, row: Row, now: float) -> bool:
        if not self.query:
            return True
        words = self.query.split()
        minutes = [int(found[1]) for word in words if (found := LONGER.fullmatch(word))]
        if minutes and seconds(row, now) < max(minutes) * 60:
            return False
        facts = (row.call_sid, row.from_, row.to, row.agent, row.queue, row.direction, row.why, row.transcriber)
        said = row.said.text if row.said is not None else ""
        known = " ".join([*(fact for fact in facts if fact), said]).lower()
        return all(word in known for word in words if not LONGER.fullmatch(word))


def seconds(row: Row, now: float) -> float:
    """Return how long a call has lasted."""
    if row.duration is not None:
        return row.duration
    return max(0.0, now - row.began) if row.began is not None else 0.0


def _text(value: str | None) -> tuple[bool, str]:
    return not value, (value or "").casefold()  # what has no value stands last


_KEYS: dict[Order, Callable[[Row, float], tuple[bool, str] | float]] = {
    "number": lambda row, _: _text(row.from_ or row.to or row.call_sid),
    "agent": lambda row, _: _text(row.agent),
    "queue": lambda row, _: _text(row.queue),
    "direction": lambda row, _: _text(row.direction),
    "duration": lambda row, now: -seconds(row, now),
    "state": lambda row, _: _text(row.why),
}
