"""The composition root: puts the parts together and takes them apart in the right order. The only place that picks implementations."""

import asyncio
import errno
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import get_args

from aiohttp import web

from hub.agents.webhooks import Webhooks
from hub.audio.g711 import Track
from hub.calls.calls import Calls
from hub.calls.journal import Journal
from hub.calls.routing import Routing
from hub.config import KEYS, Config, Provider
from hub.errors import ConfigError
from hub.ops.counters import Counters
from hub.topics.outbox import Rounds
from hub.topics.registry import Registry
from hub.transcribers.fallback import Fallback, Refusing
from hub.transcribers.transcriber import Transcriber
from hub.twilio.media import StartBody
from hub.twilio.rest import Account
from hub.vendors.assemblyai import wire as assemblyai_wire
from hub.vendors.assemblyai.transcriber import AssemblyAI, AssemblyAITracks
from hub.vendors.deepgram import wire as deepgram_wire
from hub.vendors.deepgram.transcriber import Deepgram
from hub.vendors.moonshine.transcriber import LocalEngine, LocalTranscriber
from hub.web import agent, asyncapi, calls, client, dashboard, docs, health, metrics, status, twilio, twiml
from hub.web.protocol import STOPPING
from hub.web.server import Runner
from hub.web.sockets import Rests
from hub.web.state import STATE, State
from hub.web.tls import Certificate

log = logging.getLogger(__name__)

GOODBYE_SECONDS = 3.0
"""How long open sockets may take to answer the hub's close when it stops."""

OpenTranscriber = Callable[[StartBody], Transcriber]


class Transcribers:
    """Opens a transcriber for each call, by the settings and by what the call's <Parameter>s ask for."""

    def __init__(self, config: Config, counters: Counters) -> None:
        """Raises: ConfigError when the provider that the settings name cannot work here."""
        self._config = config
        self._counters = counters
        self._engine = LocalEngine()
        for provider in dict.fromkeys((config.provider, config.fallback or config.provider)):
            counters.providers[provider]  # shows in the metrics before the first call does
            if provider == "local":
                self._engine.check()
            else:
                self._remote(provider, None, ())  # its address and options are right, or this says what is wrong

    def open(self, start: StartBody) -> Transcriber:
        """Open the transcriber of one call."""
        wanted = {name: str(value).strip() for name, value in start.custom_parameters.items()}
        language = wanted.get("language") or None
        keyterms = tuple(term.strip() for term in wanted.get("keyterms", "").split(",") if term.strip())
        asked = wanted.get("transcriber") or self._config.provider
        own, fallback = self._config.provider, self._config.fallback
        if asked in get_args(Provider) and (asked not in KEYS or self._config.key(asked)):
            second = fallback if fallback and fallback != asked else None
            return Fallback(
                self._of(asked, language, keyterms), (lambda: self._of(second, language, keyterms)) if second is not None else None
            )
        problem = f"is not set up on this hub: {KEYS[asked]} is missing" if asked in KEYS else "is no transcriber of this hub"
        return Fallback(Refusing(asked[:20], problem), lambda: self._of(own, language, keyterms))

    def close(self) -> None:
        """Free what the calls shared."""
        self._engine.close()

    def _of(self, provider: str, language: str | None, keyterms: tuple[str, ...]) -> Transcriber:
        if provider == "local":
            return LocalTranscriber(self._engine, self._counters.providers[provider])
        return self._remote(provider, language, keyterms)

    def _remote(self, provider: str, language: str | None, keyterms: tuple[str, ...]) -> Transcriber:
        config, counters = self._config, self._counters.providers[provider]
        if provider == "deepgram":
            url = deepgram_wire.listen_url(
                config.deepgram_url, model=config.deepgram_model, language=language, keyterms=keyterms, options=config.deepgram_options
            )
            return Deepgram(url, config.deepgram_key, config.deepgram_model, time.monotonic, counters)
        url = assemblyai_wire.stream_url(
            config.assemblyai_url, model=config.assemblyai_model, language=language, keyterms=keyterms, options=config.assemblyai_options
        )

        def session(track: Track | None) -> AssemblyAI:
            return AssemblyAI(url, config.assemblyai_key, config.assemblyai_model, track, time.monotonic, counters)

        return session(None) if config.assemblyai_channels == "mixed" else AssemblyAITracks(session("inbound"), session("outbound"))


async def drain(state: State, seconds: float) -> None:
    """Take no new call, hear all that has come of those that live, let them end for so long, then end them."""
    await state.rests.end()
    await state.calls.drain(seconds)


@asynccontextmanager
async def running(config: Config, open_transcriber: OpenTranscriber | None = None) -> AsyncIterator[tuple[State, int]]:
    """Run a hub: listening when this is entered, drained, closed and silent when it is left.

    Gives its parts and the port it listens on. `open_transcriber` is for tests; without it the settings decide. Raises: ConfigError when
    it cannot listen there, or cannot transcribe as told.
    """
    loop = asyncio.get_running_loop()
    counters = Counters()
    certificate = Certificate(config.tls_cert, config.tls_key) if config.tls_cert else None
    transcribers = Transcribers(config, counters) if open_transcriber is None else None
    open_transcriber = open_transcriber or (transcribers.open if transcribers else None)
    assert open_transcriber is not None
    account = Account(config) if config.twilio_account else None
    journal = Journal(Path(config.journal), time.time) if config.journal else None
    registry = Registry(keep_seconds=config.keep_minutes * 60, clock=time.monotonic, wall=time.time, soon=loop.call_soon)
    rounds = Rounds(loop.call_later, time.monotonic)
    try:
        async with Webhooks() as webhooks, asyncio.TaskGroup() as group:
            calls = Calls(registry, open_transcriber, group, time.monotonic, counters, account, journal)
            routing = Routing(config, calls, registry, counters, webhooks, account)
            state = State(config, registry, calls, rounds, Rests(loop), counters, routing)
            runner = Runner(application(state), goodbye_seconds=GOODBYE_SECONDS)
            await runner.setup()
            chores = [
                group.create_task(calls.expire()),
                group.create_task(runner.expect_requests(time.monotonic)),
                group.create_task(metrics.feel_lag(counters.lag_seconds, loop.time)),
            ]
            if certificate is not None:
                chores.append(group.create_task(certificate.renew()))
            try:
                calls.recover()
                port = await _listen(runner, config, certificate)
                if account is not None:
                    account.listening.set()
                yield state, port
                await drain(state, config.drain_seconds)
            finally:
                for chore in chores:
                    chore.cancel()
                for socket in list(state.sockets):
                    socket.interrupt(STOPPING, "the hub is stopping: come back with your position")
                await runner.cleanup()
    except BaseExceptionGroup as errors:
        # Calls end by themselves and raise nothing, so what comes out of the group is what the caller's own body, or the start, raised.
        raise errors.exceptions[0] from None
    finally:
        if account is not None:
            await account.close()
        if journal is not None:
            journal.close()
        if transcribers is not None:
            transcribers.close()


def application(state: State) -> web.Application:
    """Build the doors."""
    app = web.Application()
    app[STATE] = state
    app.router.add_get("/twilio", twilio.twilio)
    app.add_routes(twiml.routes)
    app.add_routes(status.routes)
    app.router.add_get("/client", client.client)
    app.add_routes(agent.routes)
    app.add_routes(calls.routes)
    app.add_routes(health.routes)
    app.add_routes(metrics.routes)
    app.add_routes(dashboard.routes)
    app.add_routes(docs.routes)
    app.router.add_get("/asyncapi.json", asyncapi.serve)
    return app


async def _listen(runner: web.AppRunner, config: Config, certificate: Certificate | None) -> int:
    tls = certificate.context if certificate is not None else None
    site = web.TCPSite(runner, config.host, config.port, backlog=1024, ssl_context=tls)
    try:
        await site.start()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigError("HUB_PORT", f"{config.port} is taken by another program: stop that one or choose another port") from error
        raise ConfigError("HUB_HOST", f"{config.host} port {config.port} cannot be listened on: {error.strerror or error}") from error
    port: int = runner.addresses[0][1]
    return port
