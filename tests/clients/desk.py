"""A hub that only writes down what a pretend Twilio tells it, and programs that are run against it."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed

CALL, STREAM = "CA" + "1" * 32, "MZ" + "2" * 32


class Desk:
    """A hub that only writes down. `behave` runs before it listens on, with the connection."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.binaries = 0
        self.came_at: list[float] = []
        self.close_code: int | None = None
        self.headers: Headers | None = None
        self.ended = asyncio.Event()
        self.url = ""

    async def listen(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.headers = connection.request.headers
        try:
            async for message in connection:
                if isinstance(message, bytes):
                    self.binaries += 1
                else:
                    self.texts.append(message)
                    self.came_at.append(asyncio.get_running_loop().time())
        except ConnectionClosed:
            pass
        finally:
            self.close_code = connection.close_code
            self.ended.set()

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(text) for text in self.texts]

    def media(self, track: str | None = None) -> list[dict[str, Any]]:
        found = [message["media"] for message in self.messages if message["event"] == "media"]
        return [media for media in found if track in (None, media["track"])]

    def timestamps(self, track: str) -> list[int]:
        return [int(media["timestamp"]) for media in self.media(track)]

    def audio(self, track: str) -> bytes:
        return b"".join(base64.b64decode(media["payload"]) for media in self.media(track))


Behaviour = Callable[[Desk, ServerConnection], Coroutine[Any, Any, None]]


@asynccontextmanager
async def a_desk(behave: Behaviour = Desk.listen, **options: Any) -> AsyncIterator[Desk]:
    desk = Desk()

    async def answer(connection: ServerConnection) -> None:
        await behave(desk, connection)

    async with serve(answer, "127.0.0.1", 0, **options) as server:
        desk.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/twilio"
        yield desk
