"""Each door and each kind of token: what is answered to whom."""

from pathlib import Path

import pytest

from hub.tokens import Right, mint_stream
from tests.archive.made import seal_all, write_ended
from tests.house import House
from tests.media import CALL
from tests.publishing import FROM, ScriptedCall
from tests.upkeep.kept import ask, bearer, ended, keeping
from tests.web.watchers import OTHER, SECRET, connect, until

LIVE, RECENT, OLD = CALL, OTHER, "CA" + "4" * 32
RIGHTS: list[tuple[Right, ...]] = [(), ("archive",), ("audio",), ("erase",), ("audit",), ("archive", "audio", "erase", "audit")]
"""Every right alone, none, and all."""

ENCODED = FROM.replace("+", "%2B")

DOORS: list[tuple[str, str, dict[str, Right | None]]] = [
    ("GET", "/calls/{call}", {LIVE: None, RECENT: None, OLD: "archive"}),
    ("GET", "/calls/{call}/transcript.json", {LIVE: None, RECENT: None, OLD: "archive"}),
    ("GET", "/calls/{call}/transcript.csv", {LIVE: None, RECENT: None, OLD: "archive"}),
    ("GET", "/calls/{call}/hold", {RECENT: "erase", OLD: "erase"}),
    ("PUT", "/calls/{call}/hold", {RECENT: "erase", OLD: "erase"}),
    ("DELETE", "/calls/{call}/hold", {RECENT: "erase", OLD: "erase"}),
    ("GET", "/audit", {"": "audit"}),
    ("GET", "/calls", {"": None}),
    ("GET", "/calls?q=morning", {"": None}),
]
"""Doors, and the right that each of the calls needs there. None: a token is enough."""


async def three_calls(home: House) -> None:
    """Let there be a call that is live, one that has just ended, and one that ended long before HUB_KEEP_MINUTES."""
    assert home.state.archive is not None
    write_ended(home.state.archive.archive, OLD, "good morning", at=1.0, from_=FROM)
    seal_all(home.state.archive.archive)
    await ended(home, RECENT)
    ScriptedCall(home.state, LIVE)


@pytest.mark.parametrize("rights", RIGHTS, ids=lambda rights: "+".join(rights) or "none")
async def test_each_door_asks_for_its_right_and_for_no_other(rights: tuple[Right, ...], tmp_path: Path) -> None:
    async with keeping(tmp_path) as home:
        await three_calls(home)
        for method, door, calls in DOORS:
            for call, needed in calls.items():
                status, answer = await ask(home, method, door.format(call=call), bearer(*rights))
                refused = 404 if needed == "archive" else 403
                assert status == (200 if needed is None or needed in rights else refused), (method, door, call, answer)
                assert (await ask(home, method, door.format(call=call)))[0] == 401
                if call:
                    assert (await ask(home, method, door.format(call=call), bearer(*rights, calls=("CA0",))))[0] in {403, 404}


@pytest.mark.parametrize("rights", RIGHTS, ids=lambda rights: "+".join(rights) or "none")
async def test_the_list_the_search_and_subscriptions_show_old_calls_with_the_right_to_the_archive_only(
    rights: tuple[Right, ...], tmp_path: Path
) -> None:
    async with keeping(tmp_path) as home:
        await three_calls(home)
        shown = {LIVE, RECENT, OLD} if "archive" in rights else {LIVE, RECENT}
        for query, expected in (("", shown), (f"?number={ENCODED}", shown), ("?q=morning", shown - {LIVE})):
            _, answer = await ask(home, "GET", f"/calls{query}", bearer(*rights))
            assert {call["callSid"] for call in answer["calls"]} == expected, query
        socket = await connect(home, bearer(*rights)["Authorization"].removeprefix("Bearer "))
        for call in (LIVE, RECENT, OLD):
            await socket.send_json({"action": "subscribe", "callSid": call})
            if call in shown:
                assert (await until(socket, "subscribed"))["callSid"] == call
            else:
                assert (await until(socket, "error"))["code"] == "unknown-call"


async def test_sound_needs_the_right_to_audio(tmp_path: Path) -> None:
    async with keeping(tmp_path) as home:
        await three_calls(home)
        doors = [("GET", "", RECENT, 404), ("GET", "", LIVE, 404), ("POST", "/pause", LIVE, 409), ("POST", "/resume", LIVE, 409)]
        for method, end, call, allowed in doors:
            for rights in RIGHTS:
                status, answer = await ask(home, method, f"/calls/{call}/recording{end}", bearer(*rights))
                assert status == (allowed if "audio" in rights else 403), (method, end, rights, answer)
            assert (await ask(home, method, f"/calls/{call}/recording{end}", bearer("audio", calls=("CA0",))))[0] == 404
        assert (await ask(home, "GET", f"/calls/{OLD}/recording", bearer("audio")))[0] == 404


async def test_a_stream_s_token_opens_no_door(tmp_path: Path) -> None:
    async with keeping(tmp_path) as home:
        await ended(home, RECENT)
        stream = {"Authorization": f"Bearer {mint_stream(SECRET, None, 3600)}"}
        for method, door, _ in DOORS:
            assert (await ask(home, method, door.format(call=RECENT), stream))[0] == 401
        assert (await ask(home, "DELETE", f"/calls/{RECENT}", stream))[0] == 401
