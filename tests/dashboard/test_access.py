"""Tokens in the browser: asked for once, kept for the tab, never left in an address."""

import pytest
from playwright.async_api import expect

from hub.tokens import mint
from tests.dashboard import scenes
from tests.dashboard.browser import Visit
from tests.dashboard.test_dashboard import OTHER, OTHER_STREAM, spoken, talker
from tests.house import house
from tests.media import CALL

pytestmark = pytest.mark.asyncio(loop_scope="session")

SECRET = "a secret of a test, long enough for anybody"


async def test_a_token_is_asked_for_once_and_kept_for_the_tab(visit: Visit) -> None:
    async with house(secret=SECRET) as hub:
        _line, script = await talker(hub)
        scenes.support(script)
        async with visit(hub, f"#{CALL}") as page:
            await expect(page.locator("#gate")).to_be_visible()
            await expect(page.locator("#gate-token")).to_be_focused()
            await page.keyboard.type("not.a.token")
            await page.keyboard.press("Enter")
            await expect(page.locator("#gate-why")).to_contain_text("wrong or has expired")
            await page.keyboard.type(mint(SECRET, ["*"], 60))
            await page.keyboard.press("Enter")
            await expect(page.locator("#gate")).to_be_hidden()
            await expect(spoken(page)).to_have_count(len(scenes.SUPPORT))
            await page.reload()
            await expect(spoken(page)).to_have_count(len(scenes.SUPPORT))
            await expect(page.locator("#gate")).to_be_hidden()
            async with page.expect_download() as waiting:
                await page.locator(".pane .menu summary").click()
                await page.locator('.pane .menu a[data-kind="srt"]').click()
            assert "Lisbon" in (await (await waiting.value).path()).read_text()
            assert await page.evaluate("localStorage.length") == 0


async def test_a_token_in_the_link_is_used_and_taken_off_the_address(visit: Visit) -> None:
    async with house(secret=SECRET) as hub:
        _line, script = await talker(hub)
        _other_line, _ = await talker(hub, OTHER, OTHER_STREAM)
        script.final("hello")
        token = mint(SECRET, [CALL], 60)
        async with visit(hub, f"?token={token}#{CALL}") as page:
            await expect(spoken(page)).to_have_text(["hello"])
            await expect(page.locator(".row")).to_have_count(1)
            assert token not in page.url
            assert token not in await page.content()
            assert await page.evaluate("history.length") <= 2
        async with visit(hub, f"?call={CALL}&token={token}") as page:
            await expect(spoken(page)).to_have_text(["hello"])
            assert page.url.endswith(f"/?call={CALL}")


async def test_a_token_that_runs_out_is_asked_for_again_and_nothing_is_lost(visit: Visit) -> None:
    async with house(secret=SECRET) as hub:
        _line, script = await talker(hub)
        script.final("before")
        async with visit(hub, f"?token={mint(SECRET, ['*'], 6)}#{CALL}") as page:
            await expect(spoken(page)).to_have_text(["before"])
            await expect(page.locator("#gate")).to_be_visible(timeout=20_000)
            script.final("meanwhile", start=3, end=4)
            await page.fill("#gate-token", mint(SECRET, ["*"], 60))
            await page.keyboard.press("Enter")
            await expect(spoken(page)).to_have_text(["before", "meanwhile"])
