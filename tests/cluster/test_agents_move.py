"""A caller who goes from people to an agent on another node, and streams that come elsewhere while an agent speaks."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from hub.broker.memory import MemoryBroker, MemoryCluster
from tests.cluster.phone_line import PhoneLine, speech
from tests.cluster.test_hand_over import TIMES, events_of, kinds, owns, until
from tests.house import House, house
from tests.providers.fake_openai import FakeOpenAI
from tests.providers.openai_script import Model, Reply


@asynccontextmanager
async def two_with_agents() -> AsyncIterator[tuple[House, House]]:
    """Two nodes of one cluster with an agent."""
    cluster = MemoryCluster()
    async with FakeOpenAI(Model(replies=[Reply("Hello there friend.")]), key="k") as fake:
        settings: Any = {"openai_key": "k", "openai_url": fake.url, "openai_greeting": "Hello there friend."}
        async with (
            house(joins=MemoryBroker(cluster, TIMES), node="a", **settings) as a,
            house(joins=MemoryBroker(cluster, TIMES), node="b", **settings) as b,
        ):
            yield a, b


def line_of(seconds: int) -> PhoneLine:
    return PhoneLine({"inbound": speech("x" * 10 * seconds, 1), "outbound": speech("." * 10 * seconds, 2)})


async def test_an_agents_call_is_not_given_to_a_stream_that_comes_to_another_node() -> None:
    async with two_with_agents() as (a, b), asyncio.TaskGroup() as group:
        line = line_of(3)
        await line.stream(a, 1, ("inbound",), "/agent")
        group.create_task(line.talk())
        await line.until(500)
        other = await line.stream(b, 2)
        assert (await other.socket.receive()).extra == "this call is served already"
        assert owns(a)
        assert a.state.calls.answering == 1


async def test_an_agent_on_another_node_begins_at_once_and_the_words_of_before_come_first() -> None:
    async with two_with_agents() as (a, b), asyncio.TaskGroup() as group:
        line = line_of(4)
        await line.stream(a, 1)
        group.create_task(line.talk())
        await line.until(1000)
        (old,) = a.transcribers
        old.may_end.clear()
        await line.stream(b, 2, ("inbound",), "/agent")
        await until(lambda: b.state.calls.answering == 1)
        assert not owns(b), "the agent is on the line before the call is this node's"
        await old.finished.wait()
        old.final("last words", "inbound", 0.2, 0.9)
        old.may_end.set()
        await until(lambda: owns(b))
        await until(lambda: b.state.calls.live == 0)
        events = await until(lambda: (events := events_of(b)) and events[-1]["type"] == "call-ended" and events)
    texts = [event["text"] for event in events if event["type"] == "final" and event["text"]]
    assert texts[0] == "last words"
    assert kinds(events).index("call-started", 1) > [event.get("text") for event in events].index("last words")
    assert [event["offset"] for event in events] == list(range(1, len(events) + 1))
    assert kinds(events).count("call-ended") == 1
    assert "no stream" not in {event.get("reason") for event in events}
    assert len({event["utterance"] for event in events if event["type"] == "final"}) == kinds(events).count("final")
