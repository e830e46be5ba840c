"""What is missing in a call's record, in a real browser: the hub's own words in the list, above the call and in its lines."""

import asyncio
import re
from itertools import pairwise

import pytest
from playwright.async_api import Locator, expect

from hub.events import TranscriberRestored
from tests.dashboard.browser import Visit
from tests.house import house, real_house
from tests.media import CALL, CONNECTED, start, stop
from tests.providers.fake_deepgram import FakeDeepgram
from tests.providers.script import Script
from tests.publishing import ScriptedCall
from tests.troubled import FOUND, REFUSED, trouble
from tests.web.callers import talk

pytestmark = pytest.mark.asyncio(loop_scope="session")

WHY = {FOUND[3]: "only one side was heard; 20 % of the audio was lost; incomplete: 12 s not transcribed"}
"""What is said of a live call: what needs attention first."""

WRITE_DOWN = """addEventListener("DOMContentLoaded", () => {
    window.told = [];
    const rows = document.getElementById("rows");
    new MutationObserver(() => told.push(rows.innerText)).observe(rows, { subtree: true, childList: true, characterData: true });
})"""
"""Keeps all that the list has ever shown."""


def sid(number: int) -> str:
    return f"CA{number:032d}"


async def colour(element: Locator) -> str:
    return str(await element.evaluate("each => getComputedStyle(each).color"))


async def test_a_refused_key_is_told_wherever_the_call_is_shown_and_nobody_says_that_nothing_was_said(visit: Visit) -> None:
    async with (
        FakeDeepgram(Script(refuse=[401])) as fake,
        real_house(deepgram_key="k", deepgram_url=fake.url) as hub,
        visit(hub, f"#{CALL}") as page,
    ):
        twilio = await hub.open("/twilio")
        await twilio.send_str(CONNECTED)
        await twilio.send_str(start(parameters={"from": "+14155550123", "to": "+14155550100"}))
        while not (await hub.json("/calls"))["calls"]:
            await asyncio.sleep(0.01)
        while (await hub.json(f"/calls/{CALL}"))["completeness"]["state"] == "complete":
            await asyncio.sleep(0.01)
        await talk(twilio, 0, 2000)
        row, pane = page.locator(f'.row[data-sid="{CALL}"]'), page.locator(".pane")
        await expect(row.locator(".condition")).to_have_text(REFUSED)
        await expect(pane.locator(".trouble .condition")).to_have_text(REFUSED)
        await expect(pane.locator(".happening.condition .words")).to_have_text(f"The record so far: {REFUSED}.")
        await expect(pane.locator(".waiting")).to_have_text("Nobody transcribes this call now. New words do not appear here.")
        await expect(row).not_to_contain_text("No words yet")
        await twilio.send_str(stop())
        await expect(page.locator(f'.row.ended[data-sid="{CALL}"] .condition')).to_have_text(REFUSED)
        await expect(row).not_to_contain_text("Nothing was said")
        await expect(pane.locator(".trouble .condition")).to_have_text(REFUSED)
        await expect(pane.locator(".happening.ended .words")).to_contain_text(f"The record: {REFUSED}.")
        assert (await hub.json(f"/calls/{CALL}"))["completeness"]["summary"] == REFUSED


async def test_each_row_says_it_in_the_hubs_words_and_in_colour_while_the_call_lives_and_after(visit: Visit) -> None:
    async with house() as hub:
        calls = [ScriptedCall(hub.state, sid(number)) for number in range(len(FOUND) + 1)]
        calls[-1].final("all is well")
        async with visit(hub) as page:
            await expect(page.locator(".heading h2")).to_have_text("Live · 5")
            calm = page.locator(f'.row[data-sid="{calls[-1].call}"]')
            trouble(calls)
            for ended in (False, True):
                if ended:
                    for call in calls:
                        call.end()
                await expect(page.locator(".row.ended")).to_have_count(5 if ended else 0)
                await expect(page.locator(".heading h2")).to_have_text(["Today"] if ended else ["Needs attention · 4", "Live · 1"])
                for call, summary in zip(calls, FOUND, strict=False):
                    condition = page.locator(f'.row[data-sid="{call.call}"] .open .condition')
                    await expect(condition).to_have_text(summary if ended else WHY.get(summary, summary))
                    assert await colour(condition) != await colour(calm.locator(".said"))
                    assert (summary if ended else WHY.get(summary, summary)) in await page.locator(
                        f'.row[data-sid="{call.call}"] .open'
                    ).aria_snapshot()
                    assert (await hub.json(f"/calls/{call.call}"))["completeness"]["summary"] == summary
                await expect(calm.locator(".condition")).to_be_hidden()
                await expect(page.locator("#rows")).not_to_contain_text("Nothing was said")


async def test_rows_in_trouble_are_taller_and_none_lies_on_another(visit: Visit) -> None:
    async with house() as hub:
        calls = [ScriptedCall(hub.state, sid(number)) for number in range(40)]
        for number in range(0, 40, 3):
            calls[number].condition(unheard="outbound")
        async with visit(hub, viewport={"width": 1000, "height": 820}) as page:
            await expect(page.locator(".heading h2").first).to_have_text("Needs attention · 14")
            heights: set[int] = set()
            for _ in range(2):
                boxes = [await row.bounding_box() for row in await page.locator(".row").all()]
                places = sorted((box["y"], box["y"] + box["height"]) for box in boxes if box is not None)
                assert all(abs(above[1] - below[0]) < 0.5 for above, below in pairwise(places))
                heights |= {round(bottom - top) for top, bottom in places}
                await page.locator("#rows-scroll").hover()
                await page.mouse.wheel(0, 9000)
                await expect(page.locator('.row[aria-posinset="40"]')).to_be_in_viewport()
            assert len(heights) == 2
            for _ in range(40):
                await page.keyboard.press("j")
            await expect(page.locator(".row .open:focus")).to_be_in_viewport(ratio=0.99)


async def test_trouble_that_is_over_leaves_the_row_and_stays_in_the_transcript(visit: Visit) -> None:
    async with house() as hub:
        call = ScriptedCall(hub.state)
        async with visit(hub, f"#{CALL}") as page:
            call.final("hello")
            call.condition(unheard="inbound")
            await expect(page.locator(".trouble .condition")).to_have_text("one side is silent")
            call.condition()
            await expect(page.locator(".trouble .condition")).to_be_empty()
            await expect(page.locator(".row .condition")).to_be_hidden()
            await expect(page.locator(".happening.condition .words")).to_have_text(
                ["The record so far: one side is silent.", "The record so far: complete."]
            )


async def test_nothing_was_said_only_when_that_is_certain(visit: Visit) -> None:
    async with house() as hub:
        silent, spoken = ScriptedCall(hub.state, sid(1)), ScriptedCall(hub.state, sid(2))
        for number in range(60):
            spoken.final("" if number else "hello")
        silent.end()
        spoken.end()
        async with visit(hub, before=lambda page: page.add_init_script(WRITE_DOWN)) as page:
            await expect(page.locator(f'.row[data-sid="{sid(1)}"] .said')).to_have_text("Nothing was said")
            await expect(page.locator(f'.row[data-sid="{sid(2)}"] .said')).not_to_have_text("Nothing was said")
            told = await page.evaluate("told")
            assert max(text.count("Nothing was said") for text in told) == 1


async def test_a_call_opened_by_a_link_is_not_called_ended_before_the_list_has_come(visit: Visit) -> None:
    async with house() as hub:
        ScriptedCall(hub.state)

        async def hold(page: object) -> None:
            await page.route_web_socket("**/client", lambda socket: None)  # type: ignore[attr-defined]

        async with visit(hub, f"#{CALL}", before=hold) as page:
            await expect(page.locator(".waiting")).to_have_text("Fetching the transcript…")
            await expect(page.locator(".row")).to_have_count(0)
            await expect(page.locator("body")).not_to_contain_text("Ended")
            await expect(page.locator("body")).not_to_contain_text("Nothing was said")


async def test_the_documentation_is_a_link_away(visit: Visit) -> None:
    async with house() as hub, visit(hub) as page:
        async with page.context.expect_page() as opened:
            await page.get_by_role("link", name="Docs").click()
        await expect((await opened.value).locator("h1").first).to_be_visible()
        await page.set_viewport_size({"width": 320, "height": 640})
        await expect(page.get_by_role("link", name="Docs")).to_be_hidden()
        await page.keyboard.press("?")
        await expect(page.get_by_role("link", name="Documentation")).to_have_attribute("href", "docs/")


async def test_a_provider_that_is_lost_now_colours_the_row_until_it_is_back(visit: Visit) -> None:
    async with house() as hub, visit(hub) as page:
        call = ScriptedCall(hub.state)
        row = page.locator(f'.row[data-sid="{CALL}"]')
        await expect(row).not_to_have_class(re.compile("troubled"))
        call.lost()
        await expect(row).to_have_class(re.compile("troubled"))
        await expect(row.locator(".condition")).to_have_text("scripted lost, trying again")
        call.publish(TranscriberRestored(call_sid=CALL, provider="scripted", reason="reconnected", attempt=1))
        await expect(row).not_to_have_class(re.compile("troubled"))
