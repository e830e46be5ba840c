"""`GET /audit`: who may read it, what is in it, and how it is paged and filtered."""

from pathlib import Path

import pytest

from hub.archive.chain import Verification
from hub.upkeep.running import row_of
from tests.house import house
from tests.media import CALL
from tests.publishing import FROM
from tests.upkeep.kept import ask, bearer, ended, keeping
from tests.web.watchers import OTHER, connect, until


async def test_what_was_done_is_in_order_with_who_and_which_call_and_fits_together(tmp_path: Path) -> None:
    async with keeping(tmp_path) as home:
        await ended(home, CALL)
        socket = await connect(home, bearer(name="bob")["Authorization"].removeprefix("Bearer "))
        await socket.send_json({"action": "subscribe", "callSid": CALL})
        await until(socket, "subscribed")
        await ask(home, "GET", f"/calls/{CALL}/transcript.txt", bearer(name="carol"))
        await ask(home, "DELETE", f"/calls/{CALL}", bearer("erase"))
        status, answer = await ask(home, "GET", "/audit", bearer("audit", name="dave"))
        assert status == 200
        assert [(row["subject"], row["action"], row["callSid"]) for row in answer["rows"]] == [
            ("bob", "replay", CALL), ("carol", "export", CALL), ("alice", "erase", CALL), ("dave", "audit", ""),
        ]  # fmt: skip
        assert answer["next"] is None
        found = Verification()
        assert found.read(map(row_of, answer["rows"])), found.problem


async def test_words_and_numbers_are_in_no_row(tmp_path: Path) -> None:
    async with keeping(tmp_path) as home:
        await ended(home, CALL, "quetzalcanary")
        for path in (f"/calls?q=quetzalcanary&number={FROM.replace('+', '%2B')}", f"/calls/{CALL}/transcript.vtt"):
            assert (await ask(home, "GET", path, bearer("archive")))[0] == 200
        await ask(home, "DELETE", f"/calls?number={FROM.replace('+', '%2B')}", bearer("erase"))
        _, answer = await ask(home, "GET", "/audit", bearer("audit"))
        assert [row["action"] for row in answer["rows"]] == ["search", "export", "erase", "audit"]
        assert answer["rows"][0]["detail"] == "q, number"
        assert answer["rows"][2]["detail"] == "by a number"
        assert "quetzal" not in str(answer)
        assert FROM.removeprefix("+") not in str(answer)


async def test_rows_are_paged_and_filtered(tmp_path: Path) -> None:
    async with keeping(tmp_path) as home:
        for subject, call in (("alice", CALL), ("bob", OTHER), ("alice", OTHER)):
            home.state.access_log.note(subject, "watch", call)
        await home.state.access_log.stored()
        right = bearer("audit", name="dave")

        async def read(query: str) -> tuple[list[int], str | None]:
            status, answer = await ask(home, "GET", f"/audit?{query}", right)
            assert status == 200, answer
            return [row["id"] for row in answer["rows"]], answer["next"]

        assert await read("limit=2") == ([1, 2], "2")
        assert await read("limit=2&after=2&action=watch") == ([3], None)
        assert await read("subject=alice") == ([1, 3], None)
        assert await read(f"call={OTHER}&subject=bob") == ([2], None)
        assert await read("from=2999-01-01") == ([], None)
        assert (await read("to=2999-01-01T00:00:00Z&limit=1"))[0] == [1]
        assert await read("to=2000-01-01") == ([], None)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", "after=-1", "after=x", "action=steal", "from=yesterday", "to=", "who=alice"]
)
async def test_a_query_that_makes_no_sense_is_refused(query: str, tmp_path: Path) -> None:
    async with keeping(tmp_path) as home:
        status, answer = await ask(home, "GET", f"/audit?{query}", bearer("audit"))
        assert (status, answer["error"]["code"]) == (400, "bad-request")


async def test_only_the_right_to_audit_lets_read_it(tmp_path: Path) -> None:
    async with keeping(tmp_path) as home:
        assert (await ask(home, "GET", "/audit"))[0] == 401
        assert (await ask(home, "GET", "/audit", bearer("archive", "audio", "erase")))[0] == 403
        assert (await ask(home, "GET", "/audit", bearer("audit", calls=(CALL,))))[0] == 200
    async with keeping(tmp_path / "..", secret="", archive=str(tmp_path / "open.db")) as home:
        assert (await ask(home, "GET", "/audit"))[1]["rows"][0]["subject"] == "open hub"


async def test_a_hub_without_an_archive_says_that_it_notes_nothing() -> None:
    async with house() as home:
        status, answer = await ask(home, "GET", "/audit")
        assert (status, answer["error"]["code"]) == (409, "no-archive")
