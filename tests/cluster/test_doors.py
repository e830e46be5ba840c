"""Every door of a node answers about other nodes' calls what their own nodes answer: the same bytes."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import ClientWebSocketResponse, WSMsgType

from hub.broker.broker import HoldTimes
from hub.broker.memory import MemoryBroker, MemoryCluster
from hub.topics.record import Record
from hub.transcript.exports import FORMS
from tests.house import House, house
from tests.publishing import FROM, ScriptedCall

TIMES = HoldTimes(steady_seconds=0.0)


class Pair:
    """Two nodes: `a` owns the calls, `b` is asked."""

    def __init__(self, a: House, b: House, broker: MemoryBroker) -> None:
        self.a, self.b, self.broker = a, b, broker

    async def known(self, call_sid: str, fact: Callable[[Record], Any] = lambda _: True) -> Record:
        """Wait until `b` knows of a call, and of it what is asked."""
        async with asyncio.timeout(20):
            while (record := self.b.state.registry.known(call_sid)) is None or not fact(record):
                await asyncio.sleep(0.005)
        return record


@pytest_asyncio.fixture
async def pair() -> AsyncIterator[Pair]:
    shared = MemoryCluster()
    brokers = [MemoryBroker(shared, TIMES) for _ in range(2)]
    async with AsyncExitStack() as stack:
        houses = [
            await stack.enter_async_context(house(joins=each, node=name, listen=True)) for each, name in zip(brokers, "ab", strict=True)
        ]
        yield Pair(*houses, brokers[1])


async def watched(home: House, *asked: Any) -> ClientWebSocketResponse:
    """Connect to /client and ask for something; the list of live calls is read."""
    socket = await home.open("/client")
    json.loads((await socket.receive(20)).data)
    for each in asked:
        await socket.send_str(each if isinstance(each, str) else json.dumps(each))
    return socket


async def received(socket: ClientWebSocketResponse, until: Callable[[dict[str, Any]], Any]) -> list[str]:
    """Return the messages that come, up to the first of which `until` is true."""
    messages: list[str] = []
    while True:
        message = await socket.receive(20)
        assert message.type is WSMsgType.TEXT, message
        messages.append(message.data)
        if until(json.loads(message.data)):
            return messages


def is_end(message: dict[str, Any]) -> bool:
    return message.get("type") == "call-ended"


def durable(messages: list[str]) -> list[str]:
    return [message for message in messages if "offset" in json.loads(message) and json.loads(message)["type"] != "subscribed"]


async def test_a_bare_call_sid_on_another_node_gives_the_same_bytes_and_the_same_end(pair: Pair) -> None:
    call = ScriptedCall(pair.a.state)
    call.final("before")
    await pair.known(call.call)
    there, here = await watched(pair.a, call.call), await watched(pair.b, call.call)
    await pair.known(call.call, lambda record: len(record.topic.audience))
    call.interim("some")
    call.final("some words", f"u{call.offset + 1}")
    call.end()
    at_a, at_b = await received(there, is_end), await received(here, is_end)
    assert durable(at_a) == durable(at_b)
    assert (await here.receive(20)).type is WSMsgType.CLOSE
    assert here.close_code == 1000


async def test_a_position_holds_on_another_node(pair: Pair) -> None:
    call = ScriptedCall(pair.a.state)
    call.final("one")
    await pair.known(call.call)
    epoch = call.record.topic.log.epoch
    asked = {"action": "subscribe", "callSid": call.call, "after": {"epoch": epoch, "offset": 1}}
    socket = await watched(pair.b, asked)
    call.end()
    subscribed, *events = map(json.loads, await received(socket, is_end))
    assert subscribed["whole"]
    assert [event["offset"] for event in events] == [2, 3]


async def test_the_list_of_live_calls_and_all_calls_are_those_of_every_node(pair: Pair) -> None:
    call = ScriptedCall(pair.a.state)
    await pair.known(call.call)
    greeting = await pair.b.open("/client")
    assert json.loads((await greeting.receive(20)).data) == [call.call]
    there, here = (
        await watched(pair.a, {"action": "subscribe", "calls": "all"}),
        await watched(pair.b, {"action": "subscribe", "calls": "all"}),
    )
    lists = [json.loads((await each.receive(20)).data)["calls"] for each in (there, here)]
    assert lists[0] == lists[1]
    call.lost()
    other = ScriptedCall(pair.a.state, "CA" + "7" * 32)
    other.final("not for the list")
    other.end()
    assert await received(there, is_end) == await received(here, is_end)


async def test_a_number_brings_calls_of_other_nodes_live_ones_and_later_ones(pair: Pair) -> None:
    first = ScriptedCall(pair.a.state)
    first.final("early")
    await pair.known(first.call)
    asked = {"action": "subscribe", "calls": "all"}, {"action": "subscribe", "number": FROM}
    there, here = await watched(pair.a, *asked), await watched(pair.b, *asked)
    both = [each for socket in (there, here) for each in await received(socket, lambda message: message.get("text") == "early")]
    assert both
    second = ScriptedCall(pair.a.state, "CA" + "8" * 32)
    second.final("late")
    second.end()
    at_a, at_b = await received(there, is_end), await received(here, is_end)
    assert durable(at_a) == durable(at_b)
    assert len(durable(at_b)) == 3


@pytest.mark.parametrize("kind", FORMS)
async def test_files_are_the_same_from_every_node(pair: Pair, kind: str) -> None:
    call = ScriptedCall(pair.a.state)
    call.final("some words")
    call.gap(1.0, 2.0)
    await pair.known(call.call)
    paths = f"/calls/{call.call}/transcript.{kind}", f"/calls/{call.call}/transcript.{kind}?after=1&until=2", f"/calls/{call.call}"
    await pair.a.state.cluster.keeper.settled()
    for path in paths:
        answers = []
        for home in pair.a, pair.b:
            async with home.session.get(home.url(path)) as answer:
                assert answer.status == 200, await answer.text()
                answers.append((answer.headers.get("ETag"), answer.headers["Content-Type"], await answer.read()))
        assert answers[0] == answers[1], path


async def test_what_cannot_be_read_now_is_said_in_a_sentence(pair: Pair) -> None:
    call = ScriptedCall(pair.a.state)
    await pair.known(call.call)
    pair.broker.cut("the broker cannot be reached")
    async with pair.b.session.get(pair.b.url(f"/calls/{call.call}")) as answer:
        assert answer.status == 503
        assert (await answer.json())["error"]["message"] == "the broker cannot be reached"
    socket = await watched(pair.b, {"action": "subscribe", "callSid": call.call})
    refused = json.loads((await socket.receive(20)).data)
    assert (refused["type"], refused["code"]) == ("error", "broker")
    bare = await watched(pair.b, call.call)
    assert json.loads((await bare.receive(20)).data)["code"] == "broker"
    await bare.receive(20)
    assert bare.close_code == 1011, "a client comes back"
    pair.broker.mend()
