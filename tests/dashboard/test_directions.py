"""Words that run from right to left, in a real browser: their own end is on the left, and what stands beside them stays in its place."""

import asyncio

import pytest
from playwright.async_api import Locator, expect

from tests.dashboard.browser import Visit
from tests.house import House, house
from tests.media import CALL, STREAM, stop
from tests.scripted import ScriptedTranscriber

pytestmark = pytest.mark.asyncio(loop_scope="session")

ARABIC = "لدي سؤال عن الطلب 4155, شكرا."
HEBREW = "קיבלתי רק 2 מתוך 3."
LABELS = {"from": "+14155550123", "to": "+14155550100", "inboundTrackLabel": "ליאת", "outboundTrackLabel": "Maya"}

LEFT_OF_EACH = """element => {
    const texts = document.createTreeWalker(element, NodeFilter.SHOW_TEXT)
    const lefts = []
    while (texts.nextNode())
        for (let at = 0; at < texts.currentNode.length; at++) {
            const range = document.createRange()
            range.setStart(texts.currentNode, at)
            range.setEnd(texts.currentNode, at + 1)
            lefts.push(range.getBoundingClientRect().left)
        }
    return lefts
}"""


async def lefts(words: Locator) -> list[float]:
    """Return where each character of an element stands, in the order of the text."""
    found: list[float] = await words.evaluate(LEFT_OF_EACH)
    return found


async def test_the_words_of_a_call_run_as_their_script_does(visit: Visit) -> None:
    async with house() as hub, visit(hub, f"#{CALL}") as page:
        twilio = await hub.call(parameters=LABELS)
        script = await _script(hub)
        script.final(HEBREW, "inbound", 1, 3)
        script.final(ARABIC, "outbound", 4, 6)
        script.final("I see, order 4155.", "outbound", 7, 9)
        script.interim(HEBREW, "inbound", 10, 12)
        words = page.locator(".log .line .words")
        await expect(words).to_have_text([HEBREW, ARABIC, "I see, order 4155."])
        for at, text in enumerate((HEBREW, ARABIC)):
            places = await lefts(words.nth(at))
            assert min(places) == places[len(text) - 1] < max(places) == places[0], (
                "it begins on the right, and its full stop is on the left"
            )
        digits = (await lefts(words.nth(1)))[ARABIC.index("4155") :][:4]
        assert digits == sorted(digits), "a number still runs from left to right"
        assert (english := await lefts(words.nth(2))) == sorted(english)
        unsettled = await lefts(page.locator(".open-lines .words"))
        assert unsettled[len(HEBREW) - 1] < unsettled[0]
        said = await lefts(page.locator(f'.row[data-sid="{CALL}"] .said'))
        assert said[0] > said[1], "in the list, too"
        await twilio.send_str(stop())
        await expect(page.locator(".happening.ended")).to_be_visible()


async def test_a_label_from_right_to_left_leaves_its_sentence_in_order(visit: Visit) -> None:
    async with house() as hub, visit(hub, f"#{CALL}") as page:
        twilio = await hub.call(parameters=LABELS)
        await _script(hub)
        digit = {"event": "dtmf", "streamSid": STREAM, "sequenceNumber": "3", "dtmf": {"track": "inbound_track", "digit": "4"}}
        await twilio.send_json(digit)
        pressed = page.locator(".happening.dtmf .words")
        await expect(pressed).to_contain_text("pressed 4")
        text, places = await pressed.text_content(), await lefts(pressed)
        assert text is not None
        name = [places[text.index(letter)] for letter in LABELS["inboundTrackLabel"]]
        assert name == sorted(name, reverse=True)
        assert max(name) < places[text.index("pressed")] < places[text.index("4")]


async def _script(hub: House) -> ScriptedTranscriber:
    while not hub.transcribers:
        await asyncio.sleep(0.01)
    await hub.transcribers[-1].started.wait()
    return hub.transcribers[-1]
