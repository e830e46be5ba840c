"""Reading a call: words stay where they are, little room is enough, and what happened opens where it stands."""

import re
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from hub import events
from tests.dashboard.browser import Visit
from tests.house import house
from tests.media import CALL
from tests.publishing import ScriptedCall

pytestmark = pytest.mark.asyncio(loop_scope="session")

WORDS = [f"word{number}" for number in range(18)]

FIRST_LETTERS = """element => {
    const text = document.createTreeWalker(element, NodeFilter.SHOW_TEXT).nextNode()
    const range = document.createRange()
    range.setStart(text, 0)
    range.setEnd(text, 12)
    const { x, y, width } = range.getBoundingClientRect()
    return [x, y, width].map((each) => Math.round(each * 10) / 10)
}"""


async def place(words: Locator) -> list[float]:
    """Return where the first letters of some words stand, and how wide they are."""
    found: list[float] = await words.evaluate(FIRST_LETTERS)
    return found


@pytest.mark.parametrize("width", [1360, 320])
@pytest.mark.parametrize("after", ["nobody", "the same speaker"])
async def test_a_sentence_does_not_move_while_it_grows_nor_when_it_is_final(visit: Visit, width: int, after: str) -> None:
    async with house() as hub:
        call = ScriptedCall(hub.state)
        if after != "nobody":
            call.final("said before", "u0")
        async with visit(hub, f"#{CALL}", viewport={"width": width, "height": 900}) as page:
            places = []
            for count in range(3, len(WORDS) + 1):
                text = " ".join(WORDS[:count])
                call.interim(text, "u1")
                open_words = page.locator(".open-lines .words")
                await expect(open_words).to_have_text(text)
                places.append(await place(open_words))
            call.final(" ".join(WORDS), "u1")
            final = page.locator(".log .line .words").last
            await expect(final).to_have_text(" ".join(WORDS))
            places.append(await place(final))
            assert [each for each in places if each != places[0]] == [], places[0]


async def test_little_room_goes_to_the_words_and_the_details_open_when_asked_for(visit: Visit) -> None:
    async with house(listen=True) as hub:
        call = ScriptedCall(hub.state)
        for at in range(30):
            call.final(f"line {at} of the call", start=at * 3.0, end=at * 3.0 + 2)
        call.refused()
        for size, least in (((320, 256), 100), ((640, 320), 120), ((680, 410), 200)):
            async with visit(hub, f"#{CALL}", viewport={"width": size[0], "height": size[1]}) as page:
                await expect(page.locator(".log .line").last).to_be_in_viewport()
                box = await page.locator(".scroll").bounding_box()
                assert box is not None
                assert box["height"] >= least, f"{size}: the words have {box['height']} pixels"
                await expect(page.locator(".overview")).to_be_hidden()
                await expect(page.locator(".trouble .condition")).to_be_in_viewport()
                for button in (".back", ".find-open", ".details-open"):
                    if await page.locator(button).is_visible() or button != ".back":
                        await expect(page.locator(button)).to_be_in_viewport()
                await page.locator(".details-open").click()
                await expect(page.locator(".strip")).to_be_visible()
                await page.keyboard.press("d")
                await expect(page.locator(".overview")).to_be_hidden()
                assert await page.evaluate("document.documentElement.scrollWidth") <= size[0]


async def test_the_newest_lines_of_a_long_call_come_first(visit: Visit) -> None:
    watch = """addEventListener("DOMContentLoaded", () => {
        window.first = null;
        new MutationObserver(() => {
            const lines = document.querySelectorAll(".log .line .words");
            if (lines.length && window.first === null) window.first = lines[lines.length - 1].textContent;
        }).observe(document.getElementById("panes"), { subtree: true, childList: true });
    })"""

    async def before(page: Page) -> None:
        await page.add_init_script(watch)

    async with house() as hub:
        call = ScriptedCall(hub.state)
        for at in range(2000):
            call.final(f"line {at}", start=float(at), end=at + 0.5)
        async with visit(hub, f"#{CALL}", before=before) as page:
            lines = page.locator(".log .line .words")
            await expect(lines).to_have_count(2000, timeout=15_000)
            assert await page.evaluate("first") == "line 1999"
            assert await lines.first.text_content() == "line 0"
            await expect(lines.last).to_be_in_viewport()


async def test_every_line_has_its_call_time_and_date_and_time_of_day_at_the_pointer(visit: Visit) -> None:
    async with house() as hub:
        call = ScriptedCall(hub.state)
        call.final("hello", start=65.0, end=66.0)
        call.publish(events.Dtmf(call_sid=CALL, digit="4", track="inbound"))
        async with visit(hub, f"#{CALL}") as page:
            moments = page.locator(".log .moment")
            await expect(moments).to_have_text(["0:00", "1:05", "1:06"])
            for at in range(3):
                assert re.search(r"20\d\d.*\d:\d\d:\d\d.* · Copy the link", await moments.nth(at).get_attribute("title") or "")


async def test_a_tool_is_a_row_that_opens_and_a_failed_one_is_red(visit: Visit) -> None:
    async with house() as hub:
        call = ScriptedCall(hub.state, agent="desk")
        async with visit(hub, f"#{CALL}") as page:
            asked: dict[str, Any] = {"day": "2026-12-01", "name": "שלום <b>"}
            call.publish(events.ToolCalled(call_sid=CALL, invocation="i1", tool="book", arguments=asked, time=1.0))
            row = page.locator(".happening.tool")
            await expect(row.locator("summary")).to_have_text("book running")
            await row.locator("summary").click()
            call.final("one moment", start=1.0, end=2.0)
            back = events.ToolReturned(
                call_sid=CALL, invocation="i1", tool="book", outcome="failed", detail='{"error":"HTTP 500"}', time=3.0, seconds=0.42
            )
            call.publish(back)
            await expect(row.locator("summary")).to_have_text("book failed · 0.4 s")
            await expect(row).to_have_count(1)
            await expect(row.locator("dd")).to_have_text([re.compile('"name": "שלום <b>"'), re.compile('"error": "HTTP 500"'), "0.4 s"])
            await expect(row.locator("dd").first).to_be_visible()  # it stays open when the answer comes
            colours = [
                await each.evaluate("each => getComputedStyle(each).color")
                for each in (row.locator("summary"), page.locator(".started .words"))
            ]
            assert colours[0] != colours[1]
            await row.locator("summary").click()
            await expect(row.locator("dd").first).to_be_hidden()


async def test_keys_are_one_line_and_many_of_them_are_shown_only_when_asked_for(visit: Visit) -> None:
    async with house() as hub:
        call = ScriptedCall(hub.state)
        for digit in "415555":
            call.publish(events.Dtmf(call_sid=CALL, digit=digit, track="inbound"))
        call.publish(events.AgentInterrupted(call_sid=CALL, time=1.0, heard=0.5, generated=2.0))
        call.final("hello")
        async with visit(hub, f"#{CALL}") as page:
            row = page.locator(".happening.dtmf")
            await expect(row.locator("summary")).to_have_text("caller pressed 6 keys")
            await expect(row.locator(".keys-pressed")).to_be_hidden()
            await row.locator("summary").click()
            await expect(row.locator(".keys-pressed")).to_have_text("4 1 5 5 5 5")
            await expect(page.locator(".figures")).to_contain_text("Agent interrupted")
