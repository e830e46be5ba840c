"""Tokens in the browser: asked for once, kept for the tab, never left in an address."""

import pytest
from playwright.async_api import expect

from hub.tokens import mint
from tests.dashboard import scenes
from tests.dashboard.browser import Visit
from tests.dashboard.test_dashboard import OTHER, OTHER_STREAM, spoken, talker
from tests.dashboard.test_listen import subscribers
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
            await expect(page.locator("#gate-why")).to_contain_text("What you see stays", timeout=20_000)
            await expect(spoken(page)).to_be_in_viewport()
            script.final("meanwhile", start=3, end=4)
            await page.fill("#gate-token", mint(SECRET, ["*"], 60))
            await page.keyboard.press("Enter")
            await expect(spoken(page)).to_have_text(["before", "meanwhile"])


async def test_a_token_is_renewed_over_the_same_socket_and_a_wrong_one_costs_nothing(visit: Visit) -> None:
    async with house(secret=SECRET) as hub:
        _line, script = await talker(hub)
        script.final("before")
        link = f"?token={mint(SECRET, [CALL], 3600)}#{CALL}"
        async with visit(hub, link, before=lambda page: page.clock.install()) as page:
            await expect(spoken(page)).to_have_text(["before"])
            await page.locator(".scroll").focus()
            await page.clock.fast_forward(3500_000)
            await expect(page.locator("#gate-why")).to_contain_text("Your token runs out at")
            await expect(page.locator(".scroll")).to_be_focused()  # the reader goes on reading
            await page.fill("#gate-token", "not.a.token")
            await page.keyboard.press("Enter")
            await expect(page.locator("#gate-why")).to_contain_text("does not take that token")
            await page.click("#gate-later")
            await expect(page.locator("#gate")).to_be_hidden()
            script.final("with the old one", start=3, end=4)
            await expect(spoken(page)).to_have_text(["before", "with the old one"])
            await page.clock.fast_forward(3500_000)
            (socket,) = subscribers(hub)
            _other_line, _ = await talker(hub, OTHER, OTHER_STREAM)
            await page.fill("#gate-token", mint(SECRET, ["*"], 60))
            await page.keyboard.press("Enter")
            await expect(page.locator("#gate")).to_be_hidden()
            await expect(page.locator(".row")).to_have_count(2)  # what the new token allows besides
            script.final("after", start=5, end=6)
            await expect(spoken(page)).to_have_text(["before", "with the old one", "after"])
            assert subscribers(hub) == [socket]
            await page.reload()
            await expect(page.locator(".row")).to_have_count(2)


async def test_the_form_names_the_command_that_makes_a_token(visit: Visit) -> None:
    async with house(secret=SECRET) as hub:
        async with visit(hub) as page:
            await expect(page.locator("#gate-command")).to_have_text("transcript-hub token '*' --hours 8")
        async with visit(hub, f"?call={CALL}") as page:
            await expect(page.locator("#gate-command")).to_have_text(f"transcript-hub token {CALL} --hours 8")
