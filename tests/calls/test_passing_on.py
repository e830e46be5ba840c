"""A call that goes on without its agent: the person who takes over is transcribed on the same topic, and the call ends once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from clients.pretend_twilio.agent_phone import Phone
from tests.agents.lines import PUBLIC, Follower, Lines, lines, read
from tests.providers.fake_twilio import PhoneCall, fake_twilio
from tests.providers.openai_script import Call, Model, Reply
from tests.scripted import ScriptedTranscriber, talking

DESK = '[agents.desk]\ngreeting = "Hi."\ntransfer = { sales = "+14155550177" }\ndial = "+14155550199"\n'

PASSES_ON = Model(replies=[Reply("I pass you on.", [Call("transfer", '{"to":"sales"}')])])

CALL = {"CallSid": "", "From": "+14155550123", "To": "+14155550100", "Direction": "inbound", "CallStatus": "ringing"}


@asynccontextmanager
async def desk(
    model: Model, tmp_path: Path, limits: dict[str, float] | None = None
) -> AsyncIterator[tuple[Lines, Phone, Follower, PhoneCall]]:
    """A call with the desk's agent, on a hub whose transcriber hears a word a second."""
    async with fake_twilio() as twilio:
        scripted: list[ScriptedTranscriber] = []

        def opened(_: object) -> ScriptedTranscriber:
            scripted.append(ScriptedTranscriber(talking))
            return scripted[-1]

        async with lines(model, file=DESK, tmp_path=tmp_path, twilio=twilio, open_transcriber=opened) as line:
            line.limit(**(limits or {}))
            line.home.transcribers = scripted
            twilio.ports["hub.example.com"] = line.home.port
            async with line.call() as (phone, follower):
                call = twilio.calls[phone.stream.call_sid]
                yield line, phone, follower, call
            await line.gone()


async def heard(line: Lines, call: PhoneCall, count: int) -> None:
    """Wait for so many words on the call's topic."""
    record = line.home.state.registry.find(call.sid)
    assert record is not None
    while record.outline.utterances < count:
        await asyncio.sleep(0.01)


def published_once(events: list[dict[str, Any]]) -> None:
    """One start by the agent, one by the stream after it, one end; and the words in the order in which they were said."""
    assert [event["type"] for event in events].count("call-ended") == 1
    first, second = (event for event in events if event["type"] == "call-started")
    assert (first["agent"], first["transcriber"]["provider"]) == ("desk", "openai")
    assert ("agent" in second, second["transcriber"]["provider"], second["from"]) == (False, "scripted", "+14155550123")
    by_track = {
        track: [each["start"] for each in events if each.get("track") == track and "text" in each] for track in ("inbound", "outbound")
    }
    assert all(starts == sorted(starts) for starts in by_track.values())
    agent_said = max(event["end"] for event in events if event.get("speaker") == "desk")
    assert all(event["start"] >= agent_said for event in events if event.get("text", "").startswith("outbound word"))
    assert events[-1]["duration"] < 60, "call time goes on, it does not leap"


@pytest.mark.parametrize("first", ["the answer", "the stop"])
async def test_the_person_to_whom_an_agent_transfers_is_transcribed_on_the_same_topic(first: str, tmp_path: Path) -> None:
    async with desk(PASSES_ON, tmp_path) as (line, phone, follower, call):
        if first == "the stop":  # Twilio ends the agent's stream, and starts the next, before it answers
            call.connected = phone.hang_up
        await line.listen(phone, call.updated.is_set)
        await heard(line, call, 3)
        await call.hang_up()
        events = await follower.all()
    published_once(events)
    assert [each for each in read(events) if "word" not in each] == [
        "uses transfer", "desk: I pass you on.", "transfer: result", "ended: completed",
    ]  # fmt: skip
    assert any(each.startswith("caller: inbound word") for each in read(events))
    assert any(each.startswith("sales: outbound word") for each in read(events))
    assert next(event for event in events if event["type"] == "tool-returned")["detail"] == "the caller was connected to sales"


async def test_a_stream_that_comes_before_the_agents_has_ended_takes_the_call_over(tmp_path: Path) -> None:
    async with desk(PASSES_ON, tmp_path) as (line, phone, follower, call):

        async def late() -> None:
            await heard(line, call, 3)
            assert phone.over.is_set()  # the hub closed it: nobody told it that the agent's part is over

        call.connected = late
        await line.listen(phone, call.updated.is_set)
        await call.updated.wait()
        await call.hang_up()
        events = await follower.all()
    published_once(events)


async def test_the_person_who_takes_over_from_a_lost_agent_is_transcribed_too(tmp_path: Path) -> None:
    model = Model(replies=[Reply("How can I help you?")], drop_after_ms=2500)
    async with desk(model, tmp_path) as (line, phone, follower, call):
        assert line.twilio is not None
        status, twiml = await line.twilio.webhook(f"{PUBLIC}/twiml/agent", CALL | {"CallSid": call.sid})
        assert status == 200
        await line.listen(phone, lambda: False)
        assert phone.close_reason == "the agent was lost"
        assert line.home.state.registry.live() == [call.sid], "the caller hears the apology"
        call.go_on(twiml)
        await heard(line, call, 3)
        await call.hang_up()
        events = await follower.all()
    published_once(events)
    assert any(each.startswith("colleague: outbound word") for each in read(events))
    assert [event["type"] for event in events].count("transcriber-lost") == 1


async def test_a_call_that_nobody_takes_over_ends_as_its_agent_left_it(tmp_path: Path) -> None:
    async with desk(Model(drop_after_ms=500), tmp_path, limits={"pass_on_seconds": 0.2}) as (line, phone, follower, _):
        await line.listen(phone, lambda: False)
        events = await follower.all()
    assert read(events)[-1] == "ended: agent-lost"


async def test_a_stopping_hub_does_not_wait_for_a_call_to_be_taken_over(tmp_path: Path) -> None:
    async with desk(Model(drop_after_ms=500), tmp_path) as (line, phone, follower, _):
        await line.listen(phone, lambda: False)
        await line.home.state.calls.drain(0)
        assert read(await follower.all())[-1] == "ended: agent-lost"


async def test_a_call_may_come_back_to_an_agent_while_the_last_words_with_a_person_are_awaited(tmp_path: Path) -> None:
    async with desk(Model(), tmp_path) as (line, phone, _, call):
        await phone.hang_up()
        await line.gone()
        person = call.stream(f"{PUBLIC.replace('http', 'ws')}/twilio", "both_tracks", {})
        await heard(line, call, 2)
        (scripted,) = line.home.transcribers
        scripted.may_end.clear()
        person.status = "stopped"
        await scripted.finished.wait()
        async with line.call(phone) as (again, follower):
            await line.fake.until(lambda: line.fake.open_sessions == 1)
            await line.listen(again, lambda: again.playout.now_ms > 900)
            scripted.final("late word", "inbound", 1.0, 1.1)
            scripted.may_end.set()
            await again.hang_up()
            events = await follower.all()
    assert [event["reason"] for event in events if event["type"] == "call-ended"] == ["completed"] * 2, "by the first agent and the second"
    assert [each for each in read(events) if "ended" not in each] == [
        "caller: inbound word 0", "callee: outbound word 0", "desk: All right.", "caller: late word",
    ]  # fmt: skip
    assert [event["type"] for event in events].count("gap") == 0
