"""Calls in which numbers are said, typed, looked up and brought along: no reader, file, log or database gets one.

Real sockets, and a real archive.

The numbers are those of the corpus: 500 dialogues in all forms, as interims and finals. Some come as keys, as a tool's arguments and
result, and as a <Parameter> too. All that readers get is searched for each of them.
"""

import asyncio
import itertools
import json
import logging
import re
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from hub.agents import Tool
from hub.agents.voice_model import AddCallerText, AddToolOutput, ResponseEnded, ResponseStarted, ToolCall
from hub.calls.publisher import Publisher
from hub.events import Dtmf, ToolCalled, ToolReturned
from hub.insight.redaction.side import HOLD_SECONDS
from hub.topics.registry import Registry
from hub.transcribers.utterances import Recognized, RecognizedWord
from hub.transcript.exports import FORMS
from tests.agents.servers import SECRET, Hook, serving
from tests.calls.agent_desk import AGENT, desk
from tests.house import House, house
from tests.insight.redaction.corpus import Dialogue, secrets
from tests.insight.redaction.spoken import EVERYTHING, digits_left
from tests.media import STREAM, media, stop
from tests.scripted import ScriptedTranscriber
from tests.upkeep.kept import stored
from tests.web.callers import follow, talk
from tests.web.watchers import until

DIALOGUES = secrets(seed=15, count=500)
CALLS = 10


def sid(number: int) -> str:
    return f"CA{number:032x}"


def forms(dialogue: Dialogue) -> list[bytes]:
    """Return how a number could be found in bytes: its digits together, and the first part of each utterance."""
    found = [dialogue.digits]
    for side, text in dialogue.lines:
        if digits_left(text) and side:
            numbers = re.findall(r"(?:\d[\d\W]*){3,}", text)
            spoken = [f"{one} {two}" for one, two in itertools.pairwise(text.split()) if digits_left(one) and digits_left(two)]
            found += [each.strip(" .,?-") for each in (*numbers, *spoken)[:1]]
    return [each.encode() for each in found if len(each) > 4]


def say(script: ScriptedTranscriber, dialogue: Dialogue, clock: "itertools.count[int]") -> None:
    """Let a dialogue be said: each line grows by a word in its interims, and ends in a final with the times of its words."""
    for side, text in dialogue.lines:
        start = float(next(clock))
        words = text.split()
        for count in range(1, len(words)):
            script.interim(" ".join(words[:count]), side, start, start + 0.9)
        timed = tuple(RecognizedWord(word, start, start + 0.9) for word in words)
        script.hear(Recognized(side, start, start + 0.9, text, settled=True, closes=True, words=timed))


async def press(socket: aiohttp.ClientWebSocketResponse, keys: str) -> None:
    for digit in keys:
        await socket.send_json({"event": "dtmf", "streamSid": STREAM, "dtmf": {"track": "inbound_track", "digit": digit}})


def use_tools(home: House, call: str, digits: str) -> None:
    """Let an agent use a tool with a number, as the hub publishes it."""
    publisher = Publisher(home.state.registry.open(call), home.state.registry)
    arguments, detail = {"card": digits, "parts": [digits[:4], digits[4:]]}, json.dumps({"paid": True, "card": digits})
    publisher.publish(ToolCalled(call_sid=call, invocation="c1", tool="pay", arguments=arguments, time=1.0))
    publisher.publish(ToolReturned(call_sid=call, invocation="c1", tool="pay", outcome="result", detail=detail, time=1.0, seconds=0.1))


async def heard(home: House, number: int) -> list[str]:
    """Let a call happen in which a share of the dialogues is said. Return what a subscriber and a listener to the list received."""
    call, mine = sid(number), DIALOGUES[number::CALLS]
    twilio = await home.call(call, parameters={"account": mine[0].digits, "from": "+14155550123"})
    while len(home.transcribers) <= number:
        await asyncio.sleep(0.005)
    watcher = await home.open("/client")
    await watcher.receive()
    await watcher.send_json({"action": "subscribe", "callSid": call})
    await until(watcher, "subscribed")
    clock = itertools.count()
    for dialogue in mine:
        say(home.transcribers[number], dialogue, clock)
    await press(twilio, "".join(dialogue.digits for dialogue in mine[:5]))
    use_tools(home, call, mine[1].digits)
    await twilio.send_str(stop(call))
    received = []
    while not received or '"call-ended"' not in received[-1]:
        received.append(await watcher.receive_str())
    await watcher.close()
    return received


async def read_everything(home: House, folder: Path) -> dict[str, bytes]:
    """Return all that anybody can read of the calls: over HTTP, and in the files of the archive."""
    found: dict[str, bytes] = {}
    paths = ["/calls", "/metrics", *(f"/calls/{sid(number)}" for number in range(CALLS))]
    paths += [f"/calls/{sid(number)}/transcript.{kind}" for number in range(CALLS) for kind in FORMS]
    for path in paths:
        async with home.session.get(home.url(path)) as answer:
            assert answer.status == 200, (path, await answer.text())
            found[path] = await answer.read()
    found |= {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    return found


async def test_no_number_that_was_said_typed_or_looked_up_is_at_any_reader_in_any_file_log_or_database(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with house(archive=str(tmp_path / "calls.db"), redact_kinds="all") as home:
        received = [await heard(home, number) for number in range(CALLS)]
        await stored(home)
        while len((await home.json("/calls?q=mhm"))["calls"]) < CALLS:  # the index of words follows a little later
            await asyncio.sleep(0.05)
        heap = await read_everything(home, tmp_path)
        for word in ("siebenundvierzig", "sesenta", "quatre", "eleven", "1111", "neun"):
            assert (await home.json(f"/calls?q={word}"))["calls"] == [], word
    heap |= {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    heap["subscriber"] = "\n".join(map("\n".join, received)).encode()
    heap["log"] = caplog.text.encode()
    assert heap["calls.db"].startswith(b"SQLite format 3")
    assert heap["subscriber"].count(b'"final"') >= sum(len(dialogue.lines) for dialogue in DIALOGUES)
    everything = b"\n".join(heap.values())
    assert [form for form in {form for dialogue in DIALOGUES for form in forms(dialogue)} if form in everything] == []


async def test_the_words_of_each_reader_have_no_digit_left(tmp_path: Path) -> None:
    async with house(archive=str(tmp_path / "calls.db"), redact_kinds="all") as home:
        events = [json.loads(each) for each in await heard(home, 0)]
    said = [event["text"] for event in events if event["type"] in {"interim", "final"}]
    said += [word["text"] for event in events if event["type"] == "final" for word in event["words"]]
    assert [text for text in said if digits_left(text)] == []
    assert {event["digit"] for event in events if event["type"] == "dtmf"} == {"•"}
    (called,) = (event for event in events if event["type"] == "tool-called")
    assert not re.search(r"\d", json.dumps(called["arguments"]))
    (started,) = (event for event in events if event["type"] == "call-started")
    assert started["parameters"]["from"] == "+14155550123"
    assert started["parameters"]["account"].startswith("[")
    assert events[-1]["completeness"]["state"] == "complete"


async def test_the_note_of_a_live_call_has_no_number_either(tmp_path: Path) -> None:
    async with house(archive=str(tmp_path / "calls.db"), redact_kinds="digits") as home:
        twilio = await home.call(parameters={"account": "9876543210123"})
        watcher = await follow(home)
        await until(watcher, "call-started")
        home.transcribers[0].final("hello")
        await until(watcher, "final")
        await stored(home)
        content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        assert b"account" in content
        assert b"9876543210123" not in content
        await twilio.close()


async def test_a_final_that_waits_is_published_by_the_calls_own_time() -> None:
    async with house(redact_kinds="digits") as home:
        twilio = await home.call()
        watcher = await follow(home)
        await until(watcher, "call-started")
        home.transcribers[0].final("I need two", end=0.5)
        await talk(twilio, 0, round(HOLD_SECONDS * 1000) + 1000)
        assert (await until(watcher, "final"))["text"] == "I need two"
        await twilio.close()


async def test_without_the_setting_everything_is_published_as_it_was_said() -> None:
    async with house() as home:
        twilio = await home.call()
        watcher = await follow(home)
        await until(watcher, "call-started")
        home.transcribers[0].final("my card is 4111 1111 1111 1111")
        assert (await until(watcher, "final"))["text"] == "my card is 4111 1111 1111 1111"
        await twilio.send_str(media("inbound", 0))
        await twilio.close()


async def test_the_model_and_the_tools_get_what_readers_do_not() -> None:
    registry = Registry(keep_seconds=60, clock=lambda: 0.0, wall=lambda: 0.0, soon=lambda _: None)
    registry.redactor = EVERYTHING
    hook = Hook(answer=lambda _: (200, '{"left": "4111 1111 1111 1111"}'))
    async with serving(hook):
        card = Tool("pay", "Pays.", {"type": "object", "properties": {"card": {"type": "string"}}}, hook.url, SECRET)
        async with desk(replace(AGENT, tools=(card,)), registry=registry) as it:
            for key in "4821#":
                it.call.press(key, "inbound")
            it.frames(200)
            call = ToolCall("r1", "c1", "pay", '{"card": "5500 0055 5555 5559"}')
            it.emit(ResponseStarted("r1"), call, ResponseEnded("r1", "completed"))
            while not it.events(ToolReturned):
                await asyncio.sleep(0.002)
        told = [each for each in it.model.sent if isinstance(each, AddToolOutput | AddCallerText)]
    assert [event.digit for event in it.events(Dtmf)] == ["•", "•", "•", "•", "#"]
    assert it.events(ToolCalled)[0].arguments == {"card": "[card]"}
    assert json.loads(it.events(ToolReturned)[0].detail) == {"left": "[card]"}
    assert hook.told[0]["arguments"] == {"card": "5500 0055 5555 5559"}
    assert "4821" in repr(told), "the model knows the keys"
    assert "4111 1111 1111 1111" in repr(told), "and what the tool answered"
