"""An agent's call without a hub around it: a scripted voice model, a peer that keeps what it is sent, a clock that a test sets."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from hub.agents import Agent, Tool
from hub.agents.voice_model import ModelEvent, SessionReady
from hub.agents.webhooks import Webhooks
from hub.calls.agent_context import AgentContext, AgentLimits
from hub.calls.agent_stream import AgentStream
from hub.calls.answered import AnsweredCall
from hub.events import CallEnded, Dtmf, Final, Gap, decode
from hub.ops.counters import Counters
from hub.topics.record import Record
from hub.topics.registry import Registry
from hub.twilio.media import MediaFormat, StartBody
from tests.media import CALL, STREAM
from tests.providers.scripted_model import ScriptedModel

ACCOUNT = "AC" + "0" * 32

AGENT = Agent(
    name="desk", model="test", voice="v", instructions="i", transcription_model="t", turn_detection="server_vad", apology="Sorry.",
    hang_up=True, transfer=(("sales", "+14155550177"),),
    tools=(Tool("book", "Books.", {"type": "object", "properties": {"day": {"type": "string"}}}, "http://127.0.0.1:9/hook", "s" * 16),),
)  # fmt: skip

LIMITS = AgentLimits(calls=5, call_seconds=1800.0, come_back_seconds=0.0)

Published = CallEnded | Dtmf | Final | Gap | Any


class KeepingPeer:
    """Twilio's end of a stream: keeps what is written, one entry for each write, and the sentence it is closed with."""

    def __init__(self) -> None:
        self.writes: list[list[dict[str, Any]]] = []
        self.closed: list[str] = []

    def write(self, *messages: bytes) -> None:
        self.writes.append([json.loads(message) for message in messages])

    def close(self, reason: str) -> None:
        self.closed.append(reason)


class ScriptedAccount:
    """Twilio's REST API as far as a tool needs it: keeps what it is asked, and fails or waits as a test says."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.error: Exception | None = None
        self.answers = asyncio.Event()
        self.answers.set()

    async def hang_up(self, *asked: str) -> None:
        await self._take("hang_up", *asked)

    async def connect(self, *asked: str) -> None:
        await self._take("connect", *asked)

    async def connect_agent(self, account: str, call: str, parameters: dict[str, str], apology: str, dial: str) -> None:
        await self._take("connect_agent", account, call, parameters["agent"], parameters["from"], apology, dial)

    async def _take(self, *asked: str) -> None:
        self.asked.append(asked)
        await self.answers.wait()
        if self.error is not None:
            raise self.error


def start_body(call_sid: str = CALL, **parameters: str) -> StartBody:
    return StartBody(STREAM, call_sid, ["inbound"], MediaFormat("audio/x-mulaw", 8000, 1), ACCOUNT, dict(parameters))


def published(record: Record) -> list[Published]:
    """Every durable event of a call, in order."""
    return [decode(payload) for payload in record.topic.log.after(0)]


@dataclass
class Desk:
    """One agent's call, and all around it that a test looks at."""

    now: float = 1000.0  # monotonic seconds
    counters: Counters = field(default_factory=Counters)
    peer: KeepingPeer = field(default_factory=KeepingPeer)
    model: ScriptedModel = field(default_factory=ScriptedModel)
    account: ScriptedAccount = field(default_factory=ScriptedAccount)
    registry: Registry = None  # type: ignore[assignment]  # of an earlier part of the call; its own without one

    def __post_init__(self) -> None:
        if self.registry is None:
            self.registry = Registry(keep_seconds=60, clock=self.clock, wall=lambda: 0.0, soon=lambda _: None)
        self.at_ms = 0
        self.clock_reads = 0
        self.running: asyncio.Task[None]

    def clock(self) -> float:
        self.clock_reads += 1
        return self.now

    async def looked(self) -> None:
        """Wait until the call has looked twice whether anything takes too long: each look reads the clock two to four times."""
        reads = self.clock_reads
        while self.clock_reads < reads + 9 and self.call.answered:
            await asyncio.sleep(0.002)

    def begin(self, webhooks: Webhooks, agent: Agent = AGENT, limits: AgentLimits = LIMITS, *, reachable: bool = False) -> None:
        """Make the call, with a stream in it. It does not run yet."""
        self.record = self.registry.open(CALL)
        context = AgentContext(
            webhooks=webhooks, account=self.account, counters=self.counters, clock=self.clock, wall=lambda: 0.0, reachable=reachable
        )  # type: ignore[arg-type]
        self.call = AnsweredCall(self.record, self.registry, agent, self.model, context, limits)
        self.stream: AgentStream = self.call.join(start_body(**{"from": "+14155550123", "to": "+14155550100"}), self.peer)

    def frame(self, mulaw: bytes = b"\xff" * 160, at_ms: int | None = None) -> None:
        """Bring 20 ms of the caller."""
        at_ms = self.at_ms if at_ms is None else at_ms
        self.stream.chunk("inbound", at_ms, mulaw)
        self.at_ms = at_ms + 20
        self.now += 0.02

    def frames(self, duration_ms: int) -> None:
        for _ in range(0, duration_ms, 20):
            self.frame()

    def emit(self, *events: ModelEvent) -> None:
        self.model.emit(*events)

    def events(self, kind: type[Any] = object) -> list[Any]:
        return [event for event in published(self.record) if isinstance(event, kind)]

    @property
    def end(self) -> CallEnded:
        (ended,) = self.events(CallEnded)
        assert isinstance(ended, CallEnded)
        return ended


@asynccontextmanager
async def desk(
    agent: Agent = AGENT,
    limits: AgentLimits = LIMITS,
    *,
    ready: bool = True,
    reachable: bool = False,
    registry: Registry | None = None,
) -> AsyncIterator[Desk]:
    """Run an agent's call until it has ended; one that the test left alive is stopped."""
    async with Webhooks() as webhooks, asyncio.TaskGroup() as group:
        desk = Desk(registry=registry)  # type: ignore[arg-type]
        desk.begin(webhooks, agent, limits, reachable=reachable)
        desk.running = group.create_task(desk.call.run())
        await desk.model.opened.wait()
        if ready:
            desk.emit(SessionReady())
        yield desk
        desk.call.stop()
        await desk.running
        desk.call.end()
