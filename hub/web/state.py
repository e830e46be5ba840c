"""What every door shares."""

from collections import Counter
from dataclasses import dataclass, field

from aiohttp import web

from hub.calls.calls import Calls
from hub.calls.routing import Routing
from hub.config import Config
from hub.ops.counters import Counters
from hub.topics.outbox import Rounds
from hub.topics.registry import Registry
from hub.twilio.rest import Account
from hub.web.sockets import HubSocket, Rests


@dataclass(frozen=True, slots=True)
class State:
    """The parts of a running hub that its doors need."""

    config: Config
    registry: Registry
    calls: Calls
    rounds: Rounds
    rests: Rests
    counters: Counters
    routing: Routing
    account: Account | None
    """Twilio's account; None where there is none."""
    addresses: Counter[str] = field(default_factory=Counter)
    """Open sockets at /client by the peer's address."""
    sockets: set[HubSocket] = field(default_factory=set)
    """Every open WebSocket, so that none outlives the hub."""


STATE = web.AppKey("state", State)
