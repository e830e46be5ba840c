"""`GET /calls` over memory and archive: one list, one search, each call once."""

import asyncio
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from hub.archive.archive import Archive
from hub.archive.opening import open_archive
from hub.tokens import mint
from hub.web.doors.archived_calls import PORTION
from hub.web.doors.call_list import SEARCHED_UTTERANCES
from tests.archive.made import seal_all, write_ended
from tests.house import House, house
from tests.publishing import FROM, ScriptedCall
from tests.upkeep.kept import away
from tests.web.watchers import SECRET

BLUE_CAR = quote('"blue car"')

LONG_AGO = time.time() - 30 * 86400.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.db"


@pytest.fixture
def archive(path: Path) -> Iterator[Archive]:
    """An archive to fill; `filled` closes it, so that a hub can open it."""
    opened = open_archive(str(path))
    yield opened
    opened.close()


def filled(archive: Archive) -> None:
    """Seal what was written, and let go of it."""
    seal_all(archive)
    archive.close()


async def pages(home: House, query: str = "", token: str = "") -> tuple[list[str], list[int]]:
    """Return the callSids of all pages, and how many calls each page had."""
    found: list[str] = []
    lengths: list[int] = []
    after: str | None = ""
    while after is not None:
        told = await listed(home, f"{query}&after={after}" if after else query, token)
        found += [call["callSid"] for call in told["calls"]]
        lengths.append(len(told["calls"]))
        after = told["next"]
    return found, lengths


async def listed(home: House, query: str = "", token: str = "") -> Any:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with home.session.get(home.url(f"/calls?{query}"), headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def test_live_calls_and_those_of_last_month_are_one_list(archive: Archive, path: Path) -> None:
    for at in range(25):
        write_ended(archive, f"CA{at:02d}", "a refund" if at % 2 else "hello", at=LONG_AGO + at)
    filled(archive)
    async with house(archive=str(path)) as home:
        ended, _ = ScriptedCall(home.state, "CA50"), ScriptedCall(home.state, "CA51")
        ended.final("a refund at once")
        ended.end()
        everything = ["CA51", "CA50", *(f"CA{at:02d}" for at in range(24, -1, -1))]
        await stored(home)
        for limit in (1, 2, 7, 26, 27, 28):
            found, lengths = await pages(home, f"limit={limit}")
            assert found == everything
            assert all(lengths), "no page is empty"
        found, _ = await pages(home, "q=refund&limit=5")
        assert found == ["CA50", *(f"CA{at:02d}" for at in range(23, 0, -2))]
        assert (await pages(home, f"q=refund&to={quote('2020-01-01')}"))[0] == []
        assert (await listed(home, "q=refund&limit=1&live=false"))["calls"][0]["found"][0]["matches"] == [[2, 6]]


async def stored(home: House) -> None:
    """Wait until all calls in memory are in the archive as well, with their rows."""
    keeper = home.state.past.keeper
    assert keeper is not None
    while keeper.unstored:
        await asyncio.sleep(0.005)


async def test_a_page_is_filled_although_candidates_fall_out_of_it(archive: Archive, path: Path) -> None:
    for at in range(3 * PORTION):  # the index finds the words of each, and only some have them side by side
        write_ended(archive, f"CA{at:03d}", "blue car" if at % 50 == 0 else "car, blue", at=LONG_AGO + at)
    filled(archive)
    async with house(archive=str(path)) as home:
        told = await listed(home, f"limit=3&q={BLUE_CAR}")
        assert [call["callSid"] for call in told["calls"]] == ["CA150", "CA100", "CA050"]
        assert (await pages(home, f"limit=3&q={BLUE_CAR}"))[0] == ["CA150", "CA100", "CA050", "CA000"]


async def test_a_search_reads_so_much_and_no_more_for_a_page(archive: Archive, path: Path) -> None:
    each = SEARCHED_UTTERANCES // 10
    for at in range(25):
        write_ended(archive, f"CA{at:02d}", *(["car, blue"] * (each - 1)), "blue car" if at == 2 else "car", at=LONG_AGO + at)
    filled(archive)
    async with house(archive=str(path)) as home:
        assert await pages(home, f"q={BLUE_CAR}") == (["CA02"], [0, 0, 1])


async def test_a_token_without_the_right_to_the_archive_sees_what_ended_a_short_while_ago(archive: Archive, path: Path) -> None:
    write_ended(archive, "CA1", "a refund", at=LONG_AGO, from_=FROM)
    write_ended(archive, "CA2", "a refund", at=time.time() - 1000.0, from_=FROM)
    write_ended(archive, "CA3", "a refund", at=time.time() - 900.0, from_="+4930123456")
    filled(archive)
    async with house(archive=str(path), secret=SECRET) as home:
        ScriptedCall(home.state, "CA4").final("a refund")
        for query in ("", "q=refund", f"number={FROM}"):
            assert (await pages(home, query, mint(SECRET, [FROM], 600)))[0] == ["CA4", "CA2"]
            assert (await pages(home, query, mint(SECRET, [FROM], 600, rights=["archive"])))[0] == ["CA4", "CA2", "CA1"]
            assert (await pages(home, query, mint(SECRET, ["CA3"], 600, rights=["archive"])))[0] == ([] if "number" in query else ["CA3"])


async def test_an_ended_call_is_found_by_its_words_at_any_time(path: Path) -> None:
    """In memory, and from then on when it is forgotten there: it is sealed before."""
    async with house(archive=str(path), keep_minutes=0.0) as home:
        call = ScriptedCall(home.state, "CA1")
        call.final("a refund")
        call.end()
        while home.state.registry.find("CA1") is not None:
            assert (await pages(home, "q=refund"))[0] == ["CA1"]
            home.state.registry.expire()
        assert (await pages(home, "q=refund"))[0] == ["CA1"]


async def test_pages_have_each_call_once_while_calls_begin_end_and_are_forgotten(archive: Archive, path: Path) -> None:
    chance = random.Random(2)
    for at in range(30):
        write_ended(archive, f"CA{at:02d}", "a refund", at=LONG_AGO + at)
    filled(archive)
    async with house(archive=str(path), keep_minutes=0.0) as home:
        calls = [ScriptedCall(home.state, f"CA{at}") for at in range(30, 50)]
        everything = [f"CA{at:02d}" for at in range(49, -1, -1)]
        for query in ("limit=4", "limit=4&q=callee"):
            found: list[str] = []
            after = ""
            while True:
                told = await listed(home, query + after)
                found += [call["callSid"] for call in told["calls"]]
                if told["next"] is None:
                    break
                after = f"&after={told['next']}"
                if chance.random() < 0.5 and calls:
                    calls.pop(chance.randrange(len(calls))).end()
                ScriptedCall(home.state, f"CAnew{chance.random()}")
                home.state.registry.expire()
            assert found == [*(sid for sid in found if "new" in sid), *everything]


async def test_an_archive_that_is_away_is_told_in_a_sentence(archive: Archive, path: Path) -> None:
    filled(archive)
    async with house(archive=str(path)) as home:
        with away(home, path):
            async with home.session.get(home.url("/calls?limit=3")) as answer:
                assert answer.status == 503
                assert (await answer.json())["error"]["code"] == "archive"
