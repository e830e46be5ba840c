"""Asks for calls of other nodes whose streams have come to this one, until they are this node's, or it is refused.

What the streams bring is kept meanwhile. The owner is asked again and again for as long as its lease holds. If it dies, the call is claimed
like that of any dead node, and goes on with all that was kept. For example, a node is killed while it finds the cut: eight seconds later
its lease ends, and the kept audio is transcribed from its beginning.

Knows the cluster and held streams. Does not know how the owner gives a call (`giving.py`).
"""

import asyncio
import logging
from dataclasses import dataclass, field, replace

import msgspec

from hub.audio.g711 import TRACKS
from hub.broker.broker import BrokerError, Claimed, Held, Row
from hub.calls.call import Peer
from hub.calls.calls import Calls
from hub.calls.hand_over import HAND_OVER, HandedOver, Wanted
from hub.calls.held_stream import HeldStream
from hub.calls.publisher import Publisher
from hub.calls.takeover import left_off
from hub.calls.taking import Taking
from hub.cluster.cluster import Cluster
from hub.cluster.requests import NodeRefused
from hub.errors import HubError
from hub.ops.counters import ClusterCounters
from hub.topics.record import LeftOff, Record
from hub.topics.registry import Registry
from hub.twilio.media import StartBody

log = logging.getLogger(__name__)

ANSWER_SECONDS = 3.0
"""How long one request waits for its answer: messages can be lost, and the owner may be dead."""

PAUSE_SECONDS = 0.25
"""The pause before the next request, where an answer says that there is none yet."""

REFUSALS = 3
"""So many refusals are final. The first may come from an owner that has just ended the call, or given it to another node."""


@dataclass(slots=True, eq=False)
class Awaited:
    """A call that another node is to hand over."""

    record: Record
    row: Row
    since: float
    """Unix seconds, by the broker's clock, at which its stream began."""
    streams: list[HeldStream] = field(default_factory=list)
    """Streams that are kept. Empty where an agent answers: its events are held back instead, see Record."""
    handed: HandedOver | None = None
    """What the owner said when it gave the call. None before, and where it did not."""


class Asking:
    """The calls that other nodes are to hand over to this one."""

    def __init__(
        self, registry: Registry, calls: Calls, cluster: Cluster, taking: Taking, counters: ClusterCounters, group: asyncio.TaskGroup
    ) -> None:
        """Others are asked in tasks of `group`."""
        self._registry = registry
        self._calls = calls
        self._cluster = cluster
        self._taking = taking
        self._counters = counters
        self._group = group
        self._awaited: dict[str, Awaited] = {}
        """By callSid."""

    def ask_for(self, record: Record, row: Row) -> None:
        """Ask the owner of a call to hand it over. Never waits."""
        if record.call_sid not in self._awaited:
            self._awaited[record.call_sid] = Awaited(record, row, self._registry.wall())
            self._calls.expect(record.call_sid)
            self._group.create_task(self._run(self._awaited[record.call_sid]))

    def hold(self, start: StartBody, peer: Peer) -> HeldStream | None:
        """Keep a stream until its call is here. None if its call is not awaited. Never waits."""
        awaited = self._awaited.get(start.call_sid)
        if awaited is None:
            return None
        awaited.streams.append(HeldStream(start, peer, self._registry.clock()))
        return awaited.streams[-1]

    async def _run(self, awaited: Awaited) -> None:
        call_sid = awaited.record.call_sid
        problem = "the node failed on it; its log says more"
        moved = False
        try:
            await self._gain(awaited)
            moved = True
        except HubError as error:
            problem = str(error)
        except Exception:  # a call is a unit: the others go on
            log.exception("call=%s could not be brought to this node", call_sid)
        finally:
            del self._awaited[call_sid]
            try:
                if moved:
                    self._enter(awaited)
                else:
                    await self._refuse(awaited, problem)
            finally:
                self._calls.expect_no_more(call_sid)

    async def _gain(self, awaited: Awaited) -> None:
        """Return when the call is this node's. Raises: NodeRefused."""
        refusals = 0
        while True:
            try:
                if awaited.handed is None:
                    awaited.handed = await self._ask(awaited)
                row = msgspec.structs.replace(awaited.row, owner=self._cluster.node_id, generation=awaited.handed.generation)
                await self._take(awaited, Claimed(row, awaited.row.owner))
                return
            except NodeRefused as error:
                refusals += 1
                if refusals == REFUSALS:
                    raise
                log.info("call=%s node %s: %s", awaited.record.call_sid, awaited.row.owner, error)
            except BrokerError as error:
                log.debug("call=%s %s", awaited.record.call_sid, error)
            if await self._claims(awaited):
                return
            await asyncio.sleep(PAUSE_SECONDS)

    async def _ask(self, awaited: Awaited) -> HandedOver:
        """Ask the owner once. Raises: NodeRefused, BrokerError."""
        record, streams = awaited.record, awaited.streams
        tracks = [track for track in TRACKS if any(track in stream.start.tracks for stream in streams)] or list(TRACKS)
        sid = streams[0].start.stream_sid if streams else ""
        wanted = Wanted(call_sid=record.call_sid, since=awaited.since, stream_sid=sid, tracks=tracks, agent=not streams)
        return await self._cluster.requests.ask(awaited.row.owner, HAND_OVER, wanted, HandedOver, ANSWER_SECONDS)

    async def _claims(self, awaited: Awaited) -> bool:
        """Claim the call: it is this node's already if only the answer was lost, or its owner is gone. Return whether it is."""
        row = awaited.row
        try:
            claim = await self._cluster.broker.claim(row.call_sid, self._cluster.node_id, epoch=row.epoch, number=row.number)
            if isinstance(claim, Held):
                awaited.row = claim.row
            elif isinstance(claim, Claimed):
                await self._take(awaited, claim)
                return True
        except BrokerError as error:
            log.info("call=%s %s", row.call_sid, error)
        return False

    async def _take(self, awaited: Awaited, claimed: Claimed) -> None:
        """Make a call this node's that the broker says is. Raises: BrokerError."""
        left = await self._taking.take(claimed)
        awaited.record, handed = left.record, awaited.handed
        clock, wall = self._registry.clock(), self._registry.wall()
        if handed is None:
            self._counters.handovers["failed"] += 1
            if claimed.previous:  # the owner is gone, and was in the middle of utterances
                Publisher(left.record, self._registry).take_back(left.entry.tracks)
            left.record.left_off = left_off(left.entry, clock, wall)
            return
        self._counters.handovers["moved"] += 1
        record = left.record
        if record.topic.log.entered < handed.offset:
            log.error("call=%s the broker lacks %d events", record.call_sid, handed.offset - record.topic.log.entered)
        record.left_off = LeftOff(handed.cut_ms, clock - (wall - handed.at), handed.lost, handed.settled_ms)
        record.words_missing = handed.words_missing
        record.recorded_ms = handed.cut_ms if handed.recorded else 0.0
        record.utterances.go_on_after(handed.utterances)

    def _enter(self, awaited: Awaited) -> None:
        """Let the streams join: the call is this node's."""
        record = awaited.record
        for held in awaited.streams:
            off = record.left_off
            assert off is not None
            base_ms = round(off.call_ms + (held.at - off.at) * 1000)
            if awaited.handed is not None and awaited.handed.sample:
                base_ms = held.place(base_ms, awaited.handed.sample, off.call_ms)
            # What the owner has published of a track is left out, and what it has not is taken, however far the other track is.
            from_ms = {track: max(base_ms, off.settled_ms.get(track, off.call_ms)) for track in TRACKS}
            if (begins_ms := min(from_ms.values())) < off.call_ms:
                record.left_off = replace(off, call_ms=begins_ms, at=off.at - (off.call_ms - begins_ms) / 1000)
            try:
                held.enter(self._calls.join_at(held.start, held.peer, base_ms), base_ms, from_ms)
            except HubError as error:
                log.warning("call=%s a stream was refused: %s", record.call_sid, error)
                held.close(str(error))

    async def _refuse(self, awaited: Awaited, problem: str) -> None:
        record = awaited.record
        self._counters.handovers["refused"] += 1
        log.warning("call=%s a stream was refused: node %s: %s", record.call_sid, awaited.row.owner, problem)
        for held in awaited.streams:
            held.close(problem)
        if (call := self._calls.newest(record.call_sid)) is not None and call.record is record:  # an agent's
            call.give_way()
            await self._calls.published(call)
        record.held_back = None
