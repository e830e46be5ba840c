"""What one node masks no other node has: neither its readers, nor the broker, nor the database that they share."""

import asyncio
import json
from collections.abc import Iterator

import pytest

from hub.events import Dtmf
from hub.transcribers.utterances import Recognized, RecognizedWord
from tests.archive.postgres_server import PostgresServer
from tests.broker.servers import ServerInTest, running_server, valkey_program
from tests.calls.test_redacted_calls import forms
from tests.cluster.pairs import pair_of_hubs, until
from tests.cluster.test_doors import is_end, received, watched
from tests.house import house
from tests.insight.redaction.corpus import Dialogue, secrets
from tests.insight.redaction.spoken import digits_left
from tests.publishing import ScriptedCall
from tests.upkeep.kept import stored


async def test_a_reader_of_another_node_gets_what_the_owner_has_masked() -> None:
    # Only the owner masks here: what the other node has, it has from the owner.
    async with pair_of_hubs(a={"redact_kinds": "all"}) as pair:
        call = ScriptedCall(pair.a.state, parameters={"account": "98765432"})
        await pair.known(call.call)
        socket = await watched(pair.b, {"action": "subscribe", "callSid": call.call})
        await pair.known(call.call, lambda record: len(record.topic.audience))
        call.publisher.report(Recognized("inbound", 0.0, 1.0, "my card is 5500 0055", settled=False, closes=False))
        call.publisher.report(Recognized("inbound", 0.0, 2.0, "my card is 5500 0055 5555 5559 thanks", settled=True, closes=True))
        call.publish(Dtmf(call_sid=call.call, digit="7", track="inbound"))
        call.end()
        told = "".join(await received(socket, is_end))
    assert '"my card is [card] thanks"' in told
    assert '"digit":"•"' in told
    assert "5500" not in told
    assert "98765432" not in told


@pytest.fixture
def valkey() -> Iterator[ServerInTest]:
    """A Valkey server without persistence."""
    if valkey_program() is None:
        pytest.skip("valkey-server is not installed here")
    with running_server(valkey_program()) as server:
        yield server


async def monitored(server: ServerInTest, heard: bytearray) -> None:
    """Note every command that a server gets, until cancelled."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"MONITOR\r\n")
    try:
        while came := await reader.read(1 << 16):
            heard += came
    finally:
        writer.close()


def dictate(call: ScriptedCall, dialogues: list[Dialogue]) -> None:
    """Let dialogues be said: each line grows by a word in its interims, and ends in a final with the times of its words."""
    at = 0.0
    for side, text in (line for dialogue in dialogues for line in dialogue.lines):
        words = text.split()
        for count in range(1, len(words)):
            call.publisher.report(Recognized(side, at, at + 0.9, " ".join(words[:count]), settled=False, closes=False))
        timed = tuple(RecognizedWord(word, at, at + 0.9) for word in words)
        call.publisher.report(Recognized(side, at, at + 0.9, text, settled=True, closes=True, words=timed))
        at += 1.0


async def test_neither_the_broker_nor_postgresql_nor_another_node_has_a_number(valkey: ServerInTest, postgres: PostgresServer) -> None:
    dialogues = secrets(seed=4, count=26)
    heard = bytearray()
    settings = {"broker": f"{valkey.url}?prefix=redacted", "archive": postgres.schema(), "redact_kinds": "all"}
    async with house(node="a", **settings) as a, house(node="b", **settings) as b, asyncio.TaskGroup() as group:
        monitor = group.create_task(monitored(valkey, heard))
        await until(lambda: b"OK" in heard)
        call = ScriptedCall(a.state, parameters={"account": dialogues[0].digits})
        await until(lambda: b.state.registry.known(call.call))
        socket = await watched(b, {"action": "subscribe", "callSid": call.call})
        dictate(call, dialogues)
        for digit in dialogues[0].digits:
            call.publish(Dtmf(call_sid=call.call, digit=digit, track="inbound"))
        call.end()
        told = await received(socket, is_end)
        await stored(a)
        monitor.cancel()
    events = [json.loads(each) for each in told]
    texts = [event["text"] for event in events if event["type"] in {"interim", "final"}]
    assert len([event for event in events if event["type"] == "final"]) == sum(len(dialogue.lines) for dialogue in dialogues)
    assert [text for text in texts if digits_left(text)] == []
    everything = bytes(heard) + postgres.written()
    assert everything.count(b"[number]") > len(dialogues), "both have the call"
    said = {form for dialogue in dialogues for form in forms(dialogue) if len(form) > 8}  # shorter ones are also parts of times
    assert [form for form in said if form in everything] == []
