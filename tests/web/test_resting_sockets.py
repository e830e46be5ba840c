"""Resting sockets: how long one rests, that many wake together, and that none rests in a hub that stops."""

import asyncio
import select
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web

from hub.audio.timeline import BLOCK_MS
from hub.web.resting_sockets import REST_SECONDS, ROUND_SECONDS, RestingSockets
from hub.web.sockets import FrameSocket
from tests.web.test_sockets import connected, serving


class Clock:
    """The two methods of an event loop that resting uses, on a time that the test sets."""

    def __init__(self, now: float) -> None:
        self.now = now
        self.timers: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[..., None], *arguments: Any) -> None:
        self.timers.append((when, lambda: callback(*arguments)))

    def fire(self) -> None:
        """Run every timer that was set."""
        timers, self.timers = self.timers, []
        for _, callback in timers:
            callback()


class Connection:
    """A connection whose reading is paused or not."""

    def __init__(self) -> None:
        self.reading = True
        self.socket: Any = SimpleNamespace(_req=SimpleNamespace(protocol=self))

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


@pytest.mark.parametrize("now", [0.0, 0.0049, 0.0051, 0.0199, 1000.0123, 123456.7891])
def test_a_socket_rests_for_most_of_a_block_and_is_read_again_before_the_next_one_can_be_complete(now: float) -> None:
    clock, connection = Clock(now), Connection()
    resting = RestingSockets(clock)  # type: ignore[arg-type]
    resting.rest(connection.socket)
    assert not connection.reading
    ((wakes_at, _),) = clock.timers
    assert wakes_at - now + 1e-6 >= REST_SECONDS - ROUND_SECONDS
    assert wakes_at - now <= REST_SECONDS + 1e-6 < BLOCK_MS / 1000
    clock.fire()
    assert connection.reading
    assert len(resting) == 0


def test_sockets_that_rest_in_one_round_share_a_timer_and_wake_together() -> None:
    clock, connections = Clock(100.006), [Connection() for _ in range(3)]
    resting = RestingSockets(clock)  # type: ignore[arg-type]
    for connection in connections:
        resting.rest(connection.socket)
        clock.now += 0.001
    clock.now += ROUND_SECONDS
    later = Connection()
    resting.rest(later.socket)
    assert (len(resting), len(clock.timers)) == (4, 2)
    _, first = clock.timers.pop(0)
    first()
    assert [connection.reading for connection in connections] == [True] * 3
    assert not later.reading
    assert len(resting) == 1


async def test_a_stopping_hub_wakes_every_socket_and_lets_none_rest_again() -> None:
    clock, connection, another = Clock(5.0), Connection(), Connection()
    resting = RestingSockets(clock)  # type: ignore[arg-type]
    resting.rest(connection.socket)
    await resting.wake_all()
    assert connection.reading
    for each in (connection, another):
        resting.rest(each.socket)
        assert each.reading
    assert len(resting) == 0
    clock.fire()  # the timer of a round that is already over finds nobody


def test_a_socket_whose_connection_is_gone_does_not_rest() -> None:
    clock = Clock(5.0)
    resting = RestingSockets(clock)  # type: ignore[arg-type]
    resting.rest(SimpleNamespace(_req=None))  # type: ignore[arg-type]
    assert (len(resting), clock.timers) == (0, [])


async def test_audio_that_arrived_during_a_rest_is_read_before_waking_returns() -> None:
    taken: list[bytes] = []
    opened: list[web.Request] = []
    may_end = asyncio.Event()
    resting = RestingSockets(asyncio.get_running_loop())

    async def door(request: web.Request) -> web.StreamResponse:
        mine = FrameSocket(lambda data, _: taken.append(bytes(data)), max_msg_size=100, close_seconds=1.0)
        await mine.prepare(request)
        resting.rest(mine)
        resting._ended = True  # no timer may wake it in this test
        opened.append(request)
        await may_end.wait()
        return mine

    async with serving(door) as port, connected(port) as peer:
        while not opened:
            await asyncio.sleep(0)
        for timer in list(resting._rounds):
            resting._rounds[-1] = resting._rounds.pop(timer)
        await peer.send_str("while it rested")
        transport = opened[0].transport
        assert transport is not None
        while not select.select([transport.get_extra_info("socket").fileno()], [], [], 0)[0]:
            await asyncio.sleep(0)
        assert taken == []
        await resting.wake_all()
        assert taken == [b"while it rested"]
        may_end.set()
