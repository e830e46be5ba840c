"""Server-Sent Events over HTTP, where they differ from a socket: blocks, headers, comments, and how a browser is told to stay away."""

import asyncio
from typing import Any

import pytest

from tests.house import house, impatient
from tests.media import CALL
from tests.publishing import ScriptedCall
from tests.web.readers import streamed
from tests.web.watchers import SECRET, token

PATH = f"/calls/{CALL}/events"


async def test_each_durable_event_has_its_position_as_id_and_no_interim_has_one() -> None:
    async with house() as home:
        call = ScriptedCall(home.state)
        async with streamed(home, PATH) as stream:
            await stream.until("call-started")
            call.interim("some", "u2")
            call.final("some words", "u2")
            call.end()
            blocks = await stream.rest()
        epoch = call.record.topic.log.epoch
        assert [(block.id, block.data["type"]) for block in blocks] == [
            (None, "interim"), (f"{epoch}:2", "final"), (f"{epoch}:3", "call-ended"),
        ]  # fmt: skip


async def test_it_ends_with_the_call_and_who_has_all_of_it_is_told_to_stay_away() -> None:
    async with house() as home:
        call = ScriptedCall(home.state)
        call.final("words")
        call.end()
        async with streamed(home, PATH) as stream:
            assert [block.data["type"] for block in await stream.rest()] == ["subscribed", "call-started", "final", "call-ended"]
        for headers, query in (({"Last-Event-ID": stream.last_id}, ""), ({}, f"?after={stream.last_id}")):
            async with home.session.get(home.url(PATH + query), headers=headers) as answer:
                assert (answer.status, await answer.read()) == (204, b"")
        ScriptedCall(home.state)  # it goes on after all
        async with streamed(home, PATH, stream.last_id) as stream:
            assert [block.data["type"] for block in await stream.until("call-started")] == ["subscribed", "call-started"]


async def test_the_header_counts_where_both_are_there() -> None:
    """A browser comes back to the address that it began with, and with the newest id in the header."""
    async with house() as home:
        call = ScriptedCall(home.state)
        call.final("words")
        epoch = call.record.topic.log.epoch
        async with streamed(home, f"{PATH}?after={epoch}:0", f"{epoch}:1") as stream:
            assert [block.data["type"] for block in await stream.until("final")] == ["subscribed", "final"]


@pytest.mark.parametrize("path", [PATH, "/events"])
async def test_a_comment_says_that_a_silent_stream_is_alive(path: str) -> None:
    async with house(limits=impatient(comment_seconds=0.05)) as home:
        call = ScriptedCall(home.state)
        async with streamed(home, path) as stream:
            await stream.until("call-started")
            lines = [await stream.answer.content.readline() for _ in range(4)]
            assert lines == [b":\n", b"\n"] * 2
            call.final("words")
            await stream.until("final")


@pytest.mark.parametrize("path", [PATH, "/events"])
async def test_its_headers_keep_proxies_and_browsers_from_keeping_it(path: str) -> None:
    async with house() as home:
        ScriptedCall(home.state)
        async with home.session.get(home.url(path), headers={"Accept-Encoding": "gzip"}) as answer:
            headers = answer.headers
            assert (headers["Cache-Control"], headers["X-Content-Type-Options"]) == ("no-store", "nosniff")
            assert headers["X-Accel-Buffering"] == "no"
            assert "Content-Encoding" not in headers
        async with home.session.head(home.url(path)) as answer:
            assert (answer.status, answer.content_type) == (200, "text/event-stream")
        assert home.state.counters.closed.total() <= 1, "who asks for the headers follows nothing"


@pytest.mark.parametrize("path", [PATH, "/events"])
async def test_a_peer_of_http_1_0_gets_it_without_chunks(path: str) -> None:
    async with house() as home:
        call = ScriptedCall(home.state)
        reader, writer = await asyncio.open_connection("127.0.0.1", home.port)
        writer.write(f"GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"chunked" not in head.lower()
        assert await reader.readuntil(b"\n\n") == b"retry: 1000\n\n"
        call.end()
        said = await reader.readuntil(b'"call-ended"')
        assert b"\r\n" not in said
        writer.transport.abort()


async def test_what_is_no_position_is_refused() -> None:
    strange = ["x", "12", "e:-1", "e:1,", "2026-11-26T12:00:00.000Z,e", "2026-13-26", ",e:1", "9" * 70 + ":1"]
    async with house() as home:
        ScriptedCall(home.state)
        for path, known in ((path, known) for path in (PATH, "/events") for known in strange):
            for headers, query in (({"Last-Event-ID": known}, {}), ({}, {"after": known})):
                async with home.session.get(home.url(path), headers=headers, params=query) as answer:
                    assert (answer.status, (await answer.json())["error"]["code"]) == (400, "bad-request"), known
                    assert "position" in (await answer.json())["error"]["message"]


@pytest.mark.parametrize("query", [{"interims": "no"}, {"since": "1"}])
async def test_a_parameter_that_makes_no_sense_is_refused(query: dict[str, Any]) -> None:
    async with house() as home:
        ScriptedCall(home.state)
        for path in (PATH, "/events"):
            async with home.session.get(home.url(path), params=query) as answer:
                assert answer.status == 400


async def test_a_page_of_an_allowed_origin_may_follow_calls() -> None:
    desk = "https://desk.example"
    async with house(secret=SECRET, origins=desk) as home:
        ScriptedCall(home.state)
        asked = {"Origin": desk, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "last-event-id"}
        for path in (PATH, "/events"):
            async with home.session.options(home.url(path), headers=asked) as answer:
                assert "Last-Event-ID" in answer.headers["Access-Control-Allow-Headers"]
            async with home.session.get(home.url(f"{path}?token={token()}"), headers={"Origin": desk}) as answer:
                assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (200, desk)
            async with home.session.get(home.url(f"{path}?token={token()}"), headers={"Origin": "https://evil.example"}) as answer:
                assert answer.status == 403
