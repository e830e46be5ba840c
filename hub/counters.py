"""What the hub counts of itself, for `/metrics`.

Plain numbers, because a Prometheus counter takes a lock for every frame. Knows no Prometheus.
"""

from collections import Counter


class Counters:
    """Counts since the start of this process."""

    __slots__ = ("calls", "closed", "frames", "lagged", "malformed", "refused", "streams", "subscribers")

    def __init__(self) -> None:
        self.calls = 0
        """Calls begun."""
        self.streams = 0
        """Twilio streams begun."""
        self.frames = 0
        """Media messages taken in."""
        self.malformed = 0
        """Messages at /twilio that broke the protocol; each closed its socket."""
        self.refused: Counter[str] = Counter()
        """Sockets turned away, by door and reason."""
        self.subscribers = 0
        """Sockets at /client now."""
        self.lagged = 0
        """Subscribers cut off because they were too slow."""
        self.closed: Counter[int] = Counter()
        """Subscribers' sockets closed, by close code."""
