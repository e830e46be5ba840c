"""The whole way, nothing scripted: the pretend Twilio plays the sample call, the engine on this machine hears it, a browser shows it."""

import asyncio
import json
import re
import sys

import jiwer
import pytest
from playwright.async_api import Page, expect
from whisper_normalizer.english import EnglishTextNormalizer

from clients.audio.files import read_call
from clients.pretend_twilio import playback
from clients.pretend_twilio.media_socket import OutgoingCall
from clients.sample import SAMPLE
from hub.audio.g711 import TRACKS, Track
from tests.dashboard.browser import Visit
from tests.dashboard.test_dashboard import spoken, texts
from tests.house import real_house
from tests.media import CALL

pytestmark = [
    pytest.mark.engine,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.skipif(sys.platform == "win32", reason="the engine cannot keep tracks apart there"),
]

MOST_WRONG = 0.15
"""Share of words that may be wrong on a track: what the engine gets of this call by itself, and a word more (README, `make accuracy`)."""

plain = EnglishTextNormalizer()


def really_said(track: Track, seconds: float) -> str:
    """Return what is said on a track and over by then, as the sample's own record has it."""
    lines = json.loads(SAMPLE.with_suffix(".json").read_text())
    return str(plain(" ".join(line["text"] for line in lines if line["track"] == track and line["end"] < seconds)))


async def shown(page: Page, track: Track) -> str:
    return str(plain(" ".join(await page.locator(f".log .line.{track} .words").all_text_contents())))


@pytest.mark.parametrize(
    ("seconds", "speed"),
    [
        pytest.param(12.9, 1.0, marks=pytest.mark.timeout(60)),
        pytest.param(3600.0, 1.0, id="whole", marks=[pytest.mark.long, pytest.mark.timeout(180)]),
    ],
)
async def test_the_sample_call_appears_its_words_arrive_and_its_finals_are_right(visit: Visit, seconds: float, speed: float) -> None:
    sound = read_call(SAMPLE)
    names = {"from": "+14155550123", "to": "+14155550100", "direction": "inbound", "outboundTrackLabel": "Daniel (agent)"}
    async with real_house(transcriber="local") as hub, visit(hub) as page, asyncio.TaskGroup() as group:
        await expect(page.locator("#rows-empty")).to_be_visible()
        url, until = f"ws://127.0.0.1:{hub.port}/twilio", playback.Faults(hang_up_after_ms=round(seconds * 1000))
        playing = group.create_task(playback.play(OutgoingCall(url, call_sid=CALL, parameters=names), sound, speed=speed, faults=until))
        row = page.locator(f'.row[data-sid="{CALL}"]')
        await expect(row.locator(".title")).to_have_text("+1 415 555 0123")
        await row.locator(".open").click()
        await expect(page.locator(".happening.started")).to_contain_text("local (")
        unsettled = page.locator(".open-lines .line.unsettled.outbound .words")
        await expect(unsettled).to_contain_text("Coffee", timeout=10_000, ignore_case=True)
        await expect(row.locator(".words.unsettled b")).to_have_text("Daniel (agent):")
        await expect(row.locator(".unseen")).to_have_text("is speaking")
        async with visit(hub, f"#{CALL}") as second:
            await playing
            for each in (page, second):
                await expect(each.locator(".happening.ended")).to_contain_text("The record: ", timeout=30_000)
                await expect(each.locator(".open-lines .line")).to_have_count(0)
            assert await texts(page) == await texts(second)
        for track in TRACKS:
            assert jiwer.wer(really_said(track, seconds), await shown(page, track)) < MOST_WRONG
        told = (await hub.json(f"/calls/{CALL}/transcript.json"))["utterances"]
        assert await texts(page) == [" ".join(each["text"].split()) for each in told if each["text"]]
        for track in TRACKS:
            await expect(page.locator(f".log .line.{track}")).to_have_count(sum(each["track"] == track for each in told if each["text"]))
        await expect(spoken(page).first).to_contain_text("How can I help you today?")
        await expect(page.locator(".strip .speech.inbound")).to_have_attribute("d", re.compile("M"))
        await expect(page.locator(".figures")).to_contain_text("Words a minute")
