"""The composition root: puts the parts together and takes them apart in the right order. The only place that picks implementations."""

import asyncio
import errno
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from hub.config import Config
from hub.counters import Counters
from hub.errors import ConfigError
from hub.exchange import Exchange
from hub.outbox import Rounds
from hub.registry import Registry
from hub.transcribers import Transcriber
from hub.transcribers.local import LocalEngine, LocalTranscriber
from hub.web import calls, client, health, twilio
from hub.web.state import STATE, State
from hub.wire.client import STOPPING
from hub.wire.twilio import StartBody

log = logging.getLogger(__name__)

GOODBYE_SECONDS = 3.0
"""How long open sockets may take to answer the hub's close when it stops."""

OpenTranscriber = Callable[[StartBody], Transcriber]


@asynccontextmanager
async def transcribers(config: Config) -> AsyncIterator[OpenTranscriber]:
    """Give what opens a transcriber for a call, and close what the transcribers share afterwards.

    Raises: ConfigError when the provider that the settings name cannot work here.
    """
    engine = LocalEngine()
    engine.check()
    try:
        yield lambda _: LocalTranscriber(engine)
    finally:
        engine.close()


@asynccontextmanager
async def running(config: Config, open_transcriber: OpenTranscriber) -> AsyncIterator[tuple[State, int]]:
    """Run a hub: listening when this is entered, drained, closed and silent when it is left.

    Gives its parts and the port it listens on. Raises: ConfigError when it cannot listen there.
    """
    loop = asyncio.get_running_loop()
    counters = Counters()
    registry = Registry(keep_seconds=config.keep_minutes * 60, clock=time.monotonic, wall=time.time, soon=loop.call_soon)
    rounds = Rounds(loop.call_later, time.monotonic)
    try:
        async with asyncio.TaskGroup() as group:
            exchange = Exchange(registry, open_transcriber, group, time.monotonic, counters)
            state = State(config, registry, exchange, rounds, counters)
            runner = web.AppRunner(application(state), access_log=None, handle_signals=False, shutdown_timeout=GOODBYE_SECONDS)
            await runner.setup()
            expiry = group.create_task(exchange.expire())
            try:
                yield state, await _listen(runner, config)
                await exchange.drain(config.drain_seconds)
            finally:
                expiry.cancel()
                for socket in list(state.sockets):
                    socket.interrupt(STOPPING, "the hub is stopping: come back with your position")
                await runner.cleanup()
    except BaseExceptionGroup as errors:
        # Calls end by themselves and raise nothing, so what comes out of the group is what the caller's own body, or the start, raised.
        raise errors.exceptions[0] from None


def application(state: State) -> web.Application:
    """Build the doors."""
    app = web.Application()
    app[STATE] = state
    app.router.add_get("/twilio", twilio.twilio)
    app.router.add_get("/client", client.client)
    app.add_routes(calls.routes)
    app.add_routes(health.routes)
    return app


async def _listen(runner: web.AppRunner, config: Config) -> int:
    site = web.TCPSite(runner, config.host, config.port, backlog=1024)
    try:
        await site.start()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigError("HUB_PORT", f"{config.port} is taken by another program: stop that one or choose another port") from error
        raise ConfigError("HUB_HOST", f"{config.host} port {config.port} cannot be listened on: {error.strerror or error}") from error
    port: int = runner.addresses[0][1]
    return port
