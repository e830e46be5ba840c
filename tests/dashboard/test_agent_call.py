"""A call that an agent answers, followed in a browser as any other: interrupted, using a tool, passed on to a person, over."""

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from tests.agents.lines import lines, words
from tests.agents.servers import SECRET, Hook, serving
from tests.dashboard.browser import Visit
from tests.dashboard.test_dashboard import texts
from tests.providers.fake_twilio import fake_twilio
from tests.providers.openai_script import Call, Model, Reply
from tests.scripted import ScriptedTranscriber

pytestmark = pytest.mark.asyncio(loop_scope="session")


def desk(url: str) -> str:
    return f"""
[agents.desk]
greeting = "Hello."
transfer = {{ sales = "+14155550177" }}
[[agents.desk.tools]]
name = "find_order"
description = "Finds."
url = "{url}"
secret = "{SECRET}"
parameters = {{ type = "object", properties = {{ number = {{ type = "integer" }} }} }}
"""


REPLIES = [
    Reply("Hello and welcome to the very best flower shop of the whole town."),
    Reply("One moment.", [Call("find_order", '{"number":7}')]),
    Reply("It comes on Friday. I pass you on.", [Call("transfer", '{"to":"sales"}')]),
]


def answers(script: ScriptedTranscriber, block: Any) -> None:
    if len(script.blocks) == 3:
        script.final("Sales, good morning.", "outbound", block.start_ms / 1000, block.start_ms / 1000 + 0.1)


async def test_an_agents_call_is_followed_to_its_end_and_stays_one_call_when_it_is_passed_on(visit: Visit, tmp_path: Path) -> None:
    hook = Hook(lambda _: (200, '{"day":"Friday"}'))
    async with (
        fake_twilio() as twilio,
        serving(hook),
        lines(
            Model(replies=REPLIES),
            file=desk(hook.url),
            tmp_path=tmp_path,
            twilio=twilio,
            open_transcriber=lambda _: ScriptedTranscriber(answers),
        ) as line,
        visit(line.home) as page,
    ):
        twilio.ports["hub.example.com"] = line.home.port
        async with line.call() as (phone, _):
            call = twilio.calls[phone.stream.call_sid]
            await page.locator(".row .open").click()
            await line.listen(phone, lambda: phone.playout.now_ms >= 1500 and phone.playout.came_ms)
            log = page.locator(".log")
            await expect(page.locator(".transcript")).to_contain_text("Hello and welcome")
            await line.say(phone, words("where is my order"))
            await line.listen(phone, call.updated.is_set)
            await expect(log).to_contain_text("Sales, good morning.")
            await call.hang_up()
            await expect(log).to_contain_text("The record: ")
            told = await texts(page)
            assert await page.locator(".row").count() == 1
            for tool in await page.locator(".happening.tool summary").all():
                await tool.click()
            shown = await log.inner_text()
            await expect(page.locator(".line.interrupted")).to_have_count(1)
            assert "caller 1" in (await page.locator(".figures").text_content() or "")
        await line.gone()
    assert "Hello and welcome to the very best flower shop of the whole town.".startswith(told[0])
    assert told[1:] == ["where is my order", "One moment.", "It comes on Friday. I pass you on.", "Sales, good morning."]
    notices = [
        "the agent desk answers with openai (gpt-realtime-2.1).",
        "The agent was interrupted: ",
        "find_order answered · ",
        '"number": 7',
        '"day": "Friday"',
        "transfer answered · ",
        "the caller was connected to sales",
        "The call ended after 0:0",
    ]
    assert [each for each in notices if each not in shown] == []
