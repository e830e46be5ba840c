"""One call's page within another tool."""

import asyncio
import html
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import Page, expect

from hub.tokens import mint
from tests.dashboard import scenes
from tests.dashboard.browser import Visit
from tests.dashboard.test_dashboard import OTHER, OTHER_STREAM, spoken, talker
from tests.dashboard.test_listen import subscribers
from tests.docs.pages import blocks
from tests.house import House, house
from tests.media import CALL

pytestmark = pytest.mark.asyncio(loop_scope="session")


SECRET = "a secret of a test, long enough for anybody"

LISTENING = """<script>
    window.told = [];
    addEventListener("message", ({ data }) => told.push(data));
    window.give = (token) => document.querySelector("iframe").contentWindow.postMessage({ type: "transcript-hub:token", token }, "*");
</script>"""
"""What the other tool does with the page's messages."""


def example(embedded: str, script: str = "") -> str:
    """Return the integrator's page's example, as a page of another tool."""
    frame = f'<iframe src="{html.escape(embedded)}" title="The call" width="480" height="560"></iframe>'
    return f'<!doctype html><title>CRM</title><link rel="icon" href="data:,">{script}{frame}'


@asynccontextmanager
async def crm(pages: list[str]) -> AsyncIterator[str]:
    """Run another tool, of another site as browsers see it, that shows the last of these pages, and signs tokens; return its origin."""

    async def serve(_: web.Request) -> web.Response:
        return web.Response(text=pages[-1], content_type="text/html")

    async def token(_: web.Request) -> web.Response:
        return web.Response(text=mint(SECRET, [CALL], 3600))

    app = web.Application()
    app.router.add_get("/", serve)
    app.router.add_get("/hub-token", token)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://localhost:{runner.addresses[0][1]}"
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
    async with house(secret=SECRET, listen=True) as hub:
        _line, script = await talker(hub)
        _other_line, other = await talker(hub, OTHER, OTHER_STREAM)
        scenes.support(script)
        other.final("not for this reader")
        link = f"?call={CALL}&token={mint(SECRET, [CALL], 60)}"
        async with crm([example(hub.url(f"/{link}"))]) as origin, visit(hub, link, within=f"{origin}/") as tool:
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


@asynccontextmanager
async def within_a_tool(visit: Visit, origins: str = "", refused: str = "", **settings: Any) -> AsyncIterator[tuple[House, Page]]:
    """A call's page within another tool, without a token; return the hub and the tool's page. `origins`: HUB_ORIGINS, else the tool's."""
    pages: list[str] = []
    async with crm(pages) as origin, house(origins=origins or origin, **settings) as hub:
        pages.append(example(hub.url(f"/?call={CALL}"), LISTENING))
        async with visit(hub, f"?call={CALL}", within=f"{origin}/", refused=refused) as tool:
            yield hub, tool


async def test_the_documented_page_gives_a_token_and_another_before_that_runs_out(visit: Visit) -> None:
    _linked, renewed = blocks("html", page="hub/web/README.md")
    pages: list[str] = []
    async with crm(pages) as origin, house(origins=origin, secret=SECRET) as hub:
        _line, script = await talker(hub)
        script.final("hello")
        shown = renewed.text.replace("https://hub.example.com", hub.url("")).replace("CA…", CALL)
        pages.append(f'<!doctype html><title>CRM</title><link rel="icon" href="data:,">{shown}')
        async with visit(hub, f"?call={CALL}", within=f"{origin}/", before=lambda tool: tool.clock.install()) as tool:
            words = tool.frame_locator("iframe").locator(".log .line .words")
            await expect(words).to_have_text(["hello"])
            (socket,) = subscribers(hub)
            async with tool.expect_request("**/hub-token"):
                await tool.clock.fast_forward(3500_000)
            script.final("again", start=3, end=4)
            await expect(words).to_have_text(["hello", "again"])
            assert subscribers(hub) == [socket]
            await expect(tool.frame_locator("iframe").locator("#gate")).to_be_hidden()


async def test_the_page_says_what_became_of_a_token(visit: Visit) -> None:
    async with within_a_tool(visit, secret=SECRET) as (hub, tool):
        _line, script = await talker(hub)
        script.final("hello")
        words = tool.frame_locator("iframe").locator(".log .line .words")
        await tool.wait_for_function("() => told.length")
        assert await tool.evaluate("told.pop()") == {"type": "transcript-hub:token-wanted", "why": "missing", "expiresAt": None}
        await tool.evaluate("give", mint(SECRET, [CALL], 60))
        await expect(words).to_have_text(["hello"])
        assert await tool.evaluate("told.pop()") == {"type": "transcript-hub:token-taken"}
        await tool.evaluate("give", "not.a.token")
        await tool.wait_for_function("() => told.length")
        refused = await tool.evaluate("told.pop()")
        assert (refused["why"], refused["expiresAt"][:2]) == ("refused", "20")
        script.final("still here", start=3, end=4)
        await expect(words).to_have_text(["hello", "still here"])


async def test_a_token_from_a_page_that_the_hub_does_not_name_is_not_used(visit: Visit) -> None:
    async with within_a_tool(visit, origins="null", secret=SECRET, refused="does not name in HUB_ORIGINS") as (hub, tool):
        await talker(hub)
        page = tool.frame_locator("iframe")
        await tool.wait_for_function("() => told.length")
        async with tool.expect_console_message(lambda message: "HUB_ORIGINS" in message.text):
            await tool.evaluate("give", mint(SECRET, [CALL], 60))
        await expect(page.locator("#gate")).to_be_visible()  # the reader is asked in its place
        assert await page.locator(".log .line").count() == 0


async def test_pages_that_the_hub_does_not_name_cannot_show_a_hub_without_tokens(visit: Visit) -> None:
    async with within_a_tool(visit, origins="https://desk.example.com", refused="frame-ancestors") as (_, tool):
        await expect(tool.frame_locator("iframe").locator("body")).not_to_have_class("embedded")
        assert tool.frames[1].url.startswith("chrome-error:")
    async with within_a_tool(visit) as (_, tool):
        await expect(tool.frame_locator("iframe").locator(".waiting")).to_contain_text("does not know this call")
