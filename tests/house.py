"""A running hub inside the test's own event loop: real sockets, scripted transcribers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from hub.app import running
from hub.config import Config
from hub.twilio.media import StartBody
from hub.web.state import State
from tests.media import CALL, CONNECTED, STREAM, start
from tests.scripted import ScriptedTranscriber


@dataclass
class House:
    """A running hub and what tests need of it."""

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
        """Wait until the hub has read so many of Twilio's frames: it rests between blocks."""
        while self.state.counters.frames < count:
            await asyncio.sleep(0.005)

    async def json(self, path: str) -> Any:
        async with self.session.get(self.url(path)) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json(content_type=None)


@asynccontextmanager
async def house(
    open_transcriber: Callable[[StartBody], Any] | None = None, *, on_block: Any = None, **settings: Any
) -> AsyncIterator[House]:
    """Run a hub on a free port, with scripted transcribers unless told otherwise."""
    scripted: list[ScriptedTranscriber] = []

    def opened(_: StartBody) -> ScriptedTranscriber:
        scripted.append(ScriptedTranscriber(on_block))
        return scripted[-1]

    async with real_house(open_transcriber or opened, **settings) as home:
        home.transcribers = scripted
        yield home


@asynccontextmanager
async def real_house(open_transcriber: Callable[[StartBody], Any] | None = None, **settings: Any) -> AsyncIterator[House]:
    """Run a hub on a free port, with the transcribers that its settings name unless told otherwise.

    Where the settings name none it is Deepgram, which is not reached: a hub of its own choice would need the speech engine to start.
    """
    if open_transcriber is None and not settings.keys() & {"transcriber", "deepgram_key", "assemblyai_key"}:
        settings["deepgram_key"] = "k"
    config = Config(port=0, **({"drain_seconds": 0.0} | settings))
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
        running(config, open_transcriber) as (state, port),
    ):
        yield House(state, port, session, [])
