"""A broker for nodes in one process, which tests use: everything that `Broker` promises, without a server, by a clock that can be set.

Knows the seam. It also fails on demand: `MemoryBroker.cut` is a broken connection, `MemoryCluster.lose` a server that lost its data.
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import msgspec
from msgspec.structs import replace as replaced

from hub.broker.bodies import Events, call_topic, packed
from hub.broker.broker import (
    Accepted,
    AgentsFull,
    Append,
    Appended,
    BrokerError,
    Claim,
    Claimed,
    Fenced,
    Held,
    HoldTimes,
    Logged,
    Misplaced,
    News,
    Node,
    Receiver,
    Row,
    Snapshot,
)
from hub.broker.ownership import Steadiness, claimed_row, is_moved, may_claim, may_register

NULL = msgspec.Raw(b"null")


@dataclass(slots=True)
class MemoryLog:
    """What the cluster keeps of one call's log, and who may write to it."""

    generation: int = 0
    owner: str = ""
    epoch: str = ""
    first: int = 1
    """Offset of the first payload, or of the next event if there is none."""
    payloads: list[bytes] = field(default_factory=list)
    note: bytes = b""
    until: float = 0.0
    """Cluster clock time at which it is forgotten."""

    @property
    def newest(self) -> int:
        """Offset of the newest event."""
        return self.first + len(self.payloads) - 1

    def fence(self, generation: int, owner: str) -> None:
        """Refuse everyone else from here on."""
        self.generation, self.owner = generation, owner

    def take(self, append: Append, writer: str) -> Appended:
        """Append events, whole or not at all. `listeners` of Accepted is not known here."""
        if append.generation < self.generation or (append.generation == self.generation and self.owner not in ("", writer)):
            return Fenced(self.generation)
        newest = self.newest if append.epoch == self.epoch else 0
        anew = append.epoch != self.epoch or newest + 1 < append.oldest
        if append.first != (append.oldest if anew else newest + 1):
            return Misplaced(newest)
        if anew:
            self.first, self.payloads, self.note = append.first, [], b""
        self.generation, self.owner, self.epoch = append.generation, writer, append.epoch
        self.payloads += append.payloads
        self.note = self.note if append.note is None else append.note
        if append.oldest > self.first:
            del self.payloads[: append.oldest - self.first]
            self.first = append.oldest
        return Accepted(self.newest, 0)


class MemoryCluster:
    """What the nodes of a cluster share. Give it to several `MemoryBroker`s."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.brokers: set[MemoryBroker] = set()
        """Those that are open."""
        self.lose()

    def lose(self) -> None:
        """Forget everything, as a server without persistence that starts again. All nodes are told that they missed news."""
        self.life = secrets.token_hex(4)
        self.number = 0
        self.nodes: dict[str, Node] = {}
        self.leases: dict[str, float] = {}
        """Until when, by node."""
        self.beats: dict[str, float] = {}
        """When each node last renewed its lease. A node that left is not in here."""
        self.resumed_at = self.clock()
        """When the cluster began anew, without its data."""
        self.rows: dict[str, Row] = {}
        self.logs: dict[str, MemoryLog] = {}
        self.erased: set[str] = set()
        for each in self.brokers:
            each.miss()

    def holds(self, node_id: str) -> bool:
        """Return whether a node's lease holds."""
        return self.leases.get(node_id, 0.0) > self.clock()

    def tell(self, row: Row, event: bytes | None = None, *, erased: bool = False) -> None:
        """Give news the next number, and every node the news."""
        self.number += 1
        news = News(number=self.number, row=row, event=NULL if event is None else msgspec.Raw(event), erased=erased)
        for each in self.brokers:
            each.tell(news)

    def send(self, topic: str, body: bytes) -> int:
        """Give every node that listens a message, and return how many those are."""
        return sum(each.deliver(topic, body) for each in tuple(self.brokers))

    def log_of(self, call_sid: str) -> MemoryLog:
        """Return a call's log: an empty one if there is none."""
        log = self.logs.get(call_sid)
        if log is None or log.until <= self.clock():
            log = self.logs[call_sid] = MemoryLog(until=float("inf"))
        return log

    def forget_ended(self, keep_seconds: float) -> None:
        """Forget rows that ended longer ago than this."""
        until = self.clock() - keep_seconds
        self.rows = {call_sid: row for call_sid, row in self.rows.items() if row.ended_at is None or row.ended_at > until}


class MemoryBroker:
    """One node's access to a cluster in the same process. See `Broker` for what each method promises."""

    def __init__(self, cluster: MemoryCluster, times: HoldTimes | None = None) -> None:
        self.about = "memory of one process"
        self.trouble = ""
        self.refused = 0
        self._cluster = cluster
        self._times = times or HoldTimes()
        self._receiver: Receiver | None = None
        """None before it is opened, and after it is closed."""
        self._node_id = ""
        """Whose broker this is. Empty before the first beat or claim."""
        self._topics: set[str] = set()
        self._steadiness = Steadiness(self._times.steady_seconds)
        self._told: int | None = None
        """Number of the newest news that the receiver has. None: it has to read the snapshot first."""

    def cut(self, trouble: str = "the broker cannot be reached") -> None:
        """Break the connection: everything raises BrokerError, and nothing comes."""
        self.trouble = trouble

    def mend(self) -> None:
        """Connect again, after `cut`."""
        self.trouble = ""
        self.miss()
        for topic in tuple(self._topics):
            self.listen(topic)

    def miss(self) -> None:
        """Have the receiver read the snapshot again."""
        self._told = None
        self._soon(lambda receiver: receiver.missed())

    def tell(self, news: News) -> None:
        """Give the receiver news in the next turn of the event loop, unless it has them by then."""

        def told(receiver: Receiver) -> None:
            if self._told is not None and news.number == self._told + 1:
                self._told = news.number
                receiver.told(news)

        self._soon(told)

    def deliver(self, topic: str, body: bytes) -> bool:
        """Give the receiver a message in the next turn of the event loop. Returns whether it listens."""
        if self.trouble or topic not in self._topics:
            return False
        self._soon(lambda receiver: receiver.received(topic, body))
        return True

    def now(self) -> float:
        return self._cluster.clock()

    async def open(self, receiver: Receiver, group: asyncio.TaskGroup) -> None:  # noqa: ARG002
        self._reached()
        self._receiver = receiver
        self._cluster.brokers.add(self)
        self.miss()

    async def close(self) -> None:
        self._receiver = None
        self._cluster.brokers.discard(self)

    async def beat(self, node: Node) -> list[Node]:
        cluster = self._cluster
        if self.trouble:
            self._steadiness.failed()
        self._reached()
        for other in self._living():
            if node.id not in cluster.nodes and (other.secret, other.protocol) != (node.secret, node.protocol):
                what = "another HUB_SECRET" if other.secret != node.secret else f"protocol {other.protocol} and not {node.protocol}"
                raise BrokerError(f"node {other.name} of the same cluster has {what}")
        self._node_id = node.id
        cluster.nodes[node.id] = node
        cluster.beats[node.id] = cluster.clock()
        cluster.leases[node.id] = cluster.clock() + self._times.lease_seconds
        cluster.forget_ended(self._times.keep_seconds)
        self._steadiness.beaten(cluster.clock())
        return self._living()

    async def leave(self, node_id: str) -> None:
        self._reached()
        self._cluster.leases.pop(node_id, None)
        self._cluster.beats.pop(node_id, None)

    async def claim(
        self, call_sid: str, node_id: str, *, epoch: str, number: int, heard: int = 0, gone: bool = False, agents_at_most: int | None = None
    ) -> Claim:
        self._reached()
        cluster, agent = self._cluster, agents_at_most is not None
        self._node_id = node_id
        row = cluster.rows.get(call_sid)
        has_lost = heard > (row.generation if row is not None else 0)
        if has_lost and not (gone and self._steadiness.is_steady(cluster.clock())):
            raise BrokerError(f"the broker has lost call {call_sid}: its owner tells it again soon")
        if row is not None and not may_claim(row, node_id, holds=self._holds(row.owner), live_only=gone):
            return Held(row)
        if agents_at_most is not None and (answering := self._answering(call_sid)) >= agents_at_most:
            return AgentsFull(answering)
        if row is None:
            generation = max(heard, cluster.log_of(call_sid).generation) + 1
            mine = Row(call_sid=call_sid, owner=node_id, generation=generation, epoch=epoch, number=number, agent=agent)
        else:
            mine = claimed_row(row, node_id, agent=agent)
            mine = replaced(mine, generation=max(mine.generation, heard + 1 if has_lost else 1))
        cluster.erased.discard(call_sid)
        self._give(row, mine)
        if row is None or row.owner == node_id:
            return Claimed(mine)
        previous = cluster.nodes.get(row.owner)
        behind = previous is not None and previous.behind
        return Claimed(mine, row.owner, behind, broker_was_away=cluster.beats.get(row.owner, float("inf")) < cluster.resumed_at)

    async def register(self, rows: Sequence[Row], events: Sequence[bytes | None]) -> list[bool]:
        self._reached()
        return [self._register(row, event) for row, event in zip(rows, events, strict=True)]

    async def hand_over(self, call_sid: str, generation: int, to: str) -> Claim:
        self._reached()
        row = self._cluster.rows.get(call_sid)
        if row is None:
            raise BrokerError(f"the broker does not know call {call_sid}")
        if row.generation != generation:
            return Held(row)
        moved = replaced(row, owner=to, generation=generation + 1)
        self._give(row, moved)
        return Claimed(moved, row.owner)

    async def lost(self) -> list[Row]:
        self._reached()
        return [row for row in self._cluster.rows.values() if row.ended_at is None and not self._holds(row.owner)]

    async def snapshot(self) -> Snapshot:
        self._reached()
        cluster = self._cluster
        self._told = cluster.number
        return Snapshot(cluster.life, cluster.number, list(cluster.rows.values()))

    async def append(self, appends: Sequence[Append]) -> list[Appended]:
        self._reached()
        return [self._append(each) for each in appends]

    async def log(self, call_sid: str, after: int = 0) -> Logged | None:
        self._reached()
        log = self._cluster.log_of(call_sid)
        if not log.epoch:
            return None
        first = max(log.first, after + 1)
        return Logged(log.epoch, log.generation, first, log.payloads[first - log.first :], log.note)

    async def erase(self, call_sid: str) -> None:
        self._reached()
        cluster = self._cluster
        row = cluster.rows.get(call_sid)
        if row is not None and row.ended_at is None and self._holds(row.owner):
            raise BrokerError(f"call {call_sid} is live: only a call that is over can be erased")
        cluster.rows.pop(call_sid, None)
        generation = max(cluster.log_of(call_sid).generation, row.generation if row is not None else 0) + 1
        cluster.logs[call_sid] = MemoryLog(generation=generation, until=cluster.clock() + self._times.keep_seconds)
        cluster.erased.add(call_sid)
        cluster.tell(Row(call_sid=call_sid, owner="", generation=generation, epoch="", number=0), erased=True)

    def listen(self, topic: str) -> None:
        self._topics.add(topic)
        self._soon(lambda receiver: receiver.subscribed(topic))

    def unlisten(self, topic: str) -> None:
        self._topics.discard(topic)

    async def send(self, messages: Sequence[tuple[str, bytes]]) -> list[int]:
        self._reached()
        return [self._cluster.send(topic, body) for topic, body in messages]

    def _reached(self) -> None:
        if self.trouble:
            raise BrokerError(self.trouble)

    def _soon(self, tell: Callable[[Receiver], None]) -> None:
        """Tell the receiver something in the next turn of the event loop, as a server's answer would come."""

        def run() -> None:
            if self._receiver is not None and not self.trouble:
                tell(self._receiver)

        if self._receiver is not None:
            asyncio.get_running_loop().call_soon(run)

    def _living(self) -> list[Node]:
        return [node for node in self._cluster.nodes.values() if self._cluster.holds(node.id)]

    def _holds(self, node_id: str) -> bool:
        return self._cluster.holds(node_id) or not self._steadiness.is_steady(self._cluster.clock())

    def _answering(self, call_sid: str) -> int:
        """Return how many other live calls agents answer."""
        rows = self._cluster.rows.values()
        return sum(row.agent and row.ended_at is None and row.call_sid != call_sid and self._holds(row.owner) for row in rows)

    def _give(self, row: Row | None, mine: Row) -> None:
        """Let a call be as a node has claimed it, and tell everyone if that is a change of owner."""
        self._cluster.rows[mine.call_sid] = mine
        self._cluster.log_of(mine.call_sid).fence(mine.generation, mine.owner)
        if is_moved(row, mine):
            self._cluster.tell(mine)

    def _register(self, row: Row, event: bytes | None) -> bool:
        cluster = self._cluster
        stored = cluster.rows.get(row.call_sid)
        if row.call_sid in cluster.erased or not may_register(stored, row):
            return False
        cluster.rows[row.call_sid] = row
        if event is not None or is_moved(stored, row):
            cluster.tell(row, event)
        return True

    def _append(self, append: Append) -> Appended:
        cluster = self._cluster
        log = cluster.log_of(append.call_sid)
        taken = log.take(append, self._node_id)
        if not isinstance(taken, Accepted):
            return taken
        log.until = cluster.clock() + (self._times.keep_seconds if append.ended else self._times.live_seconds)
        if not append.payloads:
            return taken
        body = packed(Events(append.generation, append.first, append.payloads))
        return replace(taken, listeners=cluster.send(call_topic(append.call_sid), body))
