"""Models that do not do as they should, over real sockets: what the caller hears, and what the record says."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from hub.agents.patience import ModelPatience
from tests.agents.lines import lines, read, words
from tests.agents.servers import SECRET, Hook, serving
from tests.providers.fake_xai import FakeXAI
from tests.providers.openai_script import Call, Model, Reply, overheard

BOOK = """
[agents.desk]
greeting = "Hello."
[[agents.desk.tools]]
name = "book"
description = "Books."
url = "{url}"
secret = "{secret}"
parameters = {{ type = "object" }}
"""

SILENT = [Reply(), Reply("It has a voice now.", written=True), Reply("It is filtered.", written=True, stops="content_filter")]


def completeness(events: list[dict[str, Any]]) -> str:
    return str(events[-1]["completeness"]["state"])


@pytest.mark.parametrize("reply", SILENT)
async def test_a_greeting_without_sound_is_asked_for_once_more(reply: Reply) -> None:
    async with lines(Model(replies=[reply, Reply("Hello.")])) as line:
        async with line.call() as (phone, follower):
            await line.listen(phone, lambda: phone.playout.now_ms > 1200 and phone.playout.waiting_ms == 0)
            await phone.hang_up()
            events = await follower.all()
        await line.gone()
        assert line.talk.instructions[0] == line.talk.instructions[1] != ""
        assert line.talk.errors == []
        assert overheard(bytes(phone.playout.heard)) == "Hello."
    assert [event["type"] for event in events].count("agent-trouble") == 1
    texts = [(event["text"], event.get("unspoken", False), event.get("cut", False)) for event in events if event["type"] == "final"]
    written = [(reply.text if not reply.stops else "It", True, bool(reply.stops))] if reply.text else []
    assert texts == [*written, ("Hello.", False, False)]
    assert events[-1]["completeness"]["wordsMissing"] == bool(reply.text)


@pytest.mark.parametrize("reply", SILENT)
async def test_a_model_that_is_silent_twice_is_given_up_in_words(reply: Reply, caplog: pytest.LogCaptureFixture) -> None:
    async with lines(Model(replies=[reply, reply])) as line:
        async with line.call() as (phone, follower):
            await line.listen(phone, lambda: False)
            events = await follower.all()
        await line.gone()
    assert phone.playout.now_ms < 3000
    assert (phone.close_code, phone.close_reason) == (1000, "the agent was lost")
    (lost,) = [event["reason"] for event in events if event["type"] == "transcriber-lost"]
    assert "filter" in lost if reply.stops else lost == "answered without a sound"
    assert (events[-1]["reason"], completeness(events) != "complete") == ("agent-lost", True)
    assert caplog.text.count(lost) >= 2


@pytest.mark.parametrize("reason", ["max_output_tokens", "content_filter"])
async def test_a_sentence_that_stops_in_the_middle_is_marked_and_gone_on_with(reason: str) -> None:
    replies = [Reply("Hello."), Reply("They come on Friday at noon.", stops=reason), Reply("Friday at noon.")]
    async with lines(Model(replies=replies)) as line:
        async with line.call() as (phone, follower):
            await line.listen(phone, lambda: phone.playout.now_ms > 800 and phone.playout.waiting_ms == 0)
            await line.say(phone, words("when"))
            await line.listen(phone, lambda: line.talk.responses == 3)
            await line.listen(phone, lambda: phone.playout.waiting_ms == 0)
            await line.say(phone, b"\xff" * 800)
            await phone.hang_up()
            events = await follower.all()
        await line.gone()
    assert [each for each in read(events) if each != "agent-trouble"] == [
        "agent: Hello.", "caller: when", "agent: They come on", "agent: Friday at noon.", "ended: completed, words are missing",
    ]  # fmt: skip
    (trouble,) = [event["reason"] for event in events if event["type"] == "agent-trouble"]
    assert reason in trouble
    assert [event.get("cut", False) for event in events if event["type"] == "final"] == [False, False, True, False]


async def test_a_tools_result_behind_a_turn_that_never_ends_is_spoken(tmp_path: Path) -> None:
    hook = Hook(hang=asyncio.Event())
    replies = [Reply("One moment.", [Call("book")]), Reply("It is booked.")]
    async with serving(hook), lines(Model(replies=replies), file=BOOK.format(url=hook.url, secret=SECRET), tmp_path=tmp_path) as line:
        async with line.call() as (phone, follower):
            line.fake.model.never_stops = True
            await line.listen(phone, lambda: hook.told and phone.playout.waiting_ms == 0)
            await line.say(phone, words("well then"))
            assert hook.hang is not None
            hook.hang.set()
            await line.listen(phone, lambda: line.talk.responses == 2, most_ms=round(ModelPatience().silent_turn_ms) + 2000)
            await line.listen(phone, lambda: phone.playout.waiting_ms)
            await line.listen(phone, lambda: phone.playout.waiting_ms == 0)
            await line.say(phone, b"\xff" * 800)
            await phone.hang_up()
            events = await follower.all()
        await line.gone()
        assert line.talk.errors == []
    assert overheard(bytes(phone.playout.heard)).endswith("It is booked.")
    assert "caller: well then" in read(events)
    assert "did not notice that the caller had finished" in [event.get("reason") for event in events]


@pytest.mark.parametrize("obeys", [True, False])
async def test_a_model_that_answers_each_result_with_a_tool_comes_to_an_end(obeys: bool, tmp_path: Path) -> None:
    hook = Hook()
    model = Model(replies=[Reply(calls=[Call("book")])] * 100, obeys=obeys)
    async with serving(hook), lines(model, file=BOOK.format(url=hook.url, secret=SECRET), tmp_path=tmp_path) as line:
        async with line.call() as (phone, follower):
            await line.listen(phone, lambda: phone.playout.came_ms)
            if obeys:
                await phone.hang_up()
            events = await follower.all()
        await line.gone()
    assert len(hook.told) == 8
    assert events[-1]["reason"] == ("completed" if obeys else "agent-lost")
    assert phone.over.is_set() or obeys


async def test_two_thousand_tools_in_one_response_are_ten_webhooks(tmp_path: Path) -> None:
    hook = Hook()
    model = Model(replies=[Reply(calls=[Call("book")] * 2000), Reply("Done.")])
    async with serving(hook), lines(model, file=BOOK.format(url=hook.url, secret=SECRET), tmp_path=tmp_path) as line:
        async with line.call() as (phone, follower):
            await line.listen(phone, lambda: phone.playout.came_ms)
            await phone.hang_up()
            events = await follower.all()
        await line.gone()
        refused = [output for output in line.talk.outputs.values() if "refused" in output]
    assert len(hook.told) == 10
    assert "10 uses of tools in one response are the most" in refused[0]
    assert [event["type"] for event in events].count("agent-trouble") == 1
    assert len(events) < 50


async def test_an_agent_with_xai_greets_answers_and_is_interrupted() -> None:
    tale = "one two three four five six seven eight nine ten eleven twelve"
    settings: dict[str, Any] = {"openai_dialect": "xai", "openai_model": "grok-voice-latest", "openai_voice": "ara"}
    async with lines(Model(replies=[Reply(tale), Reply("All right.")]), server=FakeXAI, **settings) as line:
        async with line.call() as (phone, follower):
            await line.listen(phone, lambda: phone.playout.now_ms >= 1500 and phone.playout.came_ms)
            await line.say(phone, words("wait a moment please"))
            assert len(phone.playout.clears) == 1
            await line.listen(phone, lambda: line.talk.responses == 2 and phone.playout.waiting_ms == 0)
            await line.say(phone, b"\xff" * 4800)
            await phone.hang_up()
            events = await follower.all()
        await line.gone()
        assert line.talk.errors == []
        assert line.talk.session["voice"] == "ara"
    told = read(events)
    assert told[0].startswith("agent: one two three")
    assert told[0].endswith(" —")
    assert told[1:] == ["agent-interrupted", "caller: wait a moment please", "agent: All right.", "ended: completed"]
    assert any(event["type"] == "interim" and event["text"] == "wait a" for event in follower.events)
