"""An agent's tool calls on one call, directly: each is published twice, and an agent leaves only once it was heard."""

import asyncio
import json
from dataclasses import replace

import pytest

from hub.agents.voice_model import (
    AddToolOutput,
    AgentAudio,
    AgentAudioDone,
    AgentText,
    CallerSpeechStarted,
    CallerSpeechStopped,
    CreateResponse,
    ResponseEnded,
    ResponseStarted,
    ToolCall,
)
from hub.errors import AccountError
from hub.events import CallEnded, Statistics, ToolCalled, ToolReturned
from tests.calls.agent_desk import ACCOUNT, AGENT, LIMITS, Desk, desk
from tests.media import CALL

HANG_UP = ToolCall("r1", "c1", "hang_up", "{}")
TRANSFER = ToolCall("r1", "c1", "transfer", '{"to":"sales"}')


async def goodbye(it: Desk, *calls: ToolCall) -> None:
    """Have the agent say goodbye for 200 ms and use tools; return when these are under way."""
    it.emit(ResponseStarted("r1"), AgentAudio("r1", "i1", b"\x01" * 1600), AgentAudioDone("r1", "i1"), AgentText("r1", "i1", "Bye."))
    it.emit(*calls, ResponseEnded("r1", "completed"))
    while len(it.events(ToolCalled)) < len(calls):
        await asyncio.sleep(0)


async def came_of(it: Desk, count: int = 1) -> list[ToolReturned]:
    """Wait until so many tools have come to something."""
    while len(it.events(ToolReturned)) < count:
        await asyncio.sleep(0.002)
    return list(it.events(ToolReturned))


def outputs(it: Desk) -> list[dict[str, str]]:
    return [json.loads(request.output) for request in it.model.sent if isinstance(request, AddToolOutput)]


async def until_asked(it: Desk) -> None:
    while not it.account.asked:
        await asyncio.sleep(0.002)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (ToolCall("r1", "c1", "fly", "{}"), "there is no tool fly"),
        (ToolCall("r1", "c1", "x" * 200, "{}"), f"there is no tool {'x' * 64}"),
        (ToolCall("r1", "c1", "hang_up", "{"), "the arguments are not JSON"),
        (ToolCall("r1", "c1", "transfer", '{"to":"+19005550100"}'), "the arguments do not fit at to"),
    ],
)
async def test_a_tool_call_that_does_not_fit_is_published_refused_and_told_to_the_model(call: ToolCall, says: str) -> None:
    async with desk() as it:
        it.emit(ResponseStarted("r1"), call, ResponseEnded("r1", "completed"))
        (returned,) = await came_of(it)
        (called,) = it.events(ToolCalled)
        assert (called.invocation, called.tool) == ("c1", call.name)
        assert (returned.invocation, returned.outcome) == ("c1", "refused")
        assert returned.detail.startswith(says)
        assert outputs(it) == [{"error": "refused", "message": returned.detail}]
        assert isinstance(it.model.sent[-1], CreateResponse)
        assert it.counters.agents.tools == {"refused": 1}
        assert it.account.asked == []


@pytest.mark.parametrize("name", ["hang_up", "transfer"])
async def test_an_agent_that_may_not_leave_cannot(name: str) -> None:
    async with desk(replace(AGENT, hang_up=False, transfer=())) as it:
        await goodbye(it, ToolCall("r1", "c1", name, '{"to":"sales"}' if name == "transfer" else "{}"))
        (returned,) = await came_of(it)
        assert (returned.outcome, returned.detail) == ("refused", f"there is no tool {name}")
        assert it.account.asked == []


@pytest.mark.parametrize(
    ("call", "asked", "reason", "detail"),
    [
        (HANG_UP, ("hang_up", ACCOUNT, CALL), "agent-hung-up", "the call was ended"),
        (TRANSFER, ("connect", ACCOUNT, CALL, "+14155550177", "sales"), "transferred", "the caller was connected to sales"),
    ],
)
async def test_an_agent_leaves_once_it_was_heard(call: ToolCall, asked: tuple[str, ...], reason: str, detail: str) -> None:
    async with desk() as it:
        await goodbye(it, call)
        it.frames(180)
        for _ in range(5):
            await asyncio.sleep(0)
        assert it.account.asked == []  # it is still being heard
        it.frames(40)
        await until_asked(it)
        (returned,) = await came_of(it)
    assert it.account.asked == [asked]
    assert (returned.outcome, returned.detail, it.end.reason) == ("result", detail, reason)
    assert it.peer.closed == ["the agent hung up" if reason == "agent-hung-up" else "the call was transferred"]
    assert [type(event) for event in it.events()][-3:] == [ToolReturned, Statistics, CallEnded]
    assert outputs(it) == []  # there is nobody to tell


async def test_an_agent_whose_goodbye_is_never_heard_leaves_all_the_same() -> None:
    async with desk(limits=replace(LIMITS, leave_seconds=0.05)) as it:
        await goodbye(it, HANG_UP)
        await until_asked(it)
    assert it.end.reason == "agent-hung-up"


async def test_an_agent_does_not_hang_up_on_a_caller_who_speaks() -> None:
    async with desk() as it:
        await goodbye(it, HANG_UP)
        it.frames(100)
        it.emit(CallerSpeechStarted("q", 60))
        it.frame()
        (returned,) = await came_of(it)
        assert (returned.outcome, it.account.asked) == ("refused", [])
        assert "hang up when nothing is left" in returned.detail
        assert it.call.holds
        assert it.call._tools.waiting == 0  # no frame looks any more


async def test_an_agent_that_transfers_waits_until_the_caller_has_spoken() -> None:
    async with desk(limits=replace(LIMITS, leave_seconds=3600.0)) as it:
        await goodbye(it, TRANSFER)
        it.frames(100)
        it.emit(CallerSpeechStarted("q", 60))
        it.frames(100)
        for _ in range(5):
            await asyncio.sleep(0)
        assert it.account.asked == []
        it.emit(CallerSpeechStopped("q", 150), ResponseStarted("r2"), AgentAudio("r2", "i2", b"\x01" * 160), AgentAudioDone("r2", "i2"))
        it.emit(ResponseEnded("r2", "completed"))
        while not it.account.asked:
            it.frame()
            await asyncio.sleep(0.002)
    assert it.end.reason == "transferred"


async def test_while_twilio_is_asked_the_call_may_be_taken_over_and_the_tool_has_worked() -> None:
    async with desk() as it:
        it.account.answers.clear()
        await goodbye(it, TRANSFER)
        it.frames(300)
        await until_asked(it)
        assert (it.call.holds, it.call.answered) == (False, True)
        it.stream.stop()  # Twilio ends the stream before it answers
        (returned,) = await came_of(it)
    assert (returned.outcome, returned.detail) == ("result", "the caller was connected to sales")
    assert it.end.reason == "transferred"


async def test_a_call_that_ends_while_the_goodbye_is_heard_was_not_ended_by_the_agent() -> None:
    async with desk() as it:
        await goodbye(it, HANG_UP)
        it.frames(100)
        it.stream.stop()
        (returned,) = await came_of(it)
    assert (returned.outcome, returned.detail) == ("failed", "the call ended first")
    assert (it.end.reason, it.account.asked) == ("completed", [])


async def test_a_refusal_of_twilio_is_told_to_the_model_and_the_agent_stays() -> None:
    async with desk() as it:
        it.account.error = AccountError("says 404", retryable=False, status=404)
        await goodbye(it, HANG_UP)
        it.frames(300)
        (returned,) = await came_of(it)
        assert (returned.outcome, returned.detail) == ("failed", "Twilio's REST API says 404")
        assert it.call.holds
        assert outputs(it) == [{"error": "failed", "message": "Twilio's REST API says 404"}]


async def test_a_bug_in_leaving_is_told_to_the_model_and_the_agent_stays(caplog: pytest.LogCaptureFixture) -> None:
    async with desk() as it:
        it.account.error = RuntimeError("a bug")
        await goodbye(it, HANG_UP)
        it.frames(300)
        (returned,) = await came_of(it)
        assert (returned.outcome, returned.detail) == ("failed", "the hub failed on this tool")
        assert it.call.holds
    assert it.end.reason == "hub-stopping"
    assert "the tool hang_up failed" in caplog.text


async def test_two_tools_that_leave_at_once_both_come_to_something() -> None:
    async with desk() as it:
        it.account.error = AccountError("says 500", retryable=False, status=500)
        await goodbye(it, HANG_UP, replace_id(TRANSFER, "c2"))
        it.frames(300)
        returned = await came_of(it, 2)
        assert {each.invocation for each in returned} == {"c1", "c2"}


def replace_id(call: ToolCall, call_id: str) -> ToolCall:
    return ToolCall(call.response_id, call_id, call.name, call.arguments)


async def test_how_long_a_tool_took_is_by_the_calls_clock() -> None:
    async with desk() as it:
        it.account.answers.clear()
        await goodbye(it, HANG_UP)
        it.frames(300)
        await until_asked(it)
        it.now += 5
        it.account.answers.set()
        (returned,) = await came_of(it)
    (called,) = it.events(ToolCalled)
    assert (called.time, returned.time) == (0.0, 0.3)
    assert returned.seconds == pytest.approx(5.3)
