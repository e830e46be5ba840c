"""A WebSocket server that does on each connection what a test says: for what no real hub does on demand."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.server import Request as HttpRequest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Response

Answer = Callable[[ServerConnection, int], Awaitable[None]]


class ScriptedHub:
    """A server. `answer` is called with each connection and its number, counted from 1."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.received: list[list[Any]] = []
        """For each connection, what the test's `answer` noted of it."""
        self.headers: list[str | None] = []
        """For each connection, its Authorization header."""
        self.url = ""

    async def serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.headers.append(connection.request.headers.get("Authorization"))
        self.received.append([])
        await self.answer(connection, len(self.received))


@asynccontextmanager
async def scripted_hub(
    answer: Answer, refuse: Callable[[ServerConnection, HttpRequest], Response | None] | None = None
) -> AsyncIterator[ScriptedHub]:
    """Run a server; `refuse` may answer an upgrade with an HTTP response."""
    hub = ScriptedHub(answer)
    async with serve(hub.serve, "127.0.0.1", 0, process_request=refuse) as server:
        hub.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/client"
        yield hub
