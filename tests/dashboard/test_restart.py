"""A hub that is killed in the middle of a sentence, and a connection that only breaks: what a reader saw stays on the page, and once."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.dashboard.browser import Visit
from tests.dashboard.test_dashboard import spoken, talker, texts
from tests.house import house
from tests.media import CALL
from tests.speaking_hub import UNSETTLED, SpeakingHub

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_words_that_were_not_final_when_the_hub_was_killed_stay_and_are_marked(visit: Visit, tmp_path: Path) -> None:
    hub = SpeakingHub(tmp_path)
    async with AsyncExitStack() as stack:
        async with hub.running(), hub.speaking():
            options = {"hub_goes_away": True, "permissions": ["clipboard-read", "clipboard-write"]}
            page = await stack.enter_async_context(visit(hub.port, f"#{CALL}", **options))
            unsettled = page.locator(".open-lines .words")
            await expect(unsettled).to_have_text(UNSETTLED)
        await expect(page.locator("#link")).to_have_text("Offline")
        await expect(unsettled).to_have_text(UNSETTLED)
        async with hub.running():
            await expect(page.locator("#link")).to_have_text("Connected", timeout=12_000)
            await expect(page.locator(".waiting")).to_contain_text("no longer knows this call")
            await expect(unsettled).to_have_count(0)
            await expect(spoken(page)).to_have_text(["hello", UNSETTLED])
            mark = await page.locator(".line.unfinished .words").evaluate("each => getComputedStyle(each, '::after').content")
            assert mark == '" … (not finished when the hub was restarted)"'
            await page.locator(".copy-all").click()
            await expect(page.locator("#toast")).to_have_text("The lines of this page are copied. The hub no longer has the call.")
            copied = await page.evaluate("navigator.clipboard.readText()")
            assert f"[00:01.0] caller: {UNSETTLED} … (not finished when the hub was restarted)\n" in copied
            async with hub.speaking(stream="MZ" + "2" * 32):
                await expect(page.locator(".happening.restarted")).to_have_count(1)
                await expect(spoken(page)).to_have_text(["hello", UNSETTLED, "hello"])
                await expect(unsettled).to_have_text(UNSETTLED)
                await expect(page.locator(".line.unfinished.past")).to_have_count(1)
                await page.locator(".copy-all").click()
                await expect(page.locator("#toast")).to_have_text("The transcript is copied.")
                copied = await page.evaluate("navigator.clipboard.readText()")
                assert copied.index("not finished when") < copied.index("The hub was restarted") < copied.index(f"Call {CALL}")


async def test_a_connection_that_breaks_in_the_middle_of_a_sentence_doubles_and_loses_no_word(visit: Visit) -> None:
    async with house() as hub:
        _line, script = await talker(hub)
        async with visit(hub, f"#{CALL}", hub_goes_away=True) as page:
            unsettled = page.locator(".open-lines .words")
            for at, (meanwhile, shown) in enumerate((("", "I wanted"), ("I wanted to ask", "I wanted to ask"), (None, None))):
                script.interim("I wanted", start=at * 5, end=at * 5 + 1)
                await expect(unsettled).to_have_text("I wanted")
                async with page.expect_event("websocket"):
                    for socket in [each for each in hub.state.sockets if each._max_msg_size == 16 * 1024]:
                        socket.interrupt(4409, "a test cut this")
                    if meanwhile is None:
                        script.final("I wanted nothing.", start=at * 5, end=at * 5 + 2)
                    elif meanwhile:
                        script.interim(meanwhile, start=at * 5, end=at * 5 + 2)
                await expect(page.locator("#link")).to_have_text("Connected", timeout=8000)
                if shown is not None:
                    await expect(unsettled).to_have_text(shown)
                    script.final(f"{shown} that.", start=at * 5, end=at * 5 + 3)
                await expect(unsettled).to_have_count(0)
                await expect(spoken(page)).to_have_count(at + 1)
            assert await texts(page) == ["I wanted that.", "I wanted to ask that.", "I wanted nothing."]
            await expect(page.locator(".unfinished")).to_have_count(0)
