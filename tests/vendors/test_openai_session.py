"""One session on the Realtime API: how it is opened, when it is ready, when it is given up, and that it is closed at once."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.frames import Frame, Opcode

from hub.agents.voice_model import SessionSettings
from hub.errors import ProviderError
from hub.ops.counters import ProviderCounters
from hub.vendors.openai import refusals, requests, wire
from hub.vendors.openai.session import RealtimeEndpoint, RealtimeLimits, RealtimeSession
from tests.providers.fake_openai import FakeOpenAI
from tests.providers.openai_script import Model
from tests.providers.script import Script

OPENING = requests.session_update(
    SessionSettings(instructions="i", voice="marin", turn_detection="server_vad", transcription_model="gpt-transcribe")
)

READY = '{"type":"session.updated"}'

Attend = Callable[[ServerConnection], Awaitable[None]]


@dataclass
class Held:
    """A session, what it received, and the clock that it goes by."""

    session: RealtimeSession
    counters: ProviderCounters
    clock: "Clock"
    received: list[Any] = field(default_factory=list)

    @property
    def lost(self) -> list[ProviderError]:
        return [each for each in self.received if isinstance(each, ProviderError)]

    @property
    def breaking(self) -> bool:
        """Whether the connection was broken off here."""
        assert self.session._connection is not None
        return bool(self.session._connection._socket.transport.is_closing())

    async def until(self, fact: Callable[[], object]) -> None:
        while not fact():
            await asyncio.sleep(0.001)

    async def until_lost(self) -> str:
        await self.until(lambda: self.lost)
        (error,) = self.lost
        return str(error)

    async def until_ready(self) -> None:
        await self.until(lambda: any(isinstance(each, wire.SessionUpdated) for each in self.received))


class Clock:
    """Seconds that a test sets; each reading takes `step`."""

    def __init__(self, step: float = 0.0) -> None:
        self.now, self.step = 0.0, step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


@asynccontextmanager
async def held(url: str, limits: RealtimeLimits | None = None, step: float = 0.0) -> AsyncIterator[Held]:
    """Run a session until the test is over; it is closed then at the latest."""
    clock, counters = Clock(step), ProviderCounters()
    limits = limits or RealtimeLimits(again_seconds=0.01)
    it = Held(RealtimeSession(RealtimeEndpoint(url, "k"), counters, clock, "CA1", limits), counters, clock)
    async with asyncio.TaskGroup() as group:
        group.create_task(it.session.run(OPENING, it.received.append))
        yield it
        it.session.close()
    assert counters.open_sessions == 0


@asynccontextmanager
async def server(attend: Attend) -> AsyncIterator[str]:
    """A server that does what a test says; gives its address."""
    async with serve(attend, "127.0.0.1", 0, compression=None, ping_interval=None, close_timeout=0.1) as serving:
        yield f"ws://127.0.0.1:{serving.sockets[0].getsockname()[1]}"


async def ready_and_silent(socket: ServerConnection) -> None:
    await socket.send(READY)
    await socket.wait_closed()


# Ready, or not.


async def test_the_opening_is_the_first_message_and_the_handshake_is_measured_once_until_the_session_is_ready() -> None:
    came: list[str | bytes] = []

    async def attend(socket: ServerConnection) -> None:
        came.append(await socket.recv())
        it.clock.now += 0.75
        await socket.send(READY)
        await it.until_ready()
        it.clock.now += 10
        await socket.send(READY)
        await socket.send('{"type":"session.weather"}')
        await socket.wait_closed()

    async with server(attend) as url, held(url) as it:
        await it.until(lambda: None in it.received)
        assert came == [OPENING.decode()]
        assert (it.counters.handshake_seconds.total, sum(it.counters.handshake_seconds.counts)) == (0.75, 1)
        assert (it.counters.sessions, it.counters.open_sessions) == (1, 1)


async def test_a_session_that_is_not_ready_in_time_is_lost() -> None:
    async def attend(socket: ServerConnection) -> None:
        await socket.send('{"type":"session.created"}')
        await socket.wait_closed()

    async with server(attend) as url, held(url, RealtimeLimits(open_seconds=0.1)) as it:
        assert await it.until_lost() == "OpenAI did not begin the session within 0.1 s"


async def test_a_session_that_is_ready_in_time_is_not_lost_when_that_time_is_over() -> None:
    async with server(ready_and_silent) as url, held(url, RealtimeLimits(open_seconds=0.5)) as it:
        await it.until_ready()
        over = asyncio.Event()
        asyncio.get_running_loop().call_later(0.6, over.set)  # after the session's own timer, which was set before
        await over.wait()
        assert it.lost == []


async def test_an_error_before_the_session_is_ready_refuses_its_settings() -> None:
    async with FakeOpenAI(Model(error_on_update="Invalid voice.")) as fake, held(f"{fake.url}/v1/realtime?model=gpt-realtime-2.1") as it:
        assert await it.until_lost() == "OpenAI refused the agent's settings: Invalid voice."


async def test_an_error_after_that_ends_nothing_unless_it_is_one_that_does() -> None:
    async def attend(socket: ServerConnection) -> None:
        await socket.send(json.dumps({"type": "error", "error": {"code": refusals.ACTIVE_RESPONSE}}))
        await socket.send(READY)
        await socket.send(json.dumps({"type": "error", "error": {"code": "invalid_value", "message": "odd"}}))
        await socket.send("not JSON")
        await socket.send(json.dumps({"type": "error", "error": {"code": "session_expired"}}))
        await socket.send('{"type":"session.created"}')
        await socket.wait_closed()

    async with server(attend) as url, held(url) as it:
        assert "limit of 60 minutes" in await it.until_lost()
    kinds = [type(each) for each in it.received]
    assert kinds == [wire.OpenAIError, wire.SessionUpdated, wire.OpenAIError, ProviderError]


# Opening.


@pytest.mark.parametrize(("refuse", "visits"), [([503], 2), ([429], 2), ([503, 503], 2), ([401], 1), ([404], 1)])
async def test_a_session_that_is_refused_for_the_moment_is_tried_once_more_and_one_that_is_refused_for_good_is_not(
    refuse: list[int], visits: int
) -> None:
    async with FakeOpenAI(script=Script(refuse=refuse)) as fake, held(f"{fake.url}/v1/realtime?model=gpt-realtime-2.1") as it:
        await it.until(lambda: it.received)
        assert len(fake.visits) == visits
        assert bool(it.lost) == (len(refuse) == visits)
    if it.lost:
        assert it.counters.sessions == 0


async def test_a_first_try_that_took_long_is_not_followed_by_a_second() -> None:
    async with FakeOpenAI(script=Script(refuse=[503])) as fake, held(f"{fake.url}/v1/realtime?model=gpt-realtime-2.1", step=2.6) as it:
        assert "cannot open a session now (503)" in await it.until_lost()
        assert len(fake.visits) == 1


async def test_a_session_that_is_closed_while_it_opens_is_closed_when_it_has_opened_and_says_nothing() -> None:
    came: list[str | bytes] = []
    knocked, may_open = asyncio.Event(), asyncio.Event()

    async def process_request(*_: object) -> None:
        knocked.set()
        await may_open.wait()

    async def attend(socket: ServerConnection) -> None:
        came.extend([message async for message in socket])

    async with serve(attend, "127.0.0.1", 0, process_request=process_request, compression=None) as serving:
        async with held(f"ws://127.0.0.1:{serving.sockets[0].getsockname()[1]}") as it:
            await knocked.wait()
            it.session.close()
            may_open.set()
        assert (it.received, it.counters.sessions) == ([], 1)
    assert came == []


async def test_nothing_is_sent_before_the_session_is_open() -> None:
    session = RealtimeSession(RealtimeEndpoint("ws://127.0.0.1:9", "k"), ProviderCounters(), lambda: 0.0, "CA1")
    session.send(b"{}")
    session.close()
    session.close()


# A server that takes nothing any more.


@asynccontextmanager
async def stalling() -> AsyncIterator[tuple[Held, Callable[[], None]]]:
    """A session whose server has stopped reading, with its socket's buffers full; gives it, and what has the server read again."""
    sockets: list[ServerConnection] = []

    async def attend(socket: ServerConnection) -> None:
        await socket.send(READY)
        sockets.append(socket)
        await socket.wait_closed()

    async with server(attend) as url, held(url, RealtimeLimits(stalled_seconds=5.0)) as it:
        await it.until_ready()
        await it.until(lambda: sockets)
        sockets[0].transport.pause_reading()
        while it.session._stalled_at is None:
            it.session.send(b" " * 65_536)
        try:
            yield it, sockets[0].transport.resume_reading
        finally:
            sockets[0].transport.abort()


async def test_a_server_that_takes_nothing_for_too_long_is_lost() -> None:
    async with stalling() as (it, _):
        it.clock.now += 5.0
        it.session.send(b" ")
        assert not it.breaking
        it.clock.now += 0.1
        it.session.send(b" ")
        assert await it.until_lost() == "OpenAI lost the connection"


async def test_a_server_that_takes_again_what_it_is_sent_is_not_lost() -> None:
    async with stalling() as (it, resume):
        it.clock.now += 4.0
        resume()
        await it.until(lambda: it.session._connection is not None and it.session._connection.has_room)
        it.session.send(b" ")
        assert it.session._stalled_at is None
        it.clock.now += 60.0
        it.session.send(b" ")
        assert not it.breaking


# The end.


@pytest.mark.parametrize("flood", [Frame(Opcode.PING, b""), Frame(Opcode.TEXT, b'{"type":"news"}')])
async def test_a_server_that_floods_the_connection_is_lost_in_words(flood: Frame) -> None:
    async def attend(socket: ServerConnection) -> None:
        await socket.send(READY)
        while not socket.transport.is_closing():
            socket.transport.write(flood.serialize(mask=False) * 500)
            await asyncio.sleep(0)

    async with server(attend) as url, held(url) as it:
        assert await it.until_lost() == "OpenAI sent more than 500 messages a second"
    assert not it.lost[0].retryable


async def test_a_session_that_the_server_ends_is_lost_with_what_the_close_says() -> None:
    async def attend(socket: ServerConnection) -> None:
        await socket.send(READY)
        await socket.close(1001, "Your session hit the maximum duration of 60 minutes.")

    async with server(attend) as url, held(url) as it:
        assert "limit of 60 minutes" in await it.until_lost()
        it.session.close()
    assert len(it.lost) == 1


async def test_a_session_that_is_closed_receives_nothing_more_and_the_server_gets_a_normal_close() -> None:
    ends: list[tuple[int | None, str | None]] = []

    async def attend(socket: ServerConnection) -> None:
        await socket.send(READY)
        await socket.wait_closed()
        ends.append((socket.close_code, socket.close_reason))

    async with server(attend) as url:
        async with held(url) as it:
            await it.until_ready()
            it.session.close()
            it.session._received(READY.encode(), it.received.append, 0.0)
            it.session.send(b"{}")
        await it.until(lambda: ends)
    assert (len(it.received), ends) == (1, [(1000, "")])


async def test_a_session_whose_run_is_cancelled_is_closed() -> None:
    ended = asyncio.Event()

    async def attend(socket: ServerConnection) -> None:
        await ready_and_silent(socket)
        ended.set()

    async with server(attend) as url:
        clock, counters, received = Clock(), ProviderCounters(), []
        session = RealtimeSession(RealtimeEndpoint(url, "k"), counters, clock, "CA1")
        async with asyncio.TaskGroup() as group:
            running = group.create_task(session.run(OPENING, received.append))
            while not received:
                await asyncio.sleep(0.001)
            running.cancel()
        await ended.wait()
        assert (counters.open_sessions, len(received)) == (0, 1)


async def test_a_session_whose_run_was_cancelled_before_it_was_ready_reports_nothing_later() -> None:
    came, over = asyncio.Event(), asyncio.Event()

    async def attend(socket: ServerConnection) -> None:
        came.set()
        await socket.wait_closed()

    async with server(attend) as url:
        received: list[Any] = []
        limits = RealtimeLimits(open_seconds=0.2)
        session = RealtimeSession(RealtimeEndpoint(url, "k"), ProviderCounters(), Clock(), "CA1", limits)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(session.run(OPENING, received.append))
            await came.wait()
            while session._connection is None:
                await asyncio.sleep(0.001)
            running.cancel()
        asyncio.get_running_loop().call_later(0.3, over.set)  # after the session's own timer would fire
        await over.wait()
    assert received == []
