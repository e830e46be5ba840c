"""A call whose agent's stream is taken up again: one call with one end, and a conversation that goes on."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from hub.agents import Agent
from hub.agents.voice_model import AddCallerText, AgentText, CreateResponse, ResponseEnded, ResponseStarted
from tests.agents.lines import Follower, Lines, lines, read, words
from tests.calls.agent_desk import AGENT, desk
from tests.calls.answering import speech
from tests.providers.openai_script import Model, Reply
from tests.scripted import ScriptedTranscriber, talking


async def ended(line: Lines, follower: Follower) -> list[dict[str, Any]]:
    """Have nobody be waited for any more, and read the call to its end."""
    events = await follower.all()
    await line.gone()
    return events


async def test_a_stream_that_follows_is_the_same_call_with_one_end_and_nobody_is_greeted_twice() -> None:
    async with lines(Model(replies=[Reply("Hello."), Reply("On Friday.")])) as line:
        line.limit(come_back_seconds=3.0)
        async with line.call() as (phone, follower):
            await line.listen(phone, lambda: phone.playout.now_ms > 700 and phone.playout.waiting_ms == 0)
            await line.say(phone, words("when will they come"))
            await line.listen(phone, lambda: line.talk.responses == 2 and phone.playout.waiting_ms == 0)
            await line.say(phone, b"\xff" * 800)
            await phone.hang_up()
        line.fake.model.replies = [Reply("As I said.")]
        async with line.call(again=phone) as (again, late):
            await line.listen(again, lambda: line.talk.responses == 1 and again.playout.came_ms and again.playout.waiting_ms == 0)
            await line.say(again, b"\xff" * 800)
            await again.hang_up()
            events = await ended(line, follower)
            assert await late.all() == events
        # The second session was told what was said in the first, and greeted nobody.
        assert "friend" not in line.talk.instructions[0]
        (told,) = line.talk.told
    assert told.startswith("[You have answered this call before")
    assert "\nagent: Hello.\ncaller: when will they come\nagent: On Friday.\n" in told
    assert read(events) == [
        "agent: Hello.", "caller: when will they come", "agent: On Friday.", "agent: As I said.", "ended: completed",
    ]  # fmt: skip
    assert [event["type"] for event in events].count("call-started") == 2
    finals = [event["start"] for event in events if event["type"] == "final"]
    assert finals == sorted(finals)


async def test_a_stream_that_follows_after_the_call_has_ended_goes_on_with_the_conversation_too() -> None:
    async with lines(Model(replies=[Reply("Hello.")])) as line:
        async with line.call() as (phone, _):
            await line.listen(phone, lambda: phone.playout.now_ms > 800 and phone.playout.waiting_ms == 0)
            await phone.hang_up()
            await line.gone()
        async with line.call(again=phone) as (again, follower):
            await line.listen(again, lambda: again.playout.now_ms > 800)
            await again.hang_up()
            events = await ended(line, follower)
        assert line.talk.instructions == [""]
    assert [each.partition(":")[0] for each in read(events)] == ["agent", "ended", "agent", "ended"]


async def test_a_stream_that_broke_without_a_word_is_replaced_by_the_next_one() -> None:
    async with lines(Model(replies=[Reply("Hello.")])) as line:
        line.limit(stale_seconds=0.2)
        async with line.call() as (phone, follower):
            await line.listen(phone, lambda: phone.playout.now_ms > 800 and phone.playout.waiting_ms == 0)
            await asyncio.wait_for(_stale(line), 5)  # its socket stays open
            async with line.call(again=phone) as (again, _):
                await phone.over.wait()
                await line.listen(again, lambda: again.playout.now_ms > 400)
                await again.hang_up()
            events = await ended(line, follower)
    assert phone.close_reason == "the call goes on in another stream"
    assert [each for each in read(events) if each.startswith("ended")] == ["ended: completed"]


async def _stale(line: Lines) -> None:
    """Wait until the hub would let another stream have the call."""
    (call,) = line.home.state.calls._calls.values()
    while call.holds:
        await asyncio.sleep(0.01)


async def test_an_agent_takes_a_call_over_from_people_who_gave_the_caller_back() -> None:
    scripted: list[ScriptedTranscriber] = []

    def opened(_: object) -> ScriptedTranscriber:
        scripted.append(ScriptedTranscriber(talking))
        return scripted[-1]

    async with lines(Model(replies=[Reply("Hello.")]), open_transcriber=opened) as line:
        line.limit(come_back_seconds=3.0)
        async with line.call() as (phone, follower):
            await line.listen(phone, lambda: phone.playout.now_ms > 800 and phone.playout.waiting_ms == 0)
            await phone.hang_up()
        line.home.transcribers = scripted
        socket = await line.home.call(phone.stream.call_sid, "MZ" + "7" * 32)
        async with line.call(again=phone) as (again, _):
            message = await socket.receive()
            assert (message.data, message.extra) == (1000, "an agent goes on with this call")
            await line.listen(again, lambda: again.playout.now_ms > 400)
            await again.hang_up()
            events = await ended(line, follower)
    assert [event["type"] for event in events].count("call-ended") == 1
    assert [event.get("agent") for event in events if event["type"] == "call-started"] == ["agent", None, "agent"]


# What the model is told.


@pytest.mark.parametrize(("name", "greets"), [("desk", False), ("billing", True)])
async def test_an_agent_that_is_new_to_the_call_greets_and_knows_what_was_said(name: str, greets: bool) -> None:
    async with desk() as first:
        first.emit(*speech(1000, "One moment."))
        first.frames(2000)
        first.stream.stop()
    async with desk(_agent(name), registry=first.registry) as again:
        told = [request.text for request in again.model.sent if isinstance(request, AddCallerText)]
        (asked,) = [request for request in again.model.sent if isinstance(request, CreateResponse)]
    assert len(told) == 1
    assert "\ndesk: One moment.\n" in told[0].replace("]", "\n")
    assert ("do not greet" in told[0], "Good day" in asked.instructions) == (not greets, greets)


async def test_an_agent_that_was_not_heard_greets_as_if_the_call_were_new() -> None:
    async with desk() as first:
        first.frames(200)
        first.stream.stop()
    async with desk(_agent("desk"), registry=first.registry) as again:
        (asked,) = [request for request in again.model.sent if isinstance(request, CreateResponse)]
    assert "Good day" in asked.instructions


async def test_a_long_call_is_told_by_its_newest_words() -> None:
    async with desk() as first:
        for number in range(60):
            first.emit(*speech(20, f"Sentence {number}: " + "word " * 60, f"i{number}", f"r{number}"))
            first.frames(40)
        first.frames(3000)
        first.stream.stop()
    async with desk(_agent("desk"), registry=first.registry) as again:
        (told,) = [request.text for request in again.model.sent if isinstance(request, AddCallerText)]
    assert "Sentence 59" in told
    assert "Sentence 10:" not in told
    assert len(told) < 9000


def _agent(name: str) -> Agent:
    return replace(AGENT, name=name, greeting="Good day.")


async def test_what_is_missing_in_the_first_part_is_missing_in_the_call() -> None:
    async with desk() as first:
        first.emit(ResponseStarted("r1"), AgentText("r1", "i1", "Good bye."), ResponseEnded("r1", "completed"))
        first.frames(200)
        first.call.give_way()
    async with desk(registry=first.registry) as again:
        again.stream.stop()
    assert again.end.completeness.words_missing
