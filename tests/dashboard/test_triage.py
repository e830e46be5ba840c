"""The triage board: which calls need a person, and why, at one look, in a real browser."""

import asyncio
import re
import time
from typing import Any

import pytest
from playwright.async_api import Page, expect

from hub.events import Alert, ToolReturned
from tests.clients.terminal.screen import board
from tests.dashboard.browser import Visit
from tests.dashboard.test_accessibility import sound
from tests.house import House, house
from tests.publishing import ScriptedCall

pytestmark = pytest.mark.asyncio(loop_scope="session")

AGENTS, QUEUES = ("Maya", "Ines", "Tom", "Sam"), ("billing", "orders", "repairs")

WHY = (
    (11, "scripted lost, trying again"),
    (3, "watchword: refund"),
    (20, "only one side was heard"),
    (33, "tool book_flight failed"),
    (41, "20 % of the audio was lost"),
)
"""The calls in trouble, the most urgent first."""


WIDER = """[...document.querySelectorAll("body *")]
    .filter((each) => each.getBoundingClientRect().right > innerWidth + 0.5 && each.checkVisibility())
    .filter((each) => !each.closest(".row, .trouble, .unseen"))
    .map((each) => each.outerHTML.slice(0, 90))"""
"""What is wider than the window, beside what is cut off with an ellipsis."""


def sid(number: int) -> str:
    return f"CA{number:032d}"


def begin(hub: House, count: int = 60) -> list[ScriptedCall]:
    """Begin calls with agents, queues and words."""
    calls = []
    for at in range(count):
        parameters = {"agent": AGENTS[at % 4], "queue": QUEUES[at % 3]}
        direction = "outbound-api" if at % 4 == 1 else "inbound"
        number = f"+1415555{at:04d}"
        call = ScriptedCall(hub.state, sid(at), from_=number, to=number, direction=direction, parameters=parameters)
        call.final(f"words of call {at}")
        calls.append(call)
    return calls


def befall(calls: list[ScriptedCall]) -> None:
    """Let each trouble of WHY befall its call."""
    calls[11].lost()
    alert(calls[3])
    calls[20].condition(unheard="outbound")
    fail(calls[33])
    calls[41].condition(lost_percent=20.0)


def alert(call: ScriptedCall) -> None:
    found = {"summary": "“my money back”", "text": "my money back", "start": 3.0, "end": 4.0}
    call.publish(Alert(call_sid=call.call, rule="refund", kind="phrase", track="inbound", speaker="caller", utterance="u2", **found))


def fail(call: ScriptedCall, outcome: Any = "failed", tool: str = "book_flight") -> None:
    call.publish(ToolReturned(call_sid=call.call, invocation="i1", tool=tool, outcome=outcome, detail="no", time=1.0, seconds=0.5))


async def rows(page: Page) -> list[str]:
    """Return the callSids of the rows and the texts of the headings, from the top."""
    return await page.locator("#rows > li").evaluate_all("each => each.map(row => row.dataset.sid ?? row.textContent.trim())")


@pytest.mark.parametrize("viewport", [{"width": 1360, "height": 820}, {"width": 320, "height": 640}, {"width": 680, "height": 410}])
async def test_of_sixty_calls_the_five_in_trouble_are_on_top_with_why_at_once(visit: Visit, viewport: dict[str, int]) -> None:
    async with house() as hub:
        calls = begin(hub)
        async with visit(hub, viewport=viewport) as page:
            await expect(page.locator(".heading h2").first).to_have_text("Live · 60")
            befall(calls)
            await expect(page.locator(".heading h2").first).to_have_text("Needs attention · 5", timeout=2000)
            assert (await rows(page))[1:6] == [sid(at) for at, _ in WHY]
            for at, why in WHY:
                row = page.locator(f'.row.urgent[data-sid="{sid(at)}"]')
                await expect(row.locator(".condition")).to_have_text(why)
            if viewport["height"] > 500:
                for at, _ in WHY:
                    await expect(page.locator(f'[data-sid="{sid(at)}"] .condition')).to_be_in_viewport(ratio=0.9)
            assert await page.title() == "(5) 60 live · Transcript Hub"
            await expect(page.locator("#count-attention")).to_have_text("5 need attention")


async def test_which_calls_need_me_and_why_is_answered_alike_by_the_page_and_the_board_on_their_first_screen(visit: Visit) -> None:
    async with house() as hub, board(hub) as screen, visit(hub, viewport={"width": 1360, "height": 640}) as page:
        calls = begin(hub)
        await screen.shows("60 live")
        await expect(page.locator(".heading h2").first).to_have_text("Live · 60")
        began = time.monotonic()
        befall(calls)
        async with asyncio.TaskGroup() as both:
            both.create_task(expect(page.locator(f'[data-sid="{sid(41)}"] .condition')).to_be_in_viewport(ratio=0.9))
            shown = both.create_task(
                screen.shows("5 need attention, 60 live", "Needs attention · 5", *(why for _, why in WHY), "Live · 55")
            )
        print(f"both told after {time.monotonic() - began:.2f} s")
        assert len(shown.result()) <= 24
        assert await page.locator(".row.urgent .condition").all_text_contents() == [why for _, why in WHY]
        for at, why in WHY:
            (line,) = (line for line in shown.result() if f"+1415555{at:04d}" in line)
            assert why in line
            assert AGENTS[at % 4] in line
            assert QUEUES[at % 3] in line


async def test_what_a_call_that_is_over_was_about_stays_in_its_row(visit: Visit) -> None:
    async with house() as hub:
        calls = begin(hub, 3)
        alert(calls[1])
        calls[1].end()
        async with visit(hub) as page:
            row = page.locator(f'.row.ended[data-sid="{sid(1)}"]')
            await expect(row.locator(".condition")).to_have_text("watchword: refund (“my money back”)")
            alert(calls[2])
            await expect(page.locator(".heading h2").first).to_have_text("Needs attention · 1")
            calls[2].end()
            await expect(page.locator(f'.row.ended[data-sid="{sid(2)}"] .condition')).to_have_text("watchword: refund (“my money back”)")
            assert await page.title() == "1 live · Transcript Hub"


async def test_a_page_that_opens_later_says_the_same_and_what_is_over_leaves_the_top(visit: Visit) -> None:
    async with house() as hub:
        calls = begin(hub)
        befall(calls)
        for at in range(4):
            calls[33].final(f"and on {at}")
        async with visit(hub) as page:
            await expect(page.locator(".heading h2").first).to_have_text("Needs attention · 5")
            fail(calls[33], "result")
            calls[20].condition()
            await expect(page.locator(".heading h2").first).to_have_text("Needs attention · 3")
            calls[3].end()
            await expect(page.locator(".heading h2").first).to_have_text("Needs attention · 2")
            await expect(page.locator(f'.row.ended[data-sid="{sid(3)}"]')).to_have_count(0)  # past, below sixty others
            await expect(page.locator("#count-live")).to_have_text("59 live")


async def test_the_columns_say_who_where_from_and_how_long_and_sort(visit: Visit) -> None:
    async with house() as hub:
        calls = begin(hub, 8)
        fail(calls[5])
        calls[0].end()
        async with visit(hub) as page:
            row = page.locator(f'.row[data-sid="{sid(5)}"]')
            for part, text in (
                ("agent", "Ines"),
                ("queue", "repairs"),
                ("direction", "Outbound"),
                ("condition", "tool book_flight failed"),
            ):
                await expect(row.locator(f".{part}")).to_have_text(text)
                await expect(row.locator(f".{part}")).to_be_visible()
            past = page.locator(f'.row.ended[data-sid="{sid(0)}"] .lasted')
            await expect(past).to_have_text(re.compile(r"20\d\d.*\d:\d\d.*0:01"))
            boxes = [await each.bounding_box() for each in await page.locator(".row .agent:not(:empty)").all()]
            assert len({round(box["x"]) for box in boxes if box}) == 1, "one column"
            await page.locator(".column.agent").click()
            live = [key for key in await rows(page) if key.startswith("CA")][1:8]
            assert [AGENTS[int(key[2:]) % 4] for key in live[:6]] == sorted(AGENTS[at % 4] for at in range(1, 8) if at != 5)
            await expect(page.locator(".column.agent")).to_have_attribute("aria-pressed", "true")
            await page.reload()
            await expect(page.locator(".column.agent")).to_have_attribute("aria-pressed", "true")


async def test_filters_for_queue_agent_direction_duration_and_attention(visit: Visit) -> None:
    async with house() as hub:
        calls = begin(hub, 12)
        fail(calls[4])
        async with visit(hub) as page:
            heading = page.locator(".heading h2")
            await page.locator("#narrow-open").click()
            await page.fill("[name=queue]", "orders")
            await page.locator("[name=queue]").press("Enter")
            await expect(heading.first).to_have_text("Needs attention · 1")
            await expect(heading.last).to_have_text("Live · 3")
            await page.select_option("[name=direction]", "outbound")
            await expect(heading).to_have_text("Live · 1")
            await page.locator("#narrow-clear").click()
            await page.fill("[name=longer]", "1")
            await page.locator("[name=longer]").press("Enter")
            await expect(page.locator("#rows-empty")).to_contain_text("No call fits")
            await page.locator("#narrow-clear").click()
            await page.fill("[name=agent]", "Maya")
            await page.locator("[name=agent]").press("Enter")
            await expect(heading.last).to_have_text("Live · 2")
            await page.locator("#narrow-clear").click()
            await page.locator("#count-attention").click()
            await expect(heading).to_have_text("Needs attention · 1")
            assert "state=attention" in page.url
            await page.locator("#count-attention").click()
            await expect(heading.last).to_have_text("Live · 11")


async def test_a_wide_screen_shows_a_grid_of_calls_and_the_urgent_ones_first(visit: Visit) -> None:
    async with house() as hub:
        calls = begin(hub, 12)
        fail(calls[2])
        async with visit(hub, viewport={"width": 1920, "height": 1000}) as page:
            await expect(page.locator(".heading h2").first).to_have_text("Needs attention · 1")
            await page.keyboard.press("g")
            await expect(page.locator(".pane")).to_have_count(9)
            await expect(page.locator(".pane").first).to_have_attribute("data-sid", sid(2))
            await expect(page.locator(".pane .trouble .condition").first).to_have_text("tool book_flight failed")
            last = page.locator(".pane").last
            calls[int((await last.get_attribute("data-sid") or "")[2:])].final("the newest words")
            await expect(last.locator(".log .words").last).to_have_text("the newest words")
            await expect(last.locator(".log .words").last).to_be_in_viewport()
            boxes = [await each.bounding_box() for each in await page.locator(".pane").all()]
            assert len({round(box["x"]) for box in boxes if box}) == 3
            await sound(page, "grid")
            await page.set_viewport_size({"width": 1500, "height": 820})
            await page.keyboard.press("g")
            await expect(page.locator(".pane")).to_have_count(0)
            await page.keyboard.press("g")
            await expect(page.locator(".pane")).to_have_count(6)


async def test_who_looks_elsewhere_is_told_once_by_a_notification_and_a_sound(visit: Visit) -> None:
    stub = """() => {
        window.shown = [];
        window.Notification = class extends EventTarget {
            static permission = "granted";
            static requestPermission = async () => "granted";
            constructor(text) { super(); shown.push(text); }
        };
        const start = OscillatorNode.prototype.start;
        window.tones = 0;
        OscillatorNode.prototype.start = function (...when) { tones += 1; return start.apply(this, when); };
    }"""

    async def before(page: Page) -> None:
        await page.add_init_script(f"({stub})()")

    async with house() as hub:
        calls = begin(hub, 3)
        calls[0].condition(unheard="outbound")
        async with visit(hub, before=before) as page:
            await expect(page.locator(".heading h2").first).to_have_text("Needs attention · 1")
            await page.locator("#alarm summary").click()
            await page.locator("#alarm-notify").check()
            await page.locator("#alarm-sound").check()
            assert await page.evaluate("tones") == 2, "so that one knows it"
            await page.evaluate("Object.defineProperty(document, 'hidden', { get: () => window.away ?? false })")
            await page.evaluate("window.away = true")
            fail(calls[1])
            await expect(page.locator("#announced")).to_contain_text("tool book_flight failed")
            assert await page.evaluate("tones") == 4
            assert await page.evaluate("shown") == ["+1\u00a0415\u00a0555\u00a00001 needs attention: tool book_flight failed"]
            assert await page.title() == "(2) 3 live · Transcript Hub"
            await page.evaluate("window.away = false")
            for percent in (5.0, 20.0):
                calls[2].condition(lost_percent=percent)
                await expect(page.locator(f'[data-sid="{sid(2)}"] .condition')).to_have_text(f"{percent:.0f} % of the audio was lost")
            assert await page.evaluate("tones") == 6, "more of the same is no news"


async def test_the_interface_speaks_the_readers_language_and_keeps_a_choice(visit: Visit) -> None:
    async with house() as hub:
        calls = begin(hub, 3)
        calls[1].condition(lost_percent=20.0)
        async with visit(hub, locale="de-DE") as page:
            await expect(page.locator(".heading h2").first).to_have_text("Braucht Hilfe · 1")
            await expect(page.locator(".row .condition").first).to_have_text("20 % des Tons gingen verloren")
            assert await page.locator("html").get_attribute("lang") == "de"
            await page.keyboard.press("?")
            await page.select_option("#help-language", "fr")
            await expect(page.locator(".heading h2").first).to_have_text("À traiter · 1")
            await page.reload()
            await expect(page.locator(".heading h2").first).to_have_text("À traiter · 1")
        async with visit(hub, "?lang=es", locale="pt-BR") as page:
            await expect(page.locator(".heading h2").first).to_have_text("Requiere atención · 1")


@pytest.mark.parametrize("language", ["en", "de", "es", "fr"])
async def test_every_language_fits_where_there_is_hardly_any_room(visit: Visit, language: str) -> None:
    async with house(listen=True) as hub:
        calls = begin(hub, 8)
        befall_some(calls)
        async with visit(hub, f"?lang={language}", viewport={"width": 320, "height": 256}) as page:
            await expect(page).to_have_title(re.compile(r"^\(2\) 8 "))
            for row in range(2):
                await expect(page.locator(".row.urgent .condition").nth(row)).to_be_in_viewport(ratio=0.9)
            await fits(page, "the list")
            await page.locator("#narrow-open").click()
            await fits(page, "the filters")
            await page.locator("#narrow-open").click()
            await page.locator("#alarm summary").click()
            await expect(page.locator("#alarm-sound")).to_be_in_viewport()
            await page.locator(".row.urgent .open").first.click()
            await expect(page.locator(".trouble .condition")).to_be_in_viewport()
            for button in (".back", ".details-open", ".listen", ".find-open"):
                await expect(page.locator(button)).to_be_in_viewport(ratio=0.99)
            box = await page.locator(".scroll").bounding_box()
            assert box is not None
            assert box["height"] >= 100, "the words have room"
            await fits(page, "a call")
            await page.locator(".details-open").click()
            await fits(page, "its details")


def befall_some(calls: list[ScriptedCall]) -> None:
    fail(calls[2])
    calls[5].refused()


async def fits(page: Page, what: str) -> None:
    """Nothing is wider than the window."""
    wide = await page.evaluate(WIDER)
    assert wide == [], what
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), what


async def test_nothing_of_the_board_stands_in_anyones_way(visit: Visit) -> None:
    async with house() as hub:
        calls = begin(hub, 20)
        fail(calls[2])
        calls[4].refused()
        calls[6].end()
        async with visit(hub) as page:
            await expect(page.locator(".heading h2").first).to_have_text("Needs attention · 2")
            await page.locator("#narrow-open").click()
            await sound(page, "table with filters")
            await page.select_option("#density", "compact")
            await page.locator("#alarm summary").click()
            await sound(page, "compact table with the alarm")
            await page.keyboard.press("Escape")
            await page.set_viewport_size({"width": 680, "height": 410})
            await sound(page, "list at 200 %")
            await page.set_viewport_size({"width": 320, "height": 640})
            await sound(page, "list on a phone")
            assert await page.evaluate("document.documentElement.scrollWidth") <= 320
