"""Subscriptions of one socket: calls, numbers, the list of all calls, and how they combine."""

import asyncio
import json
from typing import Any

import aiohttp

from hub.topics.outbox import LIMIT_BYTES
from tests.frames import frame, knock
from tests.house import House, house, impatient
from tests.media import CALL
from tests.publishing import FROM, TO, ScriptedCall

OTHER = "CA" + "2" * 32
ALL = {"action": "subscribe", "calls": "all"}


class Told:
    """A program's socket, and the messages that it gets."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def ask(self, **request: Any) -> list[dict[str, Any]]:
        """Send a request. Return every message up to now."""
        await self.socket.send_json({"action": "subscribe"} | request)
        return await self.so_far()

    async def so_far(self) -> list[dict[str, Any]]:
        await self.socket.send_json({"action": "ping"})
        messages: list[dict[str, Any]] = []
        while True:
            message = await self.socket.receive_json()
            if isinstance(message, dict) and message["type"] == "pong":
                return messages
            if isinstance(message, dict):
                messages.append(message)


async def program(home: House) -> Told:
    return Told(await home.open("/client"))


def brief(messages: list[dict[str, Any]]) -> list[tuple[str, int | None]]:
    return [(message["type"], message.get("offset")) for message in messages]


async def test_the_list_of_calls_starts_with_the_known_calls_and_goes_on_with_starts_troubles_and_ends() -> None:
    async with house() as home:
        ScriptedCall(home.state, OTHER).end()
        live = ScriptedCall(home.state)
        told = await program(home)
        (calls,) = await told.ask(calls="all")
        assert [(call["callSid"], call["live"], call["offset"]) for call in calls["calls"]] == [(OTHER, False, 2), (CALL, True, 1)]
        live.final("not of the list")
        live.lost()
        live.end()
        ScriptedCall(home.state, "CA3")
        assert brief(await told.so_far()) == [("transcriber-lost", 3), ("call-ended", 4), ("call-started", 1)]
        assert brief(await told.ask(calls="all")) == [("error", None)]
        assert brief(await told.ask(action="unsubscribe", calls="all")) == [("unsubscribed", None)]
        ScriptedCall(home.state, "CA4")
        assert await told.so_far() == []
        await told.socket.close()


async def test_a_socket_that_follows_a_call_and_the_list_gets_each_event_once_and_in_order() -> None:
    async with house() as home:
        publisher = ScriptedCall(home.state)
        told = await program(home)
        await told.ask(calls="all")
        assert brief(await told.ask(callSid=CALL)) == [("subscribed", 0), ("call-started", 1)]
        publisher.lost()
        publisher.final("hello")
        publisher.end()
        assert brief(await told.so_far()) == [("transcriber-lost", 2), ("final", 3), ("call-ended", 4)]
        await told.ask(action="unsubscribe", callSid=CALL)
        ScriptedCall(home.state)
        assert brief(await told.so_far()) == [("call-started", 5)], "the list's again"
        await told.socket.close()


async def test_a_number_brings_its_calls_now_and_later_and_ends_them_with_it() -> None:
    async with house() as home:
        ScriptedCall(home.state, "CA0", from_="+49301").end()
        ScriptedCall(home.state)
        ScriptedCall(home.state, OTHER, from_=None, to=FROM)
        told = await program(home)
        await told.ask(calls="all")
        await told.ask(callSid=OTHER, interims=False)
        messages = await told.ask(number=FROM)
        assert brief(messages) == [("watching", None), ("subscribed", 0), ("call-started", 1)]
        assert messages[1]["number"] == FROM
        assert brief(await told.ask(number=FROM)) == [("error", None)]
        third = ScriptedCall(home.state, "CA3", from_=FROM, to=FROM)
        assert brief(await told.so_far()) == [("subscribed", 0), ("call-started", 1)], "once, though the list tells of it too"
        ScriptedCall(home.state, "CA4", from_=TO, to=TO)
        assert brief(await told.so_far()) == [("call-started", 1)], "the list's"
        assert brief(await told.ask(action="unsubscribe", number=FROM)) == [("unsubscribed", None)]
        third.final("of a call that came and went with its number")
        assert await told.so_far() == []
        assert brief(await told.ask(action="unsubscribe", callSid=OTHER)) == [("unsubscribed", None)], "that one was asked for by itself"
        await told.socket.close()


async def test_a_call_that_left_its_number_and_was_subscribed_to_by_itself_stays_when_the_number_goes() -> None:
    async with house() as home:
        followed = ScriptedCall(home.state)
        told = await program(home)
        await told.ask(number=FROM)
        await told.ask(action="unsubscribe", callSid=CALL)
        await told.ask(callSid=CALL)
        assert brief(await told.ask(action="unsubscribe", number=FROM)) == [("unsubscribed", None)]
        followed.final("still followed")
        assert brief(await told.so_far()) == [("final", 2)]


async def test_a_forgotten_call_that_comes_again_is_a_new_call() -> None:
    async with house(keep_minutes=0.0) as home:
        told = await program(home)
        publisher = ScriptedCall(home.state)
        await told.ask(callSid=CALL)
        await told.ask(number=TO)
        publisher.final("hello")
        publisher.end()
        assert brief(await told.so_far()) == [("final", 2), ("call-ended", 3)]
        assert home.state.registry.expire() == 1
        assert publisher.record.topic.log.kept_bytes == 0, "the socket may keep its cursor for days, but not the history"
        assert brief(await told.ask(callSid=CALL)) == [("error", None)]
        ScriptedCall(home.state)
        assert brief(await told.so_far()) == [("subscribed", 0), ("call-started", 1)], "the number brings it"
        assert brief(await told.ask(callSid=CALL)) == [("error", None)]
        await told.socket.close()


async def test_a_list_of_thousands_reaches_a_slow_reader_whole() -> None:
    async with house() as home:
        for number in range(3000):
            ScriptedCall(home.state, f"CA{number:032}")
        async with knock(home.port, frame(json.dumps(ALL))) as (reader, _):
            size = 0
            while size < 3000 * 400:
                size += len(await reader.read(20_000))
                await asyncio.sleep(0.001)
        assert size > 4 * LIMIT_BYTES
        assert home.state.counters.lagged == 0


async def test_a_subscriber_that_asks_for_long_lists_and_reads_none_is_disconnected() -> None:
    async with house() as home:
        for number in range(1000):
            ScriptedCall(home.state, f"CA{number:032}")
        once = frame(json.dumps(ALL)) + frame('{"action":"unsubscribe","calls":"all"}')
        async with knock(home.port, once * 500) as (_, writer):
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            while not home.state.counters.lagged:
                await asyncio.sleep(0.01)
            while home.state.counters.subscribers:
                await asyncio.sleep(0.01)


async def test_a_slow_reader_of_a_call_that_ends_gets_its_end_and_a_normal_close() -> None:
    async with house() as home:
        publisher = ScriptedCall(home.state)
        for number in range(2000):
            publisher.final(f"word {number} " + "x" * 400)
        publisher.end()
        async with knock(home.port, frame(CALL)) as (reader, _):
            read = b""
            while chunk := await reader.read(10_000):
                read = read[-2000:] + chunk
                await asyncio.sleep(0.003)
    assert b'"call-ended"' in read
    assert read.endswith(b"\x88\x0c\x03\xe8call ended")


async def test_a_subscriber_that_stalls_at_the_end_of_a_call_is_closed_in_the_end() -> None:
    async with house(limits=impatient(last_events_seconds=0.2)) as home:
        publisher = ScriptedCall(home.state)
        async with knock(home.port, frame(CALL)) as (reader, writer):
            await reader.readuntil(b"call-started")
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            (following,) = publisher.record.topic.audience.followings
            while not following.outbox.sink.get_write_buffer_size():
                publisher.final("x" * 400)
                await asyncio.sleep(0)
            publisher.end()
            while home.state.counters.subscribers:
                await asyncio.sleep(0.01)
        assert home.state.counters.lagged == 0
