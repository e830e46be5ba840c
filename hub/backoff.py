"""How long to wait before something that failed for the moment is tried again. Every retry of the hub uses this module.

Knows attempts and seconds. Does not know what is tried, nor which failures a retry can help.
"""

import asyncio
import random
from dataclasses import dataclass
from typing import Self

JITTER = 0.5
"""The largest share of a wait that chance takes off. When a provider restarts, a thousand calls lose their connections in the same
moment; without chance all of them would come back in the same moment too, again and again."""

DOUBLINGS = 30
"""After so many doublings a wait is as long as it will ever be: 2**30 quarter seconds are eight years."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """A schedule of waits: the first wait, then twice as long each time, up to the longest."""

    first_seconds: float
    longest_seconds: float
    attempts: int | None = None
    """How many attempts there are in all, the first included; None: no limit."""
    give_up_seconds: float | None = None
    """No attempt begins later than this after the first one began; None: no limit."""

    def wait_seconds(self, failures: int) -> float:
        """Return how long to wait after so many failures in a row, from 1; between half of the scheduled wait and all of it."""
        scheduled = min(self.longest_seconds, self.first_seconds * 2.0 ** min(failures - 1, DOUBLINGS))
        return scheduled * random.uniform(1 - JITTER, 1.0)

    def until(self, event: asyncio.Event | None = None) -> "Attempts":
        """Iterate over the attempts, with the waits between them; see Attempts. A wait ends early, and the iteration with it, when the
        event is set."""
        return Attempts(self, event)


class Attempts:
    """`async for attempt in Backoff(…).until(event)`: yields 1 at once, and each later number after its wait.

    The iteration ends after the last attempt, when the next one would begin too late, or when the event is set. So the body succeeds
    by leaving the loop, and fails by reaching its end. Safe to cancel.

    This is a class and not an async generator, because a generator that is left by `return` or `break` is closed by a task of the event
    loop, at some later moment.
    """

    def __init__(self, backoff: Backoff, event: asyncio.Event | None) -> None:
        self._backoff = backoff
        self._event = event
        self._made = 0
        """How many attempts there were."""
        self._began_at = 0.0
        """Event loop time at which the first attempt began."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> int:
        backoff, now = self._backoff, asyncio.get_running_loop().time()
        if self._event is not None and self._event.is_set():
            raise StopAsyncIteration
        if self._made == 0:
            self._began_at = now
        else:
            if self._made == backoff.attempts:
                raise StopAsyncIteration
            seconds = backoff.wait_seconds(self._made)
            if backoff.give_up_seconds is not None and now + seconds > self._began_at + backoff.give_up_seconds:
                raise StopAsyncIteration
            if self._event is None:
                await asyncio.sleep(seconds)
            elif await happens(self._event, seconds):
                raise StopAsyncIteration
        self._made += 1
        return self._made


async def happens(event: asyncio.Event, seconds: float) -> bool:
    """Wait until the event is set, but no longer than this; return whether it is set."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
