"""The HTTP server: a deadline for first requests, on a clock that the test sets, and a log without the peers' mistakes."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.http_exceptions import BadStatusLine

from hub.web.limits import Limits
from hub.web.server import Runner
from hub.web.unproved import Unproved


class Clock:
    """A monotonic clock that the test sets. It knows how often it was read."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.reads = 0

    def __call__(self) -> float:
        self.reads += 1
        return self.now

    async def looked(self, times: int = 2) -> None:
        """Wait until the server has looked at its connections so many times more."""
        until = self.reads + times
        while self.reads < until:
            await asyncio.sleep(0.001)


@asynccontextmanager
async def serving(limits: Limits) -> AsyncIterator[tuple[Runner, int, Clock]]:
    """Run a server with one page."""

    async def page(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    app = web.Application()
    app.router.add_get("/", page)
    clock = Clock()
    runner = Runner(app, limits, Unproved(limits.unproved_connections), goodbye_seconds=0.1, clock=clock)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with asyncio.TaskGroup() as group:
            expecting = group.create_task(runner.connections.watch())
            yield runner, runner.addresses[0][1], clock
            expecting.cancel()
    finally:
        await runner.cleanup()


def connections(runner: Runner) -> int:
    assert runner.server is not None
    return len(runner.server.connections)


async def test_a_connection_without_a_request_is_kept_until_its_deadline_and_then_aborted() -> None:
    async with serving(Limits(request_seconds=10.0, look_seconds=0.01)) as (runner, port, clock):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while not connections(runner):
            await asyncio.sleep(0.001)
        await clock.looked()
        clock.now += 9.9
        await clock.looked()
        assert connections(runner) == 1, "there is time left"
        clock.now += 0.1
        assert (await reader.read()).startswith(b"HTTP/1.1 408 ")
        writer.close()
        while connections(runner):
            await asyncio.sleep(0.001)


async def test_a_connection_that_made_a_request_has_no_such_deadline() -> None:
    async with serving(Limits(request_seconds=10.0, look_seconds=0.01)) as (runner, port, clock):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200 OK" in await reader.readuntil(b"ok")
        await clock.looked()
        clock.now += 1000.0
        await clock.looked(3)
        assert connections(runner) == 1
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200 OK" in await reader.readuntil(b"ok")
        writer.close()


async def test_a_peers_mistake_is_no_error_of_the_hub_and_is_not_quoted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving(Limits()):
        log = logging.getLogger("aiohttp.server")
        for mistake in (BadStatusLine("GET /client?token=canary"), ConnectionResetError("canary")):
            log.error("Error handling request", exc_info=mistake)
        assert "canary" not in caplog.text
        assert [line for line in caplog.records if line.levelno >= logging.WARNING] == []
        assert "is not an HTTP request: BadStatusLine" in caplog.text
        log.error("Error handling request", exc_info=RuntimeError("a bug"))
    assert "RuntimeError: a bug" in caplog.text


async def test_what_a_client_offers_as_subprotocol_is_not_logged() -> None:
    """Some clients carry their token there, and aiohttp would log it as a warning."""
    async with serving(Limits()):
        assert not logging.getLogger("aiohttp.websocket").isEnabledFor(logging.WARNING)
