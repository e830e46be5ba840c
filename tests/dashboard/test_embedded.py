"""One call's page within another tool."""

import asyncio
import html
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from playwright.async_api import expect

from hub.tokens import mint
from tests.dashboard import scenes
from tests.dashboard.browser import Visit
from tests.dashboard.test_dashboard import OTHER, OTHER_STREAM, spoken, talker
from tests.house import house
from tests.media import CALL

pytestmark = pytest.mark.asyncio(loop_scope="session")


@asynccontextmanager
async def crm(embedded: str) -> AsyncIterator[str]:
    """Run another tool, of another site as browsers see it, whose page is the integrator's page's example; return its address."""
    page = (
        f'<!doctype html><title>CRM</title><link rel="icon" href="data:,"><iframe src="{html.escape(embedded)}" title="The call"></iframe>'
    )

    async def serve(_: web.Request) -> web.Response:
        return web.Response(text=page, content_type="text/html")

    app = web.Application()
    app.router.add_get("/", serve)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://localhost:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


async def test_one_calls_page_can_be_embedded(visit: Visit) -> None:
    async with house() as hub, visit(hub, f"?call={CALL}") as page:
        await expect(page.locator(".waiting")).to_contain_text("does not know this call")
        _line, script = await talker(hub)
        script.final("hello")
        await expect(spoken(page)).to_have_text(["hello"], timeout=8000)
        await expect(page.locator("#calls")).to_be_hidden()
        script.final("again", start=3, end=4)
        await expect(spoken(page)).to_have_text(["hello", "again"])


async def test_another_tools_page_shows_one_call_and_nothing_else(visit: Visit) -> None:
    secret = "a secret of a test, long enough for anybody"
    async with house(secret=secret, listen=True) as hub:
        _line, script = await talker(hub)
        _other_line, other = await talker(hub, OTHER, OTHER_STREAM)
        scenes.support(script)
        other.final("not for this reader")
        link = f"?call={CALL}&token={mint(secret, [CALL], 60)}"
        async with crm(hub.url(f"/{link}")) as within, visit(hub, link, within=within) as tool:
            page = tool.frame_locator("iframe")
            words = page.locator(".log .line .words")
            await expect(words).to_have_count(len(scenes.SUPPORT))
            for hidden in ("#calls", ".bar h1", ".head .close", "#help-open", "#gate"):
                await expect(page.locator(hidden).first).to_be_hidden()
            script.final("And one more thing.", start=60, end=62)
            await expect(words.last).to_have_text("And one more thing.")
            await page.locator(".details-open").click()  # the example's frame has little height
            await page.locator(".copy-all").click()
            await expect(page.locator("#toast")).to_have_text("The transcript is copied.")
            await page.locator(".pane .menu summary").click()
            async with tool.expect_download() as waiting:
                await page.locator('.pane .menu a[data-kind="txt"]').click()
            assert "Lisbon" in (await (await waiting.value).path()).read_text()
            await page.locator(".listen").click()
            await expect(page.locator(".listen")).to_have_text("Stop listening")
            while not hub.state.counters.listeners:
                await asyncio.sleep(0.01)
            assert "token" not in tool.frames[1].url
            assert hub.state.counters.refused == {}
