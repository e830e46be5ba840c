"""The life of one socket, from opening to closing, whatever the hub does meanwhile."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Response
from websockets.utils import accept_key

from clients.pretend_twilio.media_socket import CallResult, MediaStreamSocket, NotAnswered, OutgoingCall
from clients.pretend_twilio.messages import Frame
from tests.clients.desk import CALL, STREAM, Desk, a_desk

MORE_THAN_BUFFERS_HOLD = 64 * 1024 * 1024
"""Bytes: a socket's two buffers have some megabytes each."""


def a_socket(url: str, receive: Callable[[str | bytes], Awaitable[None]] | None = None, **call: Any) -> MediaStreamSocket:
    return MediaStreamSocket(OutgoingCall(url, CALL, STREAM, **call), ["inbound"], receive)


async def talk(url: str, seconds: float = 60.0, **more: Any) -> CallResult:
    """Be silent for so long, in real time, and hang up."""
    async with a_socket(url, **more) as socket:
        for number in range(round(seconds * 50)):
            await socket.send(socket.messages.media(Frame("inbound", number + 1, 5 + 20 * number, b"\xff" * 160)))
            await asyncio.sleep(0.02)
        await socket.send(socket.messages.stop())
    return socket.result({"inbound": 50}, 0, seconds)


async def test_a_call_is_announced_and_closed_and_sends_what_the_block_sends() -> None:
    async with a_desk() as desk:
        result = await talk(desk.url, 0.1, parameters={"room": "42"}, headers={"X-Twilio-Signature": "abc="})
        await desk.ended.wait()
    assert [message["event"] for message in desk.messages] == ["connected", "start", *["media"] * 5, "stop"]
    assert desk.messages[1]["start"]["customParameters"] == {"room": "42"}
    assert desk.headers is not None
    assert desk.headers["X-Twilio-Signature"] == "abc="
    assert "Sec-WebSocket-Extensions" not in desk.headers
    assert desk.close_code == 1000
    assert (result.close_code, result.close_reason, result.cut_short) == (None, None, False)


async def test_a_hub_that_closes_early_is_reported_with_code_and_reason() -> None:
    async def close_at_once(desk: Desk, connection: ServerConnection) -> None:
        await connection.recv()
        await connection.close(1013, "draining")

    async with a_desk(close_at_once) as desk:
        result = await talk(desk.url)
    assert (result.cut_short, result.close_code, result.close_reason) == (True, 1013, "draining")
    assert result.ending == "The hub ended the call after 60.0 s with close code 1013: draining"


async def test_a_hub_that_vanishes_is_reported_as_1006() -> None:
    async def vanish(desk: Desk, connection: ServerConnection) -> None:
        await connection.recv()
        connection.transport.abort()

    async with a_desk(vanish) as desk:
        result = await talk(desk.url)
    assert (result.cut_short, result.close_code) == (True, 1006)


async def test_a_hub_that_closes_after_the_stop_has_not_cut_the_call_short() -> None:
    async def close_after_stop(desk: Desk, connection: ServerConnection) -> None:
        async for message in connection:
            if '"stop"' in str(message):
                await connection.close(1000, "bye")

    async with a_desk(close_after_stop) as desk:
        async with a_socket(desk.url) as socket:
            await socket.send(socket.messages.stop())
            await socket.over.wait()
        result = socket.result({"inbound": 0}, 0, 0.0)
    assert (result.cut_short, result.close_code, result.close_reason) == (False, 1000, "bye")


async def test_all_messages_of_a_hub_are_read_and_its_close_is_noticed() -> None:
    async def chatter(desk: Desk, connection: ServerConnection) -> None:
        for number in range(200):
            await connection.send(json.dumps({"event": "media", "number": number}))
        await connection.close(4000, "enough")

    received: list[int] = []

    async def receive(message: str | bytes) -> None:
        received.append(json.loads(message)["number"])

    async with a_desk(chatter) as desk:
        assert (await talk(desk.url)).close_code == 4000
        assert (await talk(desk.url, receive=receive)).close_code == 4000
    assert received == list(range(200))


async def test_a_call_that_is_broken_off_says_no_more() -> None:
    async with a_desk() as desk:
        async with a_socket(desk.url) as socket:
            while len(desk.texts) < 2:
                await asyncio.sleep(0.005)
            socket.break_off()
        await desk.ended.wait()
    assert desk.messages[-1]["event"] == "start"
    assert desk.close_code == 1006


async def test_what_the_block_raises_comes_out_as_it_is() -> None:
    async with a_desk() as desk:
        with pytest.raises(LookupError, match="our own"):
            async with a_socket(desk.url):
                raise LookupError("our own")
        await desk.ended.wait()
    assert desk.close_code == 1000


async def test_a_cancelled_call_says_stop_and_closes() -> None:
    async with a_desk() as desk:
        async with asyncio.TaskGroup() as group:
            talking = group.create_task(talk(desk.url))
            while len(desk.texts) < 5:
                await asyncio.sleep(0.005)
            talking.cancel()
        await desk.ended.wait()
    assert talking.cancelled()
    assert desk.messages[-1]["event"] == "stop"
    assert desk.close_code == 1000


async def test_a_stalled_hub_does_not_keep_a_cancelled_call() -> None:
    held, answered = asyncio.Event(), asyncio.Event()

    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        key = re.search(r"Sec-WebSocket-Key: (\S+)", request)
        assert key is not None
        answer = (
            f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept_key(key[1])}"
        )
        writer.write(f"{answer}\r\n\r\n".encode())
        await held.wait()
        writer.transport.abort()

    async def say_too_much(url: str) -> None:
        async with MediaStreamSocket(OutgoingCall(url), ["inbound"], closing_seconds=0.2) as socket:
            answered.set()  # who waits for it runs when this task does not: once nothing more can be sent
            await socket.send(bytes(MORE_THAN_BUFFERS_HOLD))

    async with await asyncio.start_server(stall, "127.0.0.1", 0) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/twilio"
        async with asyncio.TaskGroup() as group:
            calling = group.create_task(say_too_much(url))
            await answered.wait()
            calling.cancel()
            try:
                await asyncio.wait({calling}, timeout=5)
                assert calling.cancelled()
            finally:
                held.set()


async def test_a_hub_that_is_not_there_or_refuses_is_one_sentence() -> None:
    async with a_desk() as desk:
        address = desk.url
    with pytest.raises(NotAnswered, match=r"No hub answers at ws://127\.0\.0\.1:\d+/twilio: Connection (refused|reset by peer)"):
        await talk(address)
    with pytest.raises(NotAnswered, match="not the address of a hub"):
        await talk("http://127.0.0.1/twilio")

    async def speak_nonsense(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.com ESMTP\r\n")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(speak_nonsense, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(NotAnswered, match="not a hub"):
            await talk(f"ws://127.0.0.1:{port}/twilio")


@pytest.mark.parametrize(
    ("kind", "body", "quoted"),
    [
        ("text/plain; charset=utf-8", "the hub is stopping\n", ": the hub is stopping."),
        ("text/plain; charset=utf-8", "503: Service Unavailable", "."),
        ("text/plain", "a \x1b[31mred\nword " + "x" * 1000, ": a [31mred word " + "x" * 285 + "…."),
        ("text/html", "<h1>503</h1>", "."),
        ("text/plain", "", "."),
    ],
)
async def test_a_refusal_is_quoted_where_it_says_why(kind: str, body: str, quoted: str) -> None:
    async def refuse(connection: ServerConnection, _request: Any) -> Response:
        response = connection.respond(503, body)
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = kind
        return response

    async with a_desk(process_request=refuse) as desk:
        with pytest.raises(NotAnswered) as refused:
            await talk(desk.url)
    assert str(refused.value) == f"The hub at {desk.url} refused the call: HTTP 503 Service Unavailable{quoted}"
    assert refused.value.status == 503
