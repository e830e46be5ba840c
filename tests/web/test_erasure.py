"""Erasing and holding calls over HTTP: who may, what goes, what stays, and what everyone hears of it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from hub.archive.archive import AccessFilter
from hub.archive.threads import ArchiveThreads
from hub.calls.recall import Recall
from hub.tokens import OPEN
from tests.house import House, house
from tests.media import CALL
from tests.publishing import FROM, TO, ScriptedCall
from tests.upkeep.kept import ask, bearer, ended, everything, keeping
from tests.web.watchers import OTHER, THIRD, connect, token, until

WORD = "quetzalcanary"


async def rows(home: House) -> list[tuple[str, str, str]]:
    assert home.state.archive is not None
    found = home.state.archive.archive.audit(0, 100, AccessFilter())
    return [(row.access.subject, row.access.action, row.access.call_sid) for row in found]


async def test_an_erased_call_is_gone_everywhere_and_its_tombstone_says_so(tmp_path: Path) -> None:
    async with keeping(tmp_path) as home:
        await ended(home, CALL, WORD, from_="+14155559876")
        await ended(home, OTHER, "something else")
        assert any(WORD.encode() in content for content in everything(tmp_path).values())
        status, answer = await ask(home, "DELETE", f"/calls/{CALL}", bearer("erase"))
        assert (status, answer) == (200, {"erased": [CALL], "kept": [], "recordings": []})
        assert home.state.registry.find(CALL) is None
        status, answer = await ask(home, "GET", f"/calls/{CALL}", bearer("archive"))
        assert (status, answer["error"]["code"]) == (410, "erased")
        assert "this call was erased" in answer["error"]["message"]
        assert (await ask(home, "GET", f"/calls/{CALL}/transcript.txt", bearer()))[0] == 410
        assert (await ask(home, "GET", f"/calls/{CALL}", bearer(calls=(OTHER,))))[0] == 404
        assert (await ask(home, "GET", f"/calls/{OTHER}", bearer()))[0] == 200
        assert (await ask(home, "DELETE", f"/calls/{CALL}", bearer("erase")))[0] == 410
        socket = await connect(home, token())
        await socket.send_json({"action": "subscribe", "callSid": CALL})
        assert (await until(socket, "error"))["code"] == "erased"
        left = everything(tmp_path)
        assert not [path for path, content in left.items() if WORD.encode() in content or b"4155559876" in content]
        assert ("alice", "erase", CALL) in await rows(home)


async def test_a_call_that_has_just_ended_is_erased_once_its_end_is_stored(tmp_path: Path) -> None:
    async with keeping(tmp_path) as home:
        call = ScriptedCall(home.state)
        call.end()
        assert call.record.unstored
        assert await ask(home, "DELETE", f"/calls/{CALL}", bearer("erase")) == (200, {"erased": [CALL], "kept": [], "recordings": []})


async def test_those_who_follow_the_list_of_calls_they_may_see_are_told(tmp_path: Path) -> None:
    async with keeping(tmp_path) as home:
        await ended(home, CALL, WORD)
        await ended(home, OTHER, "something else")
        all_of_them, other_only = await connect(home, token()), await connect(home, token(OTHER))
        for socket in (all_of_them, other_only):
            await socket.send_json({"action": "subscribe", "calls": "all"})
            await until(socket, "calls")
        await ask(home, "DELETE", f"/calls/{CALL}", bearer("erase"))
        assert (await until(all_of_them, "error"))["callSid"] == CALL
        await other_only.send_json({"action": "ping"})
        assert (await other_only.receive_json())["type"] == "pong", "nobody learns of calls that they may not see"


async def test_subscribers_who_read_the_call_are_told_and_get_nothing_more(tmp_path: Path) -> None:
    async with keeping(tmp_path) as home:
        await ended(home, CALL, WORD)
        socket = await connect(home, token())
        await socket.send_json({"action": "subscribe", "callSid": CALL})
        assert (await until(socket, "call-ended"))["callSid"] == CALL
        await ask(home, "DELETE", f"/calls/{CALL}", bearer("erase"))
        told = await until(socket, "error")
        assert (told["code"], told["callSid"]) == ("erased", CALL)
        await socket.send_json({"action": "ping"})
        assert (await socket.receive_json())["type"] == "pong"


async def test_live_and_held_calls_are_not_erased_and_the_answer_says_why(tmp_path: Path) -> None:
    async with keeping(tmp_path) as home:
        live = ScriptedCall(home.state, CALL)
        await ended(home, OTHER)
        await ended(home, THIRD)
        assert await ask(home, "PUT", f"/calls/{OTHER}/hold", bearer("erase")) == (200, {"callSid": OTHER, "held": True})
        assert await ask(home, "GET", f"/calls/{OTHER}/hold", bearer("erase")) == (200, {"callSid": OTHER, "held": True})
        for call, why in ((CALL, "it is live"), (OTHER, "under a legal hold")):
            status, answer = await ask(home, "DELETE", f"/calls/{call}", bearer("erase"))
            assert (status, answer["error"]["code"]) == (409, "not-erased")
            assert why in answer["error"]["message"]
        status, answer = await ask(home, "DELETE", f"/calls?number={TO}", bearer("erase"))
        assert (status, answer["erased"]) == (200, [THIRD])
        assert {each["callSid"]: each["reason"].split(":")[0] for each in answer["kept"]} == {
            CALL: "it is live", OTHER: "it is under a legal hold",
        }  # fmt: skip
        assert await ask(home, "DELETE", f"/calls/{OTHER}/hold", bearer("erase")) == (200, {"callSid": OTHER, "held": False})
        assert (await ask(home, "DELETE", f"/calls/{OTHER}", bearer("erase")))[0] == 200
        live.end()
        assert [each[1:] for each in await rows(home) if each[1] != "list"] == [
            ("hold", OTHER), ("erase", THIRD), ("release", OTHER), ("erase", OTHER),
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", f"/calls/{CALL}"),
        ("DELETE", f"/calls?number={FROM}"),
        ("PUT", f"/calls/{CALL}/hold"),
        ("DELETE", f"/calls/{CALL}/hold"),
        ("GET", f"/calls/{CALL}/hold"),
    ],
)
async def test_only_the_right_to_erase_lets_erase_and_hold_and_only_what_the_token_names(method: str, path: str, tmp_path: Path) -> None:
    async with keeping(tmp_path) as home:
        await ended(home, CALL)
        for headers, expected in (
            ({}, 401),
            (bearer(), 403),
            (bearer("archive", "audio", "audit"), 403),
            (bearer("erase", calls=(OTHER,)), 403 if "number" in path else 404),
            (bearer("erase", calls=(CALL, FROM)), 200),
        ):
            status, answer = await ask(home, method, path, headers)
            assert status == expected, answer
        assert (await ask(home, method, "/calls/CA-unknown" + path[len(CALL) + 7 :], bearer("erase")))[0] in {404, 400}


@pytest.mark.parametrize("query", ["", "?number=", "?number=anonymous", "?number=4155550100", "?q=x", f"?number={FROM}&number={TO}"])
async def test_without_a_number_nothing_is_erased(query: str, tmp_path: Path) -> None:
    async with keeping(tmp_path) as home:
        await ended(home, CALL)
        status, answer = await ask(home, "DELETE", f"/calls{query}", bearer("erase"))
        assert (status, answer["error"]["code"]) == (400, "bad-request")
        assert home.state.registry.find(CALL) is not None


async def test_a_call_that_is_long_over_is_erased_also_while_it_is_being_read(tmp_path: Path) -> None:
    async with keeping(tmp_path, keep_minutes=0.0) as home:
        await ended(home, CALL, WORD)
        home.state.registry.expire()
        assert home.state.registry.find(CALL) is None
        socket = await connect(home, bearer("archive")["Authorization"].removeprefix("Bearer "))
        await socket.send_json({"action": "subscribe", "callSid": CALL})
        await until(socket, "call-ended")
        assert home.state.registry.find(CALL) is not None
        assert (await ask(home, "DELETE", f"/calls/{CALL}", bearer("erase")))[0] == 200, "also without the right to read it"
        assert (await until(socket, "error"))["code"] == "erased"
        assert home.state.registry.find(CALL) is None


class Interrupted:
    """The archive's threads, in which something happens between two readings. Implements `hub.calls.recall.Reader`."""

    def __init__(self, threads: ArchiveThreads, between: Callable[[], Awaitable[object]]) -> None:
        self.archive = threads.archive
        self.threads = threads
        self.between: Callable[[], Awaitable[object]] | None = between

    async def read(self, function: Callable[..., Any], *arguments: Any) -> Any:
        result = await self.threads.read(function, *arguments)
        if isinstance(result, tuple) and self.between is not None:  # a call with its events
            between, self.between = self.between, None
            await between()
        return result


async def test_a_call_that_is_erased_while_it_is_read_does_not_come_back_to_memory(tmp_path: Path) -> None:
    async with keeping(tmp_path, keep_minutes=0.0) as home:
        await ended(home, CALL, WORD)
        home.state.registry.expire()
        assert home.state.archive is not None
        reader = Interrupted(home.state.archive, lambda: home.state.erasure.one(CALL, "alice"))
        recall = Recall(home.state.registry, reader, 3600.0)
        assert await recall.find(OPEN, CALL) is None
        assert reader.between is None
        assert home.state.registry.find(CALL) is None


async def test_a_hub_without_an_archive_erases_from_memory_and_holds_nothing() -> None:
    async with house() as home:
        script = ScriptedCall(home.state, CALL)
        script.final(WORD)
        assert (await ask(home, "DELETE", f"/calls/{CALL}"))[0] == 409
        script.end()
        status, answer = await ask(home, "PUT", f"/calls/{CALL}/hold")
        assert (status, answer["error"]["code"]) == (409, "no-archive")
        assert (await ask(home, "DELETE", f"/calls/{CALL}"))[1]["erased"] == [CALL]
        assert (await ask(home, "GET", f"/calls/{CALL}"))[0] == 404


@pytest.mark.parametrize("settings", [{"host": "0.0.0.0", "open": True}, {"open": True}, {"public_url": "https://hub.example.com"}])
async def test_nobody_erases_on_an_open_hub_that_others_can_reach(settings: dict[str, Any]) -> None:
    async with house(**settings) as home:
        ScriptedCall(home.state, CALL).end()
        status, answer = await ask(home, "DELETE", f"/calls/{CALL}")
        assert (status, answer["error"]["code"]) == (403, "not-allowed")
        assert "HUB_SECRET" in answer["error"]["message"]


@pytest.mark.parametrize(("origin", "status"), [("https://desk.example.com", 403), ("http://127.0.0.1:{port}", 200)])
async def test_a_page_of_another_origin_erases_nothing_on_a_hub_without_tokens(origin: str, status: int) -> None:
    async with house(origins="https://desk.example.com") as home:
        ScriptedCall(home.state, CALL).end()
        headers = {"Origin": origin.format(port=home.port)}
        assert (await ask(home, "GET", f"/calls/{CALL}", headers))[0] == 200
        assert (await ask(home, "DELETE", f"/calls/{CALL}", headers))[0] == status


async def test_a_file_that_is_being_sent_is_cut_off_when_its_call_is_erased() -> None:
    async with house() as home:
        script = ScriptedCall(home.state, CALL)
        for _ in range(1500):
            script.final(WORD + " word" * 400)
        script.end()
        reader, writer = await asyncio.open_connection("127.0.0.1", home.port, limit=4096)
        writer.write(f"GET /calls/{CALL}/transcript.txt HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
        assert (await ask(home, "DELETE", f"/calls/{CALL}"))[0] == 200
        rest = b""
        with suppress(ConnectionError):
            rest = await reader.read(-1)
        writer.close()
        assert not rest.endswith(b"\r\n0\r\n\r\n"), "the file came to its end"
