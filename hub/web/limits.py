"""Limits: how long and how much the doors let a peer take.

One frozen value, held by `State`, so that a test can run a hub with other numbers. Knows each number and the reason for it. Does not
know sockets.
"""

from dataclasses import dataclass, field

from hub.calls.admission import AdmissionLimits
from hub.calls.live_statistics import EVERY_SECONDS
from hub.topics.outbox import IDLE_SECONDS
from hub.twilio.rest import Patience


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the hub's doors allow. The defaults are the hub's own numbers; only tests pass others."""

    close_seconds: float = 2.0
    """How long a peer may take to answer a close frame: the hub wants nothing more from it, and a stopping hub waits for it."""
    start_seconds: float = 10.0
    """How long a stream may take to send `start`: Twilio sends it right after the upgrade, so a socket without it is not Twilio's."""
    token_seconds: float = 10.0
    """How long a subscriber may stay connected without a token, on a hub that requires one: enough to paste one by hand."""
    ping_seconds: float = 30.0
    """How often a subscriber is pinged. A half-open connection is noticed after one and a half of these."""
    comment_seconds: float = 15.0
    """How often a stream of events over HTTP says that it is alive: proxies cut what is silent for 30 or 60 s."""
    last_events_seconds: float = IDLE_SECONDS
    """How long a subscriber may take nothing of a call's last events before its socket is closed anyway. Same as for any lag."""
    messages_per_second: float = 100.0
    """Messages a subscriber may send per second over time. A dashboard sends far fewer once it has subscribed."""
    messages_at_once: float = 2000.0
    """Messages a subscriber may send in one burst: a dashboard that reconnects subscribes to each of its calls at once."""
    calls_followed: int = 5000
    """Calls one socket may follow: more than one node can carry."""
    numbers_followed: int = 1000
    """Numbers one socket may follow. A program with more numbers follows the list of all calls."""
    calls_listened: int = 16
    """Calls one socket may listen to at once: nobody follows two voices, but a program may record a small team."""
    request_seconds: float = 10.0
    """How long a TLS handshake may take, and then a request, from its first header to the end of its body. aiohttp would wait for ever."""
    answer_seconds: float = 10.0
    """How long a peer may take nothing of the answer to its request."""
    streamed: int = 64
    """Files sent at the same time. Each takes up to 2 MB while it is sent, and keeps the events that it is made of."""
    streamed_per_address: int = 32
    """Of these, to one address: a slow client cannot keep the others from their files."""
    streamed_seconds: float = 30.0
    """How long all waiting for the peer of one file may take, besides what its size allows."""
    streamed_bytes_per_second: float = 16 * 1024
    """How fast a peer must take a file after that: a bad mobile connection does. A byte now and then would hold a call for ever."""
    look_seconds: float = 1.0
    """How often the hub looks for connections that are too slow. One timer for all: one per connection would keep closed ones in memory."""
    unproved_connections: int = 512
    """Connections that have proved nothing yet: more than Twilio and people's browsers have at any moment. With few descriptors, fewer."""
    admission: AdmissionLimits = field(default_factory=AdmissionLimits)
    """When new calls are refused. HUB_CALLS is filled in."""
    twilio: Patience = field(default_factory=Patience)
    """How long the hub waits for Twilio's REST API, and for streams that it requests there."""
    notice_seconds: float = 5.0
    """How long a node that stops waits before it moves its calls to other nodes: by then a balancer has noticed that it takes no streams.
    A balancer looks every second or two, and believes the second look."""
    statistics_seconds: float = EVERY_SECONDS
    """How often a live call's statistics are told at most."""
    keep_alive_seconds: float = 30.0
    """How long a connection may stay idle between two requests, or take to finish a later one."""


LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Room:
    """How a process's descriptors are shared out. What is left, at least a quarter, is for Twilio's streams and for their providers."""

    unproved: int
    """Connections that have proved nothing yet. For a moment there may be twice as many."""
    subscribers: int
    """Sockets at /client that have shown a token, where one is wanted."""
    backlog: int
    """Connections that the kernel holds until the hub accepts them. All of them may be accepted in one turn of the event loop."""

    @classmethod
    def within(cls, descriptors: int, limits: Limits) -> "Room":
        """Share out so many descriptors."""
        unproved = min(limits.unproved_connections, max(16, descriptors // 8))
        return cls(unproved, subscribers=max(16, descriptors // 2), backlog=min(1024, max(16, descriptors // 8)))
