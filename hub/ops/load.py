"""How busy the event loop is: the one timer that measures it.

Everything that the hub does for calls runs on one event loop, so on one core. Two numbers say how close that is to its limit. *Busy* is the
share of the time in which the loop's thread computes: it grows with each call, long before anything is late. *Late* is how late the loop
runs what is due: it grows only when the core is used up, or when another program or thread takes it.

Knows clocks. Does not know what keeps the loop busy, or what follows from it.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable

from hub.ops.counters import Durations

PULSE_SECONDS = 0.25
"""How often the loop is measured: often enough to see any stall of a second, seldom enough to cost nothing."""

BUSY_PULSES = 8
"""Over how many measurements `busy` is taken: an answer that takes half a second to compute does not make two seconds look full."""

LATE_PULSES = 4
"""In how many measurements in a row the loop must be late. One pause of a second is none; a core that is used up is late in all of them."""


class Load:
    """How busy and how late the event loop is now."""

    def __init__(
        self, lag_seconds: Durations, clock: Callable[[], float] = time.monotonic, cpu: Callable[[], float] = time.thread_time
    ) -> None:
        """`lag_seconds` gets every measurement. `clock` and `cpu` are seconds: of the world, and of the loop's thread on a core."""
        self._lag_seconds = lag_seconds
        self._clock = clock
        self._cpu = cpu
        self._spent = deque([(clock(), cpu())], maxlen=BUSY_PULSES + 1)
        """Clock and CPU time at the last measurements."""
        self._late: deque[float] = deque([0.0] * LATE_PULSES, maxlen=LATE_PULSES)
        """How late the last measurements were, in seconds."""

    @property
    def busy(self) -> float:
        """Return the share of the last two seconds in which the loop's thread was on a core, from 0 to 1."""
        (began, spent_before), (now, spent) = self._spent[0], self._spent[-1]
        return min(1.0, (spent - spent_before) / (now - began)) if now > began else 0.0

    @property
    def late(self) -> float:
        """Return how late the loop has been throughout the last second: the least of its measurements, in seconds."""
        return min(self._late)

    async def pulse(self) -> None:
        """Measure once, `PULSE_SECONDS` from now."""
        due = self._clock() + PULSE_SECONDS
        await asyncio.sleep(PULSE_SECONDS)
        now = self._clock()
        late = max(0.0, now - due)
        self._lag_seconds.add(late)
        self._late.append(late)
        self._spent.append((now, self._cpu()))
