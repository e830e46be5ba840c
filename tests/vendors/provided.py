"""Calls through a running hub whose provider is a fake one."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp

from hub.backoff import Backoff
from hub.transcribers.limits import DEFAULT_LIMITS
from tests.house import House, real_house
from tests.media import CALL, media, stop
from tests.providers.fake_deepgram import FakeDeepgram
from tests.providers.script import FakeProvider, Word, said, spoken

CALLER, CALLEE = said("hello I would like some flowers", 0.1), said("of course which ones", 3.0)
SECONDS = 5.0
FRAMES = round(2 * SECONDS * 50)
LIMITS = replace(DEFAULT_LIMITS, backoff=Backoff(0.02, 0.1), tick_seconds=0.05)
DEEPGRAM_KEY, ASSEMBLYAI_KEY = "canary-deepgram-key", "canary-assemblyai-key"

Event = dict[str, Any]


def settings(*fakes: FakeProvider) -> dict[str, Any]:
    """Return settings that point a hub at these fakes, the first one by default."""
    told: dict[str, Any] = {"transcriber": name_of(fakes[0])}
    for fake in fakes:
        if isinstance(fake, FakeDeepgram):
            told |= {"deepgram_key": DEEPGRAM_KEY, "deepgram_url": fake.url}
        else:
            told |= {"assemblyai_key": ASSEMBLYAI_KEY, "assemblyai_url": fake.url}
    return told


def name_of(fake: FakeProvider) -> str:
    return "deepgram" if isinstance(fake, FakeDeepgram) else "assemblyai"


@asynccontextmanager
async def hub(*fakes: FakeProvider, **others: Any) -> AsyncIterator[House]:
    """A hub with the transcribers that its settings open. No provider session outlives it."""
    try:
        async with real_house(**({"session_limits": LIMITS} | (settings(*fakes) if fakes else {}) | others)) as home:
            yield home
    finally:
        assert all(counters.open_sessions == 0 for counters in home.state.counters.providers.values())
        for fake in fakes:
            await fake.until(lambda fake=fake: not fake.open_sessions)  # type: ignore[misc]


async def speak(
    socket: aiohttp.ClientWebSocketResponse, inbound: Sequence[Word] = CALLER, outbound: Sequence[Word] = CALLEE, seconds: float = SECONDS
) -> None:
    """Play a call in which these words are said, as fast as the socket takes it."""
    tracks = {"inbound": spoken(inbound, seconds), "outbound": spoken(outbound, seconds)}
    for at in range(0, round(seconds * 1000), 20):
        for track, mulaw in tracks.items():
            await socket.send_str(media(track, at, mulaw[at * 8 : at * 8 + 160]))


async def follow(home: House) -> aiohttp.ClientWebSocketResponse:
    """Follow the call, which must be there."""
    while True:
        subscriber = await home.open("/client")
        if CALL in await subscriber.receive_json():
            break
        await subscriber.close()
    await subscriber.send_str(CALL)
    return subscriber


async def rest(subscriber: aiohttp.ClientWebSocketResponse) -> list[Event]:
    return [message.json() async for message in subscriber]


async def upto(subscriber: aiohttp.ClientWebSocketResponse, kind: str) -> list[Event]:
    events: list[Event] = []
    while not events or events[-1]["type"] != kind:
        events.append(await subscriber.receive_json(timeout=10))
    return events


async def whole(home: House, parameters: Mapping[str, str] | None = None) -> list[Event]:
    """Play the call to its end; return what a subscriber got."""
    socket = await home.call(parameters=dict(parameters or {}))
    subscriber = await follow(home)
    await speak(socket)
    await socket.send_str(stop())
    return await rest(subscriber)


def of(events: Sequence[Event], kind: str) -> list[Event]:
    return [event for event in events if event["type"] == kind]


def words(events: Sequence[Event], track: str) -> list[str]:
    return [word["text"] for final in of(events, "final") if final["track"] == track for word in final["words"]]


def check_words(events: Sequence[Event]) -> None:
    """Every word is there once, at its time."""
    for track, script in (("inbound", CALLER), ("outbound", CALLEE)):
        assert words(events, track) == [word.text for word in script]
        told = [word for final in of(events, "final") if final["track"] == track for word in final["words"]]
        for word, true in zip(told, script, strict=True):
            assert abs(word["start"] - true.start) <= 0.1
            assert abs(word["end"] - true.end) <= 0.1
