"""Listening in with a real browser: what is said on the telephone is what the page plays, left and right, sample for sample, and soon."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from statistics import median
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Page, WebSocketRoute, expect

from hub.audio.g711 import interleaved, to_pcm
from hub.web.sockets import HubSocket
from tests.dashboard.browser import Visit
from tests.dashboard.test_dashboard import OTHER, OTHER_STREAM, talker
from tests.house import House, house
from tests.media import CALL, STREAM, media, stop

pytestmark = pytest.mark.asyncio(loop_scope="session")

FRAME_MS = 20
MARKS = 100
"""Frames with a mark of their own, before marks come again: two seconds, so that nothing later than that passes for something new."""

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
    window.heard = () => window.ears?.map((ear) => {
        const samples = new Float32Array(ear.fftSize);
        ear.getFloatTimeDomainData(samples);
        return [...samples].map((each) => Math.round(each * 32768));
    }) ?? [[], []];
"""
"""Puts an ear on each side of what the page plays: the last half second of it, as the 16-bit samples that mu-law stands for."""


def mark(frame: int) -> tuple[bytes, bytes]:
    """Return 20 ms of both tracks that tell which frame this is: mu-law of one value, which is no other frame's and no silence."""
    code = frame % MARKS
    return bytes([0x80 + code]) * 160, bytes([code]) * 160  # the same loudness, positive for the caller and negative for the callee


def marks() -> tuple[dict[int, int], dict[int, int]]:
    """Return which sample value of either side is which frame's mark."""
    values = [[int.from_bytes(to_pcm(side[:1]), "little", signed=True) for side in mark(code)] for code in range(MARKS)]
    return {left: code for code, (left, _) in enumerate(values)}, {right: code for code, (_, right) in enumerate(values)}


LEFT, RIGHT = marks()


class Telephone:
    """Somebody who talks in marks, in real time, until the call is over."""

    def __init__(self, twilio: Any, stream: str) -> None:
        self.twilio = twilio
        self.stream = stream
        self.said = 0
        """Frames so far."""

    async def talk(self) -> None:
        clock = asyncio.get_running_loop().time
        began = clock()
        with suppress(aiohttp.ClientConnectionResetError):  # after the stop
            while True:
                left, right = mark(self.said)
                await self.twilio.send_str(media("inbound", self.said * FRAME_MS, left, self.stream))
                await self.twilio.send_str(media("outbound", self.said * FRAME_MS, right, self.stream))
                self.said += 1
                await asyncio.sleep(max(0.0, began + self.said * FRAME_MS / 1000 - clock()))


@asynccontextmanager
async def talking(hub: House, call: str = CALL, stream: str = STREAM) -> AsyncIterator[Telephone]:
    """A call in which somebody talks in marks."""
    twilio, script = await talker(hub, call, stream)
    script.final("hello")
    telephone = Telephone(twilio, stream)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(telephone.talk())
        try:
            yield telephone
        finally:
            task.cancel()


async def ears(page: Page) -> None:
    await page.add_init_script(EARS)


async def heard(page: Page) -> tuple[list[int], list[int]]:
    left, right = await page.evaluate("heard()")
    return left, right


async def sounds(page: Page) -> None:
    """Return when something is heard."""
    while (await heard(page))[0][-1:] in ([], [0]):
        await asyncio.sleep(0.02)


async def newest(page: Page) -> int:
    """Return the mark that is heard now."""
    while True:
        left, right = await heard(page)
        for code in (LEFT.get(left[-1]), RIGHT.get(right[-1])):
            if code is not None:
                return code
        await asyncio.sleep(0.02)


def faithful(left: list[int], right: list[int]) -> bool:
    """Whether both sides are the very samples of consecutive frames, each frame whole, both sides in step."""
    codes = [LEFT.get(value) for value in left]
    if None in codes or codes != [RIGHT.get(value) for value in right]:
        return False
    edges = [at for at in range(1, len(codes)) if codes[at] != codes[at - 1]]
    steps = all((codes[at] - codes[at - 1]) % MARKS == 1 for at in edges)  # type: ignore[operator]
    return len(edges) > 20 and steps and {after - before for before, after in pairwise(edges)} == {160}


async def test_what_is_said_is_what_is_heard_left_and_right_and_less_than_a_second_later(visit: Visit) -> None:
    async with house(listen=True) as hub, talking(hub) as telephone, visit(hub, f"#{CALL}", before=ears) as page:
        button = page.locator(".listen")
        await expect(button).to_have_text("Listen")
        assert hub.state.counters.listeners == 0
        await button.click()
        await expect(button).to_have_text("Stop listening")
        await sounds(page)
        assert hub.state.counters.listeners == 1
        behind_ms = []
        for _ in range(25):
            behind_ms.append((telephone.said - await newest(page)) % MARKS * FRAME_MS)
            await asyncio.sleep(0.04)
        print(f"{median(behind_ms):.0f} ms from the telephone to the ear, at most {max(behind_ms)} ms")
        assert median(behind_ms) <= 1000, behind_ms
        while not faithful(*await heard(page)):
            await asyncio.sleep(0.1)
        await button.click()
        await expect(button).to_have_text("Listen")
        while hub.state.counters.listeners:
            await asyncio.sleep(0.01)


async def test_volume_and_mute_change_what_is_heard_and_the_meters_show_what_comes(visit: Visit) -> None:
    loudest = "Math.max(...heard().flat().map(Math.abs))"
    async with house(listen=True) as hub, talking(hub), visit(hub, f"#{CALL}", before=ears) as page:
        await expect(page.locator(".hearing")).to_be_hidden()
        await page.locator(".listen").click()
        await sounds(page)
        full = await page.evaluate(loudest)
        meters = page.locator(".hearing .meter")
        await page.wait_for_function("() => [...document.querySelectorAll('.meter')].every((each) => Number(each.ariaValueNow) > 10)")
        await expect(meters.first).to_have_attribute("aria-label", re.compile("How loud .*caller"))
        await page.keyboard.press("m")
        await expect(page.locator(".mute")).to_have_attribute("aria-pressed", "true")
        await page.wait_for_function(f"() => {loudest} < 2")
        await page.wait_for_function("() => [...document.querySelectorAll('.meter')].every((each) => Number(each.ariaValueNow) > 10)")
        await page.locator(".volume input").fill("50")  # who turns the volume wants to hear something
        await expect(page.locator(".mute")).to_have_attribute("aria-pressed", "false")
        await page.wait_for_function(f"() => {loudest} > {full} / 5 && {loudest} < {full} / 3")
        await page.locator(".listen").click()
        await expect(page.locator(".hearing")).to_be_hidden()
        await page.locator(".listen").click()
        await expect(page.locator(".volume input")).to_have_value("50")
        await page.wait_for_function(f"() => {loudest} > {full} / 5 && {loudest} < {full} / 3")


async def test_listening_goes_on_after_a_broken_connection_and_ends_with_the_call(visit: Visit) -> None:
    async with house(listen=True) as hub, talking(hub) as telephone, visit(hub, f"#{CALL}", before=ears, hub_goes_away=True) as page:
        await expect(page.locator(".listen")).to_be_visible()
        await page.keyboard.press("s")
        await sounds(page)
        for socket in subscribers(hub):
            socket.interrupt(4408, "a test cut this")
        while hub.state.counters.listeners:
            await asyncio.sleep(0.01)
        while not hub.state.counters.listeners:
            await asyncio.sleep(0.01)
        back_at = telephone.said
        while (await newest(page) - back_at) % MARKS > MARKS // 2:  # what was held back may bridge the hole: silence is not certain
            await asyncio.sleep(0.02)
        await telephone.twilio.send_str(stop())
        await expect(page.locator("#toast")).to_have_text("You no longer hear the call: the call is over.")
        await expect(page.locator(".listen")).to_be_hidden()
        assert hub.state.counters.listeners == 0


def subscribers(hub: House) -> list[HubSocket]:
    return [each for each in hub.state.sockets if each._max_msg_size == 16 * 1024]


async def test_one_call_is_heard_at_a_time_and_none_once_its_pane_is_closed(visit: Visit) -> None:
    async with (
        house(listen=True) as hub,
        talking(hub),
        talking(hub, OTHER, OTHER_STREAM),
        visit(hub, f"#{CALL},{OTHER}", before=ears) as page,
    ):
        one, two = page.locator(".listen").nth(0), page.locator(".listen").nth(1)
        await one.click()
        await sounds(page)
        await two.click()
        await expect(one).to_have_text("Listen")
        await expect(two).to_have_text("Stop listening")
        await sounds(page)
        assert hub.state.counters.listeners == 1
        for button in (two, one, two, one, one, two):  # faster than any sound can be opened
            await button.click()
        await expect(one).to_have_text("Listen")
        await expect(two).to_have_text("Stop listening")
        await sounds(page)
        assert hub.state.counters.listeners == 1
        await page.locator(".pane").nth(1).locator(".close").click()
        while hub.state.counters.listeners:
            await asyncio.sleep(0.01)


async def test_sound_of_another_call_is_not_played(visit: Visit) -> None:
    """What was still on its way when the reader went from one call to another. The hub's side is spoken by the test."""

    async def before(page: Page) -> None:
        await ears(page)

        def hub_side(socket: WebSocketRoute) -> None:
            server = socket.connect_to_server()

            def asked(message: str | bytes) -> None:
                if json.loads(message)["action"] != "listen":
                    server.send(message)
                    return
                socket.send(json.dumps({"type": "listening", "callSid": CALL, "id": 7, "sampleRate": 8000}))
                for at_ms in range(5000, 5600, 100):
                    for sound, (left, right) in ((7, mark(1)), (8, mark(2))):
                        socket.send(sound.to_bytes(4, "big") + at_ms.to_bytes(4, "big") + interleaved(left * 5, right * 5))

            socket.on_message(asked)

        await page.route_web_socket("**/client", hub_side)

    async with house(listen=True) as hub:
        _line, _ = await talker(hub)
        async with visit(hub, f"#{CALL}", before=before) as page:
            await page.locator(".listen").click()
            await sounds(page)
            left, right = await heard(page)
            assert {LEFT.get(each) for each in left if each} == {1} == {RIGHT.get(each) for each in right if each}


async def test_without_permission_there_is_no_button(visit: Visit) -> None:
    async with house() as hub:
        _line, _ = await talker(hub)
        async with visit(hub, f"#{CALL}") as page:
            await expect(page.locator(".happening.started")).to_be_visible()
            await page.keyboard.press("s")
            await expect(page.locator(".listen")).to_be_hidden()
            assert hub.state.counters.listeners == 0


async def test_a_refusal_is_a_sentence(visit: Visit) -> None:
    async def before(page: Page) -> None:
        await page.route("**/dashboard/settings.json", lambda route: route.fulfill(json={"listen": True, "keepMinutes": 60}))

    async with house() as hub:
        _line, _ = await talker(hub)
        async with visit(hub, f"#{CALL}", before=before) as page:
            await page.locator(".listen").click()
            await expect(page.locator("#toast")).to_have_text(
                "Listening in is not possible: nobody can listen to calls on this hub; HUB_LISTEN=1 allows it."
            )
            await expect(page.locator(".listen")).to_have_text("Listen")
