"""A real browser on the dashboard. Whatever a test does with it: no error on the console, no request to any other host."""

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright

FLAGS = (
    "--no-sandbox",  # tests run as root in containers
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-precise-memory-info",
)

UNREACHABLE = ("WebSocket connection to", "net::ERR_CONNECTION_REFUSED")
"""How Chromium itself, not the page, tells on the console that a hub is away."""

Visit = Callable[..., AbstractAsyncContextManager[Page]]


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Run Debian's Chromium."""
    path = shutil.which("chromium")
    assert path is not None, "these tests need Debian's chromium: apt-get install chromium"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def visit(
    browser: Browser,
    url: str,
    *,
    hub_goes_away: bool = False,
    within: str | None = None,
    before: Any = None,
    refused: str = "",
    **context: Any,
) -> AsyncIterator[Page]:
    """Open a page and hold it to the two rules until the end. `before(page)` runs before it loads; `context` are Playwright's options.

    `refused`: how Chromium tells on the console of a request that the hub, or the test, refuses on purpose. `within` is another tool's page
    that embeds it, to be opened in its place.
    """
    context = {"viewport": {"width": 1360, "height": 820}, "reduced_motion": "reduce"} | context
    errors: list[str] = []
    strangers: list[str] = []

    def console(message: ConsoleMessage) -> None:
        expected = [*(UNREACHABLE if hub_goes_away else ()), *([refused] if refused else ())]
        if message.type in {"error", "warning"} and not any(each in message.text for each in expected):
            errors.append(message.text)

    def requested(address: str) -> None:
        parts = urlsplit(address)
        if parts.scheme not in {"blob", "data"} and parts.netloc not in {urlsplit(url).netloc, urlsplit(within or url).netloc}:
            strangers.append(address)

    own = await browser.new_context(**context)
    try:
        page = await own.new_page()
        page.on("console", console)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: requested(request.url))
        page.on("websocket", lambda socket: requested(socket.url))
        if before is not None:
            await before(page)
        await page.goto(within or url)
        yield page
    finally:
        await own.close()
    assert not errors, f"on the console: {errors}"
    assert not strangers, f"asked elsewhere: {strangers}"
