"""How long to wait before trying again. Knows no socket and no clock."""

import random
from dataclasses import dataclass

DOUBLINGS = 30
"""After so many doublings a wait is as long as it will ever be, and 2.0 to the power of a huge number would overflow."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """A schedule of waits: the first wait, then twice as long after each failure, up to the longest, each shortened at random.

    The random part matters when a hub restarts: it disconnects all its clients at the same moment, and without chance they would all come
    back at the same moment, too.
    """

    first_seconds: float
    longest_seconds: float

    def wait_seconds(self, failures: int) -> float:
        """Return how long to wait after so many failures in a row, from 1: between half of the scheduled wait and all of it."""
        scheduled = min(self.longest_seconds, self.first_seconds * 2.0 ** min(failures - 1, DOUBLINGS))
        return scheduled * random.uniform(0.5, 1.0)
