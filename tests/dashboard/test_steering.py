"""A supervisor steers an agent's call in a browser: says something, is asked before the agent leaves, sees what became of it."""

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.dashboard.browser import Visit
from tests.dashboard.test_accessibility import sound
from tests.providers.openai_script import overheard
from tests.web.steered_desk import TEXT, SteeredDesk, steered_desk, token

pytestmark = pytest.mark.asyncio(loop_scope="session")

BREAKS = """() => {
  const send = WebSocket.prototype.send;
  WebSocket.prototype.send = function (text) {
    if (!text.includes('"say"')) return send.call(this, text);
    WebSocket.prototype.send = send;
    this.close();
  };
}"""
"""Has the page's connection close in place of sending the first text that is to be said."""


async def goes_on(at: SteeredDesk) -> None:
    """Let the caller be silent, in real time, until this is cancelled."""
    while True:
        await at.line.together(at.phone)
        await asyncio.sleep(0.02)


async def test_a_supervisor_has_the_agent_say_something_and_takes_the_call_over_when_sure(visit: Visit, tmp_path: Path) -> None:
    async with (
        steered_desk(tmp_path, steer_numbers="+14155550188") as at,
        visit(at.line.home, f"?token={token()}#{at.call.sid}") as page,
        asyncio.TaskGroup() as group,
    ):
        caller = group.create_task(goes_on(at))
        log = page.locator(".log")
        await page.locator(".steer-open").click()
        field = page.locator(".steer input")
        await expect(field).to_be_focused()
        await field.fill(TEXT)
        await page.keyboard.press("Enter")
        await expect(log).to_contain_text(f"ada has the agent say: {TEXT}")
        await expect(log).to_contain_text("Say, as ada wanted: done.")
        await expect(page.locator("#toast")).to_have_text("Done.")
        assert TEXT in overheard(bytes(at.phone.playout.heard))
        await expect(field).to_have_value("")

        await page.locator(".steer .action").select_option("take-over")
        await field.fill("+1 415 555 0199")
        await page.locator(".steer .give").click()
        await expect(page.locator(".steer .question")).to_contain_text("Call +1 415 555 0199 and connect the caller?")
        await expect(page.locator(".steer .no")).to_be_focused()
        await sound(page, "steering")
        await page.keyboard.press("Enter")
        await expect(page.locator(".steer .question")).to_be_hidden()
        assert at.call.twilio.asked == []

        await page.locator(".steer .give").click()
        await page.locator(".steer .yes").click()
        await expect(page.locator("#toast")).to_contain_text("It was not done: calls may not be passed on to that number")

        await page.locator(".steer-open").click()
        await page.locator(".steer .action").select_option("take-over")
        await field.fill("+14155550188")
        await page.keyboard.press("Enter")
        await page.locator(".steer .yes").click()
        await expect(log).to_contain_text("Take over, as ada wanted: done.")
        await expect(log).to_contain_text("Another audio stream of this call began")
        await expect(page.locator(".steer-open")).to_be_hidden()  # people speak now
        caller.cancel()
        await at.call.hang_up()


async def test_who_lacks_the_right_sees_what_was_steered_and_no_button(visit: Visit, tmp_path: Path) -> None:
    async with steered_desk(tmp_path) as at, visit(at.line.home, f"?token={token('audio')}&lang=de#{at.call.sid}") as page:
        await (await at.supervisor(subject="Änne")).steer("transfer", to="+14155550199", order="o1")
        await expect(page.locator(".log")).to_contain_text("Änne gibt den Anrufer weiter an +14155550199. Das wurde abgelehnt: ")
        await expect(page.locator(".details-open")).to_be_visible()
        await expect(page.locator(".steer-open")).to_be_hidden()


async def test_an_order_is_given_on_the_next_connection_and_once_when_this_one_breaks(visit: Visit, tmp_path: Path) -> None:
    async with (
        steered_desk(tmp_path) as at,
        visit(at.line.home, f"?token={token()}#{at.call.sid}", hub_goes_away=True) as page,
        asyncio.TaskGroup() as group,
    ):
        caller = group.create_task(goes_on(at))
        await page.locator(".steer-open").click()
        await page.evaluate(BREAKS)
        await page.locator(".steer input").fill(TEXT)
        await page.keyboard.press("Enter")
        await expect(page.locator(".log")).to_contain_text("Say, as ada wanted: done.")
        assert sum(each.endswith(TEXT) for each in at.line.talk.instructions) == 1
        caller.cancel()
