"""What the hub counts of itself, for `/metrics`.

Plain numbers, because a Prometheus counter takes a lock for every frame. Knows no Prometheus.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from typing import Final

WORDS_SECONDS: Final = (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
"""A transcript is good below a second and useless above ten."""

HANDSHAKE_SECONDS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""0.5-1.2 s are normal for a provider far away; after ten it has failed."""

LAG_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
"""No call may wait for more than 5 ms for another; a tenth of a second is a block of everybody's audio."""


ANSWER_SECONDS: Final = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
"""People answer each other within half a second; after three, a caller asks whether anybody is there."""


class Counters:
    """Counts since the start of this process."""

    __slots__ = (
        "agents",
        "calls",
        "closed",
        "ended",
        "frames",
        "lag_seconds",
        "lagged",
        "listeners",
        "malformed",
        "providers",
        "refused",
        "sound_dropped",
        "streams",
        "streams_closed",
        "subscribers",
    )

    def __init__(self) -> None:
        self.calls = 0
        """Calls begun."""
        self.ended: Counter[tuple[str, str]] = Counter()
        """Calls ended, by reason and whether the transcript is complete or truncated."""
        self.streams = 0
        """Twilio streams begun."""
        self.streams_closed: Counter[int] = Counter()
        """Sockets at /twilio and /agent closed, by close code."""
        self.frames = 0
        """Media messages taken in."""
        self.malformed = 0
        """Messages there that broke the protocol; each closed its socket."""
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
        self.agents = AgentCounters()
        self.closed: Counter[int] = Counter()
        """Subscribers' sockets closed, by close code."""
        self.lag_seconds = Durations(LAG_SECONDS)
        """How late the event loop woke who asked to be woken."""


class Durations:
    """A histogram of seconds."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        """Upper bounds of the buckets."""
        self.counts = [0] * (len(bounds) + 1)
        """Per bucket; the last is what exceeds all bounds."""
        self.total = 0.0
        """Sum of all seconds."""

    def add(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds


class AgentCounters:
    """What agents did on all calls."""

    __slots__ = ("answer_seconds", "interruptions", "tools")

    def __init__(self) -> None:
        self.answer_seconds = Durations(ANSWER_SECONDS)
        """From a caller's silence to the first sound of the agent's answer."""
        self.interruptions = 0
        """Times that a caller cut in."""
        self.tools: Counter[str] = Counter()
        """Uses of tools, by outcome."""


class ProviderCounters:
    """What one provider did for all calls."""

    __slots__ = (
        "final_seconds",
        "gap_ms",
        "handshake_seconds",
        "interim_seconds",
        "open_sessions",
        "reconnects",
        "refused",
        "repeats",
        "restored",
        "sent_ms",
        "sessions",
    )

    def __init__(self) -> None:
        self.open_sessions = 0
        """Connections open now; of the engine on this machine, calls that it hears."""
        self.sessions = 0
        """And all that ever were."""
        self.refused = 0
        """Times that it failed for good, so that another took over or nobody did."""
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
        self.handshake_seconds = Durations(HANDSHAKE_SECONDS)
        """From dialling to the provider's word that it takes audio."""
        self.interim_seconds = Durations(WORDS_SECONDS)
        """From sending audio to an interim that covers it."""
        self.final_seconds = Durations(WORDS_SECONDS)
        """From sending audio to the final that covers it."""
