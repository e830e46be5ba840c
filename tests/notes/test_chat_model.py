"""A model that answers, and one that does whatever a stranger can do."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from hub.notes.chat_model import ANSWER_BYTES, ChatModel, ModelFailed
from hub.notes.request import ModelMessage
from hub.notes.settings import NotesSettings
from hub.ops.counters import NoteCounters
from tests.providers.fake_chat import FakeChat, serving

ASKED = [ModelMessage("system", "Do this."), ModelMessage("user", '{"said":[{"offset":2}]}')]


@pytest.fixture
async def chat() -> AsyncIterator[FakeChat]:
    async with serving(FakeChat()) as chat:
        yield chat


async def asked(chat: FakeChat, counters: NoteCounters | None = None, **settings: Any) -> str:
    given = {"url": chat.url, "model": chat.model, "key": "k", "seconds": 30.0} | settings
    async with ChatModel(NotesSettings(**given), counters or NoteCounters()) as model:
        return await model.ask(ASKED)


async def failed(chat: FakeChat, **settings: Any) -> ModelFailed:
    counters = NoteCounters()
    with pytest.raises(ModelFailed) as raised:
        await asked(chat, counters, **settings)
    assert (counters.requests, counters.failed) == (1, 1)
    return raised.value


async def test_an_answer_is_given_and_its_tokens_are_counted(chat: FakeChat) -> None:
    chat.answers = ["yes"]
    counters = NoteCounters()
    assert await asked(chat, counters) == "yes"
    assert (counters.requests, counters.failed, counters.tokens_read, counters.tokens_written) == (1, 0, 100, 10)
    assert chat.wrong == []


@pytest.mark.parametrize(
    ("status", "sentence", "of_request"),
    [
        (401, "the model answered 401 (invalid_request_error, invalid_api_key): check HUB_NOTES_KEY", False),
        (404, "the model answered 404 (invalid_request_error, model_not_found): check HUB_NOTES_MODEL and HUB_NOTES_URL", False),
        (400, "the model answered 400 (server_error)", True),
        (500, "the model answered 500 (server_error)", False),
    ],
)
async def test_a_refusal_is_told_without_what_the_api_repeats_of_the_call(
    chat: FakeChat, status: int, sentence: str, of_request: bool
) -> None:
    chat.down = status
    error = await failed(chat)
    assert (str(error), error.of_request, error.wait_seconds) == (sentence, of_request, 0.0)


@pytest.mark.parametrize(("after", "seconds"), [("7", 7.0), ("99999", 3600.0), ("soon", 0.0), ("-1", 0.0)])
async def test_an_api_that_has_enough_is_left_alone_for_as_long_as_it_asks(chat: FakeChat, after: str, seconds: float) -> None:
    chat.down, chat.headers = 429, {"Retry-After": after}
    error = await failed(chat)
    assert (str(error), error.wait_seconds) == ("the model answered 429 (rate_limit_error)", seconds)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "sent something that is no chat completion"),
        (b"<html>It works!</html>", "sent something that is no chat completion"),
        (b"[" * 500_000, "sent something that is no chat completion"),
        (b'{"choices":[]}', "refused to answer, or answered nothing"),
        (b'{"choices":[{"message":{"content":null,"refusal":"no"}}]}', "refused to answer, or answered nothing"),
        (b'{"choices":[{"message":{"content":"a"},"finish_reason":"length"}]}', "stopped in the middle of its answer"),
        (b"\xff\xfe", "sent something that is no chat completion"),
    ],
)
async def test_an_answer_that_is_none_is_told(chat: FakeChat, body: bytes, problem: str) -> None:
    async def serves(_: web.Request) -> web.Response:
        return web.Response(body=body)

    chat.serves = serves
    assert problem in str(await failed(chat))


async def test_an_answer_of_200_mb_is_read_up_to_a_megabyte(chat: FakeChat) -> None:
    sent = 0

    async def serves(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        answer = web.StreamResponse()
        await answer.prepare(request)
        for _ in range(200):
            await answer.write(b"x" * 1024 * 1024)
            sent += 1
        return answer

    chat.serves = serves
    assert str(await failed(chat)) == f"the model sent an answer of more than {ANSWER_BYTES // 1024} KB"
    assert sent < 50


async def test_a_byte_now_and_then_is_no_answer_in_time(chat: FakeChat) -> None:
    async def serves(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        while True:
            await answer.write(b" ")
            await asyncio.sleep(0.05)

    chat.serves = serves
    error = await failed(chat, seconds=1.0)
    assert (str(error), error.late) == ("the model did not answer within 1 s", True)


async def test_a_model_that_hangs_is_given_up(chat: FakeChat) -> None:
    chat.holds = asyncio.Event()
    assert (await failed(chat, seconds=1.0)).late


async def test_what_was_said_is_sent_to_no_other_address(chat: FakeChat) -> None:
    async def serves(_: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect(f"{chat.url}/elsewhere")

    chat.serves = serves
    assert "answered 307: redirects are not followed" in str(await failed(chat))
    assert len(chat.requests) == 1


async def test_a_packed_answer_is_not_unpacked(chat: FakeChat) -> None:
    async def serves(_: web.Request) -> web.Response:
        return web.Response(body=b"\x1f\x8b", headers={"Content-Encoding": "gzip"})

    chat.serves = serves
    assert "packed" in str(await failed(chat))


async def test_nobody_at_the_address_is_told(chat: FakeChat, unused_tcp_port: int) -> None:
    error = await failed(chat, url=f"http://127.0.0.1:{unused_tcp_port}/v1")
    assert "the model cannot be reached" in str(error)
    assert not error.of_request
