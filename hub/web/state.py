"""What every door shares."""

from collections import Counter
from dataclasses import dataclass, field

from aiohttp import web

from hub.config import Config
from hub.counters import Counters
from hub.exchange import Exchange
from hub.outbox import Rounds
from hub.registry import Registry
from hub.switchboard import Switchboard
from hub.web.sockets import HubSocket, Rests


@dataclass(frozen=True, slots=True)
class State:
    """The parts of a running hub that its doors need."""

    config: Config
    registry: Registry
    exchange: Exchange
    rounds: Rounds
    rests: Rests
    counters: Counters
    switchboard: Switchboard
    addresses: Counter[str] = field(default_factory=Counter)
    """Open sockets at /client by the peer's address."""
    sockets: set[HubSocket] = field(default_factory=set)
    """Every open WebSocket, so that none outlives the hub."""


STATE = web.AppKey("state", State)
