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
async def two(on_block: Any = None) -> AsyncIterator[Two]:
    cluster = MemoryCluster()
    first, second = MemoryBroker(cluster, TIMES), MemoryBroker(cluster, TIMES)
    async with house(joins=first, node="a", on_block=on_block) as a, house(joins=second, node="b", on_block=on_block) as b:
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
    """Say a word at each fifth block, named by its call time."""
    number = int(block.start_ms // 100)
    if number % 5 == 4:
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
    assert [event["offset"] for event in events] == list(range(1, len(events) + 1))
    assert len({event["epoch"] for event in events}) == 1
    assert kinds(events).count("call-started") == 2
    assert kinds(events).count("call-ended") == 1
    assert "gap" not in kinds(events)
    words = [event["text"] for event in events if event["type"] == "final"]
    assert words == ["w4", "w9", "w14", "w19", "w24", "w29", "w34"]
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
