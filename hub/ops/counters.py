"""Counters: what the hub counts about itself, for `/metrics`.

Plain numbers, because a Prometheus counter would take a lock for every frame. Does not know Prometheus.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from typing import Final, Literal, TypeAlias

WORDS_SECONDS: Final = (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
"""Bucket bounds for the delay of words: a live transcript is good below 1 s and useless above 10 s."""

HANDSHAKE_SECONDS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Bucket bounds for opening a session: 0.5-1.2 s is normal for a distant provider, and after 10 s it has failed."""

LAG_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
"""Bucket bounds for the event loop's lag: a call may delay others by 5 ms at most, and 0.1 s is a block of every call's audio."""


ANSWER_SECONDS: Final = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
"""Bucket bounds for an agent's answers: people answer each other within 0.5 s, and after 3 s a caller asks whether anyone is there."""


APPEND_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
"""Bucket bounds for storing events in the broker: 1 ms is normal, an event waits for 50 ms at most, and after 5 s the broker has failed."""

TakeOverOutcome: TypeAlias = Literal["continued", "ended", "failed"]
"""How the take-over of a call went whose node died: it goes on here, or it had ended meanwhile, or it could not be taken up."""

HandOverOutcome: TypeAlias = Literal["moved", "refused", "failed"]
"""How it went when a call was to move to this node: its owner gave it, did not give it, or gave no answer."""


class Counters:
    """The hub's counts since this process started."""

    __slots__ = (
        "agents",
        "calls",
        "closed",
        "cluster",
        "ended",
        "frames",
        "lag_seconds",
        "lagged",
        "listeners",
        "malformed",
        "notes",
        "providers",
        "refused",
        "sound_dropped",
        "streams",
        "streams_closed",
        "subscribers",
        "webhooks",
    )

    def __init__(self) -> None:
        self.calls = 0
        """Calls started."""
        self.ended: Counter[tuple[str, str]] = Counter()
        """Calls ended, by reason and by the state of the record: complete, incomplete or not-transcribed."""
        self.streams = 0
        """Twilio streams started."""
        self.streams_closed: Counter[int] = Counter()
        """Sockets at /twilio and /agent closed, by close code."""
        self.frames = 0
        """Media messages received."""
        self.malformed = 0
        """Messages at /twilio and /agent that broke the protocol. Each of them closed its socket."""
        self.refused: Counter[str] = Counter()
        """Sockets and requests refused, by door and reason: for instance `twilio signature`."""
        self.subscribers = 0
        """Sockets open at /client now."""
        self.listeners = 0
        """Subscribers that listen to a call now. One that listens to two calls counts twice."""
        self.sound_dropped = 0
        """Blocks of live audio skipped because a listener was behind."""
        self.lagged = 0
        """Subscribers disconnected because they were too slow."""
        self.providers: defaultdict[str, ProviderCounters] = defaultdict(ProviderCounters)
        """By the provider's name."""
        self.agents = AgentCounters()
        self.closed: Counter[int] = Counter()
        """Sockets at /client closed, by close code."""
        self.lag_seconds = Durations(LAG_SECONDS)
        """How late the event loop ran what was due."""
        self.cluster: ClusterCounters | None = None
        """What concerns the other nodes and the broker. None on a hub that is its own cluster."""
        self.webhooks: dict[str, WebhookCounters] = {}
        """By the webhook's name."""
        self.notes: NoteCounters | None = None
        """What concerns notes. None on a hub that has none written."""


class ClusterCounters:
    """What one node knows of its cluster, and what it did with its broker."""

    __slots__ = (
        "append_seconds",
        "behind",
        "broker_up",
        "calls",
        "catch_ups",
        "catching_up",
        "clock_skew_seconds",
        "fenced",
        "forged",
        "handovers",
        "node",
        "nodes",
        "replicas",
        "takeovers",
    )

    def __init__(self, node: str) -> None:
        self.node = node
        """This node's name."""
        self.nodes = 0
        """Nodes whose leases hold, as the broker said last. This one included."""
        self.calls = 0
        """Live calls of the whole cluster, as far as this node knows."""
        self.broker_up = False
        """Whether the broker answers."""
        self.behind = False
        """Whether events were told that neither the broker nor the archive has."""
        self.clock_skew_seconds = 0.0
        """This machine's clock minus the broker's."""
        self.append_seconds = Durations(APPEND_SECONDS)
        """From sending events to the broker until it has them."""
        self.takeovers: Counter[TakeOverOutcome] = Counter()
        """Calls of dead nodes that this node claimed."""
        self.handovers: Counter[HandOverOutcome] = Counter()
        """Calls of living nodes that this node asked for, because their streams came here."""
        self.fenced = 0
        """Appends that the broker refused because another node had taken the call over."""
        self.forged = 0
        """Messages and stored entries that were refused because no node with this HUB_SECRET had signed them."""
        self.replicas = 0
        """Calls of other nodes that this node keeps a copy of, because somebody reads them here."""
        self.catching_up = 0
        """Of these, how many are reading from the broker's log now what they have missed."""
        self.catch_ups = 0
        """Times that a replica read from the broker's log what it had missed."""


class WebhookCounters:
    """What one webhook was sent, and what it is still to be sent."""

    __slots__ = ("calls", "dead", "delivered", "failed", "failing_since", "set_aside")

    def __init__(self) -> None:
        self.delivered = 0
        """Messages that the receiver took."""
        self.failed = 0
        """Attempts that failed."""
        self.set_aside = 0
        """Messages that became dead letters."""
        self.calls = 0
        """Calls of which something is to be sent, a short while ago. 0 where another node of the cluster delivers."""
        self.dead = 0
        """Dead letters there are, a short while ago. 0 where another node of the cluster delivers."""
        self.failing_since: float | None = None
        """Unix seconds of the oldest failure without a success after it. None where there is none."""


class NoteCounters:
    """What a model was asked for notes, and what came of it."""

    __slots__ = ("failed", "failing_since", "given_up", "made", "requests", "tokens_read", "tokens_written", "waiting")

    def __init__(self) -> None:
        self.made = 0
        """Notes that were published."""
        self.given_up = 0
        """Calls that will get no note, since the model wrote none that can be used."""
        self.requests = 0
        """Requests to the model."""
        self.failed = 0
        """Of these, those without an answer."""
        self.tokens_read = 0
        """Tokens that the model says it was given."""
        self.tokens_written = 0
        """Tokens that the model says it has written."""
        self.waiting = 0
        """Calls that have ended and wait for a note, a short while ago. 0 where another node of the cluster sees to it."""
        self.failing_since: float | None = None
        """Monotonic seconds since when the model has given no answer. None while it answers."""


class Durations:
    """A histogram of seconds."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        """Upper bounds of the buckets, in seconds."""
        self.counts = [0] * (len(bounds) + 1)
        """Durations per bucket. The last bucket counts those beyond all bounds."""
        self.total = 0.0
        """Sum of all durations, in seconds."""

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds


class AgentCounters:
    """What agents did on all calls."""

    __slots__ = ("answer_seconds", "interruptions", "tools")

    def __init__(self) -> None:
        self.answer_seconds = Durations(ANSWER_SECONDS)
        """From the end of a caller's speech to the first audio of the agent's answer."""
        self.interruptions = 0
        """Times that a caller interrupted an agent."""
        self.tools: Counter[str] = Counter()
        """Tool calls, by outcome."""


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
        """Sessions open now. For the engine on this machine: calls that it transcribes now."""
        self.sessions = 0
        """Sessions started."""
        self.refused = 0
        """Times that the provider failed a call for good, so that the fallback took over, or nobody."""
        self.sent_ms = 0.0
        """Audio sent, in ms. Two tracks in one stereo stream count once."""
        self.reconnects = 0
        """Connections that broke or could not be opened."""
        self.restored = 0
        """Connections reopened after a break."""
        self.repeats = 0
        """Words recognized again after a reconnect, because audio was sent again, and not published twice."""
        self.gap_ms = 0.0
        """Audio that was not transcribed, in ms, per track."""
        self.handshake_seconds = Durations(HANDSHAKE_SECONDS)
        """From opening a connection until the provider accepts audio."""
        self.interim_seconds = Durations(WORDS_SECONDS)
        """From sending audio to an interim that covers it."""
        self.final_seconds = Durations(WORDS_SECONDS)
        """From sending audio to the final that covers it."""
