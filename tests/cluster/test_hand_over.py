"""A call moves to the node to which its stream has come: each byte is transcribed once, each word is told once, nobody notices."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from hub.audio.g711 import TRACKS
from hub.broker.broker import HoldTimes
from hub.broker.memory import MemoryBroker, MemoryCluster
from tests.cluster.phone_line import PhoneLine, speech
from tests.house import House, house
from tests.media import CALL
from tests.scripted import ScriptedTranscriber

TIMES = HoldTimes(lease_seconds=2.0, steady_seconds=0.5)


@dataclass
class Two:
    """Two nodes, and their brokers."""

    a: House
    b: House
    broker_a: MemoryBroker
    broker_b: MemoryBroker


@asynccontextmanager
async def two(on_block: Any = None, **settings: Any) -> AsyncIterator[Two]:
    cluster = MemoryCluster()
    first, second = MemoryBroker(cluster, TIMES), MemoryBroker(cluster, TIMES)
    async with (
        house(joins=first, node="a", on_block=on_block, **settings) as a,
        house(joins=second, node="b", on_block=on_block, **settings) as b,
    ):
        yield Two(a, b, first, second)


async def until(fact: Callable[[], Any]) -> Any:
    """Return a fact as soon as it is one."""
    async with asyncio.timeout(20):
        while not (found := fact()):
            await asyncio.sleep(0.01)
    return found


def events_of(home: House) -> list[dict[str, Any]]:
    record = home.state.registry.known(CALL)
    assert record is not None
    return [json.loads(payload) for payload in record.topic.log.after(record.topic.log.first - 1)]


def owns(home: House) -> bool:
    record = home.state.registry.known(CALL)
    return record is not None and not record.owner


def audio(*homes: House) -> dict[str, bytes]:
    """What all transcribers together were given, in the order of call time."""
    every = sorted((block for home in homes for each in home.transcribers for block in each.blocks), key=lambda block: block.start_ms)
    return {track: b"".join(block.track(track) for block in every) for track in TRACKS}


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in events]


def says(script: ScriptedTranscriber, block: Any) -> None:
    """Say a word at each fifth block that begins with speech, named by its call time."""
    number = int(block.start_ms // 100)
    if number % 5 == 4 and block.inbound[:1] != b"\xff":
        script.final(f"w{number}", "inbound", number / 10, number / 10 + 0.1)


@pytest.mark.parametrize("late_ms", [0, 37])
async def test_a_call_moves_in_a_pause_and_each_byte_is_transcribed_once(late_ms: int) -> None:
    async with two(says) as nodes, asyncio.TaskGroup() as group:
        line = PhoneLine({"inbound": speech("x" * 15 + "." * 6 + "x" * 14, 1), "outbound": speech("." * 10 + "xx" + "." * 23, 2)})
        await line.stream(nodes.a, 1)
        group.create_task(line.talk())
        await line.until(300)
        follower = await nodes.a.open("/client")
        await follower.receive()
        await follower.send_str(CALL)
        await line.stream(nodes.b, 2)
        if late_ms:  # the clocks differ by more than what it takes to connect
            held = await until(lambda: nodes.b.state.calls.hold.__self__._awaited)
            held[CALL].streams[0].at -= late_ms / 1000
        await until(lambda: owns(nodes.b))
        first, second = nodes.a.transcribers[0], nodes.b.transcribers[0]
        assert 1500 < second.blocks[0].start_ms < 2100, "in the pause"
        assert first.finished.is_set()
        await line.over.wait()
        events = await until(lambda: (events := events_of(nodes.b)) and events[-1]["type"] == "call-ended" and events)
        assert audio(nodes.a, nodes.b) == line.sound
        told = [message.json() async for message in follower]
        assert [event for event in told if event["type"] not in {"interim", "subscribed"}] == events, (
            "who reads it on the first node reads on"
        )
    assert [event["offset"] for event in events] == list(range(1, len(events) + 1))
    assert len({event["epoch"] for event in events}) == 1
    assert kinds(events).count("call-started") == 2
    assert kinds(events).count("call-ended") == 1
    assert "gap" not in kinds(events)
    words = [event["text"] for event in events if event["type"] == "final"]
    assert words == ["w4", "w9", "w14", "w24", "w29", "w34"]
    assert len({event["utterance"] for event in events if event["type"] == "final"}) == len(words)


async def test_a_call_that_came_back_moves_again() -> None:
    async with two(says) as nodes, asyncio.TaskGroup() as group:
        sound = "xxx......" * 9
        line = PhoneLine({"inbound": speech(sound, 1), "outbound": speech("." * len(sound), 2)})
        await line.stream(nodes.a, 1)
        group.create_task(line.talk())
        for number, (to, other) in enumerate([(nodes.b, nodes.a), (nodes.a, nodes.b), (nodes.b, nodes.a)], 2):
            await line.until(line.at * 20 + 300)
            await line.stream(to, number)
            await until(lambda to=to, other=other: owns(to) and not owns(other))
        await line.over.wait()
        events = await until(lambda: (events := events_of(nodes.b)) and events[-1]["type"] == "call-ended" and events)
        assert audio(nodes.a, nodes.b) == line.sound
    assert [event["offset"] for event in events] == list(range(1, len(events) + 1))
    assert kinds(events).count("call-started") == 4
    assert "gap" not in kinds(events)


async def test_a_call_whose_owner_dies_on_the_way_goes_on_with_all_that_was_kept() -> None:
    async with two(says) as nodes, asyncio.TaskGroup() as group:
        line = PhoneLine({"inbound": speech("x" * 60, 1), "outbound": speech("x" * 60, 2)})
        await line.stream(nodes.a, 1)
        group.create_task(line.talk())
        await line.until(1000)
        await line.stream(nodes.b, 2)
        await until(lambda: nodes.a.state.calls.newest(CALL).departure)
        await line.until(1600)
        nodes.broker_a.cut()
        await until(lambda: owns(nodes.b) and nodes.b.transcribers)
        events = await until(lambda: (events := events_of(nodes.b)) and events[-1]["type"] == "call-ended" and events)
        second = nodes.b.transcribers[0]
        before = [event for event in events[: kinds(events).index("call-started", 1)] if event.get("text")]
        assert second.blocks[0].start_ms <= before[-1]["end"] * 1000 + 100, "it begins where the words of the first node end"
        assert second.audio("inbound").lstrip(b"\xff") in line.sound["inbound"]
        nodes.broker_a.mend()
    assert [event["offset"] for event in events] == list(range(1, len(events) + 1))
    assert len({event["epoch"] for event in events}) == 1
    words = [event["text"] for event in events if event["type"] == "final" and event["text"]]
    assert len(set(words)) == len(words)
    assert nodes.b.state.counters.cluster.handovers == {"failed": 1}


async def test_a_call_stays_where_it_is_if_the_other_node_dies_on_the_way() -> None:
    async with two(says) as nodes, asyncio.TaskGroup() as group:
        line = PhoneLine({"inbound": speech("x" * 60 + "." * 10 + "x" * 5, 1), "outbound": speech("x" * 75, 2)})
        await line.stream(nodes.a, 1)
        group.create_task(line.talk())
        await line.until(300)
        await line.stream(nodes.b, 2)
        await until(lambda: nodes.a.state.calls.newest(CALL).departure)
        nodes.broker_b.cut()
        await until(lambda: nodes.a.state.calls.newest(CALL).departure is None)
        assert owns(nodes.a)
        assert len(nodes.a.transcribers) == 2, "what was kept is transcribed by another one"
        nodes.broker_b.mend()
        await line.over.wait()
        await until(lambda: nodes.a.state.calls.live == 0)
        events = events_of(nodes.a)
        assert audio(nodes.a) == line.sound
    assert kinds(events).count("call-started") == 1
    assert "gap" not in kinds(events)
    words = [event["text"] for event in events if event["type"] == "final"]
    assert len(set(words)) == len(words)


async def test_a_stream_of_one_track_is_refused_while_the_other_comes_to_another_node_and_everyone_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with two() as nodes, asyncio.TaskGroup() as group:
        line = PhoneLine({"inbound": speech("x" * 25, 1), "outbound": speech("x" * 25, 2)})
        await line.stream(nodes.a, 1, ("inbound",))
        group.create_task(line.talk())
        await line.until(300)
        refused = await line.stream(nodes.b, 2, ("outbound",))
        assert (
            await refused.socket.receive()
        ).extra == "this stream does not bring the inbound track, which comes by a stream to another node"
        events = await until(lambda: (events := events_of(nodes.a)) and "stream-error" in kinds(events) and events)
        assert owns(nodes.a)
        await line.over.wait()
        await until(lambda: nodes.a.state.calls.live == 0)
        assert audio(nodes.a)["inbound"] == line.sound["inbound"]
        assert kinds(events_of(nodes.a)).count("stream-error") == 1
    assert "use one stream with both_tracks" in events[-1]["reason"]
    assert nodes.b.state.counters.cluster.handovers == {"refused": 1}


async def test_a_call_that_waits_for_its_stream_is_handed_over_at_once_and_tells_the_gap() -> None:
    async with two() as nodes, asyncio.TaskGroup() as group:
        line = PhoneLine({"inbound": speech("x" * 40, 1), "outbound": speech("x" * 40, 2)})
        first = await line.stream(nodes.a, 1)
        group.create_task(line.talk())
        await line.until(1000)
        first.closed = True
        await first.socket.close()
        await line.until(2000)
        await line.stream(nodes.b, 2)
        await until(lambda: owns(nodes.b))
        events = await until(lambda: (events := events_of(nodes.b)) and events[-1]["type"] == "call-ended" and events)
    gaps = [event for event in events if event["type"] == "gap"]
    assert {gap["track"] for gap in gaps} == {"inbound", "outbound"}
    assert all(0.9 <= gap["start"] <= 1.2 and 1.8 <= gap["end"] <= 2.4 for gap in gaps), gaps


async def test_a_call_that_ends_on_its_way_ends_once_at_the_other_node_with_all_its_audio() -> None:
    async with two(says) as nodes, asyncio.TaskGroup() as group:
        line = PhoneLine({"inbound": speech("x" * 20, 1), "outbound": speech("x" * 20, 2)})
        await line.stream(nodes.a, 1)
        group.create_task(line.talk())
        await line.until(1000)
        await line.stream(nodes.b, 2)
        events = await until(lambda: owns(nodes.b) and (events := events_of(nodes.b)) and events[-1]["type"] == "call-ended" and events)
        assert audio(nodes.a, nodes.b) == line.sound
    assert kinds(events).count("call-ended") == 1
    assert "gap" not in kinds(events)
