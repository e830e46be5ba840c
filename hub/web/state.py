"""The parts of a running hub that its doors share. Knows which parts there are; does not know how they work."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from aiohttp import web

from hub.calls.calls import Calls
from hub.calls.journal import Journal
from hub.calls.routing import Routing
from hub.config import Config
from hub.ops.counters import Counters
from hub.topics.outbox import Rounds
from hub.topics.registry import Registry
from hub.twilio.rest import TwilioAccount
from hub.web.limits import Limits
from hub.web.resting_sockets import RestingSockets
from hub.web.sockets import HubSocket


@dataclass(frozen=True, slots=True)
class State:
    """What every door gets from the application, under the key STATE."""

    config: Config
    registry: Registry
    calls: Calls
    rounds: Rounds
    resting_sockets: RestingSockets
    counters: Counters
    routing: Routing
    account: TwilioAccount | None
    """The Twilio account whose calls the hub serves; None where there is none."""
    journal: Journal | None = None
    """None where live calls are not remembered over a restart."""
    limits: Limits = field(default_factory=Limits)
    addresses: Counter[str] = field(default_factory=Counter)
    """Open sockets at /client, by the peer's address. An address without any is not in it."""
    searches: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    """Held while the calls' words are searched: one search at a time, so that many cannot slow down what is live."""
    sockets: set[HubSocket] = field(default_factory=set)
    """Every open WebSocket, so that a stopping hub can close all of them."""


STATE = web.AppKey("state", State)
