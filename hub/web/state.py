"""The parts of a running hub that its doors share. Knows which parts there are; does not know how they work."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Protocol

from aiohttp import web

from hub.archive.access_log import AccessLog
from hub.archive.threads import ArchiveThreads
from hub.calls.arrivals import Arrivals
from hub.calls.calls import Calls
from hub.calls.elsewhere import Elsewhere
from hub.calls.erasure import Erasure
from hub.calls.kept import KeptPast
from hub.calls.recall import Recall
from hub.calls.routing import Routing
from hub.calls.steering import SteeringDesk
from hub.cluster.cluster import Cluster
from hub.config import Config
from hub.ops.counters import Counters
from hub.ops.load import Load
from hub.topics.outbox import Rounds
from hub.topics.registry import Registry
from hub.twilio.rest import TwilioAccount
from hub.web.connections import Connection
from hub.web.limits import Limits, Room
from hub.web.resting_sockets import RestingSockets
from hub.web.turns import LoopTurns
from hub.web.unproved import Unproved

GZIPS_AT_ONCE = 2
"""Answers compressed at the same time, each in a thread. Further ones go out as they are: threads are few, and other work needs them."""


class Interruptible(Protocol):
    """A connection that stays open until one side has enough."""

    def interrupt(self, code: int, reason: str) -> None:
        """Close the connection soon, with a close code of `/client`. Never waits."""


@dataclass(frozen=True, slots=True)
class State:
    """What every door gets from the application, under the key STATE."""

    config: Config
    registry: Registry
    calls: Calls
    rounds: Rounds
    resting_sockets: RestingSockets
    counters: Counters
    load: Load
    routing: Routing
    account: TwilioAccount | None
    """The Twilio account whose calls the hub serves; None where there is none."""
    room: Room
    unproved: Unproved
    """Connections that have proved nothing yet."""
    arrivals: Arrivals
    """Finds the calls of streams."""
    past: KeptPast
    """What outlives the process."""
    erasure: Erasure
    steering: SteeringDesk
    limits: Limits = field(default_factory=Limits)
    cluster: Cluster | None = None
    """This node's part of the cluster. None on a hub that is its own."""
    elsewhere: Elsewhere | None = None
    """What is asked of the owners of other nodes' calls. None on a hub that is its own cluster."""
    addresses: Counter[str] = field(default_factory=Counter)
    """Sockets at /client that were let in, by the client's address. An address without any is not in it."""
    turns: LoopTurns = field(default_factory=LoopTurns)
    """For peers that have much to do."""
    compressing: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(GZIPS_AT_ONCE))
    """Answers that are being compressed."""
    searches: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    """Held while the calls' words are searched: one search at a time, so that many cannot slow down what is live."""
    streaming: set[Connection] = field(default_factory=set)
    """Connections to which an answer is being sent while it is written."""
    sockets: set[Interruptible] = field(default_factory=set)
    """Every open WebSocket and stream of events, so that a stopping hub can close all of them."""
    began_at: float = field(default_factory=time.time)
    """When the process began to serve, in Unix seconds."""

    @property
    def archive(self) -> ArchiveThreads | None:
        """The archive and its threads. None where everything is in memory only."""
        return self.past.archive

    @property
    def recall(self) -> Recall:
        """Finds calls, also those that are over for long."""
        return self.past.recall

    @property
    def access_log(self) -> AccessLog:
        """Who does what with calls. It notes nothing on a hub without an archive."""
        return self.past.access_log


STATE = web.AppKey("state", State)
