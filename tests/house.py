"""A running hub inside the test's own event loop: real sockets, scripted transcribers unless a test asks for real ones."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import aiohttp

from hub.app import running
from hub.broker.broker import Broker
from hub.calls.admission import AdmissionLimits
from hub.calls.call_context import DEADLINES, Deadlines
from hub.transcribers.limits import DEFAULT_LIMITS, SessionLimits
from hub.twilio.media import StartBody
from hub.vendors.providers import Providers
from hub.vendors.registered import REGISTERED
from hub.web.limits import Limits
from hub.web.state import State
from tests.media import CALL, CONNECTED, STREAM, start
from tests.scripted import ScriptedTranscriber
from tests.settings import configured

IMPATIENT = Limits(
    close_seconds=1.0, statistics_seconds=3600.0, admission=AdmissionLimits(full_share=float("inf"), late_seconds=float("inf"))
)
"""The limits of a hub under test: its peers often read nothing any more, so their answer to a close is not waited for as long. Many
tests run on the machine, so how busy it is decides nothing, and nothing is told by the clock, except where a test says so."""


def impatient(**limits: Any) -> Limits:
    """Return the limits of a hub under test, with some of them set otherwise."""
    return replace(IMPATIENT, **limits)


@dataclass
class House:
    """A running hub, and what tests need of it."""

    state: State
    port: int
    session: aiohttp.ClientSession
    transcribers: list[ScriptedTranscriber]

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    async def open(self, path: str, **headers: str) -> aiohttp.ClientWebSocketResponse:
        return await self.session.ws_connect(self.url(path), headers=headers, compress=0)

    async def call(self, call: str = CALL, stream: str = STREAM, **more: Any) -> aiohttp.ClientWebSocketResponse:
        socket = await self.open("/twilio")
        await socket.send_str(CONNECTED)
        await socket.send_str(start(call, stream, **more))
        return socket

    async def frames(self, count: int) -> None:
        """Wait until the hub has read so many media messages: its Twilio sockets rest between blocks."""
        while self.state.counters.frames < count:
            await asyncio.sleep(0.005)

    async def json(self, path: str) -> Any:
        async with self.session.get(self.url(path)) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json(content_type=None)


@asynccontextmanager
async def house(
    open_transcriber: Callable[[StartBody], Any] | None = None,
    *,
    on_block: Any = None,
    limits: Limits = IMPATIENT,
    joins: Broker | None = None,
    **settings: Any,
) -> AsyncIterator[House]:
    """Run a hub on a free port, with scripted transcribers unless `open_transcriber` opens others. `joins`: the broker of its cluster."""
    scripted: list[ScriptedTranscriber] = []

    def opened(_: StartBody) -> ScriptedTranscriber:
        scripted.append(ScriptedTranscriber(on_block))
        return scripted[-1]

    async with real_house(open_transcriber or opened, limits=limits, joins=joins, **settings) as home:
        home.transcribers = scripted
        yield home


@asynccontextmanager
async def real_house(
    open_transcriber: Callable[[StartBody], Any] | None = None,
    *,
    limits: Limits = IMPATIENT,
    session_limits: SessionLimits = DEFAULT_LIMITS,
    deadlines: Deadlines = DEADLINES,
    providers: Providers = REGISTERED,
    joins: Broker | None = None,
    **settings: Any,
) -> AsyncIterator[House]:
    """Run a hub on a free port, with the transcribers that its settings name unless `open_transcriber` opens others.

    Where the settings name none it is Deepgram, which is not reached: a hub of its own choice would need the speech engine to start.
    """
    if open_transcriber is None and not settings.keys() & {"transcriber", *(f"{name}_key" for name in providers.speech)}:
        settings["deepgram_key"] = "k"
    config = configured(providers, port=0, **({"drain_seconds": 0.0} | settings))
    parts: dict[str, Any] = {"limits": limits, "session_limits": session_limits, "deadlines": deadlines, "providers": providers}
    parts["broker"] = joins
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
        running(config, open_transcriber, **parts) as (state, port),
    ):
        yield House(state, port, session, [])
