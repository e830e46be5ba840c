"""Calls and transcripts over HTTP, during the call and after it."""

import pytest

from tests.house import house
from tests.media import CALL, stop
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
        assert [each["start"] for each in after["utterances"]] == sorted(each["start"] for each in after["utterances"])
        for kind, opening in (("txt", "[00:00.4]"), ("srt", "1\n00:00:00,400 -->"), ("vtt", "WEBVTT\n")):
            async with home.session.get(home.url(f"/calls/{CALL}/transcript.{kind}")) as answer:
                assert answer.status == 200
                assert (await answer.text()).startswith(opening)
                assert f"{CALL}.{kind}" in answer.headers["Content-Disposition"]


@pytest.mark.parametrize("path", ["/calls/CA0", "/calls/CA0/transcript.txt", "/calls/CA0/transcript.doc"])
async def test_a_call_or_file_that_does_not_exist_is_refused_in_a_sentence(path: str) -> None:
    async with house() as home, home.session.get(home.url(path)) as answer:
        assert answer.status == 404
        assert (await answer.json())["error"]["code"] == "not-found"
