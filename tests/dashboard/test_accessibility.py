"""What axe-core finds on the dashboard's states, light and dark: nothing."""

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.dashboard import scenes
from tests.dashboard.browser import Visit
from tests.dashboard.test_dashboard import OTHER, OTHER_STREAM, spoken, talker
from tests.house import house
from tests.media import CALL, stop
from tests.publishing import ScriptedCall
from tests.troubled import trouble

pytestmark = pytest.mark.asyncio(loop_scope="session")

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"

SCHEMES = ("light", "dark")


async def sound(page: Page, state: str) -> None:
    """Let axe look at the page in both colour schemes."""
    assert AXE.is_file(), "axe-core is not installed: npm ci --prefix tests/dashboard"
    await page.evaluate(AXE.read_text())
    for scheme in SCHEMES:
        await page.emulate_media(color_scheme=scheme)
        found = await page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
        told = [
            f"{each['id']}: {each['help']}: " + "; ".join(f"{node['html'][:120]} {node['failureSummary']}" for node in each["nodes"][:3])
            for each in found["violations"]
        ]
        assert not told, f"{state}, {scheme}: " + "\n".join(told)


async def test_nothing_stands_in_anyones_way(visit: Visit) -> None:
    async with house(listen=True) as hub, visit(hub) as page:
        await expect(page.locator("#rows-empty")).to_be_visible()
        await sound(page, "empty")
        twilio, script = await talker(hub)
        other_line, other = await talker(hub, OTHER, OTHER_STREAM)
        scenes.support(script)
        other.interim("hello", "inbound", 0, 1)
        await other_line.send_str(stop(OTHER, OTHER_STREAM))
        await expect(page.locator(".row.ended")).to_have_count(1)
        await sound(page, "list")
        await page.locator(f'.row[data-sid="{CALL}"] .open').click()
        await expect(spoken(page)).to_have_count(len(scenes.SUPPORT))
        script.interim("and another", "inbound", 61, 62)
        await expect(page.locator(".line.unsettled")).to_be_visible()
        await page.keyboard.press("f")
        await page.keyboard.type("later")
        await expect(page.locator("mark")).to_have_count(2)
        await page.locator(".pane .menu summary").click()
        await sound(page, "call")
        await page.keyboard.press("Escape")
        await page.keyboard.press("?")
        await expect(page.locator("#help")).to_be_visible()
        await sound(page, "help")
        await page.keyboard.press("Escape")
        await page.set_viewport_size({"width": 320, "height": 640})
        await sound(page, "narrow call")
        assert await page.evaluate("document.documentElement.scrollWidth") <= 320
        del twilio


async def test_trouble_and_what_was_found_stand_in_nobodys_way(visit: Visit) -> None:
    async with house() as hub:
        calls = [ScriptedCall(hub.state, f"CA{number:032d}") for number in range(8)]
        for half in (calls[:4], calls[4:]):
            half[1].final("and what about my refund?")
            trouble(half)
        for call in calls[4:]:
            call.end()
        async with visit(hub, f"#{calls[0].call},{calls[5].call}", viewport={"width": 1500, "height": 900}) as page:
            await expect(page.locator(".pane .trouble .condition")).to_have_count(2)
            await expect(page.locator(".happening.amiss").first).to_be_visible()
            await sound(page, "trouble")
            await page.fill("#filter", "refund")
            await expect(page.locator(".row mark")).to_have_count(2)
            await sound(page, "found")
            await page.set_viewport_size({"width": 320, "height": 640})
            await sound(page, "narrow trouble")
            assert await page.evaluate("document.documentElement.scrollWidth") <= 320


async def test_offline_and_the_token_stand_in_nobodys_way(visit: Visit) -> None:
    async with house() as hub:
        twilio, script = await talker(hub)
        scenes.support(script, 6)
        async with visit(hub, f"#{CALL}", hub_goes_away=True) as page:
            await expect(spoken(page)).to_have_count(6)
            await page.context.set_offline(True)
            await page.evaluate("0")
            for socket in list(hub.state.sockets):
                socket.interrupt(4409, "a test cut this")
            await expect(page.locator("#banner")).to_be_visible()
            await sound(page, "offline")
        del twilio
    async with house(secret="a secret of a test, long enough") as hub, visit(hub) as page:
        await expect(page.locator("#gate")).to_be_visible()
        await sound(page, "token")
