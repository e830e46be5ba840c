"""Nodes of one cluster in one process: each with its own registry, over a broker in memory. And subscribers of their calls."""

import asyncio
import copy
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from hub.broker.broker import HoldTimes
from hub.broker.memory import MemoryBroker, MemoryCluster
from hub.calls.publisher import Publisher
from hub.cluster.cluster import Cluster, joined
from hub.cluster.membership import Membership
from hub.events import Dtmf, Final, Interim, Position, TranscriberName
from hub.ops.counters import ClusterCounters
from hub.topics.audience import Following
from hub.topics.log import LOG_BYTES
from hub.topics.outbox import Outbox, Rounds
from hub.topics.record import Record
from hub.topics.registry import Registry
from hub.topics.stores import Stores
from hub.web.frames import text_frame
from tests.topics.audience import Socket

NAME = TranscriberName(provider="scripted", model="test")
HASTY = HoldTimes(steady_seconds=0.0)


async def until(fact: Callable[[], Any]) -> None:
    """Wait for a fact."""
    async with asyncio.timeout(20):
        while not fact():
            await asyncio.sleep(0.002)


class NodeInTest:
    """A node that serves calls whose events a test publishes."""

    def __init__(self, shared: MemoryCluster, group: asyncio.TaskGroup, name: str, log_bytes: int = LOG_BYTES) -> None:
        loop = asyncio.get_running_loop()
        self.broker = MemoryBroker(shared, HASTY)
        self.registry = Registry(keep_seconds=60.0, clock=loop.time, wall=time.time, soon=loop.call_soon, log_bytes=log_bytes)
        self.rounds = Rounds(loop.call_later, loop.time)
        self.counters = ClusterCounters(name)
        self.membership = Membership(self.broker, name, "secret", lambda node: node)
        self._group = group
        self.cluster: Cluster

    @asynccontextmanager
    async def running(self) -> AsyncIterator["NodeInTest"]:
        stores = Stores(self.registry)
        async with joined(self.broker, self.membership, self.registry, stores, self.counters, self._group) as cluster:
            self.cluster = cluster
            cluster.requests.on("listening", self._listening)
            yield self

    async def _listening(self, by: str, body: Any) -> None:
        record = self.registry.known(bytes(body).decode().strip('"'))
        if record is not None:
            self.cluster.keeper.listened(record)

    def call(self, call_sid: str = "CA1", **parameters: str) -> "CallInTest":
        return CallInTest(self, call_sid, parameters)

    async def known(self, call_sid: str) -> Record:
        """Wait until a call is known here, and return its record."""
        await until(lambda: self.registry.known(call_sid))
        record = self.registry.known(call_sid)
        assert record is not None
        return record

    async def loaded(self, call_sid: str) -> Record:
        """Wait until a call is known here, and bring its events."""
        return await self.cluster.replicas.load(await self.known(call_sid))

    async def follow(self, call_sid: str, after: Position | None = None, *, interims: bool = True) -> "Reader":
        """Let a subscriber follow a call on this node."""
        record = await self.known(call_sid)
        async with asyncio.timeout(20):
            while not await self.cluster.replicas.reach(record, after):
                await asyncio.sleep(0.002)
        return Reader(self, await self.loaded(call_sid), after, interims=interims)


class CallInTest:
    """A live call that a node owns."""

    def __init__(self, node: NodeInTest, call_sid: str, parameters: dict[str, str]) -> None:
        self.call_sid = call_sid
        self.node = node
        self.publisher = Publisher(node.registry.open(call_sid), node.registry)
        self.publisher.began("MZ1", parameters, ["inbound"], NAME)

    @property
    def record(self) -> Record:
        return self.publisher.record

    def at(self, node: NodeInTest, record: Record) -> "CallInTest":
        """Return the same call, as another node goes on with it."""
        moved = copy.copy(self)
        moved.node, moved.publisher = node, Publisher(record, node.registry)
        return moved

    def key(self, digit: str = "1") -> None:
        self.publisher.publish(Dtmf(call_sid=self.call_sid, digit=digit, track="inbound"))

    def interim(self, text: str, utterance: str = "u1") -> None:
        self.publisher.revise(
            Interim(call_sid=self.call_sid, utterance=utterance, revision=1, track="inbound", speaker="c", text=text, start=0.0, end=1.0)
        )

    def final(self, text: str, utterance: str = "u1") -> None:
        self.publisher.publish(
            Final(
                call_sid=self.call_sid, utterance=utterance, revision=2, track="inbound", speaker="c", text=text, start=0.0, end=1.0,
                words=[],
            )
        )  # fmt: skip

    def end(self) -> None:
        self.publisher.ended("completed", 1000.0, {}, complete=True)


class Reader:
    """A subscriber of one call, and what it was told."""

    def __init__(self, node: NodeInTest, record: Record, after: Position | None, *, interims: bool) -> None:
        self.record = record
        self.socket = Socket()
        self.cut: Exception | None = None
        self.completed = False
        self.outbox = Outbox(self.socket, node.rounds, text_frame, self._cut)
        self.following: Following
        self.following, self.whole = record.topic.audience.follow(self.outbox, after=after, interims=interims, on_complete=self._complete)
        self.outbox.news(self.following)

    def _cut(self, reason: Exception) -> None:
        self.cut = reason

    def _complete(self, _: Following) -> None:
        self.completed = True

    @property
    def position(self) -> Position:
        """Of the newest event that it has."""
        return Position(epoch=self.record.topic.log.epoch, offset=max([0, *self.offsets]))

    @property
    def messages(self) -> list[dict[str, Any]]:
        return self.socket.messages()

    @property
    def offsets(self) -> list[int]:
        return [message["offset"] for message in self.messages if "offset" in message]

    @property
    def texts(self) -> list[str]:
        return [message["text"] for message in self.messages if "text" in message]

    def leave(self) -> None:
        self.following.audience.leave(self.following)
        self.outbox.close()


@asynccontextmanager
async def nodes(*names: str, log_bytes: int = LOG_BYTES) -> AsyncIterator[tuple[MemoryCluster, list[NodeInTest]]]:
    """Run nodes of one cluster. `log_bytes`: how much they keep of a call at most."""
    shared = MemoryCluster()
    async with asyncio.TaskGroup() as group, AsyncExitStack() as stack:
        yield shared, [await stack.enter_async_context(NodeInTest(shared, group, name, log_bytes).running()) for name in names]
