"""What the hub counts of itself, for `/metrics`.

Plain numbers, because a Prometheus counter takes a lock for every frame. Knows no Prometheus.
"""

from bisect import bisect_left
from collections import Counter, defaultdict


class Counters:
    """Counts since the start of this process."""

    __slots__ = (
        "calls",
        "closed",
        "frames",
        "lagged",
        "listeners",
        "malformed",
        "providers",
        "refused",
        "sound_dropped",
        "streams",
        "subscribers",
    )

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
        self.listeners = 0
        """Calls that subscribers listen to now, counted for each listener."""
        self.sound_dropped = 0
        """Blocks of sound that a listener had no room for."""
        self.lagged = 0
        """Subscribers cut off because they were too slow."""
        self.providers: defaultdict[str, ProviderCounters] = defaultdict(ProviderCounters)
        """By provider's name."""
        self.closed: Counter[int] = Counter()
        """Subscribers' sockets closed, by close code."""


class Durations:
    """A histogram of seconds."""

    BOUNDS = (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
    """Upper bounds of the buckets: a transcript is good below a second and useless above ten."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(self.BOUNDS) + 1)
        """Per bucket; the last is what exceeds all bounds."""
        self.total = 0.0
        """Sum of all seconds."""

    def add(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(self.BOUNDS, seconds)] += 1
        self.total += seconds


class ProviderCounters:
    """What one provider did for all calls."""

    __slots__ = ("final_seconds", "gap_ms", "interim_seconds", "open_sessions", "reconnects", "repeats", "restored", "sent_ms")

    def __init__(self) -> None:
        self.open_sessions = 0
        """Connections open now."""
        self.sent_ms = 0.0
        """Audio sent: stereo counts once."""
        self.reconnects = 0
        """Connections that broke or could not be made."""
        self.restored = 0
        """Connections made again."""
        self.repeats = 0
        """Words that were heard twice and told once."""
        self.gap_ms = 0.0
        """Audio nobody transcribed, per track."""
        self.interim_seconds = Durations()
        """From sending audio to an interim that covers it."""
        self.final_seconds = Durations()
        """From sending audio to the final that covers it."""
