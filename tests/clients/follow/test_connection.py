"""The connection that is opened again: what is sent on each, what is yielded, and when it is given up. Against a scripted server."""

import asyncio
import json
from contextlib import aclosing
from http import HTTPStatus
from typing import Any

import pytest
from websockets.asyncio.server import Request as HttpRequest
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Response

from clients.follow import Backoff, HubConnection, Refused
from clients.follow.connection import FIRST_TRIES
from hub import events
from tests.clients.scripted_hub import scripted_hub

SOON = Backoff(0.001, 0.01)
PONG = json.dumps({"type": "pong", "at": "2026-11-21T10:00:00.000Z"})


async def close(connection: ServerConnection, _number: int) -> None:
    await connection.close(1011)


def connected(url: str, token: str | None = None, **more: Any) -> HubConnection:
    return HubConnection(url, token, list, backoff=SOON, **more)


async def first(connection: HubConnection) -> events.Message:
    async with aclosing(connection.messages()) as messages:
        return await anext(messages)


async def test_each_new_connection_begins_with_the_token_and_with_what_is_wanted_then() -> None:
    wanted = iter(range(100))

    async def answer(connection: ServerConnection, number: int) -> None:
        hub.received[-1].append(json.loads(await connection.recv()))
        await connection.send(PONG)
        if number == 3:
            await connection.wait_closed()

    async with scripted_hub(answer) as hub:
        connection = HubConnection(hub.url, "a.b.c", lambda: [{"number": next(wanted)}], backoff=SOON)
        async with aclosing(connection.messages()) as messages:
            for _ in range(3):
                assert isinstance(await anext(messages), events.Pong)
    assert hub.received == [[{"number": 0}], [{"number": 1}], [{"number": 2}]]
    assert hub.headers == ["Bearer a.b.c"] * 3


async def test_a_server_that_never_says_a_word_is_given_up_after_a_few_tries() -> None:
    async with scripted_hub(close) as hub:
        with pytest.raises(Refused, match="the server closes every connection") as refused:
            await first(connected(hub.url))
    assert refused.value.refusal_code == "address"
    assert len(hub.received) == FIRST_TRIES


async def test_a_hub_that_has_spoken_is_tried_again_for_ever_and_its_words_start_the_count_anew() -> None:
    async def answer(connection: ServerConnection, number: int) -> None:
        if number in (1, 10, 30):
            await connection.send(PONG)
        await connection.close(1011)

    waits: list[int] = []

    class Counted(Backoff):
        def wait_seconds(self, failures: int) -> float:
            waits.append(failures)
            return 0.001

    async with scripted_hub(answer) as hub:
        connection = HubConnection(hub.url, None, list, backoff=Counted(1, 1))
        async with aclosing(connection.messages()) as messages:
            await anext(messages)
            assert connection.connected
            await anext(messages)
            await anext(messages)
    assert len(hub.received) == 30
    assert waits == [*range(1, 10), *range(1, 21)], "connections 1 and 10 had a message, and those between had none"
    assert not connection.connected


async def test_a_refusal_is_yielded_but_does_not_count_as_a_connection() -> None:
    async def answer(connection: ServerConnection, _number: int) -> None:
        await connection.send(json.dumps({"type": "error", "code": "token", "message": "this hub wants a token first"}))
        await connection.wait_closed()

    async with scripted_hub(answer) as hub:
        connection = connected(hub.url)
        async with aclosing(connection.messages()) as messages:
            assert isinstance(await anext(messages), events.Refusal)
            assert not connection.connected


async def test_lists_for_people_and_binary_messages_are_skipped() -> None:
    async def answer(connection: ServerConnection, _number: int) -> None:
        await connection.send(b"\x00\x01")
        await connection.send('["CA1"]')
        await connection.send(PONG)
        await connection.wait_closed()

    async with scripted_hub(answer) as hub:
        assert isinstance(await first(connected(hub.url)), events.Pong)


@pytest.mark.parametrize(
    ("code", "reason", "refusal", "says"),
    [
        (4501, "the token has expired", "token", "the token has expired"),
        (4503, "", "not-allowed", "the hub refused with close code 4503"),
        (4504, "no such call", "unknown-call", "no such call"),
        (4599, "no", "4599", "no"),
        (4500, "no", "4500", "no"),
    ],
)
async def test_a_close_code_of_a_refusal_ends_the_connection_for_good(code: int, reason: str, refusal: str, says: str) -> None:
    async def answer(connection: ServerConnection, _number: int) -> None:
        await connection.send(PONG)
        await connection.close(code, reason)

    async with scripted_hub(answer) as hub:
        connection = connected(hub.url)
        async with aclosing(connection.messages()) as messages:
            await anext(messages)
            with pytest.raises(Refused, match=says) as refused:
                await anext(messages)
    assert refused.value.refusal_code == refusal
    assert len(hub.received) == 1


@pytest.mark.parametrize("code", [1000, 1001, 4408, 4499, 4600])
async def test_any_other_close_code_is_followed_by_another_connection(code: int) -> None:
    async def answer(connection: ServerConnection, _number: int) -> None:
        await connection.send(PONG)
        await connection.close(code)

    async with scripted_hub(answer) as hub:
        async with aclosing(connected(hub.url).messages()) as messages:
            for _ in range(3):
                await anext(messages)
        assert len(hub.received) == 3


@pytest.mark.parametrize(
    ("status", "known", "tried_again"), [(429, True, True), (503, True, True), (503, False, False), (403, True, False)]
)
async def test_an_http_refusal_is_tried_again_only_if_it_may_pass_and_a_hub_was_there(status: int, known: bool, tried_again: bool) -> None:
    tries = 0

    def refuse(connection: ServerConnection, _request: HttpRequest) -> Response | None:
        nonlocal tries
        tries += 1
        return connection.respond(HTTPStatus(status), "") if tries == 1 else None

    async def answer(connection: ServerConnection, _number: int) -> None:
        await connection.send(PONG)
        await connection.wait_closed()

    async with scripted_hub(answer, refuse) as hub:
        if tried_again:
            await first(connected(hub.url, known=known))
        else:
            with pytest.raises(Refused, match=f"does not let us in: HTTP {status}"):
                await first(connected(hub.url, known=known))
    assert tries == (2 if tried_again else 1)


async def test_the_hubs_own_words_for_an_http_refusal_are_quoted() -> None:
    def refuse(connection: ServerConnection, _request: HttpRequest) -> Response:
        return connection.respond(HTTPStatus.FORBIDDEN, json.dumps({"error": {"message": "this page is not allowed to watch"}}))

    async with scripted_hub(close, refuse) as hub:
        with pytest.raises(Refused, match="does not let us in: this page is not allowed to watch"):
            await first(connected(hub.url))


async def test_what_is_no_message_of_a_hub_ends_the_connection() -> None:
    async def answer(connection: ServerConnection, _number: int) -> None:
        await connection.send("220 mail.example.com ESMTP")
        await connection.wait_closed()

    async with scripted_hub(answer) as hub:
        with pytest.raises(Refused, match="the server sends other messages"):
            await first(connected(hub.url))


@pytest.mark.parametrize("token", ["two\nlines", "ключ"])
async def test_a_token_that_no_header_can_carry_is_refused_before_anything_is_sent(token: str) -> None:
    async with scripted_hub(close) as hub:
        with pytest.raises(Refused, match="this is not a token") as refused:
            await first(connected(hub.url, token))
    assert refused.value.refusal_code == "token"
    assert hub.received == []


async def test_a_request_goes_out_on_the_present_connection_and_nowhere_without_one() -> None:
    came = asyncio.Event()

    async def answer(connection: ServerConnection, _number: int) -> None:
        await connection.send(PONG)
        hub.received[-1].append(json.loads(await connection.recv()))
        came.set()
        await connection.wait_closed()

    async with scripted_hub(answer) as hub:
        connection = connected(hub.url)
        await connection.send({"action": "nothing"})
        async with aclosing(connection.messages()) as messages:
            await anext(messages)
            await connection.send({"action": "ping"})
            await came.wait()
        await connection.send({"action": "nothing"})
    assert hub.received == [[{"action": "ping"}]]
