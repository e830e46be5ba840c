"""A master that dies, of which there is a replica: its successor is found, and gets what it lacked."""

import asyncio

from hub.broker.bodies import call_topic
from hub.broker.broker import Accepted, Logged, Misplaced
from tests.broker.clusters import ServersInTest, opened
from tests.broker.conftest import program_of
from tests.broker.listening import CALL, Listener, append, claimed, new_call, node
from tests.broker.persevering import fails, fill, works
from tests.broker.servers import SentinelsInTest, ServerInTest, is_whole, running_sentinels, wait_until

TOPIC = call_topic(CALL)


async def test_sentinel_names_the_new_master(group: asyncio.TaskGroup) -> None:
    program_of("valkey")
    with running_sentinels() as servers:
        await _fail_over(servers, group)


async def _fail_over(servers: SentinelsInTest, group: asyncio.TaskGroup) -> None:
    listener = Listener()
    async with opened(servers.url, group, listener) as broker:
        await broker.beat(node("a"))
        await claimed(broker, CALL, "a")
        await broker.append([append(CALL, b"1")])
        await listener.hears(broker, TOPIC)
        with servers.master.client() as client:
            client.wait(1, 5000)
        times = listener.topics.count(TOPIC)
        servers.master.kill()
        await fails(lambda: broker.append([append(CALL, b"2", first=2)]))
        await works(lambda: broker.beat(node("a")))
        await listener.until(lambda: listener.topics.count(TOPIC) > times)
        await fill(broker, [b"1", b"2"])
        assert await broker.log(CALL) == Logged("e1", 1, 1, [b"1", b"2"])
        await listener.until(lambda: listener.messages)


async def test_a_cluster_of_which_a_master_is_killed_goes_on_with_its_replica(
    masters: list[ServerInTest], group: asyncio.TaskGroup
) -> None:
    listener = Listener()
    calls = [new_call() for _ in range(24)]
    hub = ServersInTest(group, f"valkey+cluster://127.0.0.1:{masters[0].port},127.0.0.1:{masters[1].port}")
    broker = await hub.broker(listener)
    try:
        for call_sid in calls:
            await claimed(broker, call_sid, "a")
            broker.listen(call_topic(call_sid))
        await listener.until(lambda: len(set(listener.topics)) == len(calls))
        assert await broker.append([append(each, b"1") for each in calls]) == [Accepted(1, 1)] * len(calls)
        await listener.until(lambda: len(listener.messages) == len(calls))
        masters[2].kill()
        error = await fails(lambda: broker.append([append(each, b"2", first=2) for each in calls]))
        assert error.problem
        listener.topics.clear()
        await works(lambda: broker.beat(node("a")))
        await listener.until(lambda: len(set(listener.topics)) == len(calls))

        async def filled() -> bool:
            events = [append(each, b"1", b"2") for each in calls] + [append(each, b"2", first=2) for each in calls]
            answers = [await broker.append([each]) for each in events]
            return all(isinstance(answer, Accepted | Misplaced) for (answer,) in answers)

        await works(filled)
        for call_sid in calls:
            assert await broker.log(call_sid) == Logged("e1", 1, 1, [b"1", b"2"])
    finally:
        await broker.close()
        masters[2].start()
        wait_until(lambda: all(is_whole(each) for each in masters))
