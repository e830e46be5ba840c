"""Tells the broker's time without asking it. Knows three times per question. Does not ask."""

import time
from collections import deque

REMEMBERED = 16
"""The quickest of so many answers is believed. The others' ways took longer, and nobody knows which way."""


class ServerClock:
    """The broker's clock, as this machine knows it. It runs by the machine's monotonic clock, which nobody sets."""

    def __init__(self) -> None:
        self._answers: deque[tuple[float, float]] = deque(maxlen=REMEMBERED)
        """How long each answer took, and how far the broker's clock was before the monotonic one."""
        self._ahead = time.time() - time.monotonic()
        """Of the quickest answer. This machine's own clock until there is one."""

    def note(self, asked_at: float, answered_at: float, server: float) -> None:
        """Take an answer of the broker, in Unix seconds, and the monotonic times around it."""
        self._answers.append((answered_at - asked_at, server - (asked_at + answered_at) / 2))
        self._ahead = min(self._answers)[1]

    def now(self) -> float:
        """Return the broker's time in Unix seconds."""
        return time.monotonic() + self._ahead
