"""Knows whether this process was stopped for a while, and has not heard anew since then whose its calls are.

For example, a machine is suspended for twenty seconds. Another node takes its calls over after eight. When the process goes on, its timers
are overdue and its connections have been silent for too long, as if the broker were away. For a broker that is away it would tell events at
once. So after a pause it first has to ask, and gets an answer, or none.

Pure: the clock is passed in.
"""

from collections.abc import Callable

PAUSE_SECONDS = 2.0
"""A process that did not run for so long may have been stopped for longer than anyone can tell. Far less than a lease."""


class Wakefulness:
    """One process's."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._ticked_at = clock()
        self._woke_at: float | None = None
        """When the process went on after a pause. None: nothing is in doubt."""

    def tick(self) -> None:
        """Take note that the process runs. Called much more often than PAUSE_SECONDS."""
        self.doubts()
        self._ticked_at = self._clock()

    def doubts(self) -> bool:
        """Return whether the process has paused, and has not asked since."""
        now = self._clock()
        if now - self._ticked_at > PAUSE_SECONDS:
            self._ticked_at = self._woke_at = now
        return self._woke_at is not None

    def asked(self, began_at: float) -> None:
        """Take note that nobody has answered a question which was asked at this time."""
        if self._woke_at is not None and began_at >= self._woke_at:
            self._woke_at = None

    def settled(self) -> None:
        """Take note that every question was answered, and nothing is left to ask."""
        self._woke_at = None
