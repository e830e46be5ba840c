"""Every door of a node answers about other nodes' calls what their own nodes answer: the same bytes."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import ClientWebSocketResponse, WSMsgType

from hub.transcript.exports import FORMS
from hub.web.doors import bringing
from tests.cluster.pairs import Pair, pair_of_hubs, until
from tests.house import House
from tests.publishing import FROM, ScriptedCall


@pytest_asyncio.fixture
async def pair() -> AsyncIterator[Pair]:
    async with pair_of_hubs() as made:
        yield made


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


async def test_a_subscriber_that_takes_nothing_of_another_nodes_call_is_cut_off_and_comes_back_whole(pair: Pair) -> None:
    call = ScriptedCall(pair.a.state)
    await pair.known(call.call)
    slow = await watched(pair.b, {"action": "subscribe", "callSid": call.call})
    await received(slow, lambda message: message.get("type") == "call-started")
    transport = slow._response.connection.transport
    transport.pause_reading()
    counters = pair.b.state.counters
    for number in range(40):
        for _ in range(20):
            call.final("words " * 500)
        await pair.known(call.call, lambda record, number=number: record.topic.log.offset == 1 + 20 * (number + 1))
        if counters.closed[4408]:
            break
    await until(lambda: counters.closed[4408] == 1)
    assert counters.lagged == 1
    back = await watched(
        pair.b, {"action": "subscribe", "callSid": call.call, "after": {"epoch": call.record.topic.log.epoch, "offset": 1}}
    )
    call.end()
    subscribed, *events = map(json.loads, await received(back, is_end))
    assert subscribed["whole"]
    assert [event["offset"] for event in events] == list(range(2, call.offset + 1))
    transport.resume_reading()


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
    await pair.cluster_of_a.keeper.settled()
    for path in paths:
        answers = []
        for home in pair.a, pair.b:
            async with home.session.get(home.url(path)) as answer:
                assert answer.status == 200, await answer.text()
                answers.append((answer.headers.get("ETag"), answer.headers["Content-Type"], await answer.read()))
        assert answers[0] == answers[1], path


async def test_what_cannot_be_read_now_is_said_in_a_sentence(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bringing, "PATIENCE_SECONDS", 1.0)
    call = ScriptedCall(pair.a.state)
    await pair.known(call.call)
    pair.broker_of_b.cut("the broker cannot be reached")
    async with pair.b.session.get(pair.b.url(f"/calls/{call.call}")) as answer:
        assert answer.status == 503
        assert (await answer.json())["error"]["message"] == "the broker cannot be reached"
    for asked in call.call, {"action": "subscribe", "callSid": call.call}:
        socket = await watched(pair.b, asked)
        closed = await socket.receive(20)
        assert (closed.data, closed.extra) == (1011, "the broker cannot be reached"), "a client comes back"
    socket = await watched(pair.b, {"action": "subscribe", "callSid": call.call})
    pair.broker_of_b.mend()
    subscribed = json.loads((await socket.receive(20)).data)
    assert subscribed["whole"], "it was waited for"


async def test_a_position_that_is_newer_than_what_is_here_is_whole(pair: Pair) -> None:
    call = ScriptedCall(pair.a.state)
    record = await pair.known(call.call)
    async with pair.b.session.get(pair.b.url(f"/calls/{call.call}")) as answer:
        assert answer.status == 200
    deliver, pair.broker_of_b.deliver = pair.broker_of_b.deliver, lambda topic, body: True  # type: ignore[method-assign]
    call.final("only elsewhere")
    await pair.cluster_of_a.keeper.settled()
    assert record.topic.log.offset == 1
    after = {"epoch": record.topic.log.epoch, "offset": 2}
    socket = await watched(pair.b, {"action": "subscribe", "callSid": call.call, "after": after})
    subscribed = json.loads((await socket.receive(20)).data)
    assert (subscribed["whole"], subscribed["offset"], subscribed["newest"]) == (True, 2, 2)
    pair.broker_of_b.deliver = deliver  # type: ignore[method-assign]


async def test_a_position_that_no_node_has_reached_is_not_whole(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bringing, "PATIENCE_SECONDS", 0.1)
    call = ScriptedCall(pair.a.state)
    record = await pair.known(call.call)
    after = {"epoch": record.topic.log.epoch, "offset": 1000}
    socket = await watched(pair.b, {"action": "subscribe", "callSid": call.call, "after": after})
    assert not json.loads((await socket.receive(20)).data)["whole"]


async def test_words_of_another_nodes_live_call_are_found_and_nothing_of_it_is_kept(pair: Pair) -> None:
    call = ScriptedCall(pair.a.state)
    call.final("the wine cellar is flooded")
    record = await pair.known(call.call)
    await pair.cluster_of_a.keeper.settled()
    found = await pair.b.json("/calls?q=wine+cellar")
    assert [each["callSid"] for each in found["calls"]] == [call.call]
    assert found["calls"][0]["found"][0]["text"] == "the wine cellar is flooded"
    assert (await pair.b.json("/calls?q=whiskey"))["calls"] == []
    assert not record.loaded
    pair.broker_of_b.cut("the broker cannot be reached")
    async with pair.b.session.get(pair.b.url("/calls?q=wine")) as answer:
        assert answer.status == 503
    pair.broker_of_b.mend()


async def test_the_list_shows_how_far_another_nodes_call_has_come(pair: Pair) -> None:
    call = ScriptedCall(pair.a.state)
    await pair.known(call.call)
    call.final("one")
    call.final("two")
    await pair.known(call.call, lambda record: record.summary().utterances == 2)  # it is told every two seconds
    assert (await pair.b.json("/calls"))["calls"] == (await pair.a.json("/calls"))["calls"]
    assert (await pair.b.json(f"/calls?number=%2B{FROM[1:]}&live=true"))["calls"] == (await pair.a.json("/calls"))["calls"]


async def test_a_callback_about_a_stream_reaches_the_node_that_owns_the_call(pair: Pair) -> None:
    call = ScriptedCall(pair.a.state)
    await pair.known(call.call)
    socket = await watched(pair.b, call.call)
    stream = {"CallSid": call.call, "StreamSid": "MZ" + "1" * 32, "StreamEvent": "stream-error", "StreamError": "31941 for a test"}
    async with pair.b.session.post(pair.b.url("/twilio/status"), data=stream) as answer:
        assert answer.status == 204
    (*_, failed) = map(json.loads, await received(socket, lambda message: message.get("type") == "stream-error"))
    assert (failed["offset"], failed["reason"]) == (2, "31941 for a test")


async def test_an_ended_call_is_erased_on_every_node_whichever_is_asked(pair: Pair) -> None:
    call = ScriptedCall(pair.a.state)
    call.final("not for long")
    await pair.known(call.call)
    socket = await watched(pair.a, {"action": "subscribe", "callSid": call.call})
    async with pair.b.session.delete(pair.b.url(f"/calls/{call.call}")) as answer:
        assert answer.status == 409, "it is live"
    call.end()
    await pair.known(call.call, lambda record: not record.live)
    async with pair.b.session.delete(pair.b.url(f"/calls/{call.call}")) as answer:
        assert (answer.status, (await answer.json())["erased"]) == (200, [call.call])
    (*_, told) = map(json.loads, await received(socket, lambda message: message.get("type") == "error"))
    assert told["code"] == "erased"
    assert pair.a.state.registry.find(call.call) is None
    assert await pair.broker_of_a.log(call.call) is None


async def test_a_broker_that_is_away_erases_a_call_as_soon_as_it_is_back(pair: Pair) -> None:
    call = ScriptedCall(pair.a.state)
    call.end()
    await pair.known(call.call, lambda record: not record.live)
    async with pair.b.session.get(pair.b.url(f"/calls/{call.call}")) as answer:
        assert answer.status == 200
    pair.broker_of_b.cut("the broker cannot be reached")
    async with pair.b.session.delete(pair.b.url(f"/calls/{call.call}")) as answer:
        erased = await answer.json()
    assert erased["erased"] == [call.call]
    assert "the broker cannot be reached" in erased["recordings"][0]["reason"]
    assert pair.a.state.registry.find(call.call) is not None
    pair.broker_of_b.mend()
    await until(lambda: pair.a.state.registry.find(call.call) is None)
