"""Stopping with calls in progress: nobody's last words are lost, everybody is told, and it is over when it was promised."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from tests.completeness import completeness
from tests.media import CONNECTED, media, start, stop
from tests.providers.fake_deepgram import FakeDeepgram
from tests.providers.script import Script, Word, spoken
from tests.test_serve import serving

CALLS, SECONDS = 50, 1.2
DRAIN_SECONDS, LAST_WORDS_SECONDS = 2, 0.5

SOUND = {
    "inbound": spoken([Word("settled", 0.1, 0.4), Word("unsettled", 0.9, 1.2)], SECONDS),
    "outbound": spoken([Word("mine", 0.8, 1.1)], SECONDS),
}
"""One word with a pause after it, and two that only the end of the audio settles."""


def name(number: int) -> tuple[str, str]:
    return f"CA{number:032d}", f"MZ{number:032d}"


async def say(socket: aiohttp.ClientWebSocketResponse, number: int) -> None:
    call, stream = name(number)
    await socket.send_str(CONNECTED)
    await socket.send_str(start(call, stream))
    for at in range(0, round(SECONDS * 1000), 20):
        for track, sound in SOUND.items():
            await socket.send_str(media(track, at, sound[at * 8 : at * 8 + 160], stream))


async def test_sigterm_with_50_calls_in_progress_loses_no_word_and_tells_everybody() -> None:
    async with (
        FakeDeepgram(Script(last_words_delay_seconds=LAST_WORDS_SECONDS)) as deepgram,
        serving(HUB_DRAIN_SECONDS=str(DRAIN_SECONDS), DEEPGRAM_API_KEY="k", DEEPGRAM_URL=deepgram.url) as (process, port),
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
    ):
        url = f"http://127.0.0.1:{port}"
        twilio = [await session.ws_connect(f"{url}/twilio", compress=0) for _ in range(CALLS)]
        await asyncio.gather(*(say(socket, number) for number, socket in enumerate(twilio)))
        await deepgram.until(lambda: sum(len(visit.audio) >= SECONDS * 16000 for visit in deepgram.visits) == CALLS)

        followers = []
        for number in range(CALLS):
            follower = await session.ws_connect(f"{url}/client")
            await follower.receive()
            await follower.send_str(name(number)[0])
            followers.append(follower)
        programs = [await session.ws_connect(f"{url}/client") for _ in range(3)]
        for program in programs:
            await program.receive()
            await program.send_json({"action": "subscribe", "calls": "all"})
            assert (await program.receive_json())["type"] == "calls"

        process.send_signal(signal.SIGTERM)
        told_to_stop_at = time.monotonic()
        async with session.get(f"{url}/readyz") as answer:
            while answer.status == 200:
                async with session.get(f"{url}/readyz") as answer:
                    pass
        with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
            await session.ws_connect(f"{url}/twilio")
        assert refusal.value.status == 503
        async with session.get(f"{url}/healthz") as answer:
            assert answer.status == 200, "it is alive while it drains"
        for number in range(10):  # these hang up by themselves
            await twilio[number].send_str(stop(*name(number)))

        for number, follower in enumerate(followers):
            events = [message.json() async for message in follower]
            finals = sorted(event["text"] for event in events if event["type"] == "final")
            assert finals == ["mine", "settled", "unsettled"], (number, finals)
            ended = events[-1]
            assert (ended["type"], completeness(ended)) == ("call-ended", "complete")
            assert ended["reason"] == ("completed" if number < 10 else "hub-stopping")
            assert follower.close_code == 1000
        for program in programs:
            told = [message.json()["type"] async for message in program]
            assert told.count("call-ended") == CALLS
            assert program.close_code == 4409
        assert await process.wait() == 0
        took = time.monotonic() - told_to_stop_at
        assert took < DRAIN_SECONDS + 10, "ten seconds is what a provider's last words may take"
        assert all(visit.closed == (1000, "") for visit in deepgram.visits), "no session was left open, or cut off"
        assert deepgram.open_sessions == 0
        for socket in twilio:
            await socket.close()


@asynccontextmanager
async def patient(script: Script) -> AsyncIterator[tuple[asyncio.subprocess.Process, aiohttp.ClientSession]]:
    """A hub that would wait ten minutes for the call it has, all of whose audio its provider took; it ends without a traceback."""
    async with (
        FakeDeepgram(script) as deepgram,
        serving(HUB_DRAIN_SECONDS="600", DEEPGRAM_API_KEY="k", DEEPGRAM_URL=deepgram.url) as (process, port),
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
    ):
        twilio = await session.ws_connect("/twilio")
        await say(twilio, 0)
        await deepgram.until(lambda: any(len(visit.audio) >= SECONDS * 16000 for visit in deepgram.visits))
        yield process, session
        assert process.stderr is not None
        assert b"Traceback" not in await process.stderr.read()
        await twilio.close()


async def test_ctrl_c_does_not_wait_for_calls_to_end_but_for_their_last_words() -> None:
    async with patient(Script(last_words_delay_seconds=LAST_WORDS_SECONDS)) as (process, session):
        follower = await session.ws_connect("/client")
        await follower.receive()
        await follower.send_str(name(0)[0])
        process.send_signal(signal.SIGINT)
        events = [message.json() async for message in follower]
        assert [event["text"] for event in events if event["type"] == "final"][-1] in {"unsettled", "mine"}
        assert events[-1]["reason"] == "hub-stopping"
        assert await process.wait() == 0


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_waits_for_nobody(first: signal.Signals) -> None:
    async with patient(Script(never_answer=True)) as (process, session):
        follower = await session.ws_connect("/client")
        await follower.receive()
        process.send_signal(first)
        async with session.get("/readyz") as answer:
            while answer.status == 200:
                async with session.get("/readyz") as answer:
                    pass
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 1
