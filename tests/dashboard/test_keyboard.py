"""The dashboard without a mouse."""

import json
from typing import Any

import pytest
from playwright.async_api import Page, WebSocketRoute, expect

from tests.dashboard import scenes
from tests.dashboard.browser import Visit
from tests.dashboard.test_dashboard import OTHER, OTHER_STREAM, spoken, talker
from tests.house import house
from tests.media import CALL

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_everything_by_keyboard(visit: Visit) -> None:
    async with house() as hub:
        _one_line, one = await talker(hub)
        _other_line, two = await talker(hub, OTHER, OTHER_STREAM, **{"from": "+14155550199", "to": "+14155550100", "direction": "inbound"})
        scenes.support(one)
        two.final("about a broken kettle")
        async with visit(hub, permissions=["clipboard-read", "clipboard-write"]) as page:
            keys = page.keyboard
            await expect(page.locator(".row")).to_have_count(2)
            await keys.press("j")
            await expect(page.locator(f'.row[data-sid="{OTHER}"] .open')).to_be_focused()
            await keys.press("ArrowDown")
            await expect(page.locator(f'.row[data-sid="{CALL}"] .open')).to_be_focused()
            await keys.press("Enter")
            await expect(page.locator(".pane .title")).to_have_text("+1 415 555 0123")
            await expect(page.locator(".scroll")).to_be_focused()
            await expect(spoken(page)).to_have_count(len(scenes.SUPPORT))

            await keys.press("Home")
            await keys.press("j")
            await keys.press("j")
            await expect(page.locator(".log [data-id]:focus")).to_be_in_viewport()
            await keys.press("c")
            await expect(page.locator("#toast")).to_have_text("The line is copied.")
            await keys.press("y")
            await expect(page.locator("#toast")).to_have_text("The link to this moment is copied.")
            assert f"#{CALL}/t=" in await page.evaluate("navigator.clipboard.readText()")
            await keys.press("End")
            await expect(page.locator(".latest")).to_be_hidden()

            await keys.press("f")
            await keys.type("Lisbon")
            await expect(page.locator(".find .count")).to_have_text("1 of 1")
            await keys.press("Escape")
            await expect(page.locator(".find")).to_be_hidden()

            await keys.press("l")
            await keys.press("k")
            await keys.press("b")
            await expect(page.locator(".pane")).to_have_count(2)
            await expect(page.locator(f'.pane[data-sid="{OTHER}"] .scroll')).to_be_focused()
            await keys.press("t")
            await expect(page.locator(f'.pane[data-sid="{CALL}"] .scroll')).to_be_focused()
            await keys.press("Escape")
            await keys.press("Escape")
            await expect(page.locator(".pane")).to_have_count(0)

            await keys.press("/")
            await keys.type("kettle")
            await expect(page.locator(".row")).to_have_count(1)
            await keys.press("Enter")
            await expect(page.locator(f'.row[data-sid="{OTHER}"] .open')).to_be_focused()
            await keys.press("?")
            await expect(page.locator("#help")).to_be_visible()
            await keys.press("Escape")
            await expect(page.locator("#help")).to_be_hidden()

            await page.locator("#help-open").focus()
            await keys.press("Enter")
            await page.locator("#help-single").uncheck()
            await page.locator("#help button").press("Enter")
            await expect(page.locator("#help")).to_be_hidden()
            await keys.press("/")
            await expect(page.locator("#filter")).not_to_be_focused()


async def test_a_call_opened_before_its_words_came_is_asked_for_once(visit: Visit) -> None:
    """Asked for again, its lines came, went and came again, and a reader who was already among them lost the place."""
    asked: list[str] = []
    held: list[str | bytes] = []
    release: list[Any] = []

    async def before(page: Page) -> None:
        def between(socket: WebSocketRoute) -> None:
            server = socket.connect_to_server()
            release.append(socket.send)

            def ask(message: str | bytes) -> None:
                asked.append(str(message))
                server.send(message)

            def answer(message: str | bytes) -> None:
                if held or '"subscribed"' in str(message):
                    held.append(message)
                else:
                    socket.send(message)

            socket.on_message(ask)
            server.on_message(answer)

        await page.route_web_socket("**/client", between)

    async with house() as hub:
        _line, script = await talker(hub)
        script.final("hello")
        async with visit(hub, before=before) as page:
            await expect(page.locator(".row")).to_have_count(1)
            await page.keyboard.press("j")
            await page.keyboard.press("Enter")
            await expect(page.locator(".waiting")).to_have_text("Fetching the transcript…")
            for message in held:
                release[0](message)
            held.clear()
            await expect(spoken(page)).to_have_text(["hello"])
            assert [each for each in asked if "callSid" in each] == [
                json.dumps({"action": "subscribe", "callSid": CALL, "interims": True}, separators=(",", ":"))
            ]


async def test_tab_alone_reaches_the_list_the_call_and_its_tools(visit: Visit) -> None:
    async with house() as hub:
        _line, script = await talker(hub)
        scenes.support(script)
        async with visit(hub, f"#{CALL}") as page:
            await expect(spoken(page)).to_have_count(len(scenes.SUPPORT))
            await page.evaluate("document.activeElement.blur()")
            reached = []
            for _ in range(16):
                await page.keyboard.press("Tab")
                focused = page.locator(":focus")
                if await focused.count():
                    reached.append(await focused.evaluate("each => each.className || each.id || each.tagName"))
                    outline = await focused.evaluate("each => getComputedStyle(each).outlineStyle")
                    assert outline != "none", reached[-1]
            for wanted in ("help-open", "filter", "open", "find-open", "copy-all", "SUMMARY", "close", "strip", "scroll"):
                assert wanted in reached, f"{wanted} not in {reached}"
