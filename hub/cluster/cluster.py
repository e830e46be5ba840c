"""This node's part of the cluster: what its rooms share. None of it exists on a hub without a broker."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from hub.broker.bodies import ROWS_TOPIC
from hub.broker.broker import Broker, BrokerError, News, Row
from hub.cluster.broker_keeper import BrokerKeeper
from hub.cluster.directory import Directory
from hub.cluster.membership import Membership
from hub.cluster.relayed_audio import RelayedAudio
from hub.cluster.replica_logs import ReplicaLogs
from hub.cluster.replicas import Replicas
from hub.cluster.requests import Requests
from hub.errors import ConfigError
from hub.ops.counters import ClusterCounters
from hub.topics.record import Record
from hub.topics.registry import Registry
from hub.topics.stores import Stores

log = logging.getLogger(__name__)

REFRESH_SECONDS = 2.0
"""How often the other nodes are told how many utterances live calls have by now."""

ERASE_AGAIN_SECONDS = 1.0
"""How often the broker is told of an erased call until it takes it."""

OBSERVE_SECONDS = 0.25
"""How often it is counted what a node knows of its cluster."""


class Cluster:
    """One node. Implements `Receiver`."""

    def __init__(
        self,
        broker: Broker,
        membership: Membership,
        registry: Registry,
        stores: Stores,
        counters: ClusterCounters,
        group: asyncio.TaskGroup,
    ) -> None:
        self.broker = broker
        self.membership = membership
        self.requests = Requests(broker, membership.id, group)
        self.keeper = BrokerKeeper(registry, stores, broker, membership, counters, self.fenced)
        self.replica_logs = ReplicaLogs(registry, self.requests, membership)
        self.replicas = Replicas(registry, broker, self.requests, counters)
        self.directory = Directory(registry, broker, membership.id, self._taken, self.keeper.register_again)
        self.audio = RelayedAudio(registry, broker, self.requests)
        self.directory.on_told = self._told_of
        self.on_lost: Callable[[Record, int], None] = lambda *_: None
        """Called when a call of this node has become another's without a hand-over. It is set before the first call."""
        self.on_beat: Callable[[], None] = lambda: None
        """Called after each renewal of the lease. It is set before the first."""
        self._registry = registry
        self._missed = asyncio.Event()
        self._erased: asyncio.Queue[str] = asyncio.Queue()
        """Calls that were erased here, of which the broker has still to be told."""
        self._stores = stores
        self._counters = counters
        broker.listen(ROWS_TOPIC)

    @property
    def node_id(self) -> str:
        """This node's id."""
        return self.membership.id

    def gave(self, record: Record) -> None:
        """Take note that a call was handed over to another node. Who reads it here goes on reading it."""
        self.keeper.forget(record)
        self.replicas.keep_in_step(record)
        self.audio.moved(record)

    def _told_of(self, record: Record, offset: int, *, moved: bool) -> None:
        self.replicas.told_of(record, offset)
        if moved:
            self.audio.moved(record)

    def received(self, topic: str, body: bytes) -> None:
        """See Receiver."""
        try:
            if topic == self.requests.topic:
                self.requests.received(body)
            elif topic == ROWS_TOPIC:
                self.directory.refreshed(body)
            elif not self.audio.received(topic, body):
                self.replicas.received(topic, body)
        except Exception:  # a message is a unit: what it says can be read again
            log.exception("a message on %s could not be taken", topic)

    def subscribed(self, topic: str) -> None:
        """See Receiver."""
        self.replicas.subscribed(topic)

    def told(self, news: News) -> None:
        """See Receiver."""
        self.directory.told(news)

    def missed(self) -> None:
        """See Receiver."""
        self._missed.set()

    async def run(self) -> None:
        """Be a node until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.keeper.run())
            group.create_task(self.replicas.run())
            group.create_task(self.audio.run())
            group.create_task(self.directory.announce_missed())
            group.create_task(self.membership.run(self._beaten))
            group.create_task(self._read_again())
            group.create_task(self._tell_erased())
            group.create_task(self._refresh())
            group.create_task(self._observe_always())

    async def _refresh(self) -> None:
        """Tell the other nodes how the live calls of this one go on, until cancelled."""
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            if self.membership.holds:
                self.directory.forget_lost({node.id for node in self.membership.nodes}, time.monotonic())
            with suppress(BrokerError):
                await self.keeper.refresh()

    async def _observe_always(self) -> None:
        """Count what is, until cancelled. It waits for no answer of a broker: whether there is one is what it counts."""
        while True:
            self.keeper.tick()
            self._observe()
            await asyncio.sleep(OBSERVE_SECONDS)

    def _observe(self) -> None:
        """Count what is now."""
        counters, nodes = self._counters, self.membership.nodes
        counters.nodes, counters.calls = len(nodes), sum(node.live for node in nodes)
        counters.forged, counters.broker_up, counters.behind = self.broker.refused, not self.broker.trouble, self._stores.behind
        counters.clock_skew_seconds = time.time() - self.broker.now()

    def _beaten(self) -> None:
        self._observe()
        self.on_beat()

    async def erase(self, call_sid: str) -> str:
        """Have the broker and all nodes forget a call that was erased here.

        Returns why that is not done yet, in words; empty once it is. It is tried until it is done.
        """
        try:
            await self.broker.erase(call_sid)
        except BrokerError as error:
            log.warning("call=%s the other nodes do not know yet that it was erased: %s", call_sid, error.problem)
            self._erased.put_nowait(call_sid)
            return f"the broker still has its words, and is asked again until they are gone: {error.problem}"
        return ""

    async def _tell_erased(self) -> None:
        """Tell the other nodes which calls were erased here, until cancelled."""
        while True:
            call_sid = await self._erased.get()
            await asyncio.sleep(ERASE_AGAIN_SECONDS)
            await self.erase(call_sid)

    async def _read_again(self) -> None:
        """Learn all calls anew whenever news were missed, until cancelled."""
        while True:
            await self._missed.wait()
            self._missed.clear()
            try:
                await self.directory.read()
            except BrokerError:
                await asyncio.sleep(0.5)
                self._missed.set()

    def _taken(self, record: Record, row: Row) -> None:
        self.fenced(record, row.generation)

    def fenced(self, record: Record, generation: int) -> None:
        """Let go of a call that is another node's by now, in this generation. Never waits. One that was handed over is let go already."""
        if record.owner:
            return
        self.keeper.forget(record)
        self.on_lost(record, generation)
        self._registry.lose(record)


@asynccontextmanager
async def joined(
    broker: Broker,
    membership: Membership,
    registry: Registry,
    stores: Stores,
    counters: ClusterCounters,
    group: asyncio.TaskGroup,
) -> AsyncIterator[Cluster]:
    """Join the cluster: its calls are known when this is entered. Raises: ConfigError if this hub cannot be a node of it."""
    cluster = Cluster(broker, membership, registry, stores, counters, group)
    stores.add(cluster.keeper)
    try:
        await broker.open(cluster, group)
        await membership.beat()
        await cluster.directory.read()
    except BrokerError as error:
        await broker.close()
        raise ConfigError("HUB_BROKER", error.problem) from error
    log.info("node %s; %d other nodes live", membership.id, len(membership.others()))
    running = group.create_task(cluster.run())
    try:
        yield cluster
        await _settle(cluster)
    finally:
        running.cancel()
        await membership.leave()
        await broker.close()


async def _settle(cluster: Cluster) -> None:
    """Let the broker have the last events, but do not wait for ever."""
    try:
        async with asyncio.timeout(2.0):
            await cluster.keeper.settled()
    except TimeoutError:
        log.error("the broker does not answer: it lacks the newest events of this node's calls")
