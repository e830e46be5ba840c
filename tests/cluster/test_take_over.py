"""A call whose owner is gone goes on at another node: the same epoch, the next offset, one gap, nothing that was seen lost."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from hub.broker.broker import BrokerError, HoldTimes
from hub.broker.memory import MemoryBroker, MemoryCluster
from hub.topics.record import Record
from tests.house import House, house
from tests.media import CALL, media
from tests.web.readers import Reader

TIMES = HoldTimes(lease_seconds=2.0, steady_seconds=0.5)


async def until(fact: Callable[[], Any]) -> Any:
    """Return a fact as soon as it is one."""
    async with asyncio.timeout(20):
        while not (found := fact()):
            await asyncio.sleep(0.01)
    return found


def record_of(home: House) -> Record | None:
    return home.state.registry.known(CALL)


def events_of(home: House) -> list[dict[str, Any]]:
    record = record_of(home)
    assert record is not None
    return [json.loads(payload) for payload in record.topic.log.after(record.topic.log.first - 1)]


async def read(reader: Reader, words: str) -> list[dict[str, Any]]:
    """Return the durable events of a call up to the final with these words."""
    events: list[dict[str, Any]] = []
    while not events or events[-1].get("text") != words:
        message = await reader.next()
        assert message is not None
        events += [message] if "offset" in message else []
    return events


@pytest.fixture
async def nodes() -> AsyncIterator[tuple[House, House, MemoryBroker]]:
    cluster = MemoryCluster()
    first, second = MemoryBroker(cluster, TIMES), MemoryBroker(cluster, TIMES)
    async with house(joins=first, node="a") as home, house(joins=second, node="b") as other:
        yield home, other, first


async def test_a_call_of_another_node_is_known_here_without_its_events(nodes: tuple[House, House, MemoryBroker]) -> None:
    home, other, _ = nodes
    await home.call()
    record = await until(lambda: record_of(other))
    assert record.owner == home.state.cluster.node_id
    assert not record.loaded
    assert (await home.json("/calls"))["calls"] == (await other.json("/calls"))["calls"]


async def test_a_call_goes_on_at_another_node_when_its_owner_is_cut_off(nodes: tuple[House, House, MemoryBroker]) -> None:
    home, other, broker = nodes
    stream = await home.call()
    for at_ms in range(0, 2000, 20):
        await stream.send_str(media("inbound", at_ms))
        await stream.send_str(media("outbound", at_ms))
    await home.frames(200)
    home.transcribers[0].final("before", end=1.0)
    await until(lambda: len(events_of(home)) == 2)
    before = events_of(home)
    await until(lambda: record_of(other))
    readers = [Reader(each, door, interims=False) for each in nodes[:2] for door in ("client", "events", "all")]
    received = []
    for reader in readers:
        await reader.come()
        received.append(await read(reader, "before"))
    broker.cut()
    taken = await until(lambda: (record := record_of(other)) and not record.owner and record)
    again = await other.call(stream="MZ" + "9" * 32)
    await until(lambda: len(other.transcribers) == 1)
    other.transcribers[0].final("after", end=20.0)
    await until(lambda: events_of(other)[-1].get("text") == "after")
    events = events_of(other)
    assert events[:2] == before
    assert {event["epoch"] for event in events} == {before[0]["epoch"]}
    assert [event["offset"] for event in events] == list(range(1, len(events) + 1))
    assert [event["type"] for event in events].count("gap") == 2
    assert taken.generation == 2
    for reader, messages in zip(readers[3:], received[3:], strict=True):
        messages += await read(reader, "after")
    await again.close()
    broker.mend()
    await until(lambda: (record := record_of(home)) and record.owner == other.state.cluster.node_id)
    for reader, messages in zip(readers[:3], received[:3], strict=True):
        messages += [message for message in await reader.rest() if "offset" in message]  # the call is another node's: it is to come back
        await reader.come()
        messages += await read(reader, "after")
    assert received == [events] * 6, "each has all, once"
    for reader in readers:
        reader.leave()


async def test_a_stream_that_waits_no_longer_for_the_broker_begins_the_call_that_it_has_claimed(
    nodes: tuple[House, House, MemoryBroker], monkeypatch: pytest.MonkeyPatch
) -> None:
    home, other, broker = nodes
    claims, may_answer = broker.claim, asyncio.Event()

    async def slow(*names: str, **facts: Any) -> Any:
        claimed = await claims(*names, **facts)
        await may_answer.wait()
        return claimed

    monkeypatch.setattr(broker, "claim", slow)
    monkeypatch.setattr("hub.calls.arrivals.BROKER_SECONDS", 3600.0)
    stream = await home.call()
    record = await until(lambda: record_of(home))
    may_answer.set()
    await until(lambda: record.generation == 1 and len(events_of(home)) == 1)
    known = await until(lambda: record_of(other))
    assert known.topic.log.epoch == record.topic.log.epoch
    assert not stream.closed


async def test_a_call_that_was_claimed_and_could_not_be_read_is_taken_once_more(
    nodes: tuple[House, House, MemoryBroker], monkeypatch: pytest.MonkeyPatch
) -> None:
    home, other, broker = nodes
    await home.call()
    await until(lambda: record_of(other))
    reads, refused = other.state.cluster.broker.log, []

    async def fails_once(call_sid: str, after: int = 0) -> Any:
        if not refused:
            refused.append(call_sid)
            raise BrokerError("the broker does not answer")
        return await reads(call_sid, after)

    monkeypatch.setattr(other.state.cluster.broker, "log", fails_once)
    monkeypatch.setattr("hub.calls.taking.UNSERVED_SECONDS", 0.2)
    broker.cut()
    taken = await until(lambda: (record := record_of(other)) and not record.owner and record)
    assert refused == [CALL]
    assert taken.generation == 2


@pytest.fixture
async def lost_by_broker(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[MemoryCluster, House, House, MemoryBroker]]:
    """Two nodes of a cluster that soon believe that a node is gone."""
    monkeypatch.setattr("hub.cluster.directory.ORPHANED_SECONDS", 0.5)
    monkeypatch.setattr("hub.cluster.cluster.REFRESH_SECONDS", 0.1)
    cluster = MemoryCluster()
    first, second = MemoryBroker(cluster, TIMES), MemoryBroker(cluster, TIMES)
    async with house(joins=first, node="a") as home, house(joins=second, node="b") as other:
        yield cluster, home, other, first


async def spoken(home: House, other: House) -> list[dict[str, Any]]:
    """Have a call with two words of which both nodes know. Returns its events."""
    await home.call()
    await until(lambda: len(home.transcribers) == 1)
    for number, word in enumerate(("one", "two")):
        home.transcribers[0].final(word, end=1.0 + number)
    await until(lambda: len(events_of(home)) == 3)
    await until(lambda: (record := record_of(other)) and record.summary().utterances == 2)
    return events_of(home)


async def test_a_call_goes_on_whose_owner_died_before_it_had_told_a_broker_again_that_the_call_is_its_own(
    lost_by_broker: tuple[MemoryCluster, House, House, MemoryBroker],
) -> None:
    cluster, home, other, broker = lost_by_broker
    before = await spoken(home, other)
    logs = cluster.logs
    broker.cut()
    cluster.lose()
    cluster.logs = logs  # events are told again before whose the call is
    taken = await until(lambda: (record := record_of(other)) and not record.owner and record)
    assert taken.generation == 2
    assert events_of(other)[:3] == before
    assert (taken.topic.log.epoch, taken.live) == (before[0]["epoch"], True)


async def test_a_call_that_only_a_replica_still_has_goes_on_under_a_new_epoch_with_all_its_words(
    lost_by_broker: tuple[MemoryCluster, House, House, MemoryBroker],
) -> None:
    cluster, home, other, broker = lost_by_broker
    before = await spoken(home, other)
    subscriber = await other.open("/client")
    await subscriber.send_json({"action": "subscribe", "callSid": CALL})
    await until(lambda: (record := record_of(other)) and record.loaded)
    broker.cut()
    cluster.lose()
    taken = await until(lambda: (record := record_of(other)) and not record.owner and record)
    events = events_of(other)[:3]
    assert taken.topic.log.epoch != before[0]["epoch"], "its owner's subscribers may have seen more"
    assert [event | {"epoch": ""} for event in events] == [event | {"epoch": ""} for event in before]
    await subscriber.close()


async def test_a_call_of_which_nobody_has_the_events_goes_on_as_every_node_knows_it(
    lost_by_broker: tuple[MemoryCluster, House, House, MemoryBroker],
) -> None:
    cluster, home, other, broker = lost_by_broker
    before = await spoken(home, other)
    broker.cut()
    cluster.lose()
    taken = await until(lambda: (record := record_of(other)) and not record.owner and record)
    await other.call(stream="MZ" + "9" * 32)
    await until(lambda: len(other.transcribers) == 1)
    other.transcribers[0].final("after", end=20.0)
    await until(lambda: events_of(other)[-1].get("text") == "after")
    began, *rest = events_of(other)
    assert (began["type"], began["at"], began["offset"]) == ("call-started", before[0]["at"], 1)
    assert began["epoch"] == taken.topic.log.epoch != before[0]["epoch"]
    assert [event["type"] for event in rest].count("gap") == 2
    assert all(event["start"] == 0.0 for event in rest if event["type"] == "gap")
