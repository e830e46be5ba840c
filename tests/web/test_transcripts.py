"""A call's transcript as a file: in every form, at any moment, whole or a range, sent while it is written."""

import asyncio
import gc
import gzip
import json
import random
import socket
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from hub.transcript.exports import FORMS
from hub.web.state import State
from tests.house import House, house, impatient
from tests.media import CALL, stop
from tests.publishing import ScriptedCall
from tests.scripted import talking
from tests.web.callers import closed, follow, talk

PATH = f"/calls/{CALL}/transcript"


async def got(home: House, kind: str, query: str = "", method: str = "GET", **headers: str) -> tuple[int, bytes, dict[str, str]]:
    """Return the status, the body as it was sent, and the headers with small names."""
    asked = {"Accept-Encoding": "identity"} | {name.replace("_", "-"): value for name, value in headers.items()}
    async with home.session.request(method, home.url(f"{PATH}.{kind}{query}"), headers=asked, auto_decompress=False) as answer:
        return answer.status, await answer.read(), {name.lower(): value for name, value in answer.headers.items()}


def long_call(state: State, megabytes: int = 12) -> ScriptedCall:
    """A live call whose events do not fit into the kernel's buffers, also compressed."""
    script, chance = ScriptedCall(state), random.Random(1)
    for second in range(megabytes * 128):
        script.final(b64encode(chance.randbytes(6000)).decode(), start=float(second), end=second + 1.0)
    return script


@asynccontextmanager
async def asking(home: House, path: str, *headers: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Ask for a file through a socket with a small buffer, of which nothing is read yet."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.setblocking(False)
    await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", home.port))
    reader, writer = await asyncio.open_connection(sock=raw, limit=4096)
    writer.write("\r\n".join([f"GET {path} HTTP/1.1", "Host: 127.0.0.1", *headers, "", ""]).encode())
    try:
        while not home.state.streaming:
            await asyncio.sleep(0.01)
        yield reader, writer
    finally:
        writer.transport.abort()


async def rest(reader: asyncio.StreamReader) -> bytes:
    """Return the body of a chunked answer, as far as it comes."""
    body = b""
    await reader.readuntil(b"\r\n\r\n")
    while (size := int(await reader.readline() or b"0", 16)) > 0:
        body += (await reader.readexactly(size + 2))[:-2]
    return body


async def test_a_transcript_can_be_read_at_any_moment() -> None:
    async with house(on_block=talking) as home:
        twilio = await home.call(parameters={"from": "+1"})
        await follow(home)
        await talk(twilio, 0, 1000)
        during = await home.json("/calls")
        while not during["calls"][0]["utterances"]:
            during = await home.json("/calls")
        assert (during["calls"][0]["live"], during["calls"][0]["from"]) == (True, "+1")
        await talk(twilio, 1000, 2000)
        await twilio.send_str(stop())
        await closed(twilio)
        after = await home.json(f"{PATH}.json")
        assert (after["live"], after["reason"], len(after["utterances"])) == (False, "completed", 4)
        assert [each["offset"] for each in after["events"]] == list(range(1, after["offset"] + 1)), "all there is"
        assert after["events"][-1]["completeness"] == after["completeness"]
        assert [each["start"] for each in after["utterances"]] == sorted(each["start"] for each in after["utterances"])
        openings = {"txt": "Call CA", "srt": "1\n00:00:00,000 -->", "vtt": "WEBVTT\n", "csv": "\ufeffcallSid,"}
        assert set(openings) == set(FORMS) - {"json", "vcon.json"}
        for kind, opening in openings.items():
            status, body, headers = await got(home, kind)
            text = body.decode()
            assert status == 200
            assert text.startswith(opening)
            assert [text.count(each) for each in ("word 1", "call ended: completed, 00:02.0; complete")] == [2, 1]
            assert f"{CALL}.{kind}" in headers["content-disposition"]
            assert headers["content-type"] == FORMS[kind].media_type


@pytest.mark.parametrize("path", ["/calls/CA0", "/calls/CA0/transcript.txt", "/calls/CA0/transcript.doc", f"{PATH}.doc"])
async def test_a_call_or_file_that_does_not_exist_is_refused_in_a_sentence(path: str) -> None:
    async with house() as home:
        ScriptedCall(home.state)
        async with home.session.get(home.url(path)) as answer:
            assert answer.status == 404
            assert (await answer.json())["error"]["code"] == "not-found"


async def test_everything_is_one_json_object_in_which_no_name_comes_twice() -> None:
    async with house() as home:
        ScriptedCall(home.state).final("hello")
        names: list[str] = []
        json.loads((await got(home, "json"))[1], object_pairs_hook=lambda pairs: names.append(",".join(name for name, _ in pairs)))
        assert len(set(names[-1].split(","))) == len(names[-1].split(","))
        assert names[-1].endswith("after,until,whole,utterances,events")


async def test_events_in_a_file_are_the_bytes_that_subscribers_got() -> None:
    async with house() as home:
        script = ScriptedCall(home.state)
        script.final("zwei", start=5.0, end=6.0)
        script.final("eins", start=1.0, end=7.0)
        script.final("")
        payloads = script.record.topic.log.after(0)
        body = (await got(home, "json"))[1]
        assert body.endswith(b'"utterances":[%b],"events":[%b]}' % (b",".join([payloads[2], payloads[1]]), b",".join(payloads)))


async def test_a_range_has_its_events_and_their_utterances_only() -> None:
    async with house() as home:
        script = ScriptedCall(home.state)
        for second in range(10):
            script.final(f"words {second}", start=float(second), end=second + 1.0)
        script.lost()  # it has no time of its own: it stands where the call had come
        told: dict[str, Any] = json.loads((await got(home, "json", "?after=3&until=6"))[1])
        assert (told["after"], told["until"], told["whole"], told["offset"]) == (3, 6, True, 12)
        assert [each["offset"] for each in told["events"]] == [4, 5, 6]
        assert [each["text"] for each in told["utterances"]] == ["words 2", "words 3", "words 4"]
        text = (await got(home, "txt", "?after=10"))[1].decode()
        assert text.partition("\n\n")[2] == "[00:09.0] caller: words 9\n[00:10.0] — scripted lost: for a test\n"
        assert "a part of the record: events 11 to 12 of 12\n" in text
        assert "a part" not in (await got(home, "txt"))[1].decode()
        for query in ("?after=12", "?after=5&until=5"):
            told = json.loads((await got(home, "json", query))[1])
            assert (told["events"], told["utterances"]) == ([], [])


async def test_parts_of_a_live_call_that_follow_each_other_are_the_call() -> None:
    async with house() as home:
        script, events, position = ScriptedCall(home.state), list[Any](), "after=0"
        for second in range(5):
            script.final(f"words {second}")
            part = json.loads((await got(home, "json", f"?{position}"))[1])
            events += part["events"]
            position = f"after={part['until']}&epoch={part['epoch']}"
        assert events == json.loads((await got(home, "json"))[1])["events"]


@pytest.mark.parametrize(
    ("query", "status", "code", "words"),
    [
        ("after=-1", 400, "bad-request", "after must be an offset"),
        ("until=", 400, "bad-request", "until must be an offset"),
        ("after=1e3", 400, "bad-request", "after must be an offset"),
        ("after=٣", 400, "bad-request", "after must be an offset"),
        (f"until={10**30}", 400, "bad-request", "until must be an offset"),
        ("after=3", 400, "bad-request", "the newest event of this call is 2"),
        ("until=3", 400, "bad-request", "the newest event of this call is 2"),
        ("after=2&until=1", 400, "bad-request", "before after"),
        ("after=1&after=2", 400, "bad-request", "comes twice"),
        ("epoch=other&after=1", 410, "gone", "another epoch"),
    ],
)
async def test_a_range_that_makes_no_sense_is_refused_in_a_sentence(query: str, status: int, code: str, words: str) -> None:
    async with house() as home:
        ScriptedCall(home.state).final("hello")
        answered, body, _ = await got(home, "json", f"?{query}")
        error = json.loads(body)["error"]
        assert (answered, error["code"]) == (status, code)
        assert words in error["message"]


async def test_a_file_says_where_the_oldest_events_are_no_longer_kept() -> None:
    async with house() as home:
        script = ScriptedCall(home.state)
        for second in range(20):
            script.final(f"words {second}")
        script.record.topic.log._forget_oldest()
        told = json.loads((await got(home, "json"))[1])
        assert (told["after"], told["whole"], told["events"][0]["offset"], told["utterances"][0]["text"]) == (0, False, 3, "words 1")
        assert "events before 3 are no longer kept\n" in (await got(home, "txt"))[1].decode()
        assert json.loads((await got(home, "json", "?after=2"))[1])["whole"]
        script.record.topic.log.clear()
        told = json.loads((await got(home, "json"))[1])
        assert (told["whole"], told["events"]) == (False, [])


@pytest.mark.parametrize("kind", FORMS)
async def test_a_client_that_has_the_file_does_not_get_it_again(kind: str) -> None:
    async with house() as home:
        script = ScriptedCall(home.state)
        for _ in range(100):
            script.final("the same words again")
        seen: dict[str, str] = {}
        for query, accepts in (("", "identity"), ("?until=5", "identity"), ("?after=5", "identity"), ("", "gzip")):
            _, body, headers = await got(home, kind, query, Accept_Encoding=accepts)
            tag = headers["etag"]
            assert (tag.startswith('W/"'), headers.get("content-encoding")) == ((True, "gzip") if accepts == "gzip" else (False, None))
            assert seen.setdefault(tag, query) == query, "another range has another tag"
            status, nothing, again = await got(home, kind, query, Accept_Encoding=accepts, If_None_Match=f'"other", {tag}')
            assert (status, nothing, again["etag"]) == (304, b"", tag)
            assert (await got(home, kind, query, If_None_Match="*"))[0] == 304
            assert (await got(home, kind, query, If_None_Match='"other"'))[1]
            for name in ("cache-control", "vary", "x-content-type-options"):
                assert again[name] == headers[name]
        assert len({tag.removeprefix("W/") for tag in seen}) == 3
        script.final("one more")
        status, body, _ = await got(home, kind, If_None_Match=", ".join(seen))
        assert (status, b"one more" in body) == (200, True)


async def test_each_form_of_each_call_has_a_tag_of_its_own() -> None:
    async with house() as home:
        for call in (CALL, "CA2"):
            ScriptedCall(home.state, call)
        tags = set()
        for path in (PATH, "/calls/CA2/transcript"):
            for kind in FORMS:
                async with home.session.head(home.url(f"{path}.{kind}")) as answer:
                    assert (answer.status, await answer.read()) == (200, b"")
                    tags.add(answer.headers["ETag"])
        assert len(tags) == 2 * len(FORMS)


@pytest.mark.parametrize("kind", FORMS)
async def test_a_long_file_is_compressed_as_it_goes_and_is_the_same_file(kind: str) -> None:
    async with house() as home:
        script = ScriptedCall(home.state)
        for second in range(2000):
            script.final(f"the same words again, {second}", start=float(second), end=second + 1.0)
        _, plain, headers = await got(home, kind)
        assert (headers["transfer-encoding"], "content-length" in headers) == ("chunked", False)
        _, packed, headers = await got(home, kind, Accept_Encoding="gzip")
        assert (headers["content-encoding"], headers["transfer-encoding"]) == ("gzip", "chunked")
        assert gzip.decompress(packed) == plain
        assert plain.count(b"the same words again, 1999") == (2 if "json" in kind else 1)


async def test_a_client_of_http_1_0_gets_the_file_to_the_end_of_the_connection() -> None:
    async with house() as home:
        ScriptedCall(home.state).final("hello")
        reader, writer = await asyncio.open_connection("127.0.0.1", home.port)
        writer.write(f"GET {PATH}.txt HTTP/1.0\r\n\r\n".encode())
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        assert b"chunked" not in head
        assert body == (await got(home, "txt"))[1]


async def test_a_file_is_the_call_as_it_was_when_it_was_asked_for() -> None:
    """Also when the call goes on, ends and is forgotten while the file is sent."""
    async with house() as home:
        script = long_call(home.state)
        offset = script.offset
        async with asking(home, f"{PATH}.json") as (reader, _):
            script.final("too late")
            script.end()
            script.record.topic.log.clear()
            told = json.loads(await rest(reader))
        assert (told["offset"], told["until"], told["live"]) == (offset, offset, True)
        assert [each["offset"] for each in told["events"]] == list(range(1, offset + 1))
        assert len(told["utterances"]) == offset - 1


@pytest.mark.parametrize("kind", ["json", "txt"])
@pytest.mark.parametrize("packed", ["identity", "gzip"])
async def test_a_peer_that_stops_reading_is_cut_off_and_holds_nothing(kind: str, packed: str) -> None:
    async with house(limits=impatient(answer_seconds=0.5, look_seconds=0.05)) as home:
        long_call(home.state)
        async with asking(home, f"{PATH}.{kind}", f"Accept-Encoding: {packed}") as (_, writer):
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            while home.state.streaming:
                await asyncio.sleep(0.01)


async def test_a_peer_that_takes_a_little_now_and_then_is_cut_off_too() -> None:
    limits = impatient(streamed_seconds=0.5, streamed_bytes_per_second=1e9)
    async with house(limits=limits) as home:
        long_call(home.state)
        async with asking(home, f"{PATH}.json") as (reader, _):
            while home.state.streaming:
                await reader.read(4096)
                await asyncio.sleep(0.01)


async def test_a_peer_that_takes_its_time_is_not_taken_for_one_that_takes_nothing() -> None:
    """At each look as much waits for it as at the look before: the hub writes as fast as it takes."""
    async with house(limits=impatient(look_seconds=1000.0, answer_seconds=1009.0)) as home:
        long_call(home.state)
        async with asking(home, f"{PATH}.json") as (reader, writer):
            (connection,) = home.state.streaming
            now = time.monotonic()
            for _ in range(20):
                await reader.readexactly(1 << 18)
                now += 8.0
                connection.look(now)
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            while home.state.streaming:
                now += 8.0
                connection.look(now)
                await asyncio.sleep(0.01)


@pytest.fixture
def without_collector() -> Iterator[None]:
    """The garbage collector may come late."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("without_collector")
async def test_a_peer_that_goes_away_frees_everything() -> None:
    async with house() as home:
        payloads = long_call(home.state).record.topic.log._payloads
        for _ in range(5):
            async with asking(home, f"{PATH}.json", "Accept-Encoding: gzip") as (reader, _):
                await reader.readexactly(10_000)
            while home.state.streaming:
                await asyncio.sleep(0.01)
        while [each for each in gc.get_objects() if type(each) is list and each and each[0] is payloads[0] and each is not payloads]:
            await asyncio.sleep(0.1)


async def test_one_address_cannot_keep_the_others_from_their_files() -> None:
    async with house(limits=impatient(streamed_per_address=1), proxies="127.0.0.1") as home:
        long_call(home.state)
        async with asking(home, f"{PATH}.json", "X-Forwarded-For: 192.0.2.1"):
            assert (await got(home, "txt", X_Forwarded_For="192.0.2.1"))[0] == 429
            assert (await got(home, "txt", X_Forwarded_For="192.0.2.2"))[0] == 200


async def test_a_call_of_the_past_has_the_same_files_with_the_same_tags(tmp_path: Path) -> None:
    """After another start, read from the archive: a client that has a file does not get it again."""
    settings = {"archive": str(tmp_path / "calls.db")}
    files: dict[str, tuple[int, bytes, dict[str, str]]] = {}
    async with house(**settings) as home:
        script = ScriptedCall(home.state)
        script.final("hello", start=3.0, end=4.0)
        script.gap(1.0, 2.0)
        script.end()
        while script.record.topic.log.offset < script.record.topic.log.entered:
            await asyncio.sleep(0.01)
        for kind in FORMS:
            files[kind] = await got(home, kind)
    async with house(**settings) as home:
        assert home.state.registry.find(CALL) is None
        for kind, (_, body, headers) in files.items():
            status, again, now = await got(home, kind)
            assert (status, again, now["etag"]) == (200, body, headers["etag"])
            assert (await got(home, kind, If_None_Match=headers["etag"]))[0] == 304


async def test_while_too_many_files_are_sent_another_is_refused_and_the_tag_is_still_told() -> None:
    async with house(limits=impatient(streamed=1)) as home:
        long_call(home.state)
        async with asking(home, f"{PATH}.json") as (reader, _):
            status, body, headers = await got(home, "txt")
            assert (status, json.loads(body)["error"]["code"], headers["retry-after"]) == (429, "too-many", "5")
            assert (await got(home, "txt", method="HEAD"))[0] == 200
            assert (await got(home, "txt", If_None_Match="*"))[0] == 304
            await rest(reader)
        while home.state.streaming:
            await asyncio.sleep(0.01)
        assert (await got(home, "txt"))[0] == 200


async def test_many_files_at_once_are_all_whole() -> None:
    async with house() as home, asyncio.TaskGroup() as group:
        script = ScriptedCall(home.state)
        for second in range(500):
            script.final(f"words {second}", start=float(second), end=second + 1.0)
        asked = [group.create_task(got(home, kind, Accept_Encoding=accepts)) for kind in FORMS for accepts in ("gzip", "identity") * 2]
        bodies = [(await each)[1] for each in asked]
        assert len({gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body for body in bodies}) == len(FORMS)


async def test_a_writer_that_fails_is_not_taken_for_the_end_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> Iterator[bytes]:
        yield b"a beginning" * 10_000
        yield b"and more" * 20_000
        raise RuntimeError("for a test")

    monkeypatch.setitem(FORMS, "txt", replace(FORMS["txt"], write=broken))
    async with house() as home:
        ScriptedCall(home.state)
        with pytest.raises(aiohttp.ClientPayloadError):
            await got(home, "txt")
        assert not home.state.streaming
