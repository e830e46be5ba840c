"""Recordings in a real browser: the page plays what was said, its words follow the sound, and a click on a word is heard."""

import asyncio
import io
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import soundfile
from playwright.async_api import Page, Request, expect

from hub.recordings import recordings as hub_recordings
from hub.tokens import mint
from hub.transcribers.utterances import Recognized
from tests.dashboard import scenes
from tests.dashboard.browser import Visit
from tests.dashboard.test_accessibility import sound as looked_at_by_axe
from tests.dashboard.test_dashboard import spoken, talker
from tests.dashboard.test_listen import EARS, LEFT, RIGHT, mark
from tests.house import House, house
from tests.media import CALL, media, stop
from tests.recordings.shelf import in_directory

pytestmark = pytest.mark.asyncio(loop_scope="session")

SECRET = "a secret of a test, long enough for anybody"

PLAYERS = """
    window.players = [];
    window.Audio = class extends Audio { constructor(...all) { super(...all); window.players.push(this); } };
"""
"""Lets a test see the browser's own player: it is in no document."""


@pytest.fixture(autouse=True)
def no_call_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Store calls at once."""
    monkeypatch.setattr(hub_recordings, "SETTLE_SECONDS", 0.0)


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    return {"archive": str(tmp_path / "calls.db"), **in_directory(tmp_path)}


async def sent(hub: House, twilio: Any, seconds: int) -> None:
    """Have Twilio send so much sound: the caller's side positive, the other one negative."""
    frames = hub.state.counters.frames
    left, right = mark(50)
    recording = hub.state.registry.find(CALL).recording  # type: ignore[union-attr]
    for at_ms in range(0, seconds * 1000, 20):
        await twilio.send_str(media("inbound", at_ms, left))
        await twilio.send_str(media("outbound", at_ms, right))
        frames += 2
        if at_ms % 2000 == 0:  # faster than a telephone, but no faster than the disk
            await hub.frames(frames)
            while recording is not None and recording.waiting:
                await asyncio.sleep(0.005)
    await hub.frames(frames)


async def recorded(hub: House) -> None:
    """A support call of a minute that is over, and its recording is stored."""
    twilio, script = await talker(hub)
    scenes.support(script)
    await sent(hub, twilio, 60)
    await twilio.send_str(stop())
    await until_stored(hub)


async def until_stored(hub: House) -> None:
    token = {"Authorization": f"Bearer {mint(SECRET, ['*'], 60, rights=['archive'])}"}
    while True:
        async with hub.session.get(hub.url(f"/calls/{CALL}"), headers=token) as answer:
            if ((await answer.json()).get("recording") or {}).get("state") == "stored":
                return
        await asyncio.sleep(0.02)


@asynccontextmanager
async def opened(visit: Visit, hub: House, path: str = f"#{CALL}", **options: Any) -> AsyncIterator[Page]:
    """The page with the recorded call, whole."""

    async def before(page: Page) -> None:
        await page.add_init_script(EARS + PLAYERS)

    async with visit(hub, path, before=before, **options) as page:
        await expect(spoken(page)).to_have_count(len(scenes.SUPPORT))
        await expect(page.locator(".happening.ended")).to_be_attached()
        yield page


async def at(page: Page) -> float:
    """Where the player stands, in seconds."""
    return float(await page.evaluate("players.at(-1).currentTime"))


async def lit(page: Page) -> list[str]:
    return list(await page.evaluate("[...CSS.highlights.get('heard')].map(String)"))


async def word(page: Page, line: int, text: str) -> None:
    """Click on a word of a line."""
    box = (
        await page.locator(".log .line .words")
        .nth(line)
        .evaluate(
            """(words, text) => {
            const node = document.createTreeWalker(words, NodeFilter.SHOW_TEXT).nextNode(), range = document.createRange();
            range.setStart(node, node.data.indexOf(text));
            range.setEnd(node, node.data.indexOf(text) + text.length);
            words.scrollIntoView({ block: "center" });
            const { x, y, width, height } = range.getBoundingClientRect();
            return [x + width / 2, y + height / 2];
        }""",
            text,
        )
    )
    await page.mouse.click(*box)


async def test_a_click_on_a_word_is_heard_and_the_words_follow_the_sound(visit: Visit, settings: dict[str, Any]) -> None:
    async with house(**settings) as hub:
        await recorded(hub)
        asked: list[Request] = []
        async with opened(visit, hub) as page:
            page.on("request", lambda request: asked.append(request) if request.url.endswith("/recording") else None)
            await expect(page.locator(".player .length")).to_have_text("1:00")
            await expect(page.locator(".player .play")).to_have_text("Play")
            assert not asked, "nothing is fetched before anybody plays"
            track, start, end, text = scenes.SUPPORT[5]
            assert track == "outbound"
            await word(page, 5, "message")
            await expect(page.locator(".line.heard .words")).to_have_text(text)
            await page.wait_for_function("() => String([...CSS.highlights.get('heard')][0]) === 'message'")
            words = text.split()
            assert start + words.index("message") * (end - start) / len(words) <= await at(page) < end
            assert "range" in asked[0].headers, "so that an hour begins at once"
            await expect(page.locator(".player .play")).to_have_text("Pause")
            await page.wait_for_function("() => String([...CSS.highlights.get('heard')][0]) === 'nowhere'")
            await page.keyboard.press("Space")
            await expect(page.locator(".player .play")).to_have_text("Play")
            await page.locator(".log .line .moment").nth(6).click()
            await expect(page.locator(".line.heard .words").last).to_have_text(scenes.SUPPORT[6][3])
            await expect(page.locator(".strip .playhead")).to_have_attribute("d", re.compile("^M"))
            await page.keyboard.press("p")
            await expect(page.locator(".player .play")).to_have_text("Play")
            await page.locator(".strip").press("Home")
            await expect(page.locator(".player .now")).to_have_text("0:00")
            await page.locator(".strip").press("ArrowRight")
            await expect(page.locator(".player .now")).to_have_text("0:05")
            await expect(page.locator(".strip")).to_have_attribute("aria-valuetext", re.compile("^0:05 of "))


async def test_a_transcriber_without_word_times_has_its_lines_followed(visit: Visit, settings: dict[str, Any]) -> None:
    async with house(**settings) as hub:
        twilio, script = await talker(hub)
        for track, start, end, text in scenes.SUPPORT:
            script.hear(Recognized(track, start, end, text, settled=True, closes=True))
        await sent(hub, twilio, 60)
        await twilio.send_str(stop())
        await until_stored(hub)
        async with opened(visit, hub) as page:
            for line in (5, 9, 2):
                await page.locator(".log .line .moment").nth(line).click()
                await expect(page.locator(".line.heard .words").last).to_have_text(scenes.SUPPORT[line][3])
            assert await lit(page) == []


async def test_the_page_scrolls_along_until_the_reader_goes_elsewhere(visit: Visit, settings: dict[str, Any]) -> None:
    async with house(**settings) as hub:
        await recorded(hub)
        async with opened(visit, hub, viewport={"width": 1100, "height": 420}) as page:
            await page.locator(".details-open").click()
            await page.select_option(".speed select", "2")
            await word(page, 9, "twenty")
            assert await page.evaluate("players.at(-1).playbackRate") == 2
            await page.select_option(".speed select", "1")  # a busy machine has time to see each line
            await expect(page.locator(".line.heard .words")).to_have_text(scenes.SUPPORT[10][3], timeout=15_000)
            await expect(page.locator(".line.heard")).to_be_in_viewport()
            await page.locator(".scroll").hover()
            await page.mouse.wheel(0, -2000)
            await expect(page.locator(".follow")).to_be_visible()
            await expect(page.locator(".line.heard .words")).to_have_text(scenes.SUPPORT[11][3], timeout=15_000)
            await expect(page.locator(".line.heard")).not_to_be_in_viewport()
            await page.locator(".follow").click()
            await expect(page.locator(".line.heard")).to_be_in_viewport()
            await expect(page.locator(".follow")).to_be_hidden()


async def test_each_side_is_heard_alone(visit: Visit, settings: dict[str, Any]) -> None:
    caller, callee = next(each for each, code in LEFT.items() if code == 50), next(each for each, code in RIGHT.items() if code == 50)
    async with house(**settings) as hub:
        await recorded(hub)
        async with opened(visit, hub) as page:
            await expect(page.locator(".side option")).to_have_text(["Both", "Only caller", "Only Maya (agent)"])
            for side, left, right in (("inbound", caller, caller), ("outbound", callee, callee), ("both", caller, callee)):
                await page.select_option(".side select", side)
                await page.locator(".strip").press("Home")
                if side == "inbound":
                    await page.click(".player .play")
                await page.wait_for_function(
                    "([left, right]) => { const [l, r] = heard(); return near(l.at(-1), left) && near(r.at(-1), right);"
                    " function near(one, other) { return Math.abs(one - other) < 600 } }",
                    arg=[left, right],
                )


async def test_a_link_to_a_moment_is_where_the_recording_begins(visit: Visit, settings: dict[str, Any]) -> None:
    async with house(**settings) as hub:
        await recorded(hub)
        async with opened(visit, hub, f"#{CALL}&t=42.5") as page:
            await expect(page.locator(".player .now")).to_have_text("0:42")
            await expect(page.locator(".line.shown .words")).to_have_text(scenes.SUPPORT[9][3])
            await page.keyboard.press("Space")
            await expect(page.locator(".line.heard .words")).to_have_text(scenes.SUPPORT[9][3])
            assert await at(page) >= 42.5


async def test_each_format_is_downloaded_and_the_recording_with_them(visit: Visit, settings: dict[str, Any]) -> None:
    async with house(**settings) as hub:
        await recorded(hub)
        async with opened(visit, hub) as page:
            for kind, ending in (("txt", "txt"), ("srt", "srt"), ("vtt", "vtt"), ("csv", "csv"), ("json", "json"), ("recording", "flac")):
                await page.locator(".pane .menu summary").click()
                async with page.expect_download() as waiting:
                    await page.locator(f'.pane .menu a[data-kind="{kind}"]').click()
                download = await waiting.value
                assert download.suggested_filename == f"{CALL}.{ending}"
                content = (await download.path()).read_bytes()
                if kind == "recording":
                    with soundfile.SoundFile(io.BytesIO(content)) as file:
                        assert (file.frames, file.channels, file.samplerate) == (60 * 8000, 2, 8000)
                else:
                    assert b"Lisbon" in content


async def test_only_a_token_with_the_right_hears_it(visit: Visit, settings: dict[str, Any]) -> None:
    async with house(secret=SECRET, **settings) as hub:
        await recorded(hub)
        async with opened(visit, hub, f"?token={mint(SECRET, ['*'], 60, rights=['archive'])}#{CALL}") as page:
            await expect(page.locator(".recorded p")).to_have_text("This call was recorded. Your token does not let you hear it.")
            await expect(page.locator(".player")).to_be_hidden()
            await page.locator(".pane .menu summary").click()
            await expect(page.locator('.pane .menu a[data-kind="recording"]')).to_be_hidden()
        token = mint(SECRET, ["*"], 60, rights=["audio"])
        async with opened(visit, hub, f"?token={token}#{CALL}") as page:
            await word(page, 2, "booking")
            await expect(page.locator(".line.heard .words")).to_have_text(scenes.SUPPORT[2][3])
            assert token not in await page.content()


async def test_a_recording_that_cannot_be_had_says_why(visit: Visit, settings: dict[str, Any]) -> None:
    async with house(**settings) as hub:
        await recorded(hub)
        async with opened(visit, hub, refused="404 (Not Found)") as page:
            await page.route("**/calls/*/recording", lambda route: route.fulfill(status=404, body="{}"))
            await page.click(".player .play")
            await expect(page.locator(".unplayable")).to_have_text("The recording cannot be played: the hub no longer has this recording.")
            await expect(page.locator(".player .play")).to_have_text("Play")
            await page.unroute("**/calls/*/recording")
            await page.click(".player .play")
            await expect(page.locator(".unplayable")).to_be_empty()
            await expect(page.locator(".player .play")).to_have_text("Pause")


async def test_a_live_call_says_that_it_is_recorded_and_is_paused_by_a_button(visit: Visit, settings: dict[str, Any]) -> None:
    async with house(**settings) as hub:
        twilio, script = await talker(hub)
        script.final("my card number is")
        await twilio.send_str(media("inbound", 0))
        async with visit(hub, f"#{CALL}") as page:
            await expect(page.locator(".recorded p")).to_have_text("This call is recorded")
            await expect(page.locator(".player")).to_be_hidden()
            await page.get_by_role("button", name="Pause recording").click()
            await expect(page.locator(".recorded p")).to_have_text("The recording is paused: what is said now is not kept")
            await expect(page.locator(".happening.recording-paused")).to_be_visible()
            await looked_at_by_axe(page, "a paused recording")
            await page.get_by_role("button", name="Resume recording").click()
            await expect(page.locator(".recorded p")).to_have_text("This call is recorded")
            await twilio.send_str(media("inbound", 20))
            await twilio.send_str(stop())
            await expect(page.locator(".player")).to_be_visible()
            await expect(page.locator(".recorded")).to_be_hidden()


@pytest.mark.parametrize("width", [1360, 680, 320])
async def test_the_player_stands_in_nobodys_way(visit: Visit, settings: dict[str, Any], width: int) -> None:
    async with house(**settings) as hub:
        await recorded(hub)
        async with opened(visit, hub, viewport={"width": width, "height": 640}) as page:
            if width == 320:
                await page.locator(".details-open").click()
            await word(page, 3, "Yes")
            await expect(page.locator(".line.heard")).to_have_count(1)
            await looked_at_by_axe(page, f"playing at {width} px")
            assert await page.evaluate("document.documentElement.scrollWidth") <= width
