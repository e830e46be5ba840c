"""The dashboard as people see it: pictures to look at, which the pages show, too.

    DASHBOARD_PICTURES=clients/dashboard/screenshots python -m pytest -m long tests/dashboard/test_pictures.py

Without the variable they are made and thrown away.
"""

import base64
import os
import zlib
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pytest
from playwright.async_api import Page, expect

from hub.transcribers.transcriber import Lost, Switched
from tests.dashboard import scenes
from tests.dashboard.browser import Visit
from tests.dashboard.test_dashboard import spoken, talker
from tests.house import House, house
from tests.media import CALL, stop
from tests.scripted import ScriptedTranscriber

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.long, pytest.mark.timeout(90)]

Pixels: TypeAlias = npt.NDArray[np.uint8]

MOST_BYTES = 120 * 1024
"""For each: the README loads them all."""

OTHERS = (
    ("+442079460958", "Sam (agent)", "outbound", "I will put you through to my colleague from the repairs team.", True),
    ("+14155550187", "Ines (agent)", "inbound", "Could you send that to my work address instead, please", False),
    ("+14155550142", "Maya (agent)", "outbound", "Your parcel was handed to the carrier this morning at half past eight.", True),
    ("+4930901820", "Tom (agent)", "inbound", "The little lamp blinks three times and then it goes dark", False),
    ("+14155550171", "Ines (agent)", "outbound", "Is the old address still good for the invoice?", True),
    ("+14155550119", "Sam (agent)", "inbound", "No, thank you, that was all. Have a nice day!", True),
    ("+14155550110", "Tom (agent)", "outbound", "Thank you for calling. Goodbye.", True),
)


KEPT_IN = os.environ.get("DASHBOARD_PICTURES")


@pytest.fixture
def album(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where pictures go. On them, transcribers are called as people know them."""
    monkeypatch.setattr(ScriptedTranscriber, "provider", "deepgram")
    monkeypatch.setattr(ScriptedTranscriber, "model", "nova-3")
    return Path(KEPT_IN or tmp_path)


async def snap(page: Page, album: Path, name: str) -> None:
    """Keep what the page looks like now, in 256 colours."""
    shot = await page.screenshot(path=album / f"{name}.png")
    if KEPT_IN is None:
        return
    picture = encoded(await raw(page, shot))
    (album / f"{name}.png").write_bytes(picture)
    assert len(picture) < MOST_BYTES, f"{name}.png has {len(picture)} bytes"


async def raw(page: Page, png: bytes) -> Pixels:
    """Let the browser decode its own picture; returns height x width x RGB."""
    browser = page.context.browser
    assert browser is not None
    table = await browser.new_page()
    pixels = await table.evaluate(
        """async (png) => {
            const image = new Image();
            image.src = `data:image/png;base64,${png}`;
            await image.decode();
            const canvas = new OffscreenCanvas(image.width, image.height).getContext("2d");
            canvas.drawImage(image, 0, 0);
            const { data } = canvas.getImageData(0, 0, image.width, image.height);
            let text = "";
            for (let at = 0; at < data.length; at += 8190) text += String.fromCharCode(...data.subarray(at, at + 8190));
            return [image.height, image.width, btoa(text)];
        }""",
        base64.b64encode(png).decode(),
    )
    await table.close()
    height, width, data = pixels
    return np.frombuffer(base64.b64decode(data), np.uint8).reshape(height, width, 4)[:, :, :3]


def encoded(pixels: Pixels) -> bytes:
    """Return a PNG of the 256 most frequent colours; the others, shades at the edges of letters, take the nearest (w3.org/TR/png)."""
    height, width, _ = pixels.shape
    colours, at, counts = np.unique(pixels.reshape(-1, 3).astype(np.int32) @ (1 << 16, 1 << 8, 1), return_inverse=True, return_counts=True)
    rgb = np.stack([colours >> 16, colours >> 8 & 255, colours & 255], axis=1)
    palette = rgb[np.argsort(-counts)[:256]]
    nearest = np.array([int(np.argmin(((palette - each) ** 2).sum(axis=1))) for each in rgb], np.uint8)
    rows = np.hstack([np.zeros((height, 1), np.uint8), nearest[at].reshape(height, width)])

    def chunk(kind: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes((8, 3, 0, 0, 0))
    body = chunk(b"IHDR", head) + chunk(b"PLTE", palette.astype(np.uint8).tobytes()) + chunk(b"IDAT", zlib.compress(rows.tobytes(), 9))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


async def call_centre(hub: House) -> list[object]:
    """Seven more calls: some speak, two have trouble with their provider, two are over."""
    lines = []
    for at, (number, agent, track, words, settled) in enumerate(OTHERS):
        sid = f"CA{at:032x}"
        numbers = {"from": number, "to": "+14155550100", "direction": "inbound", "outboundTrackLabel": agent}
        twilio, script = await talker(hub, sid, f"MZ{at:032x}", **numbers)
        scenes.said(script, "outbound", 1, 4, f"Good morning, this is {agent.split()[0]}. How can I help?")
        if settled:
            scenes.said(script, track, 31 + 7 * at, 35 + 7 * at, words)
        else:
            script.interim(words, track, 31 + 7 * at, 35 + 7 * at)
        if at == 2:
            script.hear(Lost("deepgram", "the connection broke", 1))
        elif at == 4:
            script.hear(Switched("assemblyai", "deepgram refused the key", 0))
        elif at > 4:
            await twilio.send_str(stop(sid, f"MZ{at:032x}"))
        lines.append(twilio)
    return lines


SIZE = {"viewport": {"width": 1120, "height": 640}}
"""Small enough for a README, large enough to see what it is."""


async def whole(page: Page, lines: int) -> None:
    await expect(spoken(page)).to_have_count(lines)
    await expect(page.locator(".figures dt").first).to_be_attached()


async def test_pictures(visit: Visit, album: Path) -> None:
    async with house(listen=True) as hub:
        async with visit(hub, **SIZE) as page:
            await expect(page.locator("#rows-empty")).to_be_visible()
            # As on the port that people use; a test's is another each time.
            await page.locator("#rows-empty code").evaluate_all(
                "all => all.forEach((each) => (each.textContent = each.textContent.split(' --url')[0]))"
            )
            await snap(page, album, "empty")
        line, script = await talker(hub)
        scenes.support(script)
        lines = [line, *await call_centre(hub)]
        spots: dict[str, dict[str, Any]] = {
            "call": {"path": f"#{CALL}"},
            "dark": {"path": f"#{CALL}", "color_scheme": "dark"},
            "narrow": {"path": f"#{CALL}", "viewport": {"width": 320, "height": 640}},
            "narrow-list": {"viewport": {"width": 320, "height": 640}},
        }
        asked, rest = "And could you tell me whether the hotel", iter(("has", "breakfast", "before", "seven"))
        for name, options in spots.items():
            async with visit(hub, **SIZE | options) as page:
                if "path" in options:
                    await whole(page, len(scenes.SUPPORT))
                else:
                    await expect(page.locator(".row")).to_have_count(8)
                asked += f" {next(rest)}"
                script.interim(asked, "inbound", 60.2, 62.4)
                await expect(page.locator(f'.row[data-sid="{CALL}"] .said, .open-lines .words').last).to_contain_text(asked[-20:])
                await snap(page, album, name)
        async with visit(hub, f"#{CALL},CA{0:032x}", viewport={"width": 1400, "height": 640}) as page:
            await expect(spoken(page)).to_have_count(len(scenes.SUPPORT) + 2)
            await page.keyboard.press("f")
            await snap(page, album, "two-calls")
        async with visit(hub, f"?call={CALL}", viewport={"width": 480, "height": 560}) as page:
            await whole(page, len(scenes.SUPPORT))
            await snap(page, album, "embedded")
        async with visit(hub, f"#{CALL}", hub_goes_away=True, **SIZE) as page:
            await whole(page, len(scenes.SUPPORT))
            await page.context.set_offline(True)
            for socket in list(hub.state.sockets):
                socket.interrupt(4409, "a test cut this")
            await expect(page.locator("#banner")).to_contain_text("for 2 s", timeout=8000)
            await snap(page, album, "offline")
        del lines


async def test_picture_of_many_calls(visit: Visit, album: Path) -> None:
    async with house(listen=True) as hub:
        lines = []
        for at in range(120):
            agent = ("Ines", "Tom", "Maya", "Sam")[at % 4]
            numbers = {"from": f"+1415555{(at * 37) % 10000:04d}", "to": "+14155550100", "direction": "inbound"}
            twilio, script = await talker(hub, f"CA{at:032x}", f"MZ{at:032x}", outboundTrackLabel=f"{agent} (agent)", **numbers)
            lines.append(twilio)
            track, _, _, words = scenes.SUPPORT[at * 5 % len(scenes.SUPPORT)][0:4]
            now = 600 - at * 5 + at * 7 % 11  # seconds of call time: the newest call is the youngest
            if at == 114:
                scenes.support(script, 7)
            elif at % 3:
                script.final(words, track, now - 4, now)
            else:
                script.interim(words, track, now - 4, now)
            if at in {111, 117}:
                script.hear(Lost("deepgram", "the connection broke (1011)", at % 4))
        async with visit(hub, f"#CA{114:032x}", **SIZE) as page:
            await expect(page.locator(".heading h2").first).to_have_text("Needs attention · 2")
            await expect(spoken(page)).to_have_count(7)
            await snap(page, album, "many")
