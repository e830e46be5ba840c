"""Finds out whose call a stream belongs to, before it joins: one that nobody knows, one of this node, of another node, or of the archive.

In a cluster the broker decides, since two streams of one call may come to two nodes at the same moment. A call whose owner is gone becomes
this node's, with all its events. A call whose owner lives is asked of it while the stream is taken in here already.

The stream's frames are kept meanwhile, for a fraction of a second. Knows the registry, the archive and the cluster. Does not know sockets.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeAlias

from hub.broker.broker import AgentsFull, BrokerError, Claim, Claimed, Held, Row
from hub.calls.bookmark import Entry
from hub.calls.recall import Recall
from hub.calls.takeover import left_off
from hub.calls.taking import Taking
from hub.cluster.cluster import Cluster
from hub.errors import HubError
from hub.topics.past import Past
from hub.topics.record import Record
from hub.topics.registry import Registry

log = logging.getLogger(__name__)

BROKER_SECONDS = 0.2
"""How long the broker may take to say whose call it is. A call that nobody knew begins without its answer."""


class NotReached(HubError):
    """The call is another node's, and what is needed to go on with it here cannot be had now."""

    code = "elsewhere"


class AgentsBusy(HubError):
    """So many calls are answered by agents in the whole cluster that no further one may be."""

    code = "no-agent"


@dataclass(frozen=True, slots=True)
class Arrival:
    """The call of a stream that is about to join."""

    record: Record
    held: Row | None = None
    """The call as it is another node's, which lives and has to hand it over. None where it is this node's, or nobody's."""


AskFor: TypeAlias = Callable[[Record, Row], None]
"""Asks the owner of a call to hand it over. Never waits."""


class Arrivals:
    """Where streams find their calls."""

    def __init__(self, registry: Registry, recall: Recall, cluster: Cluster | None, taking: Taking | None) -> None:
        """`cluster` and `taking` are None on a hub that is its own cluster."""
        self._registry = registry
        self._recall = recall
        self._cluster = cluster
        self._taking = taking
        self.ask_for: AskFor = lambda *_: None
        """Set before the first stream comes."""

    def look_up(self, call_sid: str, *, agents_at_most: int | None = None) -> Coroutine[Any, Any, Arrival | None] | None:
        """Begin to find the call of a stream. None if the stream can join at once.

        What it gives goes to `enter` right before the stream joins, or to `abandon` if it never does. Awaiting it raises: HubError, with
        which the stream is refused. `agents_at_most`: an agent is to answer the call, and so many may be answered in the cluster.
        """
        record = self._registry.find(call_sid)
        if self._cluster is None or self._taking is None:
            return self._archived(call_sid) if record is None and self._recall.reads_archive else None
        if record is not None and self._is_ours(record) and agents_at_most is None:
            return None
        return self._claimed(self._cluster, self._taking, call_sid, agents_at_most)

    def enter(self, arrival: Arrival | None) -> None:
        """Let the stream find its call in the registry. Never waits."""
        if arrival is None:
            return
        self._registry.enter(arrival.record)
        if arrival.held is not None and arrival.record.owner and arrival.record.held_back is None:
            arrival.record.held_back = []
            self.ask_for(arrival.record, arrival.held)

    def abandon(self, arrival: Arrival | None) -> None:
        """Take note that the stream has gone before it joined. Never waits."""
        if self._cluster is not None and arrival is not None and not arrival.record.topic.log.entered:
            self._cluster.keeper.abandon(arrival.record)

    def known_elsewhere(self, call_sid: str) -> bool:
        """Return whether a call is another node's, so that it cannot begin anew here."""
        record = self._registry.find(call_sid)
        return record is not None and bool(record.owner)

    @staticmethod
    def _is_ours(record: Record) -> bool:
        return not record.owner and record.live and bool(record.generation)

    async def _archived(self, call_sid: str) -> Arrival | None:
        """Return a call that the archive has. Raises: ArchiveError."""
        record = await self._recall.bring_back(call_sid)
        return Arrival(record) if record is not None else None

    async def _claimed(self, cluster: Cluster, taking: Taking, call_sid: str, agents_at_most: int | None) -> Arrival:
        record = self._registry.find(call_sid)
        if record is None and self._recall.reads_archive:
            record = await self._recall.bring_back(call_sid)
        record = record or self._registry.new(call_sid)
        try:
            async with asyncio.timeout(BROKER_SECONDS):
                claim: Claim = await cluster.broker.claim(
                    call_sid,
                    cluster.node_id,
                    epoch=record.topic.log.epoch,
                    number=record.number,
                    heard=record.generation if record.owner else 0,
                    agents_at_most=agents_at_most,
                )
        except (BrokerError, TimeoutError) as error:
            if record.owner:
                raise NotReached(f"this call is another node's: {error or 'the broker does not answer'}") from error
            return Arrival(record)
        except asyncio.CancelledError:
            # The door waits no longer. The broker may have taken the claim all the same, so the call begins with what was claimed.
            if not record.owner:
                self._registry.enter(record)
            raise
        match claim:
            case AgentsFull(answering):
                raise AgentsBusy(f"agents answer {answering} calls of the cluster already (HUB_AGENT_CALLS)")
            case Held(row):
                return await self._held(cluster, row, by_agent=agents_at_most is not None)
            case Claimed(row) if row.epoch == record.topic.log.epoch and not record.owner:
                # A broker that lost its data counts from 1, while the archive knows an owner of a higher generation.
                record.generation = row.generation if row.generation >= record.generation else record.generation + 1
                return Arrival(record)
            case Claimed():
                return await self._taken(taking, claim)

    async def _held(self, cluster: Cluster, row: Row, *, by_agent: bool) -> Arrival:
        """Return a call that another node has to hand over. Raises: NotReached.

        An agent begins at once, and has to know what was said. A stream that is transcribed is kept until the call is here.
        """
        record = self._registry.known(row.call_sid) or self._registry.learn(row.call_sid, row.owner, row.epoch, row.number)
        if not by_agent:
            return Arrival(record, row)
        try:
            record = await cluster.replicas.load(record)
            logged = await cluster.broker.log(row.call_sid, record.topic.log.offset)
        except BrokerError as error:
            raise NotReached(f"this call is another node's: {error.problem}") from error
        entry = Entry.read(logged.note if logged is not None else b"", Past([]), self._registry.wall())
        record.left_off = left_off(entry, self._registry.clock(), self._registry.wall())
        return Arrival(record, row)

    async def _taken(self, taking: Taking, claim: Claimed) -> Arrival:
        """Return a call whose owner is gone, or which had ended. Raises: NotReached."""
        try:
            left = await taking.take(claim)
        except HubError as error:
            raise NotReached(f"this call cannot be gone on with: {error}") from error
        left.record.left_off = left_off(left.entry, self._registry.clock(), self._registry.wall())
        return Arrival(left.record)
