"""What the page copies, in a real browser: the hub's own file, or a sentence that says why not."""

import asyncio

import pytest
from playwright.async_api import Route, expect

from hub.tokens import mint
from tests.dashboard import scenes
from tests.dashboard.browser import Visit
from tests.dashboard.test_dashboard import spoken, talker
from tests.house import house
from tests.media import CALL, stop

pytestmark = pytest.mark.asyncio(loop_scope="session")

SECRET = "a secret of a test, long enough for anybody"
CLICK_FORGOTTEN = """new Promise((done) => {
    const look = () => (navigator.userActivation.isActive ? setTimeout(look, 50) : done());
    look();
})"""
CLIPBOARD = {"permissions": ["clipboard-read", "clipboard-write"]}


async def test_copy_all_is_the_hubs_own_file_during_the_call_and_after_it(visit: Visit) -> None:
    async with house(secret=SECRET) as hub:
        twilio, script = await talker(hub)
        scenes.support(script)
        token = mint(SECRET, ["*"], 60)
        async with visit(hub, f"?token={token}#{CALL}", **CLIPBOARD) as page:
            await expect(spoken(page)).to_have_count(len(scenes.SUPPORT))
            for live in (True, False):
                if not live:
                    await twilio.send_str(stop())
                    await expect(page.locator(".happening.ended")).to_be_visible()
                await page.locator(".copy-all").click()
                await expect(page.locator("#toast")).to_have_text("The transcript is copied.")
                await page.evaluate("document.getElementById('toast').textContent = ''")
                file = hub.url(f"/calls/{CALL}/transcript.txt")
                async with hub.session.get(file, headers={"Authorization": f"Bearer {token}"}) as answer:
                    transcript = await answer.text()
                assert await page.evaluate("navigator.clipboard.readText()") == transcript
                assert "was not transcribed" in transcript, "what happened is in it, too"


async def test_a_hub_that_answers_late_is_waited_for_although_the_click_is_long_ago(visit: Visit) -> None:
    asked, late = asyncio.Event(), asyncio.Event()

    async def hold(route: Route) -> None:
        asked.set()
        await late.wait()
        await route.continue_()

    async with house() as hub:
        _twilio, script = await talker(hub)
        script.final("hello")
        before = {"before": lambda page: page.route("**/transcript.txt", hold)}
        async with visit(hub, f"#{CALL}", **CLIPBOARD, **before) as page:
            await expect(spoken(page)).to_have_text(["hello"])
            await page.locator(".copy-all").click()
            await asked.wait()
            # Chromium forgets a click after five seconds.
            await page.evaluate(CLICK_FORGOTTEN)
            late.set()
            await expect(page.locator("#toast")).to_have_text("The transcript is copied.")
            assert "caller: hello\n" in await page.evaluate("navigator.clipboard.readText()")


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (404, "Nothing was copied: the hub no longer has this call."),
        (503, "Nothing was copied: the hub answered 503."),
        (None, "Nothing was copied: the hub cannot be reached."),
    ],
)
async def test_why_nothing_was_copied_is_said(visit: Visit, status: int | None, says: str) -> None:
    async def fail(route: Route) -> None:
        await (route.abort() if status is None else route.fulfill(status=status))

    async with house() as hub:
        _twilio, script = await talker(hub)
        script.final("hello")
        before = {"before": lambda page: page.route("**/transcript.txt", fail)}
        async with visit(hub, f"#{CALL}", refused="Failed to load resource", **CLIPBOARD, **before) as page:
            await page.evaluate("navigator.clipboard.writeText('as before')")
            await expect(spoken(page)).to_have_text(["hello"])
            await page.locator(".copy-all").click()
            await expect(page.locator("#toast")).to_have_text(says)
            assert await page.evaluate("navigator.clipboard.readText()") == "as before"


async def test_a_browser_that_does_not_allow_it_is_said(visit: Visit) -> None:
    async with house() as hub:
        _twilio, script = await talker(hub)
        script.final("hello")
        async with visit(hub, f"#{CALL}") as page:
            await expect(spoken(page)).to_have_text(["hello"])
            await page.evaluate("void (navigator.clipboard.write = () => Promise.reject(new Error('not allowed here')))")
            await page.locator(".copy-all").click()
            await expect(page.locator("#toast")).to_have_text("Nothing was copied: not allowed here.")
