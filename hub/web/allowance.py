"""How much a peer may ask for: so much at once, and so much per second over time. Knows costs and a clock, and not what they stand for."""

from collections.abc import Callable


class Allowance:
    """What one peer has left. Starts full."""

    __slots__ = ("_at_once", "_clock", "_counted_at", "_left", "_per_second")

    def __init__(self, at_once: float, per_second: float, clock: Callable[[], float]) -> None:
        """`clock`: monotonic seconds."""
        self._at_once = at_once
        self._per_second = per_second
        self._clock = clock
        self._left = at_once
        self._counted_at = clock()

    def spend(self, cost: float = 1.0) -> bool:
        """Take a cost off; return whether there was enough. What is more expensive than everything at once costs that much."""
        now = self._clock()
        self._left = min(self._at_once, self._left + (now - self._counted_at) * self._per_second) - min(cost, self._at_once)
        self._counted_at = now
        return self._left >= 0
