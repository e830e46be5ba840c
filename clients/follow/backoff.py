"""How long to wait before trying again. Knows no socket and no clock."""

import random


class Backoff:
    """The waits between tries that fail one after the other: each twice the one before, up to the longest, each shortened at random.

    The random part matters when a hub restarts: it disconnects all its clients at the same moment, and without chance they would all come
    back at the same moment, too. A counter and not a retrying decorator, because a connection that worked for an hour and then broke is
    not one more failure in a row: `reset()` makes the next wait the shortest again.
    """

    def __init__(self, first_seconds: float, longest_seconds: float) -> None:
        self._first_seconds = first_seconds
        self._longest_seconds = longest_seconds
        self.failures = 0
        """Tries that failed since the last `reset()`."""

    def failed(self) -> float:
        """Count one failed try. Return the seconds to wait before the next one."""
        doublings = min(self.failures, 32)  # beyond that, any first wait has reached the longest, and 2.0 ** n would overflow one day
        self.failures += 1
        return min(self._longest_seconds, self._first_seconds * 2.0**doublings) * random.uniform(0.5, 1.0)

    def reset(self) -> None:
        """Forget the failures: a try has succeeded."""
        self.failures = 0
