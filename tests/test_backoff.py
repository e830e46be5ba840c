"""The back-off: how many attempts there are, how far apart they lie, and what ends them."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from hub import backoff
from hub.backoff import Attempts, Backoff, happens


@pytest.fixture
def no_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits as they are scheduled, without jitter."""
    monkeypatch.setattr(backoff.random, "uniform", lambda _, most: most)


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Waits take no time; the list says how long they would have been."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(backoff.asyncio, "sleep", sleep)
    return waits


async def all_of(attempts: Attempts) -> list[int]:
    return [attempt async for attempt in attempts]


async def first(attempts: Attempts, count: int) -> list[int]:
    iterator: AsyncIterator[int] = aiter(attempts)
    return [await anext(iterator) for _ in range(count)]


@pytest.mark.usefixtures("no_chance")
def test_each_wait_is_twice_the_one_before_up_to_the_longest() -> None:
    schedule = Backoff(0.25, 8.0)
    assert [schedule.wait_seconds(failures) for failures in range(1, 9)] == [0.25, 0.5, 1, 2, 4, 8, 8, 8]


def test_after_ten_thousand_failures_the_wait_is_still_the_longest() -> None:
    assert 4.0 <= Backoff(0.25, 8.0).wait_seconds(10_000) <= 8.0


def test_chance_takes_up_to_half_of_a_wait_off_and_adds_nothing() -> None:
    waits = {Backoff(1.0, 1.0).wait_seconds(1) for _ in range(500)}
    assert len(waits) > 400, "callers that failed together do not come back together"
    assert 0.5 <= min(waits) < 0.6
    assert 0.9 < max(waits) <= 1.0


@pytest.mark.usefixtures("no_chance")
async def test_the_first_attempt_does_not_wait_and_the_others_do(slept: list[float]) -> None:
    assert await all_of(Backoff(0.5, 1.5, attempts=4).until()) == [1, 2, 3, 4]
    assert slept == [0.5, 1.0, 1.5]


async def test_without_a_limit_there_is_always_another_attempt(slept: list[float]) -> None:
    assert await first(Backoff(0.5, 1.0).until(), 100) == list(range(1, 101))
    assert len(slept) == 99


@pytest.mark.usefixtures("no_chance")
async def test_no_attempt_begins_after_the_deadline_and_nobody_waits_for_it(slept: list[float]) -> None:
    """The waits take no time here, so the clock stands: a wait that would end at the deadline is allowed, a longer one is not."""
    assert await all_of(Backoff(1.0, 60.0, give_up_seconds=4.5).until()) == [1, 2, 3, 4]
    assert slept == [1.0, 2.0, 4.0]


async def test_the_deadline_counts_from_the_first_attempt_and_includes_what_the_attempts_took() -> None:
    attempts = Backoff(0.001, 0.001, give_up_seconds=0.01).until()
    assert await anext(attempts) == 1
    loop = asyncio.get_running_loop()
    late = loop.time() + 0.01
    while loop.time() < late:
        await asyncio.sleep(0)
    with pytest.raises(StopAsyncIteration):
        await anext(attempts)


async def test_an_event_that_is_set_already_leaves_no_attempt() -> None:
    event = asyncio.Event()
    event.set()
    assert await all_of(Backoff(1.0, 1.0).until(event)) == []


async def test_an_event_that_is_set_during_an_attempt_leaves_no_other() -> None:
    event = asyncio.Event()
    made = []
    async for attempt in Backoff(60.0, 60.0).until(event):
        made.append(attempt)
        event.set()
    assert made == [1]


async def test_an_event_that_is_set_during_a_wait_ends_the_wait() -> None:
    """The wait is an hour: only the event can end it before the test's own time is up."""
    event = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        iterating = group.create_task(all_of(Backoff(3600.0, 3600.0).until(event)))
        await asyncio.sleep(0)
        event.set()
    assert iterating.result() == [1]


async def test_a_wait_that_nothing_ends_is_followed_by_an_attempt() -> None:
    assert await all_of(Backoff(0.001, 0.001, attempts=3).until(asyncio.Event())) == [1, 2, 3]


async def test_an_event_that_is_awaited_happens_or_does_not() -> None:
    event = asyncio.Event()
    assert await happens(event, 0.001) is False
    event.set()
    assert await happens(event, 3600.0) is True
