"""The list's filter in a real browser: the hub searches all words of all calls, whatever the page has seen of them."""

import asyncio
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import Page, Route, expect

from hub.tokens import mint
from tests.dashboard.browser import Visit
from tests.house import House, house
from tests.media import CALL
from tests.publishing import ScriptedCall

pytestmark = pytest.mark.asyncio(loop_scope="session")

SECRET = "a secret of a test, long enough for anybody"


def sid(number: int) -> str:
    return f"CA{number:032d}"


def many(hub: House) -> list[ScriptedCall]:
    """Sixty ended calls and six live ones. In each third of them somebody said long ago what is searched for, 40 events before the end."""
    calls = [ScriptedCall(hub.state, sid(number), from_=f"+1415555{number:04d}") for number in range(66)]
    for number, call in enumerate(calls):
        call.final("I want my Refund now" if number % 3 == 0 else "good morning", start=7.0, end=9.0)
        for _ in range(40):
            call.final("and so on", start=60.0, end=61.0)
        if number < 60:
            call.end()
    return calls


async def test_all_calls_in_which_words_were_said_are_found_and_lead_to_the_moment(visit: Visit) -> None:
    async with house() as hub:
        many(hub)
        async with visit(hub, viewport={"width": 1360, "height": 500}) as page:
            await expect(page.locator(".heading h2").first).to_have_text("Live · 6")
            await page.fill("#filter", "refund  want")
            await expect(page.locator("#matches")).to_have_text("22 calls found")
            await expect(page.locator(".heading h2").first).to_have_text("Live · 2")
            row = page.locator(f'.row[data-sid="{sid(63)}"]')
            await expect(row.locator(".words")).to_have_text(re.compile("^ *0:07 caller: +I want my Refund now$"))
            await expect(row.locator("mark")).to_have_text(["want", "Refund"])
            await row.locator(".open").click()
            await expect(page.locator(".line.shown .words")).to_have_text("I want my Refund now")
            await expect(page.locator(".line.shown")).to_be_in_viewport()
            assert page.url.endswith(f"#{sid(63)}/t=7")
            await page.locator("#rows-scroll").hover()
            await page.mouse.wheel(0, 9000)
            await expect(page.locator(f'.row[data-sid="{sid(0)}"] .said')).to_have_text("I want my Refund now")
            await page.fill("#filter", "")
            await expect(page.locator(".heading h2").first).to_have_text("Live · 6")
            await expect(page.locator("#matches")).to_be_empty()


async def test_the_words_that_were_found_are_in_view_wherever_in_a_long_sentence_they_are(visit: Visit) -> None:
    async with house() as hub:
        ScriptedCall(hub.state).final("and so on " * 20 + "until I had my refund at last")
        async with visit(hub) as page:
            await page.fill("#filter", "refund")
            await expect(page.locator(".said")).to_have_text("…until I had my refund at last")
            row, found = await page.locator(".row .said").bounding_box(), await page.locator(".said mark").bounding_box()
            assert row is not None
            assert found is not None
            assert found["x"] + found["width"] <= row["x"] + row["width"]


async def test_words_that_are_said_after_the_question_count_too(visit: Visit) -> None:
    async with house() as hub:
        calls = many(hub)
        async with visit(hub) as page:
            await page.fill("#filter", "refund")
            await expect(page.locator("#matches")).to_have_text("22 calls found")
            calls[64].final("a refund, please", start=70.0, end=71.0)
            await expect(page.locator("#matches")).to_have_text("23 calls found")
            await expect(page.locator(f'.row[data-sid="{sid(64)}"] .words')).to_have_text(re.compile("1:10 caller: +a refund, please"))


async def test_the_hub_is_asked_once_when_typing_pauses_and_an_older_answer_never_wins(visit: Visit) -> None:
    asked: list[str] = []
    late = asyncio.Event()

    async def answer(route: Route) -> None:
        query = parse_qs(urlsplit(route.request.url).query)
        if query["live"] == ["false"]:
            asked.extend(query["q"])
        if query["q"] == ["refund"]:
            await late.wait()
        await route.continue_()

    async with house() as hub:
        many(hub)
        async with visit(hub, before=lambda page: page.route("**/calls?q=*", answer)) as page:
            await expect(page.locator(".heading h2").first).to_have_text("Live · 6")
            await page.locator("#filter").press_sequentially("refund")
            await expect(page.locator("#matches")).to_have_text("Searching…")
            while not asked:
                await asyncio.sleep(0.01)
            await page.fill("#filter", "nobody said this")
            await expect(page.locator("#matches")).to_have_text("0 calls found")
            late.set()
            await expect(page.locator("#rows-empty")).to_contain_text(
                "No call has “nobody said this” in its numbers, names, callSid or words."
            )
            await expect(page.locator("#matches")).to_have_text("0 calls found")
            assert asked == ["refund", "nobody said this"]


async def test_a_hub_that_cannot_be_asked_is_said_and_what_is_there_is_filtered(visit: Visit) -> None:
    async with house() as hub:
        many(hub)[65].final("my last refund", start=70.0, end=71.0)

        async def fail(page: Page) -> None:
            await page.route("**/calls?q=*", lambda route: route.abort())

        async with visit(hub, before=fail, hub_goes_away=True, refused="net::ERR_FAILED") as page:
            await expect(page.locator(f'.row[data-sid="{sid(65)}"]')).to_contain_text("my last refund")
            await page.fill("#filter", "refund")
            await expect(page.locator("#matches")).to_have_text(
                "1 call found in what this page has. The hub could not be asked: the hub cannot be reached."
            )
            await page.unroute("**/calls?q=*")
            for socket in list(hub.state.sockets):
                socket.interrupt(4409, "a test cut this")
            await expect(page.locator("#matches")).to_have_text("23 calls found", timeout=8000)


async def test_a_search_that_the_hub_refuses_is_said_in_its_words(visit: Visit) -> None:
    async with house() as hub:
        ScriptedCall(hub.state).final("hello")
        async with visit(hub, refused="400 (Bad Request)") as page:
            await page.fill("#filter", "a b c d e f g h i j k l m n")
            await expect(page.locator("#matches")).to_have_text(
                "0 calls found in what this page has. The hub could not be asked: a search has at most 200 characters and 12 words."
            )


async def test_only_what_the_token_allows_is_found(visit: Visit) -> None:
    async with house(secret=SECRET) as hub:
        mine, other = ScriptedCall(hub.state, CALL), ScriptedCall(hub.state, sid(2))
        for call in (mine, other):
            call.final("a refund")
            call.end()
        async with visit(hub, f"?token={mint(SECRET, [CALL], 60)}") as page:
            await page.fill("#filter", "refund")
            await expect(page.locator("#matches")).to_have_text("1 call found")
            await expect(page.locator(".row")).to_have_count(1)


async def test_a_filter_cannot_ask_for_anything_else(visit: Visit) -> None:
    async with house() as hub:
        ScriptedCall(hub.state).final("50 % off & more #1?q=2+2")
        async with visit(hub) as page:
            await page.fill("#filter", "50 % off & more #1?q=2+2")
            await expect(page.locator("#matches")).to_have_text("1 call found")
            await expect(page.locator(".said mark").first).to_be_visible()
