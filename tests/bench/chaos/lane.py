"""One cluster under live calls: nodes behind a balancer, a broker, calls of a pretend Twilio, and subscribers. Rounds disturb it."""

import asyncio
import random
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tests.bench.chaos.evidence import Evidence
from tests.bench.chaos.forking import Forking, forking
from tests.bench.chaos.nodes import ClusterNode, answers, made
from tests.bench.chaos.phone import Carried, CodedCall, Line, rung
from tests.bench.chaos.servers import ServerProcess, balancer, provider, running, valkey
from tests.bench.chaos.watchers import Watched, Watcher
from tests.bench.chaos.way import Way
from tests.providers.fake_twilio import ACCOUNT, TOKEN, FakeTwilio, fake_twilio

HUB = "hub.example.com"
"""As what Twilio knows the hub."""

LOOK_SECONDS = 0.02
"""How often a fact is looked for."""

READY_SECONDS = 0.5
"""How often the nodes are asked whether they are ready."""

CROWDING = 250
"""Subscribers that come in a second where they are thousands: nobody begins a day with all of them at once."""

STEADY_SECONDS = 30.0
"""How long it may take until all is well again."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large a cluster is."""

    nodes: int = 3
    calls: int = 60
    subscribers: int = 9
    """Of each call. A third of them connects to a node of its own, the others to the balancer."""
    broker: str = "memory"
    """`memory`: nothing is persistent. `aof`: what is a second old is. `both`: by turns of the clusters. `none`: there is no broker."""
    archive: str = ""
    """Address of the archive. Empty for none."""
    drain_seconds: float = 30.0
    crowded: bool = False
    """Whether all subscribers connect to the first node while it is up."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all clusters of a run share."""

    provider: str
    """Address of the provider of coded calls."""
    forking: Forking | None
    """From where nodes are forked. None: each is started by its command, imports included."""


@asynccontextmanager
async def surrounded(*, cold: bool = False) -> AsyncIterator[Surroundings]:
    """Run what clusters share. `cold`: nodes are started by their command."""
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(provider())
        yield Surroundings(url, None if cold else await stack.enter_async_context(forking()))


@dataclass
class Hit:
    """A node that was killed or stopped."""

    node: ClusterNode
    at: float
    """Unix seconds."""
    calls: list[CodedCall]
    """Those whose only streams it had."""
    went_on_at: float | None = None
    """When it went on, if it was only stopped. Unix seconds."""


class Lane:
    """One running cluster. `lane()` makes it."""

    def __init__(self, size: Size, chance: random.Random, evidence: Evidence, group: asyncio.TaskGroup) -> None:
        self.size = size
        self.chance = chance
        self.evidence = evidence
        self.watched = Watched()
        self.nodes: list[ClusterNode] = made(size.nodes)
        self.ready: set[str] = set()
        """Names of the nodes that take calls."""
        self.calls: list[CodedCall] = []
        self.watchers: list[Watcher] = []
        self.expected: dict[str, list[int]] = {}
        """By callSid, how many gaps each track may have: at least, at most."""
        self.broker: ServerProcess | None = None
        self._group = group
        self._tasks: list[asyncio.Task[None]] = []
        """What runs for as long as the lane."""

    @property
    def broker_url(self) -> str:
        """The broker's address. Empty without one."""
        return f"valkey://127.0.0.1:{self.broker.port}" if self.broker is not None else ""

    def fault(self, kind: str, what: str) -> None:
        """Take note of something that must not be."""
        self.evidence.fault(kind, what)

    async def open(self, stack: AsyncExitStack, surroundings: Surroundings) -> None:
        """Start everything but calls and subscribers."""
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-")))
        self.session = await stack.enter_async_context(aiohttp.ClientSession())
        if self.size.broker != "none":
            self.broker = await stack.enter_async_context(running(valkey(folder, persistent=self.size.broker == "aof")))
        ports = {node.name: node.port for node in self.nodes}
        front = await stack.enter_async_context(running(balancer(folder, ports)))
        self.way = Way(front.port, ports)
        self.line = Line(self.way)
        self._begin(self.line.run())
        self._begin(self._ask())
        self.twilio: FakeTwilio = await stack.enter_async_context(fake_twilio())
        self.twilio.ports[HUB] = front.port
        settings = self._settings(surroundings.provider)
        for node in self.nodes:
            node.prepare(self._group, settings, surroundings.forking)
            stack.callback(node.stop)
        async with asyncio.TaskGroup() as starting:
            for node in self.nodes:
                starting.create_task(node.start(self.way))
        await self.until(self.all_ready, "all nodes are ready")
        while not await answers(self.session, front.port):  # it has not seen yet that they are
            await asyncio.sleep(LOOK_SECONDS)

    def _settings(self, provider: str) -> dict[str, str]:
        size = self.size
        return {
            "DEEPGRAM_API_KEY": "key-of-deepgram", "DEEPGRAM_URL": provider, "HUB_PUBLIC_URL": f"http://{HUB}",
            "TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_AUTH_TOKEN": TOKEN, "TWILIO_API_URL": self.twilio.url,
            "HUB_DRAIN_SECONDS": str(size.drain_seconds), "HUB_SOCKETS_PER_ADDRESS": "100000",
            **({"HUB_BROKER": self.broker_url} if self.broker is not None else {}),
            **({"HUB_ARCHIVE": size.archive} if size.archive else {}),
        }  # fmt: skip

    async def ring(self, number: int) -> None:
        """Begin a call with its subscribers. `number`: what its words are coded with."""
        call = rung(self.twilio, self.line, number, self.chance)
        await call.answer(f"http://{HUB}/twiml")
        self.calls.append(call)
        self.expected[call.sid] = [0, 0]
        for each in range(self.size.subscribers):
            pinned = 0 if self.size.crowded else each // 3 % len(self.nodes) if each % 3 == 0 else None
            home = self.nodes[pinned].name if pinned is not None else ""
            watcher = Watcher(call, self.way, self.watched, self.chance, home)
            self.watchers.append(watcher)
            self._begin(watcher.run())
            if self.size.crowded:
                await asyncio.sleep(1 / CROWDING)

    def let_go(self) -> None:
        """End what runs for as long as the lane."""
        for task in self._tasks:
            task.cancel()

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(self._group.create_task(work))

    # ------------------------------------------------------------------------------------------------------------ facts

    async def until(self, fact: Callable[[], bool], what: str, seconds: float = STEADY_SECONDS) -> bool:
        """Wait until something is true. Returns whether it became true in time: it is a fault if not."""
        until = time.monotonic() + seconds
        while not fact():
            if time.monotonic() > until:
                self.fault("never", what)
                return False
            for node in self.nodes:
                if node.name in self.way.up and node.process.gone.is_set():
                    self.way.up.discard(node.name)
                    self.fault("died", f"{node.name}: {''.join(node.process.said[-40:])}")
            await asyncio.sleep(LOOK_SECONDS)
        return True

    async def steady(self) -> bool:
        """Wait until all nodes are ready, every call is carried and speaks, and every subscriber has all. Returns whether all is well."""
        since = time.time()
        good = await self.until(self.all_ready, "all nodes are ready")
        good &= await self.until(lambda: all(call.owner for call in self.calls), "each call has a stream")
        good &= await self.until(self.all_whole, "each subscriber has all")
        good &= await self.speaks(self.calls, since)
        self.way.disturbed.clear()
        return good

    async def speaks(self, calls: Iterable[CodedCall], since: float) -> bool:
        """Wait until words of these calls were received after a time, in Unix seconds. Returns whether all speak."""
        newest, owed = self.watched.newest, [call.sid for call in calls]
        good = await self.until(lambda: all(newest.get(sid, 0) > since for sid in owed), "each call speaks")
        for sid in owed:
            if newest.get(sid, 0) <= since:
                streams = self.twilio.calls[sid].streams
                self.fault("silent", f"{sid}: {[(each.sid, each.status, each.refused, each.close_code) for each in streams]}")
        return good

    def all_ready(self) -> bool:
        """Return whether all nodes take calls."""
        return len(self.ready) == len(self.nodes)

    def all_whole(self) -> bool:
        """Return whether all subscribers have everything that there was when they subscribed."""
        return all(each.whole.is_set() or each.done.is_set() for each in self.watchers)

    def owned(self, node: ClusterNode) -> list[CodedCall]:
        """Return the calls whose newest stream a node carries."""
        return [call for call in self.calls if call.owner == node.name]

    async def _ask(self) -> None:
        """Keep `ready` true, until cancelled."""
        while True:
            for node in self.nodes:
                ready = node.name in self.way.up and await answers(self.session, node.port)
                (self.ready.add if ready else self.ready.discard)(node.name)
            await asyncio.sleep(READY_SECONDS)

    # ----------------------------------------------------------------------------------------------------- disturbances

    def hit(self, node: ClusterNode) -> Hit:
        """Take note that a node is about to be killed or stopped: what its streams carry may be lost, within one gap per track."""
        calls = []
        for call in self.calls:
            live: list[Carried] = [each for each in call.carried if each.ended is None]
            mine = [each for each in live if each.node == node.name]
            for each in mine:
                each.hit = True
            if mine:
                self.expected[call.sid][1] += 1
            if mine and len(mine) == len(live):
                self.expected[call.sid][0] += 1
                calls.append(call)
        self.way.disturbed.add(node.name)
        self.way.up.discard(node.name)
        self.ready.discard(node.name)
        return Hit(node, time.time(), calls)

    def _went_on(self, call: CodedCall, hit: Hit) -> None:
        """Take note that nobody has taken a call over whose node was stopped. So nothing of it may be lost, and nothing is a gap."""
        self.evidence.counts["calls of a stopped node that went on there"] += 1
        self.expected[call.sid][0] -= 1
        self.expected[call.sid][1] -= 1
        for each in call.carried:
            each.hit = each.hit and each.ended is not None

    async def words_again(self, hit: Hit, since: str) -> None:
        """Measure when the calls of a node speak again, from the hit and from when Twilio was first asked. `since`: what the hit was."""
        loop = asyncio.get_running_loop()
        offset = time.time() - loop.time()
        owed = {call.sid: call for call in hit.calls}
        until = time.monotonic() + STEADY_SECONDS
        while owed and time.monotonic() < until:
            for sid, call in list(owed.items()):
                asked = [each.dialled_at + offset for each in call.streams if each.dialled_at + offset > hit.at]
                # Only words that a stream brought after the hit count: the old owner's last ones may still be on their way.
                came = [each.began for each in call.carried if each.began > hit.at]
                if came and self.watched.newest.get(sid, 0) > min(came):
                    self.evidence.measured(f"words again after the {since}", self.watched.newest[sid] - hit.at)
                    self.evidence.measured("words again after detection", self.watched.newest[sid] - min(asked))
                    self.evidence.measured(f"detected after the {since}", min(asked) - hit.at)
                    del owed[sid]
                elif not came and hit.went_on_at is not None and self.watched.newest.get(sid, 0) > hit.went_on_at:
                    self._went_on(call, hit)
                    del owed[sid]
            await asyncio.sleep(LOOK_SECONDS)
        for sid in owed:
            self.fault("no words again", f"{sid}, {STEADY_SECONDS:g} s after the {since}")


@asynccontextmanager
async def lane(size: Size, number: int, evidence: Evidence, surroundings: Surroundings) -> AsyncIterator[Lane]:
    """Run a cluster with its calls. `number`: different in each cluster of a run."""
    async with asyncio.TaskGroup() as group, AsyncExitStack() as stack:
        made = Lane(size, random.Random(evidence.seed * 1000 + number), evidence, group)
        try:
            await made.open(stack, surroundings)
            for call in range(number * size.calls, (number + 1) * size.calls):
                await made.ring(call)
            yield made
        finally:
            made.let_go()
