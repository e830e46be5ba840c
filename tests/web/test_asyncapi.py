"""The AsyncAPI document that the hub serves, compared with what the hub really sends and accepts."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from hub import events
from hub.errors import WireError
from hub.tokens import mint
from hub.transcribers.transcriber import Doubted, Lost, Restored, Switched
from hub.transcribers.utterances import NotTranscribed
from hub.web.doors import asyncapi
from hub.web.doors import protocol as client
from tests.agents.lines import lines, words
from tests.house import House, house
from tests.media import CALL, STREAM, media, stop
from tests.providers.openai_script import Call, Model, Reply
from tests.publishing import ScriptedCall
from tests.scripted import talking
from tests.web.callers import talk
from tests.web.steered_desk import steered_desk

SECRET = "a secret of at least thirty-two bytes"
NUMBER = "+14155550100"
DOCUMENT: dict[str, Any] = json.loads(asyncapi.document())


def resolved(reference: str) -> Any:
    assert reference.startswith("#/")
    place: Any = DOCUMENT
    for part in reference[2:].split("/"):
        place = place[part]
    return place


def references(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        if isinstance(tree.get("$ref"), str):
            yield tree["$ref"]
        for each in tree.values():
            yield from references(each)
    elif isinstance(tree, list):
        for each in tree:
            yield from references(each)


def strict(name: str) -> Draft202012Validator:
    """Return a validator of one message's payload that also refuses fields which the document does not mention."""
    message = resolved(f"#/components/messages/{name}")
    schemas = json.loads(json.dumps(DOCUMENT["components"]["schemas"]))
    for schema in schemas.values():
        if "properties" in schema:
            schema["additionalProperties"] = False
    return Draft202012Validator({**message["payload"], "components": {"schemas": schemas}})


def names(operation: str) -> dict[str, str]:
    """Return the messages of an operation: their `type` or `action`, and their name in the document."""
    listed = [resolved(each["$ref"])["$ref"].rsplit("/", 1)[1] for each in DOCUMENT["operations"][operation]["messages"]]
    return {DOCUMENT["components"]["messages"][name].get("name", name): name for name in listed}


def check(text: str) -> str:
    """Validate one message of the hub by the document. Return its type."""
    message = json.loads(text)
    name = "LiveCalls" if isinstance(message, list) else names("send")[message["type"]]
    strict(name).validate(message)
    return "LiveCalls" if isinstance(message, list) else str(message["type"])


def test_every_reference_of_the_document_resolves() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    found = list(references(DOCUMENT))
    assert found
    for reference in found:
        resolved(reference)
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_every_message_has_a_summary_of_one_line() -> None:
    for name, message in DOCUMENT["components"]["messages"].items():
        assert message["summary"].endswith("."), name
        assert "\n" not in message["summary"], name


def test_every_close_code_of_the_protocol_is_listed() -> None:
    codes = {value for name, value in vars(client).items() if name.isupper() and isinstance(value, int) and 4400 <= value < 4600}
    assert {str(code) for code in codes} <= set(DOCUMENT["channels"]["client"]["x-close-codes"])


def test_every_type_of_the_vocabulary_is_listed() -> None:
    assert set(names("send")) - {"LiveCalls", "Sound"} == events.KNOWN_TYPES


@pytest.mark.parametrize(
    "said",
    [
        {"action": "subscribe", "callSid": CALL},
        {"action": "subscribe", "callSid": CALL, "after": {"epoch": "e", "offset": 3}, "interims": False},
        {"action": "subscribe", "number": NUMBER},
        {"action": "subscribe", "calls": "all"},
        {"action": "unsubscribe", "callSid": CALL},
        {"action": "authenticate", "token": "a.b.c"},
        {"action": "listen", "callSid": CALL},
        {"action": "unlisten", "callSid": CALL},
        {"action": "say", "callSid": CALL, "text": "Hello.", "order": "o1", "when": "now"},
        {"action": "transfer", "callSid": CALL, "to": "sales"},
        {"action": "take-over", "callSid": CALL, "to": NUMBER, "when": "turn"},
        {"action": "hang-up", "callSid": CALL},
        {"action": "ping"},
    ],
)
def test_the_hub_understands_every_request_that_the_document_allows(said: dict[str, Any]) -> None:
    strict(names("receive")[said["action"]]).validate(said)
    client.decode(json.dumps(said))


@pytest.mark.parametrize(
    "said",
    [
        {"action": "subscribe", "callSid": 5},
        {"action": "subscribe", "callSid": CALL, "after": {"epoch": "e"}},
        {"action": "subscribe", "calls": "some"},
        {"action": "subscribe", "callSid": CALL, "extra": 1},
        {"action": "authenticate"},
        {"action": "say", "callSid": CALL},
        {"action": "hang-up", "callSid": CALL, "when": "later"},
    ],
)
def test_the_hub_refuses_requests_that_the_document_does_not_allow(said: dict[str, Any]) -> None:
    assert not strict(names("receive")[said["action"]]).is_valid(said)
    with pytest.raises(WireError):
        client.decode(json.dumps(said))


async def test_everything_that_a_hub_sends_is_as_the_document_says(tmp_path: Path) -> None:
    """One call in which everything happens, and every answer: each message is validated by its schema, and every type occurs."""

    async def collect(home: House) -> set[str]:
        seen: set[str] = set()
        reader = await home.open("/client")
        await reader.send_json({"action": "authenticate", "token": mint(SECRET, ["*"], 60)})
        seen.add(check(await reader.receive_str()))
        socket = await home.call(parameters={"from": "+14155550123", "to": NUMBER, "direction": "inbound"})
        await socket.send_str(media("inbound", 0))
        while not home.transcribers:
            await asyncio.sleep(0.01)
        await home.transcribers[0].started.wait()
        for request in (
            {"action": "subscribe", "number": NUMBER},
            {"action": "subscribe", "calls": "all"},
            {"action": "subscribe", "callSid": "CA" + "0" * 32},
            {"action": "authenticate", "token": mint(SECRET, ["*"], 60)},
            {"action": "ping"},
            {"action": "unsubscribe", "calls": "all"},
            {"action": "listen", "callSid": CALL},
            {"action": "unlisten", "callSid": CALL},
            {"action": "nonsense"},
        ):
            await reader.send_json(request)
        await talk(socket, 20, 2000)
        hear = home.transcribers[0].hear
        for report in (
            NotTranscribed("inbound", 0.5, 0.75, "for a test"),
            Lost("scripted", "for a test", 1),
            Restored("scripted", "for a test", 1),
            Switched("other", "for a test", 0),
            Doubted("inbound", "for a test"),
        ):
            hear(report)
        home.state.calls.stream_failed(CALL, STREAM, "for a test")
        home.state.calls.stream_failed(CALL, STREAM, "for a test")
        await socket.send_json({"event": "dtmf", "streamSid": STREAM, "dtmf": {"track": "inbound_track", "digit": "5"}})
        await socket.send_str(stop())
        while "call-ended" not in seen:
            seen.add(check(await reader.receive_str()))
        return seen

    async with house(on_block=talking, secret=SECRET, listen=True) as home:
        seen = await collect(home)
    seen |= await told_of_an_agent() | await told_of_a_recording() | await told_of_an_order(tmp_path)
    assert seen == {*events.KNOWN_TYPES, "LiveCalls"}


async def told_of_a_recording() -> set[str]:
    """What is said of a recording that is paused, fails, is stored and is erased, of an alert that is withdrawn, and in a note."""
    async with house() as home:
        call = ScriptedCall(home.state)
        reader = await home.open("/client")
        await reader.send_json({"action": "subscribe", "callSid": CALL})
        for event in (
            events.RecordingStarted(call_sid=CALL, time=0.0),
            events.RecordingPaused(call_sid=CALL, time=1.0),
            events.RecordingResumed(call_sid=CALL, time=2.0),
            events.RecordingFailed(call_sid=CALL, time=3.0, reason="No space left on device"),
            events.Alert(call_sid=CALL, rule="cancel", kind="phrase", summary="s", track="inbound", utterance="u", start=1.0, end=2.0),
            events.AlertWithdrawn(call_sid=CALL, alert=6, rule="cancel", reason="wrong", left=0, track="inbound", utterance="u"),
        ):
            call.publish(event)
        call.end()
        call.publish(events.RecordingStored(call_sid=CALL, seconds=4.0, media_type="audio/flac", size=9, sha256="0" * 64))
        call.publish(events.RecordingErased(call_sid=CALL, reason="kept for 30 days"))
        said = [events.NoteSentence(text="They talked.", offsets=[1])]
        call.publish(events.Note(call_sid=CALL, model="m", ended=8, summary=said, next_steps=said, open_questions=said, whole=False))
        seen: set[str] = set()
        while "note" not in seen:
            seen.add(check(await reader.receive_str()))
        return seen


async def told_of_an_agent() -> set[str]:
    """Return the types that only a call with an agent has: the model fails once, the agent calls a tool and is interrupted."""
    tale = "one two three four five six seven eight nine ten eleven twelve"
    async with lines(Model(replies=[Reply(fails="server_error"), Reply(tale, [Call("fly")])])) as line:
        async with line.call() as (phone, follower):
            await line.listen(phone, lambda: phone.playout.now_ms >= 1500 and phone.playout.came_ms)
            await line.say(phone, words("wait a moment please"))
            await phone.hang_up()
            durable = await follower.all()
        await line.gone()
    assert any(event.get("interrupted") for event in durable)
    return {check(json.dumps(event)) for event in follower.events}


async def told_of_an_order(folder: Path) -> set[str]:
    """Return the types that only a call has that somebody steers."""
    async with steered_desk(folder) as at:
        ada = await at.supervisor()
        answer = await ada.steer("transfer", to="+14155550199", order="o1")
        return {check(json.dumps(message)) for message in (answer, await ada.outcome("o1"))}


def test_a_field_that_the_document_does_not_mention_fails_these_tests() -> None:
    strict("Pong").validate({"type": "pong", "at": ""})
    assert not strict("Pong").is_valid({"type": "pong", "more": 1})
    assert not strict("Final").is_valid({"type": "final"})
