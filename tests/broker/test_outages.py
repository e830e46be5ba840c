"""Servers that are killed, stopped, full, read-only or replaced: the hub is told quickly, in words, and all works again afterwards."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
from msgspec.structs import replace

from hub.broker.bodies import Events, call_topic, packed
from hub.broker.broker import Accepted, Broker, Claimed, Held, HoldTimes, Logged, Row
from tests.broker.clusters import ServersInTest, opened
from tests.broker.conftest import program_of
from tests.broker.listening import CALL, Listener, append, claimed, happens, node, sent
from tests.broker.persevering import fails, fill, works
from tests.broker.servers import ServerInTest, running_server

TOPIC = call_topic(CALL)


@pytest.fixture
def server() -> Iterator[ServerInTest]:
    """A server that forgets everything when it is killed."""
    with running_server(program_of("valkey")) as running:
        yield running


@pytest_asyncio.fixture
async def hub(server: ServerInTest, group: asyncio.TaskGroup) -> AsyncIterator[ServersInTest]:
    """A cluster on that server."""
    made = ServersInTest(group, server.url)
    yield made
    for each in made.opened:
        await each.close()


async def test_a_server_that_is_killed_and_forgets_is_filled_again_by_the_owner(hub: ServersInTest, server: ServerInTest) -> None:
    listener, reading = Listener(), Listener()
    owner, reader = await hub.broker(listener), await hub.broker(reading)
    await reading.hears(reader, TOPIC)
    await owner.beat(node("a"))
    row = await claimed(owner, CALL, "a")
    life = (await reader.snapshot()).life
    await owner.snapshot()
    payloads = [b"1", b"2", b"3"]
    await owner.append([append(CALL, *payloads)])
    server.kill()
    error = await fails(lambda: owner.append([append(CALL, b"4", first=4)]))
    assert "cannot be reached" in error.problem
    assert owner.trouble == error.problem
    times = reading.topics.count(TOPIC)
    misses = reading.misses
    server.start()
    await works(lambda: owner.beat(node("a")))
    await works(lambda: reader.beat(node("b")))
    await reading.until(lambda: reading.topics.count(TOPIC) > times and reading.misses > misses)
    assert (await reader.snapshot()).life != life
    assert await owner.register([row], [None]) == [True]
    await reading.until(lambda: reading.news)
    await fill(owner, [*payloads, b"4"])
    await reading.until(lambda: (TOPIC, packed(Events(1, 1, [b"1", b"2", b"3", b"4"]))) in reading.messages)
    assert await reader.log(CALL) == Logged("e1", 1, 1, [b"1", b"2", b"3", b"4"])
    await listener.until(lambda: not owner.trouble)


async def test_a_server_with_an_append_only_file_has_everything_after_a_kill(group: asyncio.TaskGroup) -> None:
    with running_server(program_of("valkey"), appendonly="yes", appendfsync="always") as server:
        listener = Listener()
        async with opened(server.url, group, listener) as broker:
            await broker.beat(node("a"))
            row = await claimed(broker, CALL, "a")
            before = await broker.snapshot()
            await broker.append([append(CALL, b"1", b"2", note=b"note")])
            server.restart()
            await works(lambda: broker.beat(node("a")))
            after = await broker.snapshot()
            assert (after.life, after.rows) == (before.life, [row])
            assert await broker.log(CALL) == Logged("e1", 1, 1, [b"1", b"2"], b"note")
            assert await broker.append([append(CALL, b"3", first=3)]) == [Accepted(3, 0)]
            await broker.register([row], [b'{"next":1}'])
            await listener.until(lambda: listener.news)
            assert listener.news[-1].number == before.number + 1


@pytest.mark.parametrize("comes_back", [False, True])
async def test_of_an_owner_that_does_not_come_back_after_an_outage_it_is_known(group: asyncio.TaskGroup, comes_back: bool) -> None:
    """It may have told events meanwhile that the broker lacks."""
    times = HoldTimes(lease_seconds=1.0, steady_seconds=0.0)
    with running_server(program_of("valkey"), appendonly="yes", appendfsync="always") as server:
        cluster = ServersInTest(group, server.url)
        owner, watcher = await cluster.broker(times=times), await cluster.broker(times=times)
        await owner.beat(node("a"))
        row = await claimed(owner, CALL, "a")
        await watcher.beat(node("b"))
        server.kill()
        await fails(lambda: watcher.beat(node("b")))
        server.start()
        await works(lambda: watcher.beat(node("b")))
        if comes_back:
            await works(lambda: owner.beat(node("a")))

        async def is_claimed() -> Any:
            await watcher.beat(node("b"))
            claim = await watcher.claim(CALL, "b", epoch="e", number=1)
            return claim if isinstance(claim, Claimed) else None

        claim = await happens(is_claimed)
        assert claim == Claimed(replace(row, owner="b", generation=2), previous="a", broker_was_away=not comes_back)
        for each in cluster.opened:
            await each.close()


async def test_news_that_were_missed_are_read_from_the_stream(hub: ServersInTest, server: ServerInTest) -> None:
    """The server drops the listening connection, as when its output buffer overruns: news come meanwhile."""
    listener = Listener()
    owner, reader = await hub.broker(), await hub.broker(listener)
    row = await claimed(owner, CALL, "a")
    before = await reader.snapshot()
    await listener.hears(reader, "node:b")
    for turn in range(5):
        with server.client() as client:
            client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        for count in range(4):
            await owner.register([row], [b'{"count":%d}' % (4 * turn + count)])
        times = listener.topics.count("node:b")
        await listener.until(lambda times=times: listener.topics.count("node:b") > times)
    await listener.until(lambda: len(listener.news) == 20)
    assert [each.number for each in listener.news] == list(range(before.number + 1, before.number + 21))
    assert listener.misses <= 1


@pytest.mark.parametrize("hint", ["beat", "message"])
async def test_news_of_which_the_message_was_lost_are_read_after_all(hub: ServersInTest, server: ServerInTest, hint: str) -> None:
    """The connection stays, and only a message is lost. The next beat says that there is more, and so does the next message."""
    listener = Listener()
    broker = await hub.broker(listener)
    row, number = await following(broker, listener)
    with server.client() as client:
        # What a script of the hub does, but for the message.
        (_, fields), *_ = client.xrevrange(f"{{{hub.prefix}:reg}}:news", count=1)
        client.hincrby(f"{{{hub.prefix}:reg}}:state", "number", 1)
        client.xadd(f"{{{hub.prefix}:reg}}:news", {b"r": fields[b"r"], b"e": b""}, id=f"0-{number + 1}")
    if hint == "beat":
        await broker.beat(node("a"))
    else:
        await broker.register([row], [b"{}"])
    await listener.until(lambda: listener.news)
    assert (listener.news[0].number, listener.news[0].row) == (number + 1, row)


@pytest.mark.parametrize("kept", [True, False])
async def test_news_that_the_stream_has_forgotten_are_missed(hub: ServersInTest, server: ServerInTest, kept: bool) -> None:
    listener = Listener()
    broker = await hub.broker(listener)
    row, _ = await following(broker, listener)
    misses = listener.misses
    with server.client() as client:
        client.delete(f"{{{hub.prefix}:reg}}:news")
        client.hincrby(f"{{{hub.prefix}:reg}}:state", "number", 3)
    if kept:
        await broker.register([row], [b"{}"])
    else:
        await broker.beat(node("a"))
    await listener.until(lambda: listener.misses > misses)
    assert listener.news == []


async def following(broker: Broker, listener: Listener) -> tuple[Row, int]:
    """Bring a node to where it has all news. Returns the row of its call, and the number of the newest news."""
    await broker.beat(node("a"))
    row = await claimed(broker, CALL, "a")
    await listener.until(lambda: listener.misses)
    return row, (await broker.snapshot()).number


async def test_a_server_that_stops_is_noticed_and_costs_no_living_node_its_calls(hub: ServersInTest, server: ServerInTest) -> None:
    """SIGSTOP for longer than a lease. Owner and watcher come back in any order: nobody takes over from the living."""
    listener = Listener()
    times = HoldTimes(lease_seconds=1.5, steady_seconds=1.0)
    owner, watcher = await hub.broker(times=times), await hub.broker(listener, times=times)
    await owner.beat(node("a"))
    await watcher.beat(node("b"))
    row = await claimed(owner, CALL, "a")
    await listener.hears(watcher, TOPIC)
    server.freeze()
    error = await fails(lambda: watcher.beat(node("b")))
    assert "does not answer" in error.problem
    times_heard = listener.topics.count(TOPIC)
    await asyncio.sleep(2.0)  # with the two seconds before, longer than a lease, and than the silence that is taken for an end
    server.thaw()
    await works(lambda: watcher.beat(node("b")))
    assert await watcher.lost() == []
    assert (await watcher.claim(CALL, "b", epoch="e", number=1)) != Claimed(row)
    await works(lambda: owner.beat(node("a")))
    await listener.until(lambda: listener.topics.count(TOPIC) > times_heard)
    assert (await watcher.snapshot()).rows == [row]
    await sent(owner, TOPIC, b"again")
    await listener.until(lambda: (TOPIC, b"again") in listener.messages)
    await happens(lambda: answer(not watcher.trouble))


async def test_a_server_that_forgets_between_two_beats_costs_no_living_node_its_calls(hub: ServersInTest, server: ServerInTest) -> None:
    """It is back before the watcher has beaten again. The owner has told it its calls, and has not beaten either."""
    times = HoldTimes(steady_seconds=0.5)
    owner, watcher = await hub.broker(times=times), await hub.broker(times=times)
    await owner.beat(node("a"))
    row = await claimed(owner, CALL, "a")
    await watcher.beat(node("b"))
    await asyncio.sleep(0.6)  # its beats are steady now
    await watcher.beat(node("b"))
    server.restart()
    for broker in (owner, watcher):
        await works(lambda broker=broker: broker.snapshot())
    await owner.register([row], [None])
    assert await watcher.lost() == []
    await watcher.beat(node("b"))
    assert await watcher.lost() == []
    assert await watcher.claim(CALL, "b", epoch="e", number=1) == Held(row)


async def test_a_full_server_refuses_in_words_and_works_when_it_has_room(hub: ServersInTest, server: ServerInTest) -> None:
    broker = await hub.broker()
    await broker.beat(node("a"))
    await claimed(broker, CALL, "a")
    await broker.append([append(CALL, b"1")])
    with server.client() as client:
        client.config_set("maxmemory", "1")
    error = await fails(lambda: broker.append([append(CALL, b"2", first=2)]))
    assert "is full" in error.problem
    assert "is full" in broker.trouble
    await fails(lambda: broker.beat(node("a")))
    assert await broker.log(CALL) == Logged("e1", 1, 1, [b"1"])
    assert "is full" in broker.trouble  # reading does not say that it can be written again
    with server.client() as client:
        client.config_set("maxmemory", "0")
    assert await broker.append([append(CALL, b"2", first=2)]) == [Accepted(2, 0)]
    assert broker.trouble == ""


async def test_a_master_that_becomes_a_replica_is_refused_in_words(hub: ServersInTest, server: ServerInTest) -> None:
    broker = await hub.broker()
    await broker.beat(node("a"))
    with server.client() as client:
        client.replicaof("127.0.0.1", "1")
    error = await fails(lambda: broker.beat(node("a")))
    assert "read-only replica" in error.problem
    with server.client() as client:
        client.replicaof("NO", "ONE")
    await works(lambda: broker.beat(node("a")))
    assert broker.trouble == ""


async def test_scripts_that_the_server_forgot_are_sent_again(hub: ServersInTest, server: ServerInTest) -> None:
    broker = await hub.broker()
    await claimed(broker, CALL, "a")
    for first in range(1, 4):
        with server.client() as client:
            client.script_flush()
        assert await broker.append([append(CALL, b"x", first=first)]) == [Accepted(first, 0)]
    assert broker.trouble == ""


async def test_a_broker_that_is_closed_leaves_nothing_open(server: ServerInTest, group: asyncio.TaskGroup) -> None:
    async def nothing_is_connected() -> bool:
        with server.client() as client:
            return len(client.client_list()) == 1  # this client

    for turns in range(12):
        async with opened(server.url, group) as broker:
            broker.listen(TOPIC)
            for _ in range(turns):
                await asyncio.sleep(0)
    await happens(nothing_is_connected)
    assert not [each for each in asyncio.all_tasks() if "TopicListener" in repr(each)]


async def test_a_broker_is_closed_while_its_server_does_not_answer(server: ServerInTest, group: asyncio.TaskGroup) -> None:
    async with opened(server.url, group) as broker:
        await broker.beat(node("a"))
        server.freeze()
        async with asyncio.TaskGroup() as asking:
            asking.create_task(fails(lambda: broker.append([append(CALL, b"1")])))
            await asyncio.sleep(0.1)
            await broker.close()
    server.thaw()


async def test_every_event_is_delivered_once_and_in_order_however_often_the_server_is_killed(
    hub: ServersInTest, server: ServerInTest
) -> None:
    """A reader that reads on from the log at each `subscribed`, as replicas do, has what the owner has. Ten kills, without persistence."""
    read: list[bytes] = []
    listener = Listener()
    owner, reader = await hub.broker(), await hub.broker(listener)
    await listener.hears(reader, TOPIC)
    await works(lambda: claimed(owner, CALL, "a"))
    payloads: list[bytes] = []
    for _ in range(10):
        for _ in range(20):
            payloads.append(b"%d" % len(payloads))
            await fill(owner, payloads)
        server.restart()
    await fill(owner, payloads)

    async def caught_up() -> bool:
        logged = await reader.log(CALL, len(read))
        if logged is not None and logged.first == len(read) + 1:
            read.extend(logged.payloads)
        return len(read) == len(payloads)

    await works(caught_up)
    assert read == payloads


async def answer(fact: bool) -> bool:
    return fact
