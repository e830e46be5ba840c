"""A connection to a scripted provider, what is said on it, and what it answered."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from hub.audio import g711
from hub.vendors.assemblyai import wire as assemblyai
from hub.vendors.deepgram import address
from hub.vendors.deepgram import wire as deepgram
from tests.providers.fake_deepgram import FakeDeepgram
from tests.providers.script import FakeProvider, Word, said, spoken

CALLER = said("hello I would like to order some flowers", start=0.5)


CALLEE = said("of course which ones then", start=4.0)


def text_of(words: Iterable[Word]) -> str:
    return " ".join(word.text for word in words)


def frames(sound: bytes, size: int) -> Iterator[bytes]:
    return (sound[at : at + size] for at in range(0, len(sound), size))


def stereo(seconds: float = 6.5) -> bytes:
    return g711.interleaved(spoken(CALLER, seconds), spoken(CALLEE, seconds))


@asynccontextmanager
async def line(fake: FakeProvider, model: str = "nova-3", options: str = "") -> AsyncIterator[ClientConnection]:
    """The hub's own address and headers, as its transcribers dial them."""
    if isinstance(fake, FakeDeepgram):
        url, headers = address.listen_url(fake.url, model=model, options=options), deepgram.headers("k")
    else:
        url, headers = assemblyai.stream_url(fake.url, model=model, options=options), assemblyai.headers("k")
    async with connect(url, additional_headers=headers, compression=None) as socket:
        yield socket


async def rest(socket: ClientConnection) -> list[dict[str, Any]]:
    """Everything until the close."""
    came = []
    with suppress(ConnectionClosed):
        while True:
            came.append(json.loads(await socket.recv()))
    return came


async def hear(socket: ClientConnection, sound: bytes, end: str, size: int = 1600) -> list[dict[str, Any]]:
    """Send it all, say the end, return everything that came; less when the connection breaks."""
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(rest(socket))
        with suppress(ConnectionClosed):
            for frame in frames(sound, size):
                await socket.send(frame)
            await socket.send(end)
    return reading.result()


def finals(messages: Iterable[dict[str, Any]], channel: int) -> str:
    """What Deepgram settled of one channel."""
    heard = (m for m in messages if m["type"] == "Results" and m["is_final"] and m["channel_index"][0] == channel)
    return " ".join(m["channel"]["alternatives"][0]["transcript"] for m in heard if m["channel"]["alternatives"][0]["transcript"])
