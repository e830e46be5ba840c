"""A model's note on the page: behind the call's end, as text whatever is in it, with links to what each sentence rests on."""

import pytest
from playwright.async_api import expect

from hub.events import Note, NoteSentence
from tests.dashboard.browser import Visit
from tests.house import house
from tests.media import CALL
from tests.publishing import ScriptedCall

pytestmark = pytest.mark.asyncio(loop_scope="session")

EVIL = "<img src=x onerror=\"document.title='hacked'\"> They talked about **flowers**."


async def test_a_note_comes_to_a_page_that_is_open_and_leads_to_what_it_rests_on(visit: Visit) -> None:
    async with house() as hub:
        call = ScriptedCall(hub.state)
        for at in range(60):
            call.final(f"line {at} of the call", start=at * 3.0, end=at * 3.0 + 2)
        async with visit(hub, f"#{CALL}") as page:
            await expect(page.locator(".log .line").last).to_be_in_viewport()
            call.end()
            call.publish(
                Note(
                    call_sid=CALL, model="a-model", ended=call.offset, summary=[NoteSentence(text=EVIL, offsets=[3, 9])],
                    next_steps=[NoteSentence(text="The caller writes.", offsets=[60])], open_questions=[],
                )
            )  # fmt: skip
            note = page.locator(".happening.note")
            await expect(note.locator("li").first).to_contain_text(EVIL)
            await expect(note.locator("b")).to_have_text(["Note by a-model", "Next steps"])
            await expect(note.locator("img")).to_have_count(0)
            assert "hacked" not in await page.title()
            await expect(page.locator(".log > * > *").last).to_have_class("happening note")
            second = page.locator(".log .line").nth(1)
            await expect(second).not_to_be_in_viewport()
            link = note.locator(".ground").first
            assert (await link.get_attribute("href") or "").endswith(f"#{CALL}/t=3")
            await link.click()
            await expect(second).to_be_in_viewport()
            await expect(page.locator(".shown")).to_contain_text("line 1 of the call")
            await expect(page.locator(".lasted-state")).to_have_text("Ended")
