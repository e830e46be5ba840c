"""News are told in order, each once, whatever is lost, doubled or late: messages, a stream of them, beats, and snapshots."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hypothesis import given, settings
from hypothesis import strategies as st

from hub.broker.broker import BrokerError, News, Row
from hub.broker.valkey.news import Chapter, NewsReading
from tests.broker.listening import CALL, Listener

LIFE = "life"


def news(number: int) -> News:
    return News(number=number, row=Row(call_sid=CALL, owner="a", generation=1, epoch="e", number=1))


class Stream:
    """What a server keeps: it can forget its oldest news, all of them, or be away."""

    def __init__(self) -> None:
        self.life = LIFE
        self.newest = 0
        self.kept: dict[int, News | None] = {}
        self.away = False
        self.reads = 0

    def add(self, written: News | None = None) -> News:
        self.newest += 1
        self.kept[self.newest] = written or news(self.newest)
        return news(self.newest)

    async def read(self, after: int) -> Chapter:
        self.reads += 1
        await asyncio.sleep(0)
        if self.away:
            raise BrokerError("is away")
        return Chapter(self.life, self.newest, [(number, each) for number, each in self.kept.items() if number > after][:3])


@asynccontextmanager
async def reading(stream: Stream) -> AsyncIterator[tuple[NewsReading, Listener]]:
    """Read from where the stream is now."""
    listener = Listener()
    made = NewsReading(listener, stream.read)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(made.run())
        made.begin(stream.life, stream.newest)
        yield made, listener
        running.cancel()


async def idle() -> None:
    """Let everything happen that can."""
    for _ in range(50):
        await asyncio.sleep(0)


def numbers(listener: Listener) -> list[int]:
    return [each.number for each in listener.news]


async def test_nothing_is_told_before_the_first_snapshot() -> None:
    listener = Listener()
    made = NewsReading(listener, Stream().read)
    made.take(LIFE, news(1))
    made.seen(LIFE, 5)
    made.begun()
    assert (listener.news, listener.misses) == ([], 1)


async def test_messages_in_order_are_told_without_reading_the_stream() -> None:
    stream = Stream()
    async with reading(stream) as (made, listener):
        await idle()
        reads = stream.reads
        for _ in range(3):
            made.take(LIFE, stream.add())
        await idle()
        assert numbers(listener) == [1, 2, 3]
        assert stream.reads == reads


async def test_what_a_jump_left_out_is_read_from_the_stream() -> None:
    stream = Stream()
    async with reading(stream) as (made, listener):
        await idle()
        stream.add()
        made.take(LIFE, stream.add())
        await idle()
        made.take(LIFE, news(1))  # late
        assert numbers(listener) == [1, 2]
        assert listener.misses == 0


async def test_a_beat_that_knows_more_has_the_stream_read() -> None:
    stream = Stream()
    async with reading(stream) as (made, listener):
        await idle()
        for _ in range(7):
            stream.add()
        made.seen(LIFE, stream.newest)
        await idle()
        assert numbers(listener) == [1, 2, 3, 4, 5, 6, 7]


async def test_news_that_the_stream_has_not_any_more_are_missed() -> None:
    for forgotten in ([1], [1, 2]):
        stream = Stream()
        async with reading(stream) as (made, listener):
            await idle()
            stream.add(), stream.add()
            for number in forgotten:
                del stream.kept[number]
            made.seen(LIFE, 2)
            await idle()
            assert (numbers(listener), listener.misses) == ([], 1)
            made.take(LIFE, stream.add())
            await idle()
            assert numbers(listener) == []
            made.begin(LIFE, 3)
            made.take(LIFE, stream.add())
            await idle()
            assert numbers(listener) == [4]


async def test_another_life_is_missed_however_it_is_noticed() -> None:
    for notice in ("beat", "message", "stream"):
        stream = Stream()
        async with reading(stream) as (made, listener):
            await idle()
            stream.life = "another"
            if notice == "beat":
                made.seen("another", 0)
            elif notice == "message":
                made.take("another", stream.add())
            else:
                stream.add()
                made.begun()
            await idle()
            assert (numbers(listener), listener.misses) == ([], 1)


async def test_what_no_node_wrote_is_missed_and_not_told() -> None:
    stream = Stream()
    async with reading(stream) as (made, listener):
        await idle()
        stream.add()
        stream.newest = 2
        stream.kept[2] = None
        made.seen(LIFE, 2)
        await idle()
        assert (numbers(listener), listener.misses) == ([1], 1)


async def test_nothing_is_told_while_a_snapshot_is_read_and_everything_behind_it_afterwards() -> None:
    stream = Stream()
    async with reading(stream) as (made, listener):
        await idle()
        with made.snapshot():
            for _ in range(4):
                made.take(LIFE, stream.add())
            await idle()
            assert numbers(listener) == []
            made.begin(LIFE, 2)
        assert numbers(listener) == []  # whoever awaits the snapshot takes it in first
        await idle()
        assert numbers(listener) == [3, 4]


async def test_a_server_that_is_away_is_read_after_the_next_hint() -> None:
    stream = Stream()
    async with reading(stream) as (made, listener):
        await idle()
        stream.add()
        stream.away = True
        made.seen(LIFE, 1)
        await idle()
        stream.away = False
        made.seen(LIFE, 1)
        await idle()
        assert numbers(listener) == [1]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["told", "lost", "late", "beat", "turn", "snapshot"]), st.integers(0, 3)), max_size=40))
def test_any_loss_and_order_of_messages_tells_each_news_once_in_order(steps: list[tuple[str, int]]) -> None:
    async def follow() -> None:
        stream, late = Stream(), []
        async with reading(stream) as (made, listener):
            for step, turns in steps:
                match step:
                    case "told":
                        made.take(LIFE, stream.add())
                    case "lost":
                        stream.add()
                    case "late":
                        late.append(stream.add())
                    case "beat":
                        made.seen(LIFE, stream.newest)
                    case "snapshot":
                        made.begun()
                    case _:
                        for each in late:
                            made.take(LIFE, each)
                for _ in range(turns):
                    await asyncio.sleep(0)
            made.seen(LIFE, stream.newest)
            await idle()
            assert numbers(listener) == list(range(1, stream.newest + 1))

    asyncio.run(follow())
