"""The hub is killed during a call and started again: the call goes on, and its subscriber is told exactly what is missing."""

import asyncio
from pathlib import Path

import aiohttp

from clients.follow import Followed, follow
from hub import events
from tests.providers.fake_deepgram import FakeDeepgram
from tests.providers.fake_twilio import ACCOUNT, TOKEN, fake_twilio
from tests.providers.script import Word, spoken
from tests.test_serve import serving

EVERY, LASTS = 0.7, 0.3
"""A word so often, and so long, in seconds: the pause after it makes it a final of its own."""

RESUMED_SECONDS = 5.0

NEAR = 0.35
"""How exactly a gap's ends are held to the words around it, in seconds: no word or pause is so short."""


def counting(name: str, seconds: float) -> list[Word]:
    return [Word(f"{name}{number}", number * EVERY, number * EVERY + LASTS) for number in range(int(seconds / EVERY))]


async def known(port: int, call_sid: str) -> None:
    async with aiohttp.ClientSession() as session:
        while True:
            async with session.get(f"http://127.0.0.1:{port}/calls/{call_sid}") as answer:
                if answer.status == 200:
                    return
            await asyncio.sleep(0.02)


def finals(followed: list[Followed]) -> list[events.Final]:
    return [event for event in followed if isinstance(event, events.Final) and event.text]


async def test_a_killed_hub_takes_its_call_up_again_and_tells_what_is_missing(tmp_path: Path) -> None:
    words = {"inbound": counting("in", 40), "outbound": counting("out", 40)}
    followed: list[Followed] = []
    news = asyncio.Event()
    async with fake_twilio() as twilio, FakeDeepgram() as deepgram:
        settings = {
            "HUB_ARCHIVE": str(tmp_path / "calls.db"), "HUB_DRAIN_SECONDS": "0", "HUB_LOG_LEVEL": "debug",
            "DEEPGRAM_API_KEY": "key-of-deepgram", "DEEPGRAM_URL": deepgram.url,
            "TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_AUTH_TOKEN": TOKEN, "TWILIO_API_URL": twilio.url,
            # Nothing listens there: Twilio finds the hub behind its public name.
            "HUB_PUBLIC_URL": "http://hub.example.com",
        }  # fmt: skip

        async def listen(port: int, call_sid: str) -> None:
            async for event in follow(f"ws://127.0.0.1:{port}/client", call_sid, interims=False):
                followed.append(event)
                news.set()

        async def until(count: int) -> None:
            while len(finals(followed)) < count:
                news.clear()
                await news.wait()

        async with asyncio.TaskGroup() as group:
            call = twilio.ring(tracks={"inbound": spoken(words["inbound"], 40), "outbound": spoken(words["outbound"], 40)})
            async with serving(**settings) as (process, port):
                twilio.ports["hub.example.com"] = port
                await call.answer("http://hub.example.com/twiml")
                await known(port, call.sid)
                listening = group.create_task(listen(port, call.sid))
                await until(4)
                process.kill()
                await process.wait()
                assert process.stderr is not None
                said = await process.stderr.read()
            before = len(finals(followed))
            async with serving(HUB_PORT=str(port), **settings) as (process, _):
                started_at = asyncio.get_running_loop().time()
                await until(before + 4)
                await call.hang_up()
                await listening
                process.terminate()
                assert process.stderr is not None
                said += await process.stderr.read()

    lost, again = call.streams
    assert again.dialled_at - started_at < RESUMED_SECONDS
    assert lost.sid != again.sid

    assert not [event for event in followed if isinstance(event, events.Subscribed)], "the follower came back, and was whole"
    durable = [event for event in followed if isinstance(event, events.Durable) and event.offset]
    assert len({event.epoch for event in durable}) == 1
    assert [event.offset for event in durable] == list(range(1, len(durable) + 1)), "nothing is lost or repeated"
    assert {event.call_sid for event in durable} == {call.sid}
    assert isinstance(durable[-1], events.CallEnded)
    assert durable[-1].reason == "completed"

    for track, all_words in words.items():
        heard = {final.text: final for final in finals(followed) if final.track == track}
        assert len(heard) == sum(final.track == track for final in finals(followed)), "no word is told twice"
        (gap,) = [event for event in durable if isinstance(event, events.Gap) and event.track == track]
        # The sound began with the call, the hub's time with its first stream: the first word that was heard says how much later.
        first = next(word for word in all_words if word.text in heard)
        late = first.start - heard[first.text].start
        last = max(word.end for word in all_words if word.text in heard)
        for word in all_words:
            if word.start < first.start or word.end > last:
                continue
            start, end = word.start - late, word.end - late
            if word.text in heard:
                assert end <= gap.start + NEAR or start >= gap.end - NEAR, (word, gap)
                assert abs(heard[word.text].start - start) < NEAR, "call time went on"
            else:
                assert gap.start - NEAR <= start, (word, gap)
                assert end <= gap.end + NEAR, (word, gap)
    for private in (TOKEN, "+14155550123", "+14155550100", "key-of-deepgram", "in1", "out1"):
        assert private.encode() not in said
