"""The triage board as people see it, and a call in little room: pictures to look at, some of which the pages show. See test_pictures.py.

The others stay where pytest keeps what a test has written.
"""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from hub import events
from tests.dashboard.browser import Visit
from tests.dashboard.test_pictures import album, snap
from tests.dashboard.test_triage import befall, begin, sid
from tests.house import house
from tests.publishing import ScriptedCall

__all__ = ["album"]

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.long, pytest.mark.timeout(300)]

SAID = (
    "I will put you through to my colleague from the repairs team.",
    "Could you send that to my work address instead, please?",
    "Your parcel was handed to the carrier this morning at half past eight.",
    "The little lamp blinks three times and then it goes dark.",
    "Is the old address still good for the invoice?",
)

HEBREW = ("שלום, הטלפון שלי הוא 054-1234567, תודה.", "בסדר. ההזמנה 4155 תגיע ביום שישי (אולי מוקדם יותר)!")


def talk(call: ScriptedCall, number: int) -> None:
    """Say a few sentences in a call."""
    for at in range(4):
        call.final(SAID[(number + at) % len(SAID)], start=at * 9.0, end=at * 9.0 + 4)


def use_tools(call: ScriptedCall) -> None:
    """Let an agent ask for a flight, which fails, and be interrupted, while keys are pressed."""
    asked = {"day": "2026-12-01", "seats": 2}
    call.publish(events.ToolCalled(call_sid=call.call, invocation="i1", tool="find_flight", arguments=asked, time=30.0))
    back = {"invocation": "i1", "tool": "find_flight", "outcome": "failed", "detail": '{"error":"HTTP 500"}', "time": 31.0, "seconds": 0.8}
    call.publish(events.ToolReturned(call_sid=call.call, **back))
    for digit in "415555":
        call.publish(events.Dtmf(call_sid=call.call, digit=digit, track="inbound"))
    call.publish(events.AgentInterrupted(call_sid=call.call, time=33.0, heard=1.2, generated=3.5))


SPOTS: dict[str, dict[str, Any]] = {
    "triage": {"viewport": {"width": 1360, "height": 640}},
    "triage-dark": {"viewport": {"width": 1360, "height": 640}, "color_scheme": "dark"},
    "triage-phone": {"viewport": {"width": 320, "height": 640}},
    "triage-zoomed": {"viewport": {"width": 680, "height": 410}},
    "tools": {"path": f"#{sid(33)}", "viewport": {"width": 1120, "height": 640}},
    "tools-zoomed": {"path": f"#{sid(33)}", "viewport": {"width": 680, "height": 410}},
    "tools-tiny": {"path": f"#{sid(33)}", "viewport": {"width": 320, "height": 256}},
    "right-to-left": {"path": f"#{sid(50)}", "viewport": {"width": 1120, "height": 640}},
    "grid": {"viewport": {"width": 1600, "height": 900}},
    "german": {"path": f"?lang=de#{sid(33)}", "viewport": {"width": 1120, "height": 640}},
    "german-table": {"path": "?lang=de", "viewport": {"width": 1120, "height": 640}},
    "german-tiny": {"path": f"?lang=de#{sid(33)}", "viewport": {"width": 320, "height": 256}},
    "german-tiny-list": {"path": "?lang=de", "viewport": {"width": 320, "height": 256}},
    "spanish-phone": {"path": f"?lang=es#{sid(33)}", "viewport": {"width": 320, "height": 640}},
    "french-phone": {"path": "?lang=fr", "viewport": {"width": 320, "height": 640}},
}


IN_PAGES = {"triage", "grid", "german"}


async def test_pictures_of_the_board(visit: Visit, album: Path, tmp_path: Path) -> None:
    async with house() as hub:
        calls = begin(hub)
        for at, call in enumerate(calls):
            talk(call, at)
        use_tools(calls[33])
        for at, text in enumerate(HEBREW):
            calls[50].final(text, start=40.0 + at * 5, end=44.0 + at * 5)
        befall(calls)
        for call in calls[55:]:
            call.end()
        for name, options in SPOTS.items():
            async with visit(hub, options.pop("path", ""), **options) as page:
                await expect(page).to_have_title(re.compile(r"^\(5\) 55 "))
                if name == "grid":
                    await page.keyboard.press("g")
                    await expect(page.locator(".pane")).to_have_count(9)
                elif name.startswith("tools"):
                    await page.locator(".happening.tool summary", has_text="find_flight").click()
                if name in IN_PAGES:
                    await snap(page, album, name)
                else:
                    await page.screenshot(path=tmp_path / f"{name}.png")
