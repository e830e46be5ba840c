"""How a call with an agent ends: no session stays open, the caller hears something, and subscribers read why."""

import asyncio
import random
from typing import Any

import pytest

from clients.pretend_twilio.agent_phone import Phone
from clients.pretend_twilio.media_socket import NotAnswered
from tests.agents.lines import lines, read, words
from tests.providers.openai_script import Call, Model, Reply
from tests.providers.script import Script


@pytest.mark.parametrize("politely", [True, False])
async def test_a_hang_up_closes_the_models_session_at_once(politely: bool) -> None:
    async with lines(Model(replies=[Reply("A long story that nobody will hear to its very end.")])) as line:
        async with line.call() as (phone, follower):
            await line.listen(phone, lambda: phone.playout.now_ms > 800 and phone.playout.came_ms)
            await phone.hang_up(politely=politely)
            await line.fake.until(lambda: line.fake.open_sessions == 0)
            events = await follower.all()
        await line.gone()
    assert line.fake.visits[0].closed == (1000, "")
    story, ended = read(events)
    assert story.startswith("agent: A long")
    assert story.endswith(" —")
    assert ended == f"ended: {'completed' if politely else 'stream-lost, words are missing'}"


async def test_fifty_hang_ups_at_random_moments_leave_no_session_open() -> None:
    chance = random.Random(7)
    replies = [Reply("Hello there.", [Call("fly")]), Reply("I cannot fly. Would you like to hear a story?"), Reply("Once upon a time.")]
    async with lines(Model(replies=replies, transcription_seconds=0.01), agent_calls=50) as line:

        async def one(frames: int, *, politely: bool) -> None:
            async with Phone(line.url) as phone:
                sound = words("do tell me")
                for at in range(frames):
                    await phone.step(sound[max(0, at - 30) * 160 : (at - 29) * 160] if at >= 30 else b"")
                    await asyncio.sleep(0)
                await phone.hang_up(politely=politely)

        async with asyncio.TaskGroup() as group:
            for _ in range(50):
                group.create_task(one(int(chance.expovariate(1 / 60)), politely=chance.random() < 0.7))
        await line.gone()
        assert line.home.state.calls.live == 0
        assert len(line.home.state.registry) == 50
        assert all(record.ended for record in line.home.state.registry)


@pytest.mark.parametrize(
    ("model", "fake", "says"),
    [
        (Model(), {"script": Script(refuse=[401])}, "refused the key (401 invalid_api_key): check OPENAI_API_KEY"),
        (
            Model(),
            {"script": Script(refuse=[429, 429])},
            "takes no more from this project for now, its rate limit is reached (429 rate_limit",
        ),
        (Model(), {"script": Script(refuse=[503, 503])}, "cannot open a session now (503)"),
        (Model(error_on_update="Invalid voice."), {}, "refused the agent's settings: Invalid voice."),
        (Model(expire_after_ms=500), {}, "ended the session at its limit of 60 minutes (session_expired)"),
        (Model(drop_after_ms=500), {}, "lost the connection"),
        (Model(replies=[Reply(fails="rate_limit_exceeded")]), {}, "its rate limit is reached (rate_limit_exceeded)"),
        (Model(replies=[Reply(fails="server_error"), Reply(fails="server_error")]), {}, "could not answer: It failed."),
    ],
)
async def test_a_model_that_is_lost_is_published_and_the_call_goes_on_in_its_twiml(model: Model, fake: dict[str, Any], says: str) -> None:
    async with lines(model, fake=fake) as line:
        async with line.call() as (phone, follower):
            await line.listen(phone, lambda: False)
            await phone.over.wait()
            events = await follower.all()
        await line.gone()
    # A normal close: Twilio goes on with the verb after <Connect>.
    assert (phone.close_code, phone.close_reason) == (1000, "the agent was lost")
    (lost,), ended = [event for event in events if event["type"] == "transcriber-lost"], events[-1]
    assert lost["provider"] == "openai"
    assert says in lost["reason"]
    assert ended["reason"] == "agent-lost"


async def test_a_session_that_is_refused_for_the_moment_is_opened_at_a_second_try() -> None:
    async with lines(Model(replies=[Reply("Hello.")]), fake={"script": Script(refuse=[503])}) as line:
        async with line.call() as (phone, follower):
            await line.listen(phone, lambda: line.talk.responses == 1)
            await line.listen(phone, lambda: phone.playout.waiting_ms == 0 and phone.playout.came_ms)
            await line.say(phone, b"\xff" * 480)
            await phone.hang_up()
            assert read(await follower.all()) == ["agent: Hello.", "ended: completed"]
        await line.gone()
        assert len(line.fake.visits) == 2


async def test_a_response_that_fails_once_is_asked_for_again() -> None:
    async with lines(Model(replies=[Reply(fails="server_error"), Reply("Hello.")])) as line:
        async with line.call() as (phone, follower):
            await line.listen(phone, lambda: phone.playout.now_ms > 900)
            await phone.hang_up()
            assert read(await follower.all()) == ["agent-trouble", "agent: Hello.", "ended: completed"]
        await line.gone()


async def test_an_agents_time_is_limited() -> None:
    async with lines(agent_minutes=0.5 / 60) as line:
        async with line.call() as (phone, follower):
            await phone.over.wait()
            events = await follower.all()
        await line.gone()
    assert (phone.close_code, phone.close_reason) == (1000, "the agent's time is up")
    assert [event["type"] for event in events][-3:] == ["transcriber-lost", "statistics", "call-ended"]
    assert "HUB_AGENT_MINUTES" in events[-3]["reason"]
    assert events[-1]["reason"] == "agent-limit"


async def test_a_model_that_does_not_answer_is_given_up() -> None:
    async with lines(Model(mute=True)) as line:
        line.limit(answer_seconds=1.0)
        async with line.call() as (phone, follower):
            while not phone.over.is_set():
                await line.together(phone)
            events = await follower.all()
        assert read(events) == ["agent-trouble", "transcriber-lost", "ended: agent-lost, words are missing"]
        assert [event["reason"] for event in events if event["type"] == "transcriber-lost"] == ["did not answer within 1 s"]
        await line.gone()


async def test_a_stream_that_goes_quiet_ends_the_call_and_its_session() -> None:
    async with lines() as line:
        line.limit(look_seconds=0.05, quiet_seconds=0.2)
        async with line.call() as (phone, follower):
            await phone.over.wait()
            assert (await follower.all())[-1]["reason"] == "stream-lost"
        await line.gone()


async def test_agents_answer_only_so_many_calls_at_once() -> None:
    async with lines(agent_calls=1) as line:
        async with line.call() as (phone, _):
            with pytest.raises(NotAnswered, match="503"):
                async with Phone(line.url):
                    pass
            await phone.hang_up()
        await line.gone()
        async with line.call() as (phone, _):
            await phone.hang_up()
        await line.gone()


async def test_a_stopping_hub_ends_the_agents_part_and_closes_its_session() -> None:
    async with lines() as line:
        async with line.call() as (phone, follower):
            await line.listen(phone, lambda: phone.playout.now_ms > 300)
            await line.home.state.calls.drain(0)
            await phone.over.wait()
            events = await follower.all()
        await line.gone()
    assert events[-1]["reason"] == "hub-stopping"
    assert phone.close_reason == "the hub is stopping"


async def test_a_call_that_an_agent_answers_is_not_transcribed_a_second_time() -> None:
    async with lines() as line:
        async with line.call() as (phone, _):
            socket = await line.home.call(phone.stream.call_sid, "MZ" + "7" * 32)
            message = await socket.receive()
            assert (message.data, message.extra) == (1013, "this call is served already")
            async with Phone(line.url) as other:
                other.stream.call_sid = phone.stream.call_sid
            await phone.hang_up()
        await line.gone()
