"""Calls and transcripts over HTTP, during the call and after it."""

import asyncio

import pytest

from hub.tokens import mint
from hub.web.state import FILES_AT_ONCE
from tests.house import house
from tests.media import CALL, stop
from tests.publishing import ScriptedCall
from tests.scripted import talking
from tests.web.callers import closed, follow, talk


async def test_a_transcript_can_be_read_at_any_moment() -> None:
    async with house(on_block=talking) as home:
        socket = await home.call(parameters={"from": "+1"})
        await follow(home)
        await talk(socket, 0, 1000)
        during = await home.json("/calls")
        while not during["calls"][0]["utterances"]:
            during = await home.json("/calls")
        assert (during["calls"][0]["live"], during["calls"][0]["from"]) == (True, "+1")
        await talk(socket, 1000, 2000)
        await socket.send_str(stop())
        await closed(socket)
        after = await home.json(f"/calls/{CALL}/transcript.json")
        assert (after["live"], after["reason"], len(after["utterances"])) == (False, "completed", 4)
        assert [each["offset"] for each in after["events"]] == list(range(1, after["offset"] + 1)), "all there is"
        assert after["events"][-1]["completeness"] == after["completeness"]
        assert [each["start"] for each in after["utterances"]] == sorted(each["start"] for each in after["utterances"])
        for kind, opening in (("txt", "Call CA"), ("srt", "1\n00:00:00,000 -->"), ("vtt", "WEBVTT\n")):
            async with home.session.get(home.url(f"/calls/{CALL}/transcript.{kind}")) as answer:
                assert answer.status == 200
                text = await answer.text()
                assert text.startswith(opening)
                assert [text.count(each) for each in ("word 1", "call ended: completed, 00:02.0; complete")] == [2, 1]
                assert f"{CALL}.{kind}" in answer.headers["Content-Disposition"]


@pytest.mark.parametrize("path", ["/calls/CA0", "/calls/CA0/transcript.txt", "/calls/CA0/transcript.doc"])
async def test_a_call_or_file_that_does_not_exist_is_refused_in_a_sentence(path: str) -> None:
    async with house() as home, home.session.get(home.url(path)) as answer:
        assert answer.status == 404
        assert (await answer.json())["error"]["code"] == "not-found"


async def test_calls_are_found_by_what_was_said_at_any_time() -> None:
    async with house() as home:
        for number in range(60):
            call = ScriptedCall(home.state, f"CA{number:032d}")
            call.final("I want a refund" if number % 3 == 0 else "good morning")
            call.final("and my order")
            if number % 2:
                call.end()
        found = await home.json("/calls?q=Refund%20order")
        assert [each["callSid"] for each in found["calls"]] == [f"CA{number:032d}" for number in range(57, -1, -3)]
        assert {each["hits"] for each in found["calls"]} == {2}
        assert [hit["text"] for hit in found["calls"][0]["found"]] == ["I want a refund", "and my order"]
        assert (await home.json("/calls?q=nothing"))["calls"] == []


async def test_a_search_finds_only_what_the_token_allows() -> None:
    secret = "s" * 40
    async with house(secret=secret) as home:
        for sid in ("CA1", "CA2"):
            ScriptedCall(home.state, sid).final("a refund")
        headers = {"Authorization": f"Bearer {mint(secret, ['CA2'], 600)}"}
        async with home.session.get(home.url("/calls?q=refund"), headers=headers) as answer:
            assert [each["callSid"] for each in (await answer.json())["calls"]] == ["CA2"]


async def test_a_query_that_is_too_long_is_refused_in_a_sentence() -> None:
    async with house() as home, home.session.get(home.url("/calls?q=" + "x" * 201)) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"] == {"code": "query", "message": "a search has at most 200 characters and 12 words"}


async def test_a_few_transcripts_are_written_at_the_same_time() -> None:
    async with house() as home, asyncio.TaskGroup() as group:
        ScriptedCall(home.state).final("Good morning.")
        for _ in range(FILES_AT_ONCE):
            await home.state.files.acquire()  # as many are being written

        async def download() -> str:
            async with home.session.get(home.url(f"/calls/{CALL}/transcript.txt")) as answer:
                return await answer.text()

        late = group.create_task(download())
        while not (home.state.files._waiters or late.done()):
            await asyncio.sleep(0)
        async with home.session.get(home.url(f"/calls/{CALL}")) as answer:
            assert answer.status == 200
        assert not late.done()
        home.state.files.release()
        assert "Good morning." in await late
