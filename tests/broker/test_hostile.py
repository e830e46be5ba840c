"""Others who write where the hub does: nothing of theirs is believed, and nothing of the hub's is lost."""

import asyncio
import random
import secrets
from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio

from hub.broker.bodies import Events, call_topic, packed
from hub.broker.broker import Accepted, Broker, BrokerError, Claimed, Logged, Misplaced
from hub.broker.valkey.keys import Keys
from hub.broker.valkey.signing import Signature
from tests.broker.clusters import SECRET, ServersInTest, opened
from tests.broker.listening import CALL, Listener, append, claimed, node, sent
from tests.broker.servers import ServerInTest


@pytest_asyncio.fixture
async def hub(valkey: ServerInTest, group: asyncio.TaskGroup) -> AsyncIterator[ServersInTest]:
    """A cluster with a prefix of its own on a server that others can write to as well."""
    made = ServersInTest(group, valkey.url)
    yield made
    for each in made.opened:
        await each.close()


async def with_a_call(hub: ServersInTest, listener: Listener | None = None) -> Broker:
    """Open a node that owns a call with two events."""
    broker = await hub.broker(listener)
    await broker.beat(node("a"))
    await claimed(broker, CALL, "a")
    await broker.append([append(CALL, b"1", b"2", note=b"note")])
    return broker


async def test_a_forged_message_is_refused_and_counted(hub: ServersInTest, valkey: ServerInTest) -> None:
    listener = Listener()
    broker = await hub.broker(listener)
    topic = call_topic(CALL)
    await listener.hears(broker, topic)
    body = packed(Events(1, 1, [b'{"text":"forged"}']))
    channel, other = Keys(hub.prefix).channel(topic), call_topic("CA9")
    forged = [body, b"", b"\0" * 16 + body, Signature("another secret").sign(topic, body), Signature(SECRET).sign(other, body)]
    with valkey.client() as client:
        for each in forged:
            assert client.publish(channel, each) == 1
    await sent(broker, topic, b"genuine")
    await listener.until(lambda: listener.messages)
    assert listener.messages == [(topic, b"genuine")]
    assert broker.refused == len(forged)


async def test_forged_news_are_refused(hub: ServersInTest, valkey: ServerInTest) -> None:
    listener = Listener()
    broker = await with_a_call(hub, listener)
    await listener.until(lambda: listener.misses)
    before = await broker.snapshot()
    channel = Keys(hub.prefix).channel("news:reg")
    with valkey.client() as client:
        for body in (b"", b"x 1 2\n", b"%b %d 5\nabcdefgh" % (before.life.encode(), before.number + 1), b"\xff" * 300):
            assert client.publish(channel, body) == 1
    await broker.register([msgspec.structs.replace(before.rows[0], number=8)], [b'{"genuine":1}'])
    await listener.until(lambda: listener.news)
    assert [(each.number, bytes(each.event)) for each in listener.news] == [(before.number + 1, b'{"genuine":1}')]
    assert broker.refused == 4


async def test_two_clusters_on_one_server_do_not_see_each_other(hub: ServersInTest, valkey: ServerInTest, group: asyncio.TaskGroup) -> None:
    listener, other = Listener(), ServersInTest(group, valkey.url)
    broker, stranger = await with_a_call(hub), await other.broker(listener, secret="another secret than the other cluster's")
    await listener.hears(stranger, call_topic(CALL))
    assert [each.id for each in await stranger.beat(node("b", secret="other", protocol=9))] == ["b"]
    assert (await stranger.snapshot()).rows == []
    assert await stranger.log(CALL) is None
    assert isinstance(await stranger.claim(CALL, "b", epoch="e", number=1), Claimed)
    assert await broker.append([append(CALL, b"3", first=3)]) == [Accepted(3, 0)]
    assert stranger.refused == broker.refused == 0
    await stranger.close()


async def test_a_node_with_another_secret_does_not_join(hub: ServersInTest) -> None:
    broker = await with_a_call(hub)
    stranger = await hub.broker(secret="another one")
    with pytest.raises(BrokerError, match="HUB_SECRET"):
        await stranger.beat(node("b", secret="another fingerprint"))
    # Even if it says that its secret is the same, it is not believed, and believes nothing.
    assert [each.id for each in await stranger.beat(node("b"))] == ["b"]
    assert [each.id for each in await broker.beat(node("a"))] == ["a"]
    assert await stranger.log(CALL) == Logged("e1", 1, 1, [])
    assert (await stranger.snapshot()).rows == []
    assert stranger.refused
    assert broker.refused


@pytest.mark.parametrize("garbage", ["text", "stream", "events", "forged events"])
async def test_what_others_write_into_a_log_is_not_read_and_the_owner_sends_all_again(
    hub: ServersInTest, valkey: ServerInTest, garbage: str
) -> None:
    broker = await with_a_call(hub)
    head, log = Keys(hub.prefix).call(CALL)
    with valkey.client() as client:
        match garbage:
            case "text":
                client.set(log, "garbage")
                client.set(head, "garbage")
            case "stream":
                client.xadd(log, {"e": b"x" * 40}, id="5-0")
            case "events":
                client.delete(log)
                client.xadd(log, {"e": b"?"}, id="0-1")
                client.xadd(log, {"some": b"thing", "else": b""}, id="0-9")
            case _:
                client.xadd(log, {"e": Signature("other").sign(f"log {CALL} e1 3", b"3")}, id="0-3")
    logged = await broker.log(CALL)
    assert logged is None or logged.payloads in ([b"1", b"2"], [])
    (answer,) = await broker.append([append(CALL, b"3", first=3)])
    if isinstance(answer, Misplaced):
        assert answer == Misplaced(0)
        assert await broker.append([append(CALL, b"1", b"2", b"3", note=b"note")]) == [Accepted(3, 0)]
    assert await broker.log(CALL) == Logged("e1", 1, 1, [b"1", b"2", b"3"], b"note")
    assert broker.refused


@pytest.mark.parametrize("gone", ["head", "log", "both"])
async def test_a_log_of_which_something_is_gone_is_sent_again(hub: ServersInTest, valkey: ServerInTest, gone: str) -> None:
    """A server that throws keys away, or somebody who deletes them."""
    broker = await with_a_call(hub)
    head, log = Keys(hub.prefix).call(CALL)
    with valkey.client() as client:
        client.delete(*{"head": [head], "log": [log], "both": [head, log]}[gone])
    assert await broker.append([append(CALL, b"3", first=3)]) == [Misplaced(0)]
    assert await broker.append([append(CALL, b"1", b"2", b"3", note=b"note")]) == [Accepted(3, 0)]
    assert await broker.log(CALL) == Logged("e1", 1, 1, [b"1", b"2", b"3"], b"note")


async def test_what_others_write_into_the_registry_is_removed_and_everything_is_registered_again(
    hub: ServersInTest, valkey: ServerInTest
) -> None:
    listener = Listener()
    broker = await with_a_call(hub, listener)
    row = (await broker.snapshot()).rows[0]
    for key in Keys(hub.prefix).registry:
        with valkey.client() as client:
            client.delete(key)
            client.set(key, "garbage")
        misses = listener.misses
        assert await broker.register([row], [b'{"again":1}']) == [True]
        assert isinstance(await broker.claim("CA5", "a", epoch="e", number=1, agents_at_most=1), Claimed)
        await broker.beat(node("a"))
        await listener.until(lambda misses=misses: listener.misses > misses)
        assert row in (await broker.snapshot()).rows
    assert broker.refused


async def test_rows_and_nodes_that_others_write_are_not_believed(hub: ServersInTest, valkey: ServerInTest) -> None:
    broker = await with_a_call(hub)
    state, rows, nodes, leases, *_ = Keys(hub.prefix).registry
    with valkey.client() as client:
        client.hset(rows, "CA8", "1 a 1 0 \nforged")
        client.hset(rows, "CA9", "garbage")
        client.hset(nodes, "evil", b"1 fingerprint\n" + b"\0" * 16 + msgspec.json.encode(node("evil")))
        client.zadd(leases, {"evil": 9e15, "unknown": 9e15})
        client.hset(state, "number", 500)
    assert [row.call_sid for row in (await broker.snapshot()).rows] == [CALL]
    assert [each.id for each in await broker.beat(node("a"))] == ["a"]
    assert isinstance(await broker.claim("CA9", "a", epoch="e", number=1), Claimed)
    assert broker.refused


async def test_any_garbage_on_any_channel_or_key_breaks_nothing(hub: ServersInTest, valkey: ServerInTest) -> None:
    """Random bytes, for as many messages as there are turns, into everything that a hub reads."""
    listener = Listener()
    broker = await with_a_call(hub, listener)
    await listener.hears(broker, call_topic(CALL))
    row = (await broker.snapshot()).rows[0]
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    keys = Keys(hub.prefix)
    with valkey.client() as client:
        for _ in range(60):
            body = dice.randbytes(dice.randrange(80))
            client.publish(dice.choice([keys.channel(call_topic(CALL)), keys.channel("news:reg")]), body)
            key = dice.choice([*keys.registry, *keys.call(CALL)])
            client.delete(key)
            match dice.randrange(4):
                case 0:
                    client.set(key, body)
                case 1:
                    client.hset(key, dice.choice(["life", "number", CALL, "generation", "newest", "epoch"]), body)
                case 2:
                    client.zadd(key, {body: dice.random()})
                case _:
                    client.xadd(key, {body: body})
            await broker.beat(node("a"))
            await broker.log(CALL)
            await broker.lost()
            await broker.append([append(CALL, b"1", b"2")])
            await broker.claim(CALL, "a", epoch="e1", number=7)
            await broker.snapshot()
            await broker.register([row], [None])
    assert listener.messages == [(call_topic(CALL), packed(Events(1, 1, [b"1", b"2"])))] * len(listener.messages)


async def test_an_answer_that_is_lost_changes_nothing_twice(hub: ServersInTest) -> None:
    """An owner that does not know whether its events were taken sends them once more."""
    broker = await with_a_call(hub)
    assert await broker.append([append(CALL, b"3", first=3)]) == [Accepted(3, 0)]
    assert await broker.append([append(CALL, b"3", first=3)]) == [Misplaced(3)]


async def test_commands_that_are_cancelled_at_any_moment_leave_the_broker_usable(hub: ServersInTest) -> None:
    broker = await with_a_call(hub)
    for turns in range(40):
        task = asyncio.get_running_loop().create_task(broker.append([append(CALL, b"x" * 2000, first=3)]))
        for _ in range(turns % 12):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert (await broker.log(CALL, 1)) is not None
    assert broker.trouble == ""


async def test_a_topic_is_not_heard_by_a_node_of_another_prefix(valkey: ServerInTest, group: asyncio.TaskGroup) -> None:
    first, second = Listener(), Listener()
    async with (
        opened(f"{valkey.url}?prefix=one", group, first) as one,
        opened(f"{valkey.url}?prefix=one-more", group, second) as other,
    ):
        await first.hears(one, "node:x")
        await second.hears(other, "node:x")
        assert await sent(one, "node:x", b"hello") == 1
        await first.until(lambda: first.messages)
        assert second.messages == []
