"""The timeline of a call: it zooms by wheel, keys and buttons, shows what happened, goes to the line, and costs little in a long call."""

import re
from typing import Any

import pytest
from playwright.async_api import Page, expect

from hub import events
from tests.dashboard.browser import Visit
from tests.house import house
from tests.media import CALL
from tests.publishing import ScriptedCall

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOURS = 4
LINES = 10_000
EACH = HOURS * 3600 / LINES


def long_call(call: ScriptedCall, lines: int = LINES) -> None:
    """Four hours of talk, a line every one and a half seconds, a tool every two hundred lines and an alert every thousand."""
    for at in range(lines):
        start = at * EACH
        call.final(f"line {at} of the call", start=start, end=start + 1)
        if at % 200 == 100:
            tool(call, f"i{at}", start + 1, "failed" if at % 400 == 100 else "result")
        if at % 1000 == 500:
            alert(call, "refund", start)


def tool(call: ScriptedCall, invocation: str, time: float, outcome: Any) -> None:
    call.publish(events.ToolCalled(call_sid=CALL, invocation=invocation, tool="book", arguments={}, time=time))
    call.publish(
        events.ToolReturned(call_sid=CALL, invocation=invocation, tool="book", outcome=outcome, detail="", time=time + 0.1, seconds=0.1)
    )


def alert(call: ScriptedCall, rule: str, start: float) -> events.Durable:
    return call.publish(events.Alert(call_sid=CALL, rule=rule, kind="phrase", summary=f"said {rule}", start=start, end=start + 1))


async def shown(page: Page) -> float:
    """Return how many pixels of the timeline a second has."""
    found: float = await page.evaluate(
        "document.querySelector('.strip').offsetWidth / Number(document.querySelector('.strip').ariaValueMax)"
    )
    return found


async def test_four_hours_with_ten_thousand_lines_cost_what_can_be_seen(visit: Visit) -> None:
    async with house() as hub:
        call = ScriptedCall(hub.state)
        long_call(call)
        async with visit(hub, f"#{CALL}") as page:
            words = page.locator(".log .line .words")
            await expect(words.last).to_have_text(f"line {LINES - 1} of the call")
            await expect(words.last).to_be_in_viewport()
            await expect(page.locator(".marks button").first).to_have_attribute(
                "aria-label", re.compile("^2:25 book failed"), timeout=15_000
            )
            await expect(words).to_have_count(LINES, timeout=60_000)
            strip = page.locator(".strip")
            await strip.focus()
            for _ in range(12):  # from the whole of it to the closest
                assert await page.evaluate("document.querySelectorAll('.timeline *').length") < 150
                assert await page.evaluate("document.querySelector('.timeline .speech.inbound').getAttribute('d').length") < 12_000
                await page.keyboard.press("+")
            await expect(page.locator(".zoom .closer")).to_have_attribute("aria-disabled", "true")
            # A click goes to the line.
            box = await page.locator(".across").bounding_box()
            assert box is not None
            seconds = (await page.evaluate("document.querySelector('.across').scrollLeft") + 30) / await shown(page)
            await page.mouse.click(box["x"] + 30, box["y"] + box["height"] / 2)
            line = page.locator(".log .line.shown")
            await expect(line).to_be_in_viewport()
            number = int((await line.locator(".words").text_content() or "").split()[1])
            assert abs(number - seconds / EACH) < 2
            await expect(strip).to_have_attribute("aria-valuetext", re.compile(r"^3:59:\d\d of 3:59:\d\d · caller$"))


async def test_it_zooms_by_wheel_keys_and_buttons_around_what_one_looks_at(visit: Visit) -> None:
    async with house() as hub:
        call = ScriptedCall(hub.state)
        long_call(call, 400)
        async with visit(hub, f"#{CALL}") as page:
            await expect(page.locator(".log .line .words")).to_have_count(400)
            whole = await shown(page)
            across = page.locator(".across")
            box = await across.bounding_box()
            assert box is not None
            place = box["x"] + box["width"] / 4
            await page.mouse.move(place, box["y"] + 25)
            label = page.locator(".strip .at")
            before = await label.text_content()
            await page.mouse.wheel(0, -240)
            await expect(page.locator(".timeline")).to_have_attribute("data-zoomed", "")
            assert await shown(page) == pytest.approx(whole * 4, rel=0.01)
            await page.mouse.move(place + 1, box["y"] + 25)
            await expect(label).to_have_text(before or "")  # what is under the pointer stays there
            left = await across.evaluate("each => each.scrollLeft")
            await page.mouse.wheel(120, 0)
            await page.wait_for_function(f"() => document.querySelector('.across').scrollLeft > {left}")
            await page.locator(".zoom .whole").click()
            assert await shown(page) == pytest.approx(whole, rel=0.01)
            await page.locator(".zoom .closer").click()
            assert await shown(page) == pytest.approx(whole * 2, rel=0.01)
            await page.locator(".zoom .farther").click()
            assert await shown(page) == pytest.approx(whole, rel=0.01)
            await page.locator(".strip").press("Home")
            await page.keyboard.press("+")
            await page.keyboard.press("+")
            assert await across.evaluate("each => each.scrollLeft") == 0
            await page.keyboard.press("End")  # the slider stays in view
            await page.wait_for_function("() => document.querySelector('.across').scrollLeft > 500")
            await page.keyboard.press("0")
            await expect(page.locator(".timeline")).not_to_have_attribute("data-zoomed", "")


async def test_marks_say_what_happened_and_lead_there_and_an_alert_that_was_wrong_is_none(visit: Visit) -> None:
    async with house() as hub:
        call = ScriptedCall(hub.state)
        for at in range(60):
            call.final(f"line {at}", start=at * 5.0, end=at * 5.0 + 3)
        tool(call, "i1", 62.0, "failed")
        tool(call, "i2", 63.0, "result")
        alert(call, "refund", 150.0)
        wrong = alert(call, "lawyer", 250.0)
        async with visit(hub, f"#{CALL}") as page:
            marks = page.locator(".marks button")
            labels = ["1:02 book failed · 1:03 book answered", "2:30 Watchword refund: said refund", "4:10 Watchword lawyer: said lawyer"]
            await expect(marks).to_have_count(3)
            for at, label in enumerate(labels):
                told = (await marks.nth(at).get_attribute("aria-label") or "").replace("\u2068", "").replace("\u2069", "")
                assert told == label, told
            assert [await marks.nth(at).get_attribute("data-kind") for at in range(3)] == ["failed", "alert", "alert"]
            call.publish(events.AlertWithdrawn(call_sid=CALL, alert=wrong.offset, rule="lawyer", reason="wrong", left=0))
            await expect(marks).to_have_count(2)
            await marks.first.focus()
            await page.keyboard.press("ArrowRight")
            await expect(marks.nth(1)).to_be_focused()
            await page.keyboard.press("Enter")
            await expect(page.locator(".log .shown")).to_contain_text("said refund")
            await expect(page.locator(".log .shown")).to_be_in_viewport()
            assert await page.locator(".marks button[tabindex='0']").count() == 1
