"""Listening in: what a hub that allows it sends is heard, left and right as they are. The hub's side is spoken by the test."""

import asyncio
import json
import math
from typing import Any

import pytest
from playwright.async_api import Page, WebSocketRoute, expect

from hub.audio import interleaved, silence, to_mulaw
from tests.dashboard.browser import Visit
from tests.dashboard.test_dashboard import talker
from tests.house import house
from tests.media import CALL

pytestmark = pytest.mark.asyncio(loop_scope="session")

EARS = """
    const connect = AudioNode.prototype.connect;
    AudioNode.prototype.connect = function (to, ...more) {
        if (to instanceof AudioDestinationNode) {
            const split = this.context.createChannelSplitter(2);
            window.ears = [0, 1].map((channel) => {
                const ear = this.context.createAnalyser();
                ear.fftSize = 4096;
                connect.call(split, ear, channel);
                return ear;
            });
            connect.call(this, split);
        }
        return connect.call(this, to, ...more);
    };
    window.loudness = () => window.ears.map((ear) => {
        const samples = new Float32Array(ear.fftSize);
        ear.getFloatTimeDomainData(samples);
        return Math.sqrt(samples.reduce((sum, each) => sum + each * each, 0) / samples.length);
    });
"""
"""Puts a measuring ear on each side of what the page plays."""

TONE = to_mulaw(b"".join(round(12_000 * math.sin(2 * math.pi * 400 * at / 8000)).to_bytes(2, "little", signed=True) for at in range(800)))
"""100 ms of 400 Hz, which fits without a seam."""


async def test_a_call_is_heard_on_the_side_where_it_is_said(visit: Visit) -> None:
    asked: list[dict[str, Any]] = []

    async def before(page: Page) -> None:
        await page.add_init_script(EARS)
        await page.route("**/dashboard/settings.json", lambda route: route.fulfill(json={"listen": True, "keepMinutes": 60}))

        def hub_side(socket: WebSocketRoute) -> None:
            server = socket.connect_to_server()

            def said(message: str | bytes) -> None:
                request = json.loads(message)
                if request["action"] not in {"listen", "unlisten"}:
                    server.send(message)
                    return
                asked.append(request)
                if request["action"] == "listen":
                    socket.send(json.dumps({"type": "listening", "callSid": CALL, "id": 7, "sampleRate": 8000}))
                    for at_ms in range(5000, 5600, 100):
                        stereo = interleaved(TONE, silence(800))
                        socket.send((7).to_bytes(4, "big") + at_ms.to_bytes(4, "big") + stereo)
                        socket.send((8).to_bytes(4, "big") + at_ms.to_bytes(4, "big") + interleaved(silence(800), TONE))

            socket.on_message(said)

        await page.route_web_socket("**/client", hub_side)

    async with house() as hub:
        _line, script = await talker(hub)
        script.final("hello")
        async with visit(hub, f"#{CALL}", before=before) as page:
            button = page.locator(".listen")
            await expect(button).to_have_text("Listen")
            await button.click()
            await expect(button).to_have_attribute("aria-pressed", "true")
            left = right = 0.0
            async with asyncio.timeout(5):
                while left < 0.05:
                    left, right = await page.evaluate("window.ears ? loudness() : [0, 0]")
            assert right < 0.001, "another listener's sound, or the wrong side"
            await button.click()
            await expect(button).to_have_text("Listen")
            assert [each["action"] for each in asked] == ["listen", "unlisten"]


async def test_without_permission_there_is_no_button_and_a_refusal_is_a_sentence(visit: Visit) -> None:
    async with house() as hub:
        _line, _ = await talker(hub)
        async with visit(hub, f"#{CALL}") as page:
            await expect(page.locator(".happening.started")).to_be_visible()
            await expect(page.locator(".listen")).to_be_hidden()
