"""Calls of other nodes whose events are here, because somebody reads them on this node.

A replica is filled from the broker's log, and then follows the call's topic. Whenever something may have been missed, it reads on from
where it is: after the topic was (again) subscribed, when an offset jumps, and after the call got another owner. Reading on goes through a
queue with few workers, so that a broker that comes back is not asked for a thousand logs at once. A message costs no task.

What is read twice is taken once: an event that is here already is left out by its offset. So a message and a reading may overtake each
other, and nothing is lost or doubled.

A call that is over is read once and not listened to. If anything follows its end, the news of the cluster say so.

Knows the registry and the broker. Does not know who reads.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Sequence

from hub.broker.bodies import Events, Revised, call_topic, unpacked
from hub.broker.broker import Broker, BrokerError, Logged
from hub.cluster.call_logs import CallLogs
from hub.cluster.replica import ANOTHER, Attempt, Replica
from hub.cluster.requests import Requests
from hub.errors import WireError
from hub.events import Position
from hub.ops.counters import ClusterCounters
from hub.topics.past import Past
from hub.topics.record import Record
from hub.topics.registry import Registry
from hub.topics.replication import replicate

log = logging.getLogger(__name__)

LISTENING = "listening"
"""Tells a call's owner that a node listens to the call: it sends interims from then on."""

READERS = 4
"""Logs that are read from the broker at the same time."""

AGAIN_SECONDS = 0.25
"""How long after a failure a log is read again."""

SPREAD_SECONDS = 0.2
"""When the connection to the broker is back, all nodes read on. Each waits a random part of this first."""

IDLE_SECONDS = 60.0
"""How long a replica is kept once nobody reads it."""

SWEEP_SECONDS = 5.0
"""How often it is looked for replicas that nobody reads."""

INLINE_BYTES = 64 * 1024
"""A larger log is decoded in a thread: it would take longer than a millisecond or two."""

EVENTS_PER_TURN = 64
"""Events that are taken from a log in one turn of the event loop: about a millisecond."""


class Replicas:
    """The replicas of this node."""

    def __init__(self, registry: Registry, broker: Broker, requests: Requests, counters: ClusterCounters) -> None:
        self._registry = registry
        self._broker = broker
        self._requests = requests
        self._counters = counters
        self._replicas: dict[str, Replica] = {}
        """By the call's topic."""
        self._due: asyncio.Queue[Replica] = asyncio.Queue()
        """Replicas whose logs are to be read (on)."""
        self.logs = CallLogs(broker)

    async def load(self, record: Record) -> Record:
        """Bring the events of a call, and keep them in step. Returns the record to be read from then on, in this turn of the event loop.

        Returns a call of this node as it is. Raises: BrokerError.
        """
        record = self._registry.find(record.call_sid) or record
        while not record.loaded:
            replica = self._replica_of(record)
            replica.used()
            attempt = replica.attempt
            await attempt.over.wait()
            found = self._registry.find(record.call_sid)
            if found is None:
                raise BrokerError("the call was forgotten meanwhile")
            if attempt.problem and found is record:
                raise BrokerError(attempt.problem)
            record = found
        if (kept := self._replicas.get(call_topic(record.call_sid))) is not None:
            kept.used()
        return record

    async def reach(self, record: Record, position: Position | None) -> bool:
        """Load a call, and return in this turn of the event loop whether the event at a position is here.

        A subscriber that comes from another node may have got more there than is here: the log is read once more then. Raises: BrokerError.
        """
        record = await self.load(record)
        log = record.topic.log
        if position is None or position.epoch != log.epoch or position.offset <= log.offset or not record.owner:
            return True
        replica = self._replica_of(record)
        if replica.attempt.over.is_set():
            replica.attempt = Attempt()
        attempt = replica.attempt
        self._read_soon(replica)
        await attempt.over.wait()
        if attempt.problem:
            raise BrokerError(attempt.problem)
        return position.offset <= log.offset

    def soon(self, record: Record, then: Callable[[Record], None]) -> None:
        """Load a call and then call `then`: at once if it is loaded. Never waits. A call that is forgotten meanwhile is let go."""
        record = self._registry.known(record.call_sid) or record
        if record.loaded:
            then(record)
        else:
            self._replica_of(record).then.append(then)

    def keep_in_step(self, record: Record) -> None:
        """Follow a call that was this node's until now, with all its events, and is another node's."""
        record.announced = record.topic.log.offset
        self._replica_of(record)

    def told_of(self, record: Record, offset: int) -> None:
        """Take note that news came of a call of another node. Its newest event, as far as they say, has this offset. Never waits."""
        replica = self._replicas.get(call_topic(record.call_sid))
        if replica is None or replica.record is not record:
            return
        moved = replica.owner != record.owner
        replica.owner = record.owner
        if record.loaded and (moved or offset > record.topic.log.offset):
            self._listen(replica)
            replica.asks = replica.listens
            self._read_soon(replica)

    def received(self, topic: str, body: bytes) -> None:
        """Take a message about a call. Never waits."""
        replica = self._replicas.get(topic)
        if replica is None or not replica.record.owner:
            return
        try:
            message = unpacked(body)
        except WireError as error:
            log.warning("call=%s %s", replica.record.call_sid, error)
            return
        if message.generation < replica.generation:
            return
        if isinstance(message, Revised):
            replica.held[message.utterance] = message
        if message.generation > replica.generation or not replica.record.loaded:
            replica.missed = True
        elif isinstance(message, Events):
            self._take(replica, message.first, message.payloads)
        elif message.after > replica.record.topic.log.offset:
            replica.missed = True
        if replica.missed:
            self._read_soon(replica)
        elif replica.held:
            self._show(replica)

    def subscribed(self, topic: str) -> None:
        """Read on: what was sent before may have been missed."""
        replica = self._replicas.get(topic)
        if replica is None:
            return
        replica.asks = True
        if replica.was_subscribed:
            asyncio.get_running_loop().call_later(random.uniform(0.0, SPREAD_SECONDS), self._read_soon, replica)
        else:
            replica.was_subscribed = True
            self._read_soon(replica)

    async def run(self) -> None:
        """Read what is due, and unload what nobody reads any more, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(READERS):
                group.create_task(self._read_all())
            while True:
                await asyncio.sleep(SWEEP_SECONDS)
                self.sweep()

    def sweep(self, idle_seconds: float = IDLE_SECONDS) -> None:
        """Unload what nobody has read for so long."""
        for topic, replica in list(self._replicas.items()):
            record = replica.record
            if not self._is_current(replica):
                self._drop(topic)
            elif record.loaded and not replica.then and replica.idle_seconds(followed=bool(len(record.topic.audience))) > idle_seconds:
                self._drop(topic)
                self._registry.unload(record)
        self._count()

    # reading logs

    def _replica_of(self, record: Record) -> Replica:
        """Return a call's replica, made now if there is none: then its log is read soon."""
        topic = call_topic(record.call_sid)
        replica = self._replicas.get(topic)
        if replica is not None and replica.record is not record:
            self._drop(topic)
            replica = self._replicas.get(topic)  # those who wait for the call wait on
        if replica is None:
            replica = self._replicas[topic] = Replica(record)
            if record.live:
                self._listen(replica)
            self._read_soon(replica)
            self._count()
        return replica

    def _listen(self, replica: Replica) -> None:
        if not replica.listens:
            replica.listens = True
            self._broker.listen(call_topic(replica.record.call_sid))

    def _unlisten(self, replica: Replica) -> None:
        if replica.listens:
            replica.listens = replica.was_subscribed = False
            self._broker.unlisten(call_topic(replica.record.call_sid))

    def _drop(self, topic: str) -> None:
        replica = self._replicas.pop(topic)
        replica.fail(ANOTHER)
        self._unlisten(replica)
        known = self._registry.known(replica.record.call_sid)
        if known is not None and known is not replica.record:
            for then in replica.then:
                self.soon(known, then)

    def _is_current(self, replica: Replica) -> bool:
        """Return whether this is still the record of a call of another node."""
        record = replica.record
        return bool(record.owner) and self._registry.known(record.call_sid) is record

    def _read_soon(self, replica: Replica) -> None:
        replica.missed = True
        if not replica.queued:
            replica.queued = True
            self._due.put_nowait(replica)
            self._count()

    async def _read_all(self) -> None:
        while True:
            replica = await self._due.get()
            if self._replicas.get(call_topic(replica.record.call_sid)) is not replica:
                continue
            replica.missed = False
            try:
                await self._read(replica)
            except BrokerError as error:
                self._failed(replica, error.problem)
            except Exception:  # a replica is a unit: the others are served
                log.exception("call=%s its replica failed", replica.record.call_sid)
                self._failed(replica, "this node failed on it; its log says more")
            else:
                self._read_out(replica)
            self._count()

    def _failed(self, replica: Replica, problem: str) -> None:
        """Try again later what somebody waits for, or follows. Who asked for the call itself is told."""
        replica.fail(problem)
        if self._replicas.get(call_topic(replica.record.call_sid)) is not replica:
            return  # it was dropped while its log was read
        if replica.record.loaded or replica.then:
            replica.attempt = Attempt()
            asyncio.get_running_loop().call_later(AGAIN_SECONDS, self._due.put_nowait, replica)
        else:
            self._drop(call_topic(replica.record.call_sid))

    def _read_out(self, replica: Replica) -> None:
        """Take note that a log was read. What came in meanwhile has it read once more."""
        replica.queued = False
        if self._replicas.get(call_topic(replica.record.call_sid)) is not replica:
            return  # it was dropped meanwhile
        if not self._is_current(replica):
            self._drop(call_topic(replica.record.call_sid))
            return
        replica.filled()
        self._show(replica)
        if replica.missed and replica.record.loaded:
            self._read_soon(replica)

    async def _read(self, replica: Replica) -> None:
        """Read a call's log, from where the replica is. Raises: BrokerError."""
        record = replica.record
        if not record.loaded:
            await self._fill(replica)
        else:
            # The newest event that is here is read again: if it is another one there, the logs are not the same.
            offset = record.topic.log.offset
            logged = await self._broker.log(record.call_sid, max(0, offset - 1))
            if logged is not None and logged.epoch == record.topic.log.epoch and self._is_current(replica):
                await self._read_on(replica, logged)
        if replica.asks and replica.listens and record.live:
            replica.asks = False
            await self._requests.tell(record.owner, LISTENING, record.call_sid)

    async def _fill(self, replica: Replica) -> None:
        """Read all of a call. Raises: BrokerError."""
        record = replica.record
        found = await self.logs.read(record)
        past = found.past or await _read_past(found.payloads, found.first)
        if self._is_current(replica) and not record.loaded:
            replica.generation = found.generation
            self._registry.fill(record, past)
            if not record.live:
                self._unlisten(replica)

    async def _read_on(self, replica: Replica, logged: Logged) -> None:
        """Take what the replica has missed."""
        record = replica.record
        newest = record.topic.log.offset
        if logged.first > newest + 1 or not _continues(record, logged):
            log.warning("call=%s its log is another one than this node has read: it is read anew", record.call_sid)
            self._registry.relearn(record)
            return
        if logged.generation > replica.generation:
            replica.generation = logged.generation
            record.topic.audience.forget_interims()
        if logged.first + len(logged.payloads) - 1 > newest:
            self._counters.catch_ups += 1
        for at in range(0, len(logged.payloads), EVENTS_PER_TURN):
            if at:
                await asyncio.sleep(0)
            if self._is_current(replica):
                self._take(replica, logged.first + at, logged.payloads[at : at + EVENTS_PER_TURN])

    # what is shown

    def _take(self, replica: Replica, first: int, payloads: Sequence[bytes]) -> None:
        """Take events that follow those which are here. Those that are here already are left out."""
        record = replica.record
        known = record.topic.log.offset + 1 - first
        if known < 0:
            replica.missed = True
            return
        for payload in payloads[known:] if known else payloads:
            closed = replicate(self._registry, record, payload)
            if closed is not None:
                replica.held.pop(closed, None)
        if not record.live:
            self._unlisten(replica)
        elif not replica.listens:
            self._listen(replica)

    def _show(self, replica: Replica) -> None:
        """Show the interims whose time has come: all events before them are here, and their final is not."""
        topic = replica.record.topic
        if not replica.record.loaded:
            return
        for utterance, interim in list(replica.held.items()):
            if interim.after > topic.log.offset or interim.generation > replica.generation:
                continue
            del replica.held[utterance]
            if interim.generation == replica.generation and not replica.is_over(interim):
                topic.audience.revise_by(utterance, interim.payload)

    def _count(self) -> None:
        self._counters.replicas = len(self._replicas)
        self._counters.catching_up = self._due.qsize()


def _continues(record: Record, logged: Logged) -> bool:
    """Return whether the newest event that is here is the same in the broker's log. True where that does not reach so far."""
    newest = record.topic.log.offset
    at = newest - logged.first
    if not 0 <= at < len(logged.payloads):
        return True
    return record.topic.log.after(newest - 1)[0] == logged.payloads[at]


async def _read_past(payloads: Sequence[bytes], first: int) -> Past:
    """Read what events say, in a thread if they are many."""
    if sum(map(len, payloads)) > INLINE_BYTES:
        return await asyncio.to_thread(Past, payloads, first)
    return Past(payloads, first)
