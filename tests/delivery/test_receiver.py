"""What a receiver can do to the hub: nothing but take a message, or not."""

import asyncio
import contextlib
import gzip
import ipaddress
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from email.utils import formatdate
from typing import Any

import pytest

from hub.delivery.messages import WebhookMessage, trial
from hub.delivery.receiver import Outcome, WebhookReceiver
from hub.delivery.signing import key_of
from hub.delivery.webhook import Webhook
from tests.delivery.program import SECRET, Program, serving

HERE = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1"))

SMALL = WebhookMessage("msg_1", "test", "", b"{}")


def webhook(url: str, seconds: float = 30.0, networks: Any = HERE) -> Webhook:
    """Return a webhook whose receiver is on this machine."""
    return Webhook(name="crm", url=url, keys=(key_of(SECRET),), events=None, timeout_seconds=seconds, networks=networks)


async def posted(to: Webhook, message: WebhookMessage = SMALL) -> Outcome:
    """Post one message."""
    async with WebhookReceiver(to) as receiver:
        return await receiver.post(message)


Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def answering(answer: Answer) -> AsyncIterator[str]:
    """Run a server that reads a request's head and then does as it likes."""

    serving_now: set[asyncio.Task[Any]] = set()

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving_now.add(task)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            await answer(reader, writer)
        writer.transport.abort()

    server = await asyncio.start_server(served, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        if serving_now:
            await asyncio.wait(serving_now)


async def test_a_message_of_some_megabytes_arrives_and_verifies() -> None:
    large = WebhookMessage("msg_1", "test", "", b'{"data":{"filler":"%s"}}' % (b"x" * 5_000_000))
    async with serving(Program()) as program:
        assert await posted(webhook(program.url), large) == Outcome()
        assert len(program.taken[0][1]["data"]["filler"]) == 5_000_000
    assert program.taken[0][0] == "msg_1"


async def test_a_trial_says_that_it_is_one() -> None:
    async with serving(Program()) as program:
        assert await posted(webhook(program.url), trial(1.5, "2026-11-26T10:00:00.000Z")) == Outcome()
    assert program.taken[0][1]["type"] == "test"


async def test_the_headers_are_those_of_the_standard() -> None:
    heads: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readexactly(2))
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await writer.drain()

    async with answering(answer) as url:
        assert await posted(webhook(url)) == Outcome()
    assert heads == [b"{}"], "the body has its length, and is not sent in chunks"


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (500, {}, Outcome("answered 500")),
        (404, {}, Outcome("answered 404", gone=True)),
        (410, {}, Outcome("answered 410", gone=True)),
        (429, {"Retry-After": "30"}, Outcome("answered 429", wait_seconds=30.0)),
        (503, {"Retry-After": "nonsense"}, Outcome("answered 503")),
        (400, {"Retry-After": "30"}, Outcome("answered 400")),
    ],
)
async def test_an_answer_that_is_no_success_is_told(status: int, headers: dict[str, str], expected: Outcome) -> None:
    async with serving(Program(down=status, headers=headers)) as program:
        assert await posted(webhook(program.url)) == expected


async def test_retry_after_can_be_a_moment() -> None:
    in_two_minutes = formatdate(time.time() + 120, usegmt=True)
    async with serving(Program(down=503, headers={"Retry-After": in_two_minutes})) as program:
        assert 100 < (await posted(webhook(program.url))).wait_seconds <= 120


async def test_a_redirect_is_not_followed() -> None:
    async with serving(Program()) as elsewhere:

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(f"HTTP/1.1 307 Temporary Redirect\r\nLocation: {elsewhere.url}\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()

        async with answering(answer) as url:
            outcome = await posted(webhook(url))
    assert outcome.problem == "answered 307: redirects are not followed, name the address where it is"
    assert elsewhere.attempts == []


async def test_an_answer_of_200_megabytes_is_not_read() -> None:
    written = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 200000000\r\n\r\n")
        while written < 200_000_000:
            writer.write(b"x" * 65_536)
            written += 65_536
            await writer.drain()

    async with answering(answer) as url:
        assert await posted(webhook(url)) == Outcome()
    assert written < 50_000_000, "more than the kernels' buffers hold"


async def test_a_packed_answer_is_not_unpacked() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb) + bomb)
        await writer.drain()
        await reader.read()

    async with answering(answer) as url:
        assert await posted(webhook(url)) == Outcome()


@pytest.mark.parametrize("beginning", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", b"HTTP/1.1 200"])
async def test_a_receiver_that_hangs_is_given_up(beginning: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(beginning)
        await writer.drain()
        await reader.read()

    async with answering(answer) as url:
        assert await posted(webhook(url, 0.3)) == Outcome("did not answer within 0.3 s", answered=False)


async def test_a_receiver_that_answers_a_byte_at_a_time_is_given_up() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"H")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with answering(answer) as url:
        assert (await posted(webhook(url, 0.5))).problem


@pytest.mark.parametrize("said", [b"", b"no HTTP at all\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"x" * 100_000 + b"\r\n\r\n"])
async def test_what_is_no_http_is_a_failure(said: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await writer.drain()

    async with answering(answer) as url:
        assert (await posted(webhook(url))).problem.startswith("broke the connection or sent no HTTP")


async def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
    assert (await posted(webhook(url))).problem.startswith("cannot be reached: ")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "[::ffff:127.0.0.1]", "[::1]", "0.0.0.0", "[::]"]
)
async def test_a_private_address_is_not_connected_to_however_it_is_written(host: str) -> None:
    async with serving(Program()) as program:
        outcome = await posted(webhook(program.url.replace("127.0.0.1", host), networks=()))
    assert outcome.problem in {
        "has a private address, which is not connected to: name its network in `networks` if it is meant",
        "has a name that cannot be resolved",
        "has a url that cannot be used",
    }
    assert program.attempts == []


async def test_a_name_that_resolves_to_another_address_the_next_time_does_not_help(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first look-up of the name says a public address, all later ones say this machine. Each connection is checked by itself."""
    loop, asked = asyncio.get_running_loop(), 0
    real = loop.getaddrinfo

    async def rebinding(host: Any, port: Any, **more: Any) -> Any:
        nonlocal asked
        if host != "rebinding.example.com":
            return await real(host, port, **more)
        asked += 1
        address = "192.88.99.1" if asked == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(loop, "getaddrinfo", rebinding)
    async with serving(Program()) as program:
        to = webhook(program.url.replace("127.0.0.1", "rebinding.example.com"), 0.3, networks=())
        async with WebhookReceiver(to) as receiver:
            outcomes = [await receiver.post(SMALL) for _ in range(3)]
    assert asked == 3
    assert "private address" not in outcomes[0].problem
    assert ["private address" in each.problem for each in outcomes[1:]] == [True, True]
    assert program.attempts == []


async def test_a_wrong_key_does_not_verify() -> None:
    other = "whsec_" + "b3RoZXIg" * 5
    async with serving(Program(secret=other)) as program:
        assert await posted(webhook(program.url)) == Outcome("answered 401")
    assert program.forged == ["No matching signature found"]
