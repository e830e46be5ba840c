"""Pictures of past calls, made as those of test_pictures.py are: a search in an archive, and a recording with the words following."""

import time
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from hub.recordings import recordings as hub_recordings
from tests.dashboard.browser import Visit
from tests.dashboard.past import PastCall, Said, keep
from tests.dashboard.test_dashboard import spoken
from tests.dashboard.test_pictures import SIZE, album, snap
from tests.dashboard.test_playing import opened, recorded, word
from tests.house import house
from tests.publishing import ScriptedCall
from tests.recordings.shelf import in_directory

__all__ = ["album"]

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.long, pytest.mark.timeout(90)]

HOUR = 3600.0

MAYAS = "CA" + "5" * 32
"""The call that is open beside the search."""

REFUNDS: tuple[Said, ...] = (
    ("outbound", 1.0, 4.0, "Good morning, this is Maya. How can I help?"),
    ("inbound", 4.6, 11.0, "I sent the kettle back two weeks ago and I still wait for my refund."),
    ("outbound", 11.8, 15.5, "I am sorry. Let me see where the parcel is."),
    ("outbound", 21.0, 28.0, "It arrived on Tuesday. Your refund was made this morning, so it is on your account tomorrow."),
    ("inbound", 28.9, 31.0, "Tomorrow? Oh, that is good."),
    ("outbound", 31.5, 36.0, "If the refund is not there by Friday, call me, and I will look after it."),
    ("inbound", 36.6, 38.0, "Thank you, Maya."),
)

ASKED = (
    "Is there a refund if the train is late?",
    "They told me that a refund takes three days.",
    "I would rather have a new one than a refund.",
    "So the refund goes to the card that I paid with?",
    "You refunded the lamp, but not the bulb.",
)


def archived(now: float) -> list[PastCall]:
    """Two days of a small shop: in every second call somebody wants their money back."""
    calls = [PastCall(sid=MAYAS, at=now - 3 * HOUR, said=REFUNDS, from_="+14155550187")]
    for at in range(1, 24):
        number = "+442079460958" if at % 5 == 2 else f"+1415555{(at * 37) % 10000:04d}"
        text = ASKED[at // 2 % len(ASKED)] if at % 2 else "When do you open on Monday?"
        start = 20.0 + at * 31 % 240
        greeting: Said = ("outbound", 1.0, 3.0, "Good morning, this is Tom.")
        calls.append(
            PastCall(sid=f"CA{at:032x}", at=now - (3 + 1.7 * at) * HOUR, said=[greeting, ("inbound", start, start + 4, text)], from_=number)
        )
    return calls


async def test_picture_of_a_search(visit: Visit, album: Path, tmp_path: Path) -> None:
    place = keep(tmp_path / "calls.db", archived(time.time()))
    async with house(archive=place, listen=True) as hub:
        live = ScriptedCall(hub.state, "CA" + "7" * 32, from_="+14155550142")
        live.final("And how long does the refund take?", start=41.0, end=44.0)
        spots: dict[str, dict[str, Any]] = {"search": {}, "narrow-search": {"viewport": {"width": 320, "height": 640}}}
        for name, options in spots.items():
            path = f"?q=refund#{MAYAS}/t=21" if name == "search" else "?q=refund"
            async with visit(hub, path, **SIZE | options) as page:
                await expect(page.locator("#matches")).to_have_text("14 calls found")
                if name == "search":
                    await expect(spoken(page)).to_have_count(len(REFUNDS))
                    await expect(page.locator(".line.shown")).to_be_in_viewport()
                await snap(page, album, name)


async def test_picture_of_a_recording(visit: Visit, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_recordings, "SETTLE_SECONDS", 0.0)
    async with house(archive=keep(tmp_path / "calls.db", archived(time.time())), **in_directory(tmp_path)) as hub:
        await recorded(hub)
        spots: dict[str, dict[str, Any]] = {
            "playing": {},
            "playing-dark": {"color_scheme": "dark"},
            "narrow-playing": {"viewport": {"width": 320, "height": 640}},
        }
        for name, options in spots.items():
            async with opened(visit, hub, **SIZE | options) as page:
                if name.startswith("narrow"):
                    await page.click(".details-open")
                await word(page, 5, "address")
                await page.wait_for_function("() => String([...CSS.highlights.get('heard')][0]) === 'message'")
                await page.click(".player .play")
                await expect(page.locator(".player .play")).to_have_text("Play")
                await page.mouse.move(5, 300)
                await snap(page, album, name)
