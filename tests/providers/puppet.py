"""A provider that does what one test wants of it, and the vendors' messages that it sends."""

import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.server import ServerConnection, serve

BEGIN = '{"type":"Begin","id":"1","expires_at":1}'
"""AssemblyAI's first message of a session."""

TERMINATION = '{"type":"Termination","audio_duration_seconds":86400}'
"""And its last one, of a session that took whatever was sent."""

METADATA = '{"type":"Metadata","request_id":"r","duration":86400}'
"""Deepgram's last message of such a session."""


@asynccontextmanager
async def puppet(play: Callable[[ServerConnection], Awaitable[None]], tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A provider that does what `play` does with each connection, and keeps it open then."""

    async def attend(socket: ServerConnection) -> None:
        await play(socket)
        await socket.wait_closed()

    async with serve(attend, "127.0.0.1", 0, compression=None, close_timeout=0.1, ssl=tls) as server:
        yield f"{'wss' if tls else 'ws'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def answer(socket: ServerConnection, *messages: str) -> None:
    """Take audio without a word, and say this to whatever else is said: once the audio is finished."""
    async for message in socket:
        if isinstance(message, str):
            for each in messages:
                await socket.send(each)


def results(text: str, start: float, end: float, *, final: bool, channel: int = 0, speech_final: bool = False) -> str:
    """Deepgram's message of one word from `start` to `end` in a window that ends with it."""
    spoken = [{"word": text, "start": start, "end": end, "confidence": 0.9}] if text else []
    return json.dumps({
        "type": "Results", "channel_index": [channel, 2], "start": start, "duration": end - start, "is_final": final,
        "speech_final": speech_final, "channel": {"alternatives": [{"transcript": text, "confidence": 0.9, "words": spoken}]},
    })  # fmt: skip


def turn(text: str, *spans: tuple[int, int], order: int = 0, end: bool = False) -> str:
    """AssemblyAI's message of a turn whose words were spoken from and to these ms."""
    spoken: list[dict[str, Any]] = [
        {"text": word, "start": at, "end": until_ms, "confidence": 0.9, "word_is_final": True}
        for word, (at, until_ms) in zip(text.split(), spans, strict=True)
    ]
    return json.dumps({"type": "Turn", "turn_order": order, "transcript": text, "end_of_turn": end, "words": spoken})
