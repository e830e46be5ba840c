"""The made-up provider's end of the wire: says a word for each second of audio that is not silent."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from hub.audio import g711

SECOND_BYTES = 8000


class MadeUpServer:
    """What came in so far."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.url = ""
        self.paths: list[str] = []
        """The request of each session."""
        self.open_sessions = 0

    def admit(self, connection: ServerConnection, request: Request) -> Response | None:
        if request.headers.get("X-Key") != self.key:
            return connection.respond(HTTPStatus.UNAUTHORIZED, "no\n")
        self.paths.append(request.path)
        return None

    async def attend(self, socket: ServerConnection) -> None:
        self.open_sessions += 1
        audio = bytearray()
        try:
            async for message in socket:
                if isinstance(message, bytes):
                    seconds = len(audio) // SECOND_BYTES
                    audio += message
                    for second in range(seconds, len(audio) // SECOND_BYTES):
                        piece = audio[second * SECOND_BYTES : (second + 1) * SECOND_BYTES]
                        text = f"word {second}" if piece.strip(bytes([g711.SILENCE_BYTE])) else ""
                        await socket.send(json.dumps({"type": "said", "text": text, "until_ms": (second + 1) * 1000}))
                elif json.loads(message)["type"] == "end":
                    await socket.send('{"type":"bye"}')
                    return
        except ConnectionClosed:
            pass  # a probe does not wait for the last words
        finally:
            self.open_sessions -= 1


@asynccontextmanager
async def made_up_server(key: str) -> AsyncIterator[MadeUpServer]:
    server = MadeUpServer(key)
    async with serve(server.attend, "127.0.0.1", 0, compression=None, process_request=server.admit) as listening:
        server.url = f"ws://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        yield server
