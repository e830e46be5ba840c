"""The log: offsets, positions and bounds. And those who read it inside the process, at their own pace."""

import asyncio
from contextlib import aclosing

import msgspec
import pytest

from hub.errors import Lagged
from hub.events import Dtmf, Position
from hub.topics.log import Log
from hub.topics.reading import read


def key(digit: str = "1") -> Dtmf:
    return Dtmf(call_sid="CA1", digit=digit, track="inbound")


def filled(count: int, bound_bytes: int = 1_000_000) -> Log:
    log = Log("epoch", lambda: 1000.0, bound_bytes)
    for number in range(count):
        log.append(key(str(number % 10)))
    return log


def offsets(payloads: list[bytes]) -> list[int]:
    return [msgspec.json.decode(payload)["offset"] for payload in payloads]


def test_an_event_gets_the_next_offset_the_epoch_and_the_moment() -> None:
    log = filled(1)
    event = log.append(key("2"))
    assert (event.offset, event.epoch, event.at) == (2, "epoch", "1970-01-01T00:16:40.000Z")
    assert msgspec.json.decode(log.after(1)[0]) == {
        "type": "dtmf", "callSid": "CA1", "at": event.at, "epoch": "epoch", "offset": 2, "digit": "2", "track": "inbound",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("position", "resolved"),
    [
        (None, (0, True)),
        (Position("epoch", 0), (0, True)),
        (Position("epoch", 3), (3, True)),
        (Position("epoch", 4), (0, False)),
        (Position("epoch", -1), (0, False)),
        (Position("another", 2), (0, False)),
    ],
)
def test_a_position_resolves_only_in_the_log_that_gave_it(position: Position | None, resolved: tuple[int, bool]) -> None:
    assert filled(3).resolve(position) == resolved


def test_everything_is_not_whole_once_the_oldest_is_forgotten() -> None:
    log = filled(100, bound_bytes=5000)
    assert log.first > 1
    assert log.resolve(None) == (log.first - 1, False)
    assert log.resolve(Position("epoch", log.first - 2)) == (log.first - 1, False)
    assert log.resolve(Position("epoch", log.first - 1)) == (log.first - 1, True)


def test_a_batch_has_at_least_one_payload_and_stops_when_there_is_no_room() -> None:
    log = filled(10)
    size = len(log.after(0, 1)[0])
    assert offsets(log.after(0, 1)) == [1]
    assert offsets(log.after(0, 2 * size)) == [1, 2]
    assert offsets(log.after(0, 2 * size + 1)) == [1, 2, 3]
    assert offsets(log.after(9)) == [10]
    assert log.after(10) == []


def test_the_bytes_are_counted_as_they_come_and_go() -> None:
    log = filled(100, bound_bytes=5000)
    assert log.kept_bytes <= 5000
    assert log.kept_bytes == sum(map(len, log.after(log.first - 1)))
    assert log.bytes_up_to(100) == log.total_bytes
    assert log.bytes_up_to(99) == log.total_bytes - len(log.after(99)[0])
    assert log.bytes_up_to(0) == log.total_bytes - log.kept_bytes, "what is forgotten is counted in one"


def test_a_cleared_log_keeps_nothing_and_counts_on() -> None:
    log = filled(3)
    log.clear()
    assert (log.kept_bytes, log.resolve(None)) == (0, (3, False))
    assert log.append(key()).offset == 4
    assert offsets(log.after(3)) == [4]


def test_whoever_watches_is_called_after_each_event_until_they_leave() -> None:
    log, seen = filled(0), list[int]()

    def watcher() -> None:
        seen.append(log.offset)
        if log.offset == 2:
            log.unwatch(watcher)

    log.watch(watcher)
    for _ in range(3):
        log.append(key())
    assert seen == [1, 2]
    log.unwatch(watcher)


async def test_a_reader_gets_what_is_there_and_then_what_comes() -> None:
    log, got = filled(3), list[int]()
    async with aclosing(read(log, after=1)) as batches:
        async for first, payloads in batches:
            assert offsets(payloads)[0] == first
            got += offsets(payloads)
            if log.offset < 6:
                asyncio.get_running_loop().call_soon(log.append, key())
            else:
                break
    assert got == [2, 3, 4, 5, 6]
    assert not log._watchers, "a reader that left is not called any more"


async def test_a_slow_reader_gets_batches_and_loses_nothing() -> None:
    log = filled(5)
    async with aclosing(read(log, batch_bytes=1)) as batches:
        assert (await anext(batches))[0] == 1
        for _ in range(20):  # while the reader is busy
            log.append(key())
        assert [(await anext(batches))[0] for _ in range(24)] == list(range(2, 26))


async def test_a_reader_that_the_log_overtakes_is_told_so() -> None:
    log = filled(5, bound_bytes=5000)
    async with aclosing(read(log, batch_bytes=1)) as batches:
        await anext(batches)
        for _ in range(200):
            log.append(key())
        with pytest.raises(Lagged):
            await anext(batches)
