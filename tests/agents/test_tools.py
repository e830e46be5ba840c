"""Tools in the middle of conversations: they work, refuse, fail and hang, and the model is always told."""

import asyncio
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from hub.agents.webhooks import ANSWER_BYTES
from tests.agents.lines import lines, read, words
from tests.agents.servers import SECRET, Hook, serving
from tests.providers.fake_twilio import fake_twilio
from tests.providers.openai_script import Call, Model, Reply, overheard


def agents(hook: Hook, **more: Any) -> str:
    lines = "".join(f"{name} = {json.dumps(value)}\n" for name, value in more.pop("agent", {}).items())
    transfer = more.pop("transfer", "")
    extra = "".join(f"{name} = {json.dumps(value)}\n" for name, value in more.items())
    return f"""
[agents.desk]
greeting = "Hello."
{lines}
{transfer}
[[agents.desk.tools]]
name = "book"
description = "Books."
url = "{hook.url}"
secret = "{SECRET}"
{extra}
[agents.desk.tools.parameters]
type = "object"
required = ["day"]
additionalProperties = false
[agents.desk.tools.parameters.properties.day]
type = "string"
format = "date"
[agents.desk.tools.parameters.properties.seats]
type = "integer"
"""


BOOK = Call("book", '{"day":"2026-12-01","seats":2}')


async def test_what_a_tool_does_reaches_the_webhook_the_model_and_the_subscribers(tmp_path: Path) -> None:
    model = Model(replies=[Reply("One moment.", [BOOK]), Reply("It is booked.")])
    hook = Hook(lambda _: (200, '{"table":7}'))
    async with serving(hook), lines(model, file=agents(hook), tmp_path=tmp_path) as line:
        async with line.call() as (phone, follower):
            await line.listen(phone, lambda: line.talk.responses == 2)
            await line.listen(phone, lambda: phone.playout.waiting_ms == 0 and phone.playout.now_ms > 1800)
            await phone.hang_up()
            events = await follower.all()
        await line.gone()
        assert list(line.talk.outputs.values()) == ['{"table":7}']
        assert line.talk.errors == []
    (told,) = hook.told
    assert told == {
        "callSid": phone.stream.call_sid, "from": "+14155550123", "to": "+14155550100", "agent": "desk", "tool": "book",
        "invocation": told["invocation"], "arguments": {"day": "2026-12-01", "seats": 2},
    }  # fmt: skip
    assert read(events) == [
        "uses book", "book: result", "desk: One moment.", "desk: It is booked.", "ended: completed",
    ]  # fmt: skip
    called, returned = (event for event in events if event["type"].startswith("tool-"))
    assert called["arguments"] == told["arguments"]
    assert (returned["invocation"], returned["detail"]) == (called["invocation"], '{"table":7}')


@pytest.mark.parametrize(
    ("call", "answer", "outcome", "says", "requests"),
    [
        (Call("book", '{"day":5}'), (200, ""), "refused", "the arguments do not fit at day", 0),
        (Call("book", '{"day":"soon"}'), (200, ""), "refused", "the arguments do not fit at day", 0),
        (Call("book", "{"), (200, ""), "refused", "not JSON", 0),
        (Call("book", '{"day":"2026-12-01","colour":1}'), (200, ""), "refused", "colour", 0),
        (Call("fly"), (200, ""), "refused", "no tool fly", 0),
        (BOOK, (409, "that day is full"), "refused", "that day is full", 1),
        (BOOK, (302, ""), "refused", "refused (302)", 1),
        (BOOK, (500, "oops"), "failed", "book failed (500)", 3),
    ],
)
async def test_a_tool_that_does_not_work_is_no_dead_air(
    call: Call, answer: tuple[int, str], outcome: str, says: str, requests: int, tmp_path: Path
) -> None:
    hook = Hook(lambda _: answer)
    model = Model(replies=[Reply("One moment.", [call]), Reply("Sorry.")])
    async with serving(hook), lines(model, file=agents(hook), tmp_path=tmp_path) as line:
        async with line.call() as (phone, follower):
            await line.listen(phone, lambda: line.talk.responses == 2)
            await phone.hang_up()
            events = await follower.all()
        await line.gone()
        (output,) = line.talk.outputs.values()
    assert json.loads(output)["error"] == outcome
    assert says in json.loads(output)["message"]
    returned = next(event for event in events if event["type"] == "tool-returned")
    assert (returned["outcome"], says in returned["detail"]) == (outcome, True)
    assert len(hook.told) == requests
    assert len(set(hook.keys)) <= 1  # a webhook can tell that it was asked before


async def test_a_webhook_that_fails_once_is_asked_again(tmp_path: Path) -> None:
    hook = Hook(lambda number: (503, "") if number == 1 else (200, "booked"))
    async with serving(hook), lines(Model(replies=[Reply("", [BOOK])]), file=agents(hook), tmp_path=tmp_path) as line:
        async with line.call() as (phone, _):
            await line.listen(phone, lambda: line.talk.responses == 2)
            await phone.hang_up()
        await line.gone()
        assert list(line.talk.outputs.values()) == ["booked"]
    assert hook.keys[0] == hook.keys[1]


@pytest.mark.parametrize(("length", "kept"), [(1001, 1001), (40_000, ANSWER_BYTES)])
async def test_an_answer_in_pieces_is_read_to_its_end_or_as_far_as_a_model_needs_it(length: int, kept: int, tmp_path: Path) -> None:
    hook = Hook(lambda _: (200, "x" * length), in_pieces=True)
    async with serving(hook), lines(Model(replies=[Reply("", [BOOK])]), file=agents(hook), tmp_path=tmp_path) as line:
        async with line.call() as (phone, _):
            await line.listen(phone, lambda: line.talk.responses == 2)
            await phone.hang_up()
        await line.gone()
        assert [len(output) for output in line.talk.outputs.values()] == [kept]


async def test_a_webhook_that_is_not_there_has_failed(tmp_path: Path) -> None:
    hook = Hook(url="http://127.0.0.1:9/hook")
    async with lines(Model(replies=[Reply("", [BOOK])]), file=agents(hook), tmp_path=tmp_path) as line:
        async with line.call() as (phone, _):
            await line.listen(phone, lambda: line.talk.responses == 2)
            await phone.hang_up()
        await line.gone()
        assert "cannot be reached" in next(iter(line.talk.outputs.values()))


async def test_a_tool_that_hangs_stalls_nothing_and_runs_out_of_time(tmp_path: Path) -> None:
    hook = Hook(hang=asyncio.Event())
    model = Model(replies=[Reply("Let me look that up for you now.", [BOOK]), Reply("Still there."), Reply("It took too long.")])
    async with serving(hook), lines(model, file=agents(hook, timeout_seconds=3.0), tmp_path=tmp_path) as line:
        async with line.call() as (phone, follower):
            await hook.came.wait()
            await line.listen(phone, lambda: phone.playout.now_ms > 2600 and phone.playout.waiting_ms == 0)
            # The agent's voice went on, and the caller can talk to it, while the tool hangs.
            assert overheard(bytes(phone.playout.heard)) == "Let me look that up for you now."
            await line.listen(phone, lambda: line.talk.outputs)
            await line.listen(phone, lambda: line.talk.responses == 2)
            await phone.hang_up()
            events = await follower.all()
        await line.gone()
    assert json.loads(next(iter(line.talk.outputs.values()))) == {"error": "timeout", "message": "book did not answer within 3 s"}
    assert "book: timeout" in read(events)


async def test_several_calls_of_one_response_are_answered_together(tmp_path: Path) -> None:
    hook = Hook(lambda number: (200, f"booking {number}"))
    bad = Call("book", '{"day":null}')
    async with serving(hook), lines(Model(replies=[Reply("", [BOOK, bad, BOOK])]), file=agents(hook), tmp_path=tmp_path) as line:
        async with line.call() as (phone, _):
            await line.listen(phone, lambda: line.talk.responses == 2)
            await line.listen(phone, lambda: phone.playout.waiting_ms == 0 and phone.playout.now_ms > 1000)
            await phone.hang_up()
        await line.gone()
        assert len(line.talk.outputs) == 3
        assert sum("booking" in output for output in line.talk.outputs.values()) == 2
        assert line.talk.responses == 2  # asked once, after the last of them
        assert line.talk.errors == []


async def test_a_hang_up_while_a_tool_runs_leaves_nothing_behind(tmp_path: Path) -> None:
    hook = Hook(hang=asyncio.Event())
    async with serving(hook), lines(Model(replies=[Reply("Moment.", [BOOK])]), file=agents(hook), tmp_path=tmp_path) as line:
        async with line.call() as (phone, follower):
            await hook.came.wait()
            await phone.hang_up()
            events = await follower.all()
        await line.gone()
    assert read(events)[-1].startswith("ended: completed")
    assert next(event for event in events if event["type"] == "tool-returned")["detail"] == "the call ended first"


async def test_an_agent_hangs_up_once_it_was_heard(tmp_path: Path) -> None:
    model = Model(replies=[Reply("Goodbye and thank you.", [Call("hang_up")])])
    file = '[agents.desk]\ngreeting="Hi"\nhang_up=true\n'
    async with fake_twilio() as twilio, lines(model, file=file, tmp_path=tmp_path, twilio=twilio) as line:
        async with line.call() as (phone, follower):
            call = twilio.calls[phone.stream.call_sid]
            await line.listen(phone, call.updated.is_set)
            assert overheard(bytes(phone.playout.heard)) == "Goodbye and thank you."
            await phone.over.wait()
            events = await follower.all()
        await line.gone()
    assert call.status == "completed"
    assert (phone.close_code, phone.close_reason) == (1000, "the agent hung up")
    assert read(events) == ["uses hang_up", "desk: Goodbye and thank you.", "hang_up: result", "ended: agent-hung-up"]


@pytest.mark.parametrize("call", [Call("hang_up"), Call("transfer", '{"to":"sales"}'), Call("hang_up", "{")])
async def test_an_agent_that_may_not_end_a_call_cannot(call: Call, tmp_path: Path) -> None:
    async with (
        fake_twilio() as twilio,
        lines(Model(replies=[Reply("", [call])]), file='[agents.desk]\ngreeting="Hi"\n', tmp_path=tmp_path, twilio=twilio) as line,
    ):
        async with line.call() as (phone, _):
            await line.listen(phone, lambda: line.talk.responses == 2)
            assert twilio.asked == []
            await phone.hang_up()
        await line.gone()
        (output,) = line.talk.outputs.values()
    assert json.loads(output) == {"error": "refused", "message": f"there is no tool {call.name}"}


async def test_a_caller_who_speaks_into_the_goodbye_is_not_hung_up_on(tmp_path: Path) -> None:
    goodbye = Call("hang_up")
    model = Model(replies=[Reply("Goodbye and thank you for calling us.", [goodbye]), Reply("Yes?"), Reply("Bye then.", [goodbye])])
    file = '[agents.desk]\ngreeting="Hi"\nhang_up=true\n'
    async with fake_twilio() as twilio, lines(model, file=file, tmp_path=tmp_path, twilio=twilio) as line:
        async with line.call() as (phone, follower):
            call = twilio.calls[phone.stream.call_sid]
            await line.listen(phone, lambda: phone.playout.now_ms > 600 and phone.playout.came_ms)
            await line.say(phone, words("wait a moment please"))
            await line.listen(phone, lambda: line.talk.responses == 2)
            await line.listen(phone, lambda: phone.playout.waiting_ms == 0)
            assert not call.updated.is_set()
            await line.say(phone, words("no that was all"))
            await line.listen(phone, call.updated.is_set)
            await phone.over.wait()
            events = await follower.all()
        await line.gone()
        refusal, *_ = line.talk.outputs.values()
    assert json.loads(refusal) == {"error": "refused", "message": "the caller has something to say: hang up when nothing is left"}
    assert read(events)[-1] == "ended: agent-hung-up"


SALES = '[agents.desk]\ngreeting="Hi"\ntransfer={sales="+14155550177"}\n'


async def test_an_agent_transfers_to_numbers_on_its_list_only(tmp_path: Path) -> None:
    model = Model(
        replies=[Reply("Moment.", [Call("transfer", '{"to":"+19005550100"}')]), Reply("So.", [Call("transfer", '{"to":"sales"}')])]
    )
    async with fake_twilio() as twilio, lines(model, file=SALES, tmp_path=tmp_path, twilio=twilio) as line:
        line.limit(pass_on_seconds=0.1)  # see test_passing_on.py for what comes after it
        async with line.call() as (phone, follower):
            call = twilio.calls[phone.stream.call_sid]
            await line.listen(phone, call.updated.is_set)
            await phone.over.wait()
            events = await follower.all()
        await line.gone()
    start, dial = ElementTree.fromstring(call.twiml)
    assert (call.status, start.tag, dial.tag, dial.text) == ("in-progress", "Start", "Dial", "+14155550177")
    assert "transfer: refused" in read(events)
    assert read(events)[-1] == "ended: transferred"


async def test_a_transfer_that_twilio_refuses_is_told_to_the_model_and_the_call_goes_on(tmp_path: Path) -> None:
    model = Model(replies=[Reply("", [Call("transfer", '{"to":"sales"}')]), Reply("I cannot.")])
    async with fake_twilio() as twilio, lines(model, file=SALES, tmp_path=tmp_path, twilio=twilio) as line:
        twilio.trouble.append(404)
        async with line.call() as (phone, follower):
            await line.listen(phone, lambda: line.talk.responses == 2)
            await line.listen(phone, lambda: phone.playout.waiting_ms == 0 and phone.playout.now_ms > 800)
            await line.say(phone, words("thank you"))
            await phone.hang_up()
            events = await follower.all()
        await line.gone()
        assert json.loads(next(iter(line.talk.outputs.values()))) == {
            "error": "failed",
            "message": "Twilio's REST API says 404, error 20500",
        }
    assert "desk: I cannot." in read(events)
