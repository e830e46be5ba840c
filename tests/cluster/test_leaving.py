"""A node stops under live calls: they move to the other node, nobody misses a word, and no audio is left out or transcribed twice."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp

from hub.audio.g711 import TRACKS, silence
from hub.broker.broker import HoldTimes
from hub.broker.memory import MemoryBroker, MemoryCluster
from hub.twilio.rest import Patience
from tests.cluster.phone_line import speech
from tests.house import House, house, impatient
from tests.providers.fake_twilio import ACCOUNT, TOKEN, FakeTwilio, PhoneCall, fake_twilio
from tests.scripted import ScriptedTranscriber

PUBLIC, URL = "https://hub.example.com", "wss://hub.example.com/twilio"
HURRIED = impatient(twilio=Patience(first_wait_seconds=0.05, longest_wait_seconds=0.2, come_seconds=1.0), notice_seconds=0.0)
TIMES = HoldTimes(lease_seconds=8.0, steady_seconds=0.5)


def says(script: ScriptedTranscriber, block: Any) -> None:
    """Say a word at each fifth block, named by its call time."""
    number = int(block.start_ms // 100)
    if number % 5 == 4:
        script.final(f"w{number}", "inbound", number / 10, number / 10 + 0.1)


async def until(fact: Callable[[], Any]) -> Any:
    """Return a fact as soon as it is one."""
    async with asyncio.timeout(20):
        while not (found := fact()):
            await asyncio.sleep(0.01)
    return found


def settings_of(twilio: FakeTwilio) -> dict[str, Any]:
    return {
        "twilio_account": ACCOUNT, "twilio_token": TOKEN, "twilio_url": twilio.url, "public_url": PUBLIC, "limits": HURRIED,
        "on_block": says, "drain_seconds": 60.0,
    }  # fmt: skip


@asynccontextmanager
async def deployed() -> AsyncIterator[tuple[FakeTwilio, House, House, Callable[[], Any]]]:
    """Two nodes with Twilio; the third part stops the first of them, as SIGTERM does, and returns when it has stopped."""
    cluster = MemoryCluster()
    async with fake_twilio() as twilio, AsyncExitStack() as stack:
        settings = settings_of(twilio)
        staying = await stack.enter_async_context(house(joins=MemoryBroker(cluster, TIMES), node="b", **settings | {"drain_seconds": 0.0}))
        leaving = AsyncExitStack()
        stack.push_async_exit(leaving)
        going = await leaving.enter_async_context(house(joins=MemoryBroker(cluster, TIMES), node="a", **settings))
        twilio.ports["hub.example.com"] = going.port
        await until(lambda: going.state.cluster.membership.others())

        async def stop() -> None:
            twilio.ports["hub.example.com"] = staying.port
            await leaving.aclose()

        yield twilio, going, staying, stop


async def rung(twilio: FakeTwilio, home: House, seed: int = 1, track: str = "both_tracks") -> PhoneCall:
    """A call of which the node has transcribed a second."""
    sound = {"inbound": speech(("x" * 11 + "." * 5) * 8, seed), "outbound": speech(("....x...........") * 8, seed + 100)}
    phone_call = twilio.ring(tracks=sound)
    phone_call.stream(URL, track, {"from": "+14155550123"})
    await until(lambda: any(len(each.blocks) >= 8 for each in home.transcribers))
    return phone_call


async def follow(home: House, call_sid: str) -> aiohttp.ClientWebSocketResponse:
    socket = await home.open("/client")
    await socket.receive()
    await socket.send_str(call_sid)
    return socket


async def read(socket: aiohttp.ClientWebSocketResponse, told: list[dict[str, Any]]) -> None:
    """Read what a subscriber is told, to the end."""
    async for message in socket:
        told.append(message.json())


def events_of(home: House, call_sid: str) -> list[dict[str, Any]]:
    record = home.state.registry.known(call_sid)
    assert record is not None
    return [json.loads(payload) for payload in record.topic.log.after(record.topic.log.first - 1)]


async def test_a_call_moves_when_its_node_stops_and_loses_nothing() -> None:
    async with deployed() as (twilio, going, staying, stop):
        phone_call = await rung(twilio, going)
        follower = await follow(going, phone_call.sid)
        told: list[dict[str, Any]] = []
        async with asyncio.TaskGroup() as group:
            group.create_task(read(follower, told))
            await stop()
        assert follower.close_code == 4409
        assert [len(stream.tracks) for stream in phone_call.streams] == [2, 2]
        record = staying.state.registry.known(phone_call.sid)
        assert record is not None
        await until(lambda: not record.owner)  # the other node stops as soon as the call is given
        assert (record.generation, record.live) == (2, True)
        await until(lambda: len(staying.transcribers) == 1 and staying.transcribers[0].blocks)
        await phone_call.hang_up()
        events = await until(lambda: (events := events_of(staying, phone_call.sid)) and events[-1]["type"] == "call-ended" and events)
        cut_ms = staying.transcribers[0].blocks[0].start_ms
        for track in TRACKS:
            heard = going.transcribers[0].audio(track) + staying.transcribers[0].audio(track)
            assert heard in phone_call.tracks[track] + silence(8 * 10_000), "each byte once"
        assert len(going.transcribers[0].audio("inbound")) == round((cut_ms - going.transcribers[0].blocks[0].start_ms) * 8)
        assert staying.state.counters.cluster.handovers["moved"] == 1
    assert {"gap", "call-ended"}.isdisjoint(event["type"] for event in told)
    assert [event["offset"] for event in events] == list(range(1, len(events) + 1))
    assert {event["epoch"] for event in events} == {told[1]["epoch"]}
    seen = [event for event in told if "offset" in event and event["type"] != "subscribed"]
    assert seen == events[: len(seen)]
    assert [event["type"] for event in events].count("call-ended") == 1
    assert "gap" not in {event["type"] for event in events}


async def test_a_call_moves_to_a_node_that_becomes_known_only_while_its_own_node_stops() -> None:
    """As when the broker has just lost its data: for a second it knows no other node."""
    cluster = MemoryCluster()
    async with fake_twilio() as twilio, AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        leaving = AsyncExitStack()
        going = await leaving.enter_async_context(house(joins=MemoryBroker(cluster, TIMES), node="a", **settings_of(twilio)))
        twilio.ports["hub.example.com"] = going.port
        phone_call = await rung(twilio, going)
        stopping = group.create_task(leaving.aclose())
        await until(lambda: going.state.cluster.membership.leaving)
        settings = settings_of(twilio) | {"drain_seconds": 0.0}
        staying = await stack.enter_async_context(house(joins=MemoryBroker(cluster, TIMES), node="b", **settings))
        twilio.ports["hub.example.com"] = staying.port
        await stopping
        record = staying.state.registry.known(phone_call.sid)
        assert record is not None
        await until(lambda: not record.owner)
        assert record.live
        await phone_call.hang_up()
        events = await until(lambda: (events := events_of(staying, phone_call.sid)) and events[-1]["type"] == "call-ended" and events)
    assert [event["type"] for event in events].count("call-ended") == 1
    assert "gap" not in {event["type"] for event in events}
