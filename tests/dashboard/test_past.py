"""Past calls in a real browser: the list of an archive, its search and filters, and a call of last month."""

import re
import time
from pathlib import Path

import pytest
from playwright.async_api import Page, Route, expect

from hub.archive.opening import open_archive
from hub.tokens import mint
from tests.dashboard import scenes
from tests.dashboard.browser import Visit
from tests.dashboard.past import PastCall, keep
from tests.dashboard.test_dashboard import spoken
from tests.house import house
from tests.media import CALL
from tests.publishing import ScriptedCall

pytestmark = pytest.mark.asyncio(loop_scope="session")

SECRET = "a secret of a test, long enough for anybody"

DAY = 86400.0


def sid(number: int) -> str:
    return f"CA{number:032d}"


def last_month(count: int) -> list[PastCall]:
    """So many calls, the first ten hours ago by noon, each a third of a day before the one before it. The fifth has one more word."""
    now = time.time() - 2 * DAY
    talk = [("outbound", 1.0, 3.0, "Good morning, this is Maya."), ("inbound", 4.0, 8.0, "My parcel has not arrived.")]
    return [
        PastCall(
            sid=sid(number),
            at=now - number * DAY / 3,
            from_=f"+1415556{number:04d}",
            said=[*talk, ("inbound", 60.0, 62.0, "I want a refund, please.")] if number % 10 == 5 else talk,
            agent="Frieda" if number == 7 else None,
        )
        for number in range(count)
    ]


async def rows(page: Page) -> list[str]:
    """The callSids of all calls of the list, read by scrolling through it."""
    seen: dict[str, None] = {}
    scroller = page.locator("#rows-scroll")
    while True:
        before = len(seen)
        for row in await page.locator(".row").all():
            seen[await row.get_attribute("data-sid") or ""] = None
        at_end = await scroller.evaluate(
            "each => { each.scrollTop += 400; return each.scrollTop + each.clientHeight >= each.scrollHeight; }"
        )
        await page.wait_for_function("() => document.querySelector('#rows-end p').textContent === ''")
        await page.evaluate("() => new Promise(requestAnimationFrame)")
        await page.wait_for_timeout(60)  # a frame of the page's own is 50 ms: what is drawn by then is read in the next round, too
        if at_end and len(seen) == before:
            return list(seen)


async def test_the_list_goes_on_through_the_archive_and_nothing_is_there_twice(visit: Visit, tmp_path: Path) -> None:
    place = keep(tmp_path / "calls.db", last_month(150))
    async with house(archive=place) as hub:
        live = ScriptedCall(hub.state, CALL)
        async with visit(hub) as page:
            await expect(page.locator(".heading h2").first).to_have_text("Live · 1")
            await expect(page.locator(".heading h2").nth(1)).to_have_text(re.compile(r"\w+day.* \d{4}"))
            row = page.locator(f'.row[data-sid="{sid(0)}"]')
            await expect(row.locator(".when")).to_have_text(re.compile(r"\d:\d\d"))
            await expect(row.locator(".long")).to_have_text("0:09")
            await expect(row.locator(".said")).to_have_text("caller and Maya (agent) · 2 utterances")
            live.final("goodbye")
            live.end()
            await expect(page.locator(".heading h2").first).to_have_text("Today")
            assert await rows(page) == [CALL, *map(sid, range(150))]
            assert await page.locator(".row").count() < 40, "only what is in view is in the document"


async def test_a_call_of_last_month_opens_like_one_of_now_also_by_its_link(visit: Visit, tmp_path: Path) -> None:
    far = PastCall(sid=CALL, at=time.time() - 40 * DAY, said=scenes.SUPPORT)
    place = keep(tmp_path / "calls.db", [far, *last_month(3)])
    async with house(archive=place) as hub, visit(hub, f"#{CALL}&t=25.5", viewport={"width": 1360, "height": 500}) as page:
        await expect(spoken(page)).to_have_count(len(scenes.SUPPORT))
        await expect(page.locator(".line.shown .words")).to_have_text(scenes.SUPPORT[6][3])
        await expect(page.locator(".pane .lasted")).to_have_text("Ended 0:59")
        await expect(page.locator(".pane .title")).to_have_text("+1 415 555 0123")
        await expect(page.locator(".happening.ended")).to_contain_text("The call ended after 0:59. The record: complete.")
        for socket in list(hub.state.sockets):
            socket.interrupt(4409, "a test cut this")
        await expect(page.locator("#link")).to_have_text("Connected", timeout=8000)
        await expect(spoken(page)).to_have_count(len(scenes.SUPPORT))
        await expect(page.locator(".waiting")).to_be_empty()
        await page.locator(f'.row[data-sid="{sid(1)}"] .open').click()
        await expect(spoken(page)).to_have_text(["Good morning, this is Maya.", "My parcel has not arrived."])


async def test_words_of_all_calls_are_found_and_lead_to_their_moment(visit: Visit, tmp_path: Path) -> None:
    place = keep(tmp_path / "calls.db", last_month(120))
    async with house(archive=place) as hub:
        ScriptedCall(hub.state, CALL).final("a REFUND at once", start=3.0, end=4.0)
        async with visit(hub, viewport={"width": 1360, "height": 400}) as page:
            await page.fill("#filter", "refund")
            await expect(page.locator("#matches")).to_have_text("13 calls found")
            assert await rows(page) == [CALL, *(sid(number) for number in range(5, 120, 10))]
            row = page.locator(f'.row[data-sid="{sid(115)}"]')
            await expect(row.locator(".words")).to_have_text(re.compile(r"^ *1:00 caller: +I want a refund, please\.$"))
            await expect(row.locator("mark")).to_have_text("refund")
            await row.locator(".open").press("Enter")
            await expect(page.locator(".line.shown .words")).to_have_text("I want a refund, please.")
            assert page.url.endswith(f"?q=refund#{sid(115)}/t=60")


async def test_a_filter_stands_in_the_address_and_the_back_button_takes_it_away(visit: Visit, tmp_path: Path) -> None:
    calls = last_month(60)
    place = keep(tmp_path / "calls.db", calls)
    day = time.strftime("%Y-%m-%d", time.localtime(calls[30].at))
    of_day = [call.sid for call in calls if time.strftime("%Y-%m-%d", time.localtime(call.at)) == day]
    async with house(archive=place) as hub, visit(hub, timezone_id=_zone()) as page:
        await expect(page.locator(".row").first).to_be_visible()
        await page.click("#narrow-open")
        await page.fill("input[name=from]", day)
        await page.fill("input[name=to]", day)
        await page.keyboard.press("Tab")
        await expect(page.locator("#matches")).to_have_text(f"{len(of_day)} calls found")
        assert await rows(page) == of_day
        assert page.url.endswith(f"?from={day}&to={day}")
        await page.keyboard.press("Escape")
        await expect(page.locator("#narrow")).to_be_hidden()
        await expect(page.locator("#chips li")).to_have_count(2)
        async with visit(hub, page.url.rpartition("/")[2], timezone_id=_zone()) as second:
            await expect(second.locator("#matches")).to_have_text(f"{len(of_day)} calls found")
        await page.go_back()
        await page.go_back()
        await expect(page.locator("#matches")).to_be_empty()
        await expect(page.locator("#chips")).to_be_hidden()
        await page.go_forward()
        await expect(page.locator("#chips li")).to_have_count(1)
        await page.locator("#chips button").click()
        await expect(page.locator("#chips")).to_be_hidden()
        for name, value, found in (("agent", "Frieda", sid(7)), ("number", "+1 415 556 0009", sid(9))):
            await page.click("#narrow-open")
            await page.fill(f"input[name={name}]", value)
            await page.keyboard.press("Enter")
            await expect(page.locator("#matches")).to_have_text("1 call found")
            await expect(page.locator(f'.row[data-sid="{found}"] .open')).to_be_focused()
            await page.click("#narrow-clear")
            await expect(page.locator("#matches")).to_be_empty()
            await page.click("#narrow-open")
        await page.click("#narrow-open")
        await page.select_option("select[name=state]", "incomplete")
        await expect(page.locator("#rows-empty")).to_contain_text("No call fits all parts of the filter.")


def _zone() -> str:
    """This machine's time zone: the browser's days are the test's."""
    return time.strftime("%Z") if time.localtime().tm_gmtoff == 0 else "UTC"


async def test_a_filter_that_makes_no_sense_is_said_in_the_hubs_words(visit: Visit) -> None:
    async with house() as hub, visit(hub, "?number=hello", refused="400 (Bad Request)") as page:
        await expect(page.locator("#matches")).to_contain_text("number must be a phone number with its country code")


async def test_an_erased_call_says_so_and_shows_nothing(visit: Visit, tmp_path: Path) -> None:
    place = keep(tmp_path / "calls.db", last_month(3))
    archive = open_archive(place)
    assert archive.erase([sid(1)], "on request", time.time()) == [sid(1)]
    archive.close()
    async with house(archive=place) as hub, visit(hub, f"#{sid(1)}") as page:
        await expect(page.locator(".waiting")).to_have_text(
            "The hub says: this call was erased: on request. It keeps nothing of the call but that."
        )
        await expect(page.locator(".pane .menu")).to_be_hidden()
        await expect(spoken(page)).to_have_count(0)
        await expect(page.locator(".row")).to_have_count(2)
        assert await rows(page) == [sid(0), sid(2)]


async def test_a_call_that_is_erased_while_it_is_read_leaves_nothing_on_the_page(visit: Visit, tmp_path: Path) -> None:
    place = keep(tmp_path / "calls.db", last_month(3))
    async with house(archive=place) as hub, visit(hub, f"#{sid(1)}") as page:
        await expect(spoken(page)).to_have_count(2)
        await expect(page.locator(".row")).to_have_count(3)
        async with hub.session.delete(hub.url(f"/calls/{sid(1)}")) as answer:
            assert answer.status == 200, await answer.text()
        await expect(page.locator(".waiting")).to_contain_text("this call was erased")
        await expect(spoken(page)).to_have_count(0)
        await expect(page.locator(".row")).to_have_count(2)
        assert "parcel" not in await page.content()


async def test_a_token_without_the_right_sees_what_it_saw(visit: Visit, tmp_path: Path) -> None:
    place = keep(tmp_path / "calls.db", last_month(3))
    async with house(archive=place, secret=SECRET) as hub:
        now = ScriptedCall(hub.state, CALL)
        now.final("bye")
        now.end()
        async with visit(hub, f"?token={mint(SECRET, ['*'], 60)}#{sid(1)}") as page:
            await expect(page.locator(".row")).to_have_count(1)
            await expect(page.locator("#rows-end")).to_contain_text("Your token shows calls of the last 60 minutes.")
            await expect(page.locator(".waiting")).to_contain_text("The hub does not know this call")
        async with visit(hub, f"?token={mint(SECRET, ['*'], 60, rights=['archive'])}#{sid(1)}") as page:
            await expect(page.locator(".row")).to_have_count(4)
            await expect(page.locator("#rows-end p")).to_be_empty()
            await expect(spoken(page)).to_have_count(2)


async def test_a_hub_that_cannot_list_past_calls_is_asked_again_by_a_button(visit: Visit, tmp_path: Path) -> None:
    place = keep(tmp_path / "calls.db", last_month(3))
    away = True

    async def answer(route: Route) -> None:
        await (route.abort() if away else route.continue_())

    async with house(archive=place) as hub:
        ScriptedCall(hub.state, CALL)
        before = lambda page: page.route("**/calls?*", answer)  # noqa: E731
        async with visit(hub, before=before, hub_goes_away=True, refused="net::ERR_FAILED") as page:
            await expect(page.locator("#rows-end p")).to_have_text("Past calls cannot be shown: the hub cannot be reached.")
            await expect(page.locator(".row")).to_have_count(1)
            away = False
            await page.click("#rows-retry")
            await expect(page.locator(".row")).to_have_count(4)
            await expect(page.locator("#rows-retry")).to_be_hidden()
