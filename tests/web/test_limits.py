"""Limits: how much one peer may ask for, and how long it may take."""

import asyncio
from contextlib import suppress

import aiohttp
import pytest
import websockets.asyncio.client as websockets

from tests.frames import knock
from tests.house import House, house, impatient
from tests.publishing import FROM, TO, ScriptedCall
from tests.web.watchers import connect, until


async def test_an_address_may_have_a_limited_number_of_sockets_and_closed_ones_do_not_count() -> None:
    async with house(sockets_per_address=2) as home:
        first, second = await connect(home), await connect(home)
        for _ in range(2):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await connect(home)
            assert refused.value.status == 429
        await first.close()
        while sum(home.state.addresses.values()) > 1:
            await asyncio.sleep(0.01)
        await (await connect(home)).close()
        await second.close()
        while home.state.addresses:
            await asyncio.sleep(0.01)
        assert home.state.counters.refused["client address"] == 2


async def test_a_subscriber_that_sends_too_many_messages_gets_one_error_and_4503() -> None:
    async with house() as home:
        good, flood = await connect(home), await connect(home)
        await flood.receive()
        for _ in range(int(home.state.limits.messages_at_once) + 1000):
            await flood.send_str("{")
        said: list[str] = [message.json()["code"] async for message in flood]
        assert said.count("too-many") == 1
        assert said[-1] == "too-many"
        assert flood.close_code == 4503
        await good.receive()
        await good.send_json({"action": "ping"})
        await until(good, "pong")
        await good.close()


async def test_a_subscriber_that_stays_within_its_rate_may_send_for_ever() -> None:
    async with house(limits=impatient(messages_at_once=5.0, messages_per_second=1e6)) as home:
        socket = await connect(home)
        for _ in range(50):
            await socket.send_json({"action": "ping"})
            await until(socket, "pong")


async def test_calls_that_the_hub_has_forgotten_do_not_count_against_a_sockets_limit() -> None:
    async with house(limits=impatient(calls_followed=2), keep_minutes=0.0) as home:
        socket = await connect(home)
        for call in ("CA0", "CA1"):
            followed = ScriptedCall(home.state, call)
            await socket.send_json({"action": "subscribe", "callSid": call})
            assert (await until(socket, "subscribed"))["callSid"] == call
            followed.end()
            await until(socket, "call-ended")
        assert home.state.registry.expire() == 2
        ScriptedCall(home.state, "CA2")
        await socket.send_json({"action": "subscribe", "callSid": "CA2"})
        assert (await until(socket, "subscribed"))["callSid"] == "CA2"


async def test_a_socket_follows_a_limited_number_of_calls_and_of_numbers() -> None:
    async with house(limits=impatient(calls_followed=3, numbers_followed=1)) as home:
        calls = [f"CA{number:032}" for number in range(5)]
        for call in calls:
            ScriptedCall(home.state, call)
        socket = await connect(home)
        for call in calls[:4]:
            await socket.send_json({"action": "subscribe", "callSid": call, "after": {"epoch": "", "offset": 0}})
        refused = await until(socket, "error")
        assert (refused["code"], refused["callSid"]) == ("too-many", calls[3])
        await socket.send_json({"action": "unsubscribe", "callSid": calls[0]})
        await socket.send_json({"action": "subscribe", "callSid": calls[3]})
        assert (await until(socket, "subscribed"))["callSid"] == calls[3]
        for number in (FROM, TO):
            await socket.send_json({"action": "subscribe", "number": number})
        assert (await until(socket, "error"))["callSid"] == calls[0], "a number brings no more than that either"
        while (refused := await until(socket, "error"))["code"] != "too-many" or "numbers" not in refused["message"]:
            pass
        await socket.close()


async def cut_off(home: House, begins: bytes, dribble: bytes = b"") -> None:
    """Begin a request, never finish it, send `dribble` again and again. Return when the hub closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", home.port)
    writer.write(begins)
    try:
        while True:
            with suppress(TimeoutError):
                answer = await asyncio.wait_for(reader.read(1000), 0.02)
                assert answer.startswith(b"HTTP/1.1 408 ") or not answer
                return
            writer.write(dribble)
    except ConnectionError:
        pass  # reset: closed as well
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@pytest.mark.parametrize(
    ("begins", "dribble"),
    [(b"", b""), (b"GET /client HT", b""), (b"GET /", b"x"), (b"GET /client HTTP/1.1\r\nHost: x\r\n", b"X-Slow: 1\r\n")],
)
async def test_a_first_request_that_never_ends_is_cut_off(begins: bytes, dribble: bytes) -> None:
    """How soon it is cut off is tested in test_server.py, on a clock that the test sets."""
    async with house(limits=impatient(request_seconds=0.3, look_seconds=0.05)) as home:
        good = await connect(home)
        await cut_off(home, begins, dribble)
        await good.receive()
        await good.send_json({"action": "ping"})
        await until(good, "pong")
        await good.close()


async def test_a_second_request_that_never_ends_is_cut_off_too() -> None:
    async with house(limits=impatient(keep_alive_seconds=0.3)) as home:
        reader, writer = await asyncio.open_connection("127.0.0.1", home.port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /healthz HTTP/1.1\r\nHost: 1")
        assert b"200 OK" in await reader.read()
        writer.close()


async def test_a_half_open_peer_is_found_by_ping() -> None:
    limits = impatient(ping_seconds=3.0)  # half of it is all the time there is for an answer, also on a busy machine
    async with house(limits=limits) as home, websockets.connect(f"ws://127.0.0.1:{home.port}/client") as answering:
        await answering.recv()
        async with knock(home.port) as (reader, _):
            await reader.readuntil(b"\r\n\r\n")
            while home.state.counters.subscribers < 2:
                await asyncio.sleep(0.01)
            rest = await reader.read()
        assert b"\x89\x00" in rest, "it was pinged"
        while home.state.counters.subscribers > 1:
            await asyncio.sleep(0.01)
        assert home.state.counters.closed == {1006: 1}
        await answering.send('{"action":"ping"}')
        assert '"pong"' in str(await answering.recv()), "who answers pings stays"
