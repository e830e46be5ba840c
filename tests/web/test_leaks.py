"""What streams and calls that are over leave in memory: nothing."""

import asyncio
import gc
import tracemalloc

import pytest

from hub.calls.transcribed import TranscribedCall
from hub.calls.transcribed_stream import TranscribedStream
from hub.topics.topic import Topic
from hub.web.doors.twilio import MediaDoor
from tests.house import house, impatient
from tests.media import stop
from tests.scripted import talking
from tests.web.callers import closed, follow, talk, told


@pytest.mark.timeout(60)  # each look goes through all objects of the process
async def test_a_stream_that_is_over_keeps_nothing_in_memory_until_its_start_would_be_overdue() -> None:
    async with house(limits=impatient(start_seconds=3600.0)) as home:
        socket = await home.call()
        await socket.send_str(stop())
        assert await closed(socket) == (1000, "stop")
        home.transcribers.clear()  # a scripted transcriber keeps its call
        while any(isinstance(each, MediaDoor) and each._state is home.state for each in gc.get_objects()):
            await asyncio.sleep(0.01)
            gc.collect()


def of_calls() -> list[object]:
    """Everything alive in this process that a call is made of."""
    # By `type`, not `isinstance`: among all objects are weak references whose object is gone, and those cannot be asked.
    return [each for each in gc.get_objects() if type(each) in {TranscribedCall, TranscribedStream, Topic}]


@pytest.mark.timeout(300)  # tracing every allocation takes its time, on a busy machine above all
async def test_a_thousand_calls_leave_nothing_behind() -> None:
    async with house(on_block=talking, keep_minutes=0) as home:

        async def one(number: int) -> None:
            call, stream = f"CA{number:032d}", f"MZ{number:032d}"
            socket = await home.call(call, stream)
            subscriber = await follow(home, call)
            await talk(socket, 0, 200, stream)
            await socket.send_str(stop(call, stream))
            await told(subscriber)
            await socket.close()

        async def some(first: int, last: int) -> None:
            for number in range(first, last, 50):
                await asyncio.gather(*(one(each) for each in range(number, number + 50)))
            home.transcribers.clear()
            home.state.registry.expire()
            gc.collect()

        tasks, earlier = len(asyncio.all_tasks()), of_calls()
        others = {id(each) for each in earlier}  # of tests before this one in the same process

        async def settled() -> int:
            while len(asyncio.all_tasks()) > tasks:  # the last sockets are still saying goodbye
                await asyncio.sleep(0.01)
            gc.collect()
            return tracemalloc.get_traced_memory()[0]

        tracemalloc.start()
        await some(0, 400)
        before = await settled()
        await some(400, 1000)
        grown = await settled() - before
        tracemalloc.stop()
        assert len(home.state.registry) == 0
        assert home.state.calls.live == 0
        assert [each for each in of_calls() if id(each) not in others] == []
        assert grown < 120_000, f"{grown} bytes more after 600 calls"
