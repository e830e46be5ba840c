"""The dashboard in a real browser, on a real hub, with scripted transcribers where timing matters."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Page, expect

from hub.app import running
from hub.config import Config
from hub.transcribers.transcriber import Switched
from tests.dashboard import scenes
from tests.dashboard.browser import Visit
from tests.house import House, house
from tests.media import CALL, STREAM, media, start, stop
from tests.scripted import ScriptedTranscriber

pytestmark = pytest.mark.asyncio(loop_scope="session")

OTHER, OTHER_STREAM = "CA" + "2" * 32, "MZ" + "2" * 32


@asynccontextmanager
async def hub_at(port: int) -> AsyncIterator[House]:
    """Run a hub on a port of our choice: the same one again, after a restart."""
    scripted: list[ScriptedTranscriber] = []

    def opened(_: Any) -> ScriptedTranscriber:
        scripted.append(ScriptedTranscriber())
        return scripted[-1]

    async with aiohttp.ClientSession() as session, running(Config(port=port, drain_seconds=0.0), opened) as (state, taken):
        yield House(state, taken, session, scripted)


async def talker(hub: House, call: str = CALL, stream: str = STREAM, **parameters: str) -> tuple[Any, ScriptedTranscriber]:
    """Begin a call; return Twilio's socket, which ends the call when nobody holds it, and what puts words into the call."""
    before = len(hub.transcribers)
    twilio = await hub.call(call, stream, parameters=parameters or scenes.NUMBERS)
    while len(hub.transcribers) == before:
        await asyncio.sleep(0.01)
    await hub.transcribers[-1].started.wait()
    return twilio, hub.transcribers[-1]


def chat(script: ScriptedTranscriber, lines: int) -> None:
    """Say "line 0", "line 1" … by turns, one every three seconds."""
    for line in range(lines):
        script.final(f"line {line}", "outbound" if line % 2 else "inbound", line * 3, line * 3 + 2)


def spoken(page: Page) -> Any:
    return page.locator(".log .line .words")


async def texts(page: Page) -> list[str]:
    return [" ".join(text.split()) for text in await spoken(page).all_text_contents()]


async def test_a_call_appears_and_a_second_tab_sees_the_same_words(visit: Visit) -> None:
    async with house() as hub, visit(hub) as page:
        await expect(page.locator("#rows-empty")).to_contain_text("No calls at the moment")
        twilio, script = await talker(hub)
        row = page.locator(f'[data-sid="{CALL}"]')
        await expect(row.locator(".title")).to_have_text("+1 415 555 0123")
        script.interim("Good mor", "outbound", 0.5, 1.0)
        await expect(row.locator(".words")).to_have_text("Maya (agent): is speaking Good mor")
        await row.locator(".open").click()
        await expect(page.locator(".open-lines .line.unsettled.outbound")).to_contain_text("Good mor")
        script.final("Good morning.", "outbound", 0.5, 1.5)
        await expect(spoken(page)).to_have_text(["Good morning."])
        await expect(page.locator(".open-lines .line")).to_have_count(0)
        async with visit(hub, f"#{CALL}") as second:
            await expect(spoken(second)).to_have_text(["Good morning."])
            script.final("Hello!", "inbound", 2.0, 2.5)
            for each in (page, second):
                await expect(spoken(each)).to_have_text(["Good morning.", "Hello!"])
            await twilio.send_str(stop())
            for each in (page, second):
                await expect(each.locator(".happening.ended")).to_contain_text("The record: ")
                await expect(each.locator(f'.row.ended[data-sid="{CALL}"]')).to_be_visible()


async def test_what_happens_in_a_call_is_told_in_the_flow(visit: Visit) -> None:
    async with house() as hub:
        twilio, script = await talker(hub)
        scenes.support(script)
        digit = {"event": "dtmf", "streamSid": STREAM, "sequenceNumber": "3", "dtmf": {"track": "inbound_track", "digit": "4"}}
        await twilio.send_json(digit)
        async with visit(hub, f"#{CALL}") as page:
            flow = page.locator(".happening .words")
            await expect(flow.last).to_have_text("caller pressed 4")
            script.hear(Switched("deepgram", "scripted refused the key", 0))
            await expect(flow).to_have_text(
                [
                    "Call from +1 415 555 0123 to +1 415 555 0100 began; scripted (test) transcribes.",
                    "Lost scripted, trying again (2 attempts so far): the connection broke (1011).",
                    "scripted transcribes again after 2 attempts.",
                    "caller was not transcribed from 0:34 to 0:35: the provider was away for longer than the hub keeps audio.",
                    "caller pressed 4",
                    "From here on deepgram transcribes: scripted refused the key.",
                ]
            )
            await expect(page.locator(f'[data-sid="{CALL}"] .state').first).to_have_text("now deepgram")
            await expect(page.locator(".unsure").first).to_have_text("K")
            sides = page.locator(".line .words")
            left, right = await sides.nth(1).bounding_box(), await sides.nth(0).bounding_box()
            assert left is not None
            assert right is not None
            assert left["x"] == right["x"], "all text has one left edge"
            await expect(page.locator(".figures")).to_contain_text("Interruptions")
            await expect(page.locator(".strip .overlap")).to_have_attribute("d", re.compile("M"))


async def test_markup_that_a_caller_says_stays_text(visit: Visit) -> None:
    attack = '<img src=x onerror="alert(1)"><script>alert(2)</script>'
    async with house() as hub:
        _line, script = await talker(hub, inboundTrackLabel=attack)
        script.final(attack)
        script.interim(attack, "outbound", 2, 3)
        async with visit(hub, f"#{CALL}") as page:
            await expect(spoken(page)).to_have_text([attack])
            await expect(page.locator(".log .who")).to_have_text(attack)
            await expect(page.locator(".open-lines .words")).to_have_text(attack)
            await page.locator(".find-open").click()
            await page.locator(".find input").fill("<img")
            await expect(page.locator("mark")).to_have_text("<img")
            await page.fill("#filter", attack)
            assert await page.locator("img").count() == 1, "only the hub's own"


async def test_the_hub_restarts_and_no_line_is_lost_or_doubled(visit: Visit) -> None:
    async with house() as hub:
        port = hub.port
        _line, script = await talker(hub)
        for line in range(3):
            script.final(f"before {line}", start=line, end=line + 0.5)
        page_open = visit(port, f"#{CALL}", hub_goes_away=True)
        page = await page_open.__aenter__()
        await expect(spoken(page)).to_have_text(["before 0", "before 1", "before 2"])
    try:
        await expect(page.locator("#banner")).to_contain_text("No connection to the hub for")
        await expect(page.locator("#link")).to_have_text("Offline")
        async with hub_at(port) as again:
            await expect(page.locator("#link")).to_have_text("Connected", timeout=12_000)
            await expect(page.locator("#banner")).to_be_hidden()
            await expect(page.locator(".waiting")).to_contain_text("no longer knows this call")
            _line, script = await talker(again)
            for line in range(3):
                script.final(f"after {line}", start=line, end=line + 0.5)
            await expect(spoken(page)).to_have_text([f"{part} {line}" for part in ("before", "after") for line in range(3)])
            await expect(page.locator(".happening.restarted")).to_have_count(1)
            await page_open.__aexit__(None, None, None)
    except BaseException as error:
        await page_open.__aexit__(type(error), error, None)
        raise


async def test_a_broken_connection_costs_no_line(visit: Visit) -> None:
    async with house() as hub:
        _line, script = await talker(hub)
        script.final("line 0", start=0, end=0.5)
        async with visit(hub, f"#{CALL}", hub_goes_away=True) as page:
            await expect(spoken(page)).to_have_text(["line 0"])
            said = 1
            for _ in range(3):
                for socket in [each for each in hub.state.sockets if each._max_msg_size == 16 * 1024]:
                    socket.interrupt(4408, "a test cut this")
                for _ in range(5):
                    script.final(f"line {said}", start=said, end=said + 0.5)
                    said += 1
                    await asyncio.sleep(0.02)
                await expect(spoken(page)).to_have_count(said, timeout=8000)
            assert await texts(page) == [f"line {line}" for line in range(said)]


async def test_a_stalled_page_is_cut_off_and_recovers(visit: Visit) -> None:
    async with house() as hub:
        _line, script = await talker(hub)
        async with visit(hub, f"#{CALL}", hub_goes_away=True) as page:
            await expect(page.locator("#link")).to_have_text("Connected")
            await expect(page.locator(".happening.started")).to_have_count(1)
            await page.evaluate("setTimeout(() => { const end = Date.now() + 4000; while (Date.now() < end); }, 0)")
            said = 0
            while hub.state.counters.lagged == 0 and said < 4000:
                for _ in range(20):
                    script.final(f"line {said} " + "and so on " * 200, start=said, end=said + 0.5)
                    said += 1
                await asyncio.sleep(0.01)
            assert hub.state.counters.lagged == 1, "the hub did not cut the stalled page off"
            await expect(spoken(page)).to_have_count(said, timeout=10_000)
            assert [text.split(" and")[0] for text in await texts(page)] == [f"line {line}" for line in range(said)]


async def test_a_reader_who_went_up_is_left_in_peace(visit: Visit) -> None:
    async with house() as hub:
        _line, script = await talker(hub)
        chat(script, lines=60)
        async with visit(hub, f"#{CALL}") as page:
            await expect(spoken(page)).to_have_count(60)
            await expect(spoken(page).last).to_be_in_viewport()
            await page.locator(".scroll").hover()
            await page.mouse.wheel(0, -900)
            await expect(page.locator(".latest")).to_be_visible()
            script.final("something new", "inbound", 200, 201)
            await expect(page.locator(".latest")).to_have_text("Jump to latest · 1 new line")
            await expect(spoken(page).last).not_to_be_in_viewport()
            await page.locator(".latest").click()
            await expect(spoken(page).last).to_be_in_viewport()
            script.final("and more", "inbound", 203, 204)
            await expect(spoken(page).last).to_have_text("and more")
            await expect(spoken(page).last).to_be_in_viewport()
            await expect(page.locator(".latest")).to_be_hidden()


async def test_links_and_the_picture_lead_to_a_moment(visit: Visit) -> None:
    async with house() as hub:
        _line, script = await talker(hub)
        chat(script, lines=100)
        async with visit(hub, f"#{CALL}/t=93") as page:
            await expect(page.locator(".line.shown .words")).to_have_text("line 31")
            await expect(page.locator(".line.shown")).to_be_in_viewport()
            await page.locator(".strip").click(position={"x": 5, "y": 10})
            await expect(page.locator(".line.shown .words")).to_have_text(re.compile(r"^line [0-2]$"))
            await page.locator(".strip").press("End")
            await expect(page.locator(".line.shown .words")).to_have_text("line 99")
            await page.evaluate(f"location.hash = '#{CALL}/t=150'")
            await expect(page.locator(".line.shown .words")).to_have_text("line 50")


async def test_search_copy_and_downloads(visit: Visit) -> None:
    async with house() as hub:
        twilio, script = await talker(hub)
        scenes.support(script)
        async with visit(hub, f"#{CALL}", permissions=["clipboard-read", "clipboard-write"]) as page:
            await expect(spoken(page)).to_have_count(len(scenes.SUPPORT))
            await page.locator(".find-open").click()
            await page.locator(".find input").fill("LATER")
            await expect(page.locator(".find .count")).to_have_text("2 of 2")
            await page.locator(".find input").press("Enter")
            await expect(page.locator(".find .count")).to_have_text("1 of 2")
            await expect(page.locator("mark")).to_have_text(["later", "later"])
            await page.locator(".find input").fill("zebra")
            await expect(page.locator(".find .count")).to_have_text("Not found")
            await page.locator(".find input").press("Escape")
            await expect(page.locator(".find")).to_be_hidden()

            await page.locator(".line").nth(1).hover()
            await page.locator(".line").nth(1).locator(".copy").click()
            await expect(page.locator("#toast")).to_have_text("The line is copied.")
            line = await page.evaluate("navigator.clipboard.readText()")
            async with hub.session.get(hub.url(f"/calls/{CALL}/transcript.txt")) as answer:
                transcript = await answer.text()
            assert line in transcript.splitlines()
            await page.locator(".copy-all").click()
            await expect(page.locator("#toast")).to_have_text("The transcript is copied.")
            assert await page.evaluate("navigator.clipboard.readText()") == transcript

            for live in (True, False):
                if not live:
                    await twilio.send_str(stop())
                    await expect(page.locator(".happening.ended")).to_be_visible()
                for kind in ("txt", "srt", "vtt", "csv", "json"):
                    await page.locator(".pane .menu summary").click()
                    async with page.expect_download() as waiting:
                        await page.locator(f'.pane .menu a[data-kind="{kind}"]').click()
                    download = await waiting.value
                    assert download.suggested_filename == f"{CALL}.{kind}"
                    content = (await download.path()).read_text()
                    assert "Lisbon" in content


async def test_two_calls_side_by_side_and_the_filter(visit: Visit) -> None:
    async with house() as hub:
        _one_line, one = await talker(hub)
        _other_line, two = await talker(hub, OTHER, OTHER_STREAM, **{"from": "+14155550199", "to": "+14155550100", "direction": "inbound"})
        one.final("about tickets to Lisbon")
        two.final("about a broken kettle")
        async with visit(hub) as page:
            await expect(page.locator(".row")).to_have_count(2)
            await page.locator(f'[data-sid="{CALL}"] .open').click()
            await page.locator(f'.row[data-sid="{OTHER}"] .open').click(modifiers=["Shift"])
            await expect(page.locator(".pane")).to_have_count(2)
            await expect(page.locator(".pane").nth(0)).to_contain_text("Lisbon")
            await expect(page.locator(".pane").nth(1)).to_contain_text("kettle")
            assert page.url.endswith(f"#{CALL},{OTHER}")
            await page.go_back()
            await expect(page.locator(".pane")).to_have_count(1)
            for typed, found in (("kettle", [OTHER]), ("0123", [CALL]), ("maya lisbon", [CALL]), (OTHER[:8], [OTHER]), ("", [OTHER, CALL])):
                await page.fill("#filter", typed)
                await expect(page.locator(".row")).to_have_count(len(found))
                assert [await row.get_attribute("data-sid") for row in await page.locator(".row").all()] == found
            await page.fill("#filter", "nothing like it")
            await expect(page.locator("#rows-empty")).to_contain_text("No call fits")


async def test_ended_calls_leave_when_their_keep_time_is_over(visit: Visit) -> None:
    async with house(keep_minutes=0.05) as hub:
        twilio, script = await talker(hub)
        script.final("goodbye")
        async with visit(hub, before=lambda page: page.clock.install()) as page:
            await expect(page.locator(".row")).to_have_count(1)
            await twilio.send_str(stop())
            await expect(page.locator(".row.ended")).to_have_count(1)
            while hub.state.registry.find(CALL) is not None:
                await asyncio.sleep(0.05)  # the page asks the hub, too, and must not ask before the hub has forgotten the call
            await page.clock.fast_forward(61_000)
            await expect(page.locator(".row")).to_have_count(0)


async def test_a_second_stream_and_ongoing_audio_keep_the_call_alive(visit: Visit) -> None:
    async with house() as hub:
        twilio, script = await talker(hub)
        async with visit(hub, f"#{CALL}") as page:
            await twilio.send_str(media("inbound", 0))
            again = await hub.open("/twilio")
            await again.send_str(start(CALL, OTHER_STREAM, parameters=scenes.NUMBERS))
            await expect(page.locator(".happening.started")).to_have_count(2)
            await expect(page.locator(".happening.started").last).to_contain_text("Another audio stream")
            script.final("still here")
            await expect(spoken(page)).to_have_text(["still here"])
            await expect(page.locator(".row")).to_have_count(1)
