"""What every door by which a call is followed guarantees: the same messages, positions, limits and rights."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.house import House, house, impatient
from tests.media import CALL
from tests.publishing import ScriptedCall
from tests.upkeep.kept import ended, keeping
from tests.web.readers import Door, Reader
from tests.web.watchers import OTHER, SECRET, token

DOORS: tuple[Door, ...] = ("client", "events", "all")
each_door = pytest.mark.parametrize("door", DOORS)


def durable(texts: list[str]) -> list[str]:
    return [text for text in texts if "offset" in (message := json.loads(text)) and message["type"] != "subscribed"]


def offsets(messages: list[dict[str, Any]]) -> list[int]:
    return [message["offset"] for message in messages if "offset" in message and message["type"] != "subscribed"]


async def nobody_left(home: House) -> None:
    """Wait until the hub has let go of every reader."""
    while home.state.counters.subscribers or home.state.addresses or home.state.sockets:
        await asyncio.sleep(0.01)


async def test_all_doors_send_the_same_bytes_in_the_same_order() -> None:
    async with house() as home:
        call = ScriptedCall(home.state)
        call.final("before")
        readers = [Reader(home, door) for door in DOORS]
        for reader in readers:
            subscribed = await reader.come()
            assert (subscribed["type"], subscribed["offset"], subscribed["whole"], subscribed["newest"]) == ("subscribed", 0, True, 2)
        call.interim("some", "u3")
        call.final("some words", "u3")
        call.end()
        first, *others = [await reader.until("call-ended") for reader in readers]
        assert [json.loads(text)["type"] for text in first] == ["call-started", "final", "interim", "final", "call-ended"]
        assert others == [first, first]
        assert durable(first) == [payload.decode() for payload in call.record.topic.log.after(0)]


@each_door
async def test_who_comes_back_gets_what_followed_and_nothing_twice(door: Door) -> None:
    async with house() as home:
        call, reader = ScriptedCall(home.state), Reader(home, door)
        await reader.come()
        await reader.until("call-started")
        for number in range(5):
            reader.leave()
            call.final(f"away {number}")
            subscribed = await reader.come()
            assert (subscribed["offset"], subscribed["whole"]) == (call.offset - 1, True)
            call.final(f"here {number}")
            texts = [json.loads(each)["text"] for _ in range(2) for each in await reader.until("final")]
            assert texts == [f"away {number}", f"here {number}"]
        reader.leave()
        await nobody_left(home)


@each_door
async def test_a_position_of_a_log_that_is_gone_is_not_whole(door: Door) -> None:
    async with house() as home:
        call, reader = ScriptedCall(home.state), Reader(home, door)
        await reader.come()
        await reader.until("call-started")
        reader.leave()
        known = json.dumps(reader.position).replace(call.record.topic.log.epoch, "0123456789ab")
        reader.position = json.loads(known)
        call.final("meanwhile")
        if door != "all":
            subscribed = await reader.come()
            assert (subscribed["offset"], subscribed["whole"]) == (0, False)
            assert len(await reader.until("final")) == 2
        else:  # the call is one of which the reader has nothing, and something is gone of which it had
            async with home.session.get(home.url("/events"), headers={"Last-Event-ID": str(reader.position)}) as answer:
                await answer.content.readuntil(b"\n\n")
                assert b'"whole":false' in await answer.content.readuntil(b"\n\n")
        reader.leave()


@each_door
async def test_interims_are_left_out_where_they_are_not_wanted(door: Door) -> None:
    async with house() as home:
        call, reader = ScriptedCall(home.state), Reader(home, door, interims=False)
        await reader.come()
        for number in range(3):
            call.interim("some", f"u{number}")
            call.final("some words", f"u{number}")
        call.end()
        assert [json.loads(text)["type"] for text in await reader.until("call-ended")] == ["call-started", *["final"] * 3, "call-ended"]
        reader.leave()


@each_door
async def test_a_reader_that_takes_nothing_is_cut_off_and_comes_back_whole(door: Door) -> None:
    async with house() as home:
        call, reader, other = ScriptedCall(home.state), Reader(home, door), Reader(home, door)
        for each in (reader, other):
            await each.come()
            await each.until("call-started")
        reader.stall()
        while not home.state.counters.lagged:
            call.final("words " * 500)
            await asyncio.sleep(0)
            await other.until("final")
        assert home.state.counters.lagged == 1
        while not home.state.counters.closed[4408]:
            await asyncio.sleep(0.01)
        reader.leave()
        assert (await reader.come())["whole"]
        call.end()
        messages = [json.loads(text) for text in await reader.until("call-ended")]
        assert offsets(messages) == list(range(2, call.offset + 1))
        for each in (reader, other):
            each.leave()


@each_door
async def test_a_call_that_a_token_does_not_allow_is_like_none(door: Door) -> None:
    async with house(secret=SECRET) as home:
        ScriptedCall(home.state)
        ScriptedCall(home.state, OTHER)
        if door == "all":
            reader = Reader(home, door, token=token(OTHER))
            assert (await reader.come())["callSid"] == OTHER
            ScriptedCall(home.state, "CA3")
            home.state.registry.find(OTHER)
            ScriptedCall(home.state, OTHER).end()
            assert {json.loads(text)["callSid"] for text in await reader.until("call-ended")} == {OTHER}
            reader.leave()
            return
        refusals = [await Reader(home, door, call, token(OTHER)).come() for call in (CALL, "CA0")]
        assert [(each["type"], each["message"]) for each in refusals] == [("error", refusals[0]["message"])] * 2


@each_door
@pytest.mark.parametrize("shown", ["", "nonsense"])
async def test_without_a_token_nobody_gets_anything(door: Door, shown: str) -> None:
    async with house(secret=SECRET, limits=impatient(token_seconds=0.2)) as home:
        ScriptedCall(home.state)
        reader = Reader(home, door, token=shown or None)
        if door == "client":
            reader._socket = await home.open("/client", **reader._headers)
            assert [each["type"] for each in await reader.rest()] == ["error"]
        else:
            assert (await reader.come())["code"] == "token"
        reader.leave()
        await nobody_left(home)


@each_door
async def test_a_token_that_runs_out_ends_it_in_a_sentence(door: Door) -> None:
    async with house(secret=SECRET) as home:
        ScriptedCall(home.state)
        reader = Reader(home, door, token=token(seconds=2.0))
        assert (await reader.come())["type"] == "subscribed"
        *_, refusal = await reader.rest()
        assert (refusal["type"], refusal["code"], refusal["message"]) == ("error", "token", "the token has expired")
        reader.leave()
        await nobody_left(home)
        assert home.state.counters.closed[4501] == 1


@each_door
async def test_a_hub_that_stops_says_goodbye(door: Door) -> None:
    async with house() as home:
        ScriptedCall(home.state)
        reader, state = Reader(home, door), home.state
        await reader.come()
        reading = asyncio.ensure_future(reader.rest())
    assert [each["type"] for each in await reading] == ["call-started"]
    assert door == "client" or state.counters.closed[4409] == 1  # a socket is counted with what its peer answers
    assert not state.sockets


@each_door
async def test_an_address_has_so_many_readers_and_those_that_left_do_not_count(door: Door) -> None:
    async with house(sockets_per_address=2) as home:
        ScriptedCall(home.state)
        readers = [Reader(home, door) for _ in range(3)]
        for reader in readers[:2]:
            assert (await reader.come())["type"] == "subscribed"
        if door == "client":
            with pytest.raises(Exception, match="429"):
                await readers[2].come()
        else:
            assert (await readers[2].come())["code"] == "too-many"
        readers[0].leave()
        while home.state.addresses.total() > 1:
            await asyncio.sleep(0.01)
        assert (await readers[2].come())["type"] == "subscribed"
        for reader in readers:
            reader.leave()
        await nobody_left(home)


@each_door
async def test_who_leaves_without_a_word_leaves_nothing_behind(door: Door) -> None:
    async with house() as home:
        call = ScriptedCall(home.state)
        readers = [Reader(home, door) for _ in range(5)]
        for reader in readers:
            await reader.come()
        assert len(call.record.topic.audience) == 5
        for reader in readers:
            reader.leave()
        await nobody_left(home)
        assert len(call.record.topic.audience) == 0
        assert not len(home.state.rounds)


@each_door
async def test_who_reads_a_call_is_in_the_audit_log(door: Door, tmp_path: Path) -> None:
    async with keeping(tmp_path) as home:
        ScriptedCall(home.state)
        reader = Reader(home, door, token=token())
        await reader.come()
        await home.state.access_log.stored()
        assert home.state.archive is not None
        rows = await home.state.archive.read(home.state.archive.archive.audit, 0, 10)
        assert [(row.access.action, row.access.call_sid) for row in rows] == [("watch", CALL)]
        reader.leave()


@each_door
async def test_who_reads_a_call_that_is_erased_is_told(door: Door, tmp_path: Path) -> None:
    async with keeping(tmp_path, secret="") as home:
        call = ScriptedCall(home.state)
        reader = Reader(home, door)
        await reader.come()
        call.end()
        await reader.until("call-ended")
        if door == "events":
            assert await reader.rest() == []  # its stream ends with the call
            return
        await ended(home, OTHER)
        async with home.session.delete(home.url(f"/calls/{CALL}")) as answer:
            assert answer.status == 200
        told = json.loads((await reader.until("error"))[-1])
        assert (told["code"], told["callSid"]) == ("erased", CALL)
        reader.leave()
