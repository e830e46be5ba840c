"""Which agent answers a call, whether there is room for it, and what is opened for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from hub.agents import Agent, Agents
from hub.agents.webhooks import Webhooks
from hub.calls.agent_context import AgentContext
from hub.calls.call_context import CallContext
from hub.calls.calls import Calls, Draining, Taken
from hub.calls.routing import NoAgent, Routing
from hub.calls.transcribed import TranscribedCall
from hub.events import CallStarted
from hub.ops.counters import Counters
from hub.topics.registry import Registry
from tests.calls.agent_desk import AGENT, LIMITS, KeepingPeer, published, start_body
from tests.providers.scripted_model import ScriptedModel
from tests.scripted import ScriptedTranscriber

DESK = replace(AGENT, numbers=("+1001",))
NIGHT = replace(AGENT, name="night", numbers=("+1002",))


@dataclass
class Exchange:
    """Routing among real calls, and the models that it opened."""

    routing: Routing
    calls: Calls
    registry: Registry
    opened: list[tuple[str, str]] = field(default_factory=list)  # agent and callSid
    models: list[ScriptedModel] = field(default_factory=list)

    def open(self, agent: Agent, call_sid: str) -> ScriptedModel:
        self.opened.append((agent.name, call_sid))
        self.models.append(ScriptedModel())
        return self.models[-1]


@asynccontextmanager
async def exchange(agents: Agents | None = None, calls: int = 5) -> AsyncIterator[Exchange]:
    counters, loop = Counters(), asyncio.get_running_loop()
    registry = Registry(keep_seconds=60, clock=loop.time, wall=lambda: 0.0, soon=loop.call_soon)
    async with Webhooks() as webhooks, asyncio.TaskGroup() as group:
        call_context = CallContext(registry, loop.time)
        live = Calls(registry, group, counters, lambda record, _: TranscribedCall(record, ScriptedTranscriber, call_context))
        context = AgentContext(webhooks=webhooks, account=None, counters=counters, clock=loop.time, wall=lambda: 0.0, reachable=False)
        it: Exchange
        routing = Routing(
            agents if agents is not None else Agents([DESK, NIGHT]),
            lambda agent, call_sid: it.open(agent, call_sid),
            live,
            registry,
            context,
            replace(LIMITS, calls=calls),
        )
        it = Exchange(routing, live, registry)
        yield it
        await live.drain(0)


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ({}, "desk"),
        ({"to": "+1002"}, "night"),
        ({"from": "+1002", "to": "+1009"}, "desk"),
        ({"from": "+1002", "to": "+1009", "direction": "inbound"}, "desk"),
        ({"from": "+1002", "to": "+1009", "direction": "outbound-api"}, "night"),
        ({"from": "+1009", "to": "+1002", "direction": "outbound-dial"}, "desk"),
        ({"agent": "night", "to": "+1001"}, "night"),
    ],
)
async def test_the_agent_that_is_named_answers_or_the_one_of_our_number_or_the_first(told: dict[str, str], name: str) -> None:
    async with exchange() as it:
        assert it.routing.pick(told).name == name
        it.routing.answer(start_body("CA1", **told), KeepingPeer())
        assert it.opened == [(name, "CA1")]
        (record,) = it.registry
        (started,) = (event for event in published(record) if isinstance(event, CallStarted))
        assert (started.agent, started.transcriber.provider) == (name, "scripted")


async def test_a_name_that_no_agent_has_is_refused_and_opens_nothing() -> None:
    async with exchange() as it:
        with pytest.raises(NoAgent, match="no agent of this hub has that name"):
            it.routing.answer(start_body("CA1", agent="nobody"), KeepingPeer())
        assert (it.opened, len(it.registry), it.calls.live) == ([], 0, 0)


async def test_a_hub_without_agents_says_which_setting_is_missing() -> None:
    async with exchange(Agents([], "VENDOR_API_KEY")) as it:
        with pytest.raises(NoAgent, match="no agent is set up on this hub: VENDOR_API_KEY is missing"):
            it.routing.pick({})


async def test_agents_answer_so_many_calls_and_one_more_once_one_is_over() -> None:
    async with exchange(calls=2) as it:
        first = it.routing.answer(start_body("CA1"), KeepingPeer())
        it.routing.answer(start_body("CA2"), KeepingPeer())
        with pytest.raises(NoAgent, match=r"agents answer 2 calls already \(HUB_AGENT_CALLS\)"):
            it.routing.answer(start_body("CA3"), KeepingPeer())
        assert len(it.opened) == 2
        first.stop()
        it.routing.answer(start_body("CA3"), KeepingPeer())
        assert [call_sid for _, call_sid in it.opened] == ["CA1", "CA2", "CA3"]


async def test_a_call_that_is_only_heard_takes_no_room_of_the_agents() -> None:
    async with exchange(calls=1) as it:
        it.calls.join(start_body("CA1"), KeepingPeer())
        it.routing.answer(start_body("CA2"), KeepingPeer())
        assert it.calls.answering == 1


async def test_a_call_that_an_agent_answers_is_taken_until_the_agent_is_gone() -> None:
    async with exchange() as it:
        stream = it.routing.answer(start_body("CA1"), KeepingPeer())
        with pytest.raises(Taken):
            it.routing.answer(start_body("CA1"), KeepingPeer())
        with pytest.raises(Taken, match="served already"):
            it.calls.join(start_body("CA1"), KeepingPeer())
        assert len(it.opened) == 1
        stream.stop()
        it.calls.join(start_body("CA1"), KeepingPeer())


async def test_a_call_that_an_agent_answers_is_not_put_through_to_another() -> None:
    async with exchange() as it:
        it.routing.answer(start_body("CA1"), KeepingPeer())
        with pytest.raises(Taken):
            it.routing.answer(start_body("CA1"), KeepingPeer())
        assert len(it.opened) == 1


async def test_a_hub_that_stops_puts_no_call_through() -> None:
    async with exchange() as it:
        await it.calls.drain(0)
        with pytest.raises(Draining):
            it.routing.answer(start_body("CA1"), KeepingPeer())
        assert it.opened == []


async def test_limits_that_are_changed_hold_for_the_calls_that_come_then() -> None:
    async with exchange() as it:
        it.routing.limits = replace(LIMITS, calls=0)
        with pytest.raises(NoAgent, match="agents answer 0 calls"):
            it.routing.pick({})
