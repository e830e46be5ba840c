"""A hub in a process of its own, in whose calls somebody is in the middle of a sentence: to be killed."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from clients.commands.demo import free_port
from tests.media import CALL, CONNECTED, STREAM, start
from tests.test_serve import serving
from tests.web.callers import talk

LINES = [
    {"track": "inbound", "text": "hello", "start": 0.1, "end": 0.5},
    {"track": "inbound", "text": "I wanted to ask whether the tickets have come", "start": 1.0, "end": 9.0},
]

UNSETTLED = "I wanted to ask"
"""What is said of the second line by SPOKEN_MS, and stands on every screen as an interim."""

SPOKEN_MS = 5000


class SpeakingHub:
    """Runs hubs one after the other at one port."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port(0)
        self._script = folder / "script.json"
        self._script.write_text(json.dumps(LINES))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run a hub. When this is left it is killed, and can say nothing any more."""
        async with serving(self._script, HUB_PORT=str(self.port)):
            yield

    @asynccontextmanager
    async def speaking(self, call: str = CALL, stream: str = STREAM) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """Begin a call, and speak up to the middle of the second line."""
        async with aiohttp.ClientSession() as session, session.ws_connect(f"http://127.0.0.1:{self.port}/twilio", compress=0) as twilio:
            await twilio.send_str(CONNECTED)
            await twilio.send_str(start(call, stream, parameters={"from": "+14155550123", "to": "+14155550100"}))
            await talk(twilio, 0, SPOKEN_MS, stream)
            yield twilio
