"""`GET /events`: all calls in one stream, and what a position over all of them holds."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hub.events import RecordingStored
from hub.web.doors import all_calls, bringing
from tests.cluster.pairs import pair_of_hubs, until
from tests.house import House, house
from tests.media import CALL
from tests.publishing import ScriptedCall
from tests.upkeep.kept import bearer, ended, keeping, stored
from tests.web.readers import Block, Blocks, streamed
from tests.web.watchers import OTHER, SECRET, THIRD


def brief(blocks: list[Block]) -> list[tuple[str, str, int | None]]:
    return [(block.data["type"], block.data.get("callSid", ""), block.data.get("offset")) for block in blocks]


async def came_back(home: House, stream: Blocks, kind: str, **headers: str) -> list[tuple[str, str, int | None]]:
    """Come back with the newest position, and return what comes up to an event of a type."""
    async with streamed(home, "/events", stream.last_id, **headers) as again:
        found = brief(await again.until(kind))
        stream.last_id = again.last_id
        return found


def sound(call: ScriptedCall) -> None:
    """Let something be published after the end of a call."""
    call.publish(RecordingStored(call_sid=call.call, seconds=1.0, media_type="audio/flac", size=1, sha256="0" * 64))


async def test_live_calls_come_from_their_start_and_those_that_begin_as_they_begin() -> None:
    async with house() as home:
        ScriptedCall(home.state, THIRD).end()
        call = ScriptedCall(home.state)
        call.final("before")
        async with streamed(home, "/events?interims=false") as stream:
            assert brief(await stream.until("final")) == [
                ("watching", "", None), ("subscribed", CALL, 0), ("call-started", CALL, 1), ("final", CALL, 2),
            ]  # fmt: skip
            other = ScriptedCall(home.state, OTHER)
            call.interim("not wanted")
            other.final("words")
            other.end()
            assert brief(await stream.until("call-ended")) == [
                ("subscribed", OTHER, 0), ("call-started", OTHER, 1), ("final", OTHER, 2), ("call-ended", OTHER, 3),
            ]  # fmt: skip


async def test_what_began_and_ended_meanwhile_is_told_and_what_was_told_is_not() -> None:
    async with house() as home:
        call, over = ScriptedCall(home.state), ScriptedCall(home.state, THIRD)
        over.end()
        ended_at = home.state.registry.wall()
        while home.state.registry.wall() <= ended_at + 2 * all_calls.JUST_BEFORE_SECONDS:
            pass
        async with streamed(home, "/events") as stream:
            await stream.until("call-started")
        call.final("away")
        call.end()
        ScriptedCall(home.state, OTHER).end()
        async with streamed(home, "/events", stream.last_id) as again:
            blocks = [*await again.until("call-ended"), *await again.until("call-ended")]
            stream.last_id = again.last_id
        assert blocks[0].data["whole"]
        assert sorted(brief(blocks)) == sorted([
            ("watching", "", None), ("subscribed", CALL, 1), ("final", CALL, 2), ("call-ended", CALL, 3),
            ("subscribed", OTHER, 0), ("call-started", OTHER, 1), ("call-ended", OTHER, 2),
        ])  # fmt: skip
        ScriptedCall(home.state, OTHER)  # it goes on
        assert await came_back(home, stream, "call-started") == [
            ("watching", "", None), ("subscribed", OTHER, 2), ("call-started", OTHER, 3),
        ]  # fmt: skip


async def test_a_call_that_said_nothing_for_a_while_leaves_the_position_and_its_next_event_is_told_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(all_calls, "MARGIN_SECONDS", 0.0)
    async with house() as home:
        quiet, over, call = ScriptedCall(home.state, OTHER), ScriptedCall(home.state, THIRD), ScriptedCall(home.state)
        async with streamed(home, "/events") as stream:
            for _ in range(3):
                await stream.until("call-started")
            over.end()
            await stream.until("call-ended")
            call.final("words")
            await stream.until("final")
            call.final("more words")
            await stream.until("final")
        assert over.record.topic.log.epoch not in stream.last_id
        assert quiet.record.topic.log.epoch not in stream.last_id
        while home.state.registry.now() <= stream.last_id.partition(",")[0]:
            pass
        sound(over)
        quiet.final("at last")
        async with streamed(home, "/events", stream.last_id) as again:
            blocks = brief([*await again.until("final"), *await again.until("recording-stored")])
        assert [each for each in blocks if each[1] == OTHER] == [("subscribed", OTHER, 1), ("final", OTHER, 2)]
        assert [each for each in blocks if each[1] == THIRD] == [("subscribed", THIRD, 2), ("recording-stored", THIRD, 3)]


async def test_a_call_that_is_over_stays_in_the_position_of_who_comes_back_until_the_moment_is_as_late() -> None:
    async with house() as home:
        began, registry = time.time(), home.state.registry

        async def read(after: str, seconds: float) -> tuple[list[tuple[str, str, int | None]], str]:
            """Come back so many seconds after the start, let the call that goes on say something, and go when that came."""
            registry.wall = lambda: began + seconds
            async with streamed(home, "/events", after) as stream:
                await stream.until("subscribed")
                call.final("words")
                return brief(await stream.until("final")), stream.last_id

        call, over = ScriptedCall(home.state), ScriptedCall(home.state, OTHER)
        over.end()
        async with streamed(home, f"/events?after={datetime.fromtimestamp(began - 60, UTC):%Y-%m-%dT%H:%M:%S}Z") as stream:
            await stream.until("call-ended")
        position = stream.last_id
        for seconds in (5, 30, 50):
            told, position = await read(position, seconds)
            assert {call_sid for _, call_sid, _ in told} == {CALL}, "what was read of the other one comes again"
            assert over.record.topic.log.epoch in position
        told, position = await read(position, 70)
        assert over.record.topic.log.epoch not in position, "it is named for ever"
        told, position = await read(position, 80)
        assert {call_sid for _, call_sid, _ in told} == {CALL}


async def test_what_comes_after_the_end_of_a_call_is_told() -> None:
    async with house() as home:
        call = ScriptedCall(home.state)
        async with streamed(home, "/events") as stream:
            call.end()
            await stream.until("call-ended")
            sound(call)
            assert brief(await stream.until("recording-stored")) == [("recording-stored", CALL, 3)]


async def test_a_bare_moment_is_where_to_begin() -> None:
    async with house() as home:
        before = ScriptedCall(home.state, OTHER)
        before.end()
        moment = home.state.registry.now()
        while home.state.registry.now() <= moment:
            pass
        ScriptedCall(home.state).end()
        async with streamed(home, f"/events?after={moment}") as stream:
            assert {block.data.get("callSid") for block in await stream.until("call-ended")} == {None, CALL}


async def test_a_hub_that_was_started_anew_without_an_archive_says_that_something_is_missing() -> None:
    async with house() as home:
        ScriptedCall(home.state)
        async with streamed(home, "/events") as stream:
            await stream.until("call-started")
    async with house() as home:
        ScriptedCall(home.state, OTHER)
        async with streamed(home, "/events", stream.last_id) as again:
            watching, *blocks = await again.until("call-started")
        assert not watching.data["whole"]
        assert brief(blocks) == [("subscribed", OTHER, 0), ("call-started", OTHER, 1)]


async def test_a_position_holds_over_a_restart_with_an_archive(tmp_path: Path) -> None:
    rights: dict[str, Any] = bearer("archive")
    async with keeping(tmp_path) as home:
        call, over = ScriptedCall(home.state), ScriptedCall(home.state, OTHER)
        async with streamed(home, "/events", **rights) as stream:
            for _ in range(2):
                await stream.until("call-started")
        call.final("stored, and not read")
        over.final("the last words")
        over.end()
        await ended(home, THIRD)
        await stored(home)
    async with keeping(tmp_path) as home:
        async with streamed(home, "/events", stream.last_id, **rights) as again:
            blocks = [block for _ in range(3) for block in await again.until("final")]
            blocks += await again.until("call-ended")
            assert blocks[0].data["whole"]
        told = brief(blocks)
        assert [each for each in told if each[1] == CALL] == [("subscribed", CALL, 1), ("final", CALL, 2)]
        assert [each for each in told if each[1] == OTHER][:2] == [("subscribed", OTHER, 1), ("final", OTHER, 2)]
        assert [each for each in told if each[1] == THIRD][:3] == [
            ("subscribed", THIRD, 0),
            ("call-started", THIRD, 1),
            ("final", THIRD, 2),
        ]


async def test_a_token_without_the_right_to_the_archive_is_told_that_something_may_be_missing(tmp_path: Path) -> None:
    async with keeping(tmp_path, keep_minutes=1.0) as home:
        for rights, whole in (((), False), (("archive",), True)):
            async with streamed(home, "/events", "2026-01-01T00:00:00.000Z", **bearer(*rights)) as stream:
                (watching,) = await stream.until("watching")
                assert watching.data["whole"] is whole


async def test_an_archive_that_is_away_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    async with keeping(tmp_path, secret="") as home:
        assert home.state.archive is not None
        home.state.archive.archive.close()
        for each in tmp_path.glob("calls.db*"):
            each.unlink()
        (tmp_path / "calls.db").mkdir()
        async with home.session.get(home.url("/events"), headers={"Last-Event-ID": home.state.registry.now()}) as answer:
            assert (answer.status, (await answer.json())["error"]["code"]) == (503, "archive")


async def test_more_calls_than_fit_into_a_position_end_the_stream_in_a_sentence() -> None:
    async with house(secret=SECRET) as home:
        for number in range(500):
            ScriptedCall(home.state, f"CA{number:032}")
        async with streamed(home, "/events", **bearer()) as stream:
            *_, last = await stream.rest()
        assert (last.data["type"], last.data["code"]) == ("error", "too-many")


async def test_a_position_holds_on_another_node() -> None:
    async with pair_of_hubs() as pair:
        call = ScriptedCall(pair.a.state)
        await pair.known(CALL)
        async with streamed(pair.b, "/events") as stream:
            await stream.until("call-started")
            call.final("there")
            await stream.until("final")
        call.final("while nobody reads")
        other = ScriptedCall(pair.a.state, OTHER)
        other.end()
        await pair.known(OTHER, lambda record: not record.live)
        async with streamed(pair.b, "/events", stream.last_id) as again:
            blocks = [*await again.until("final"), *await again.until("call-ended")]
            call.final("and again")
            blocks += await again.until("final")
        assert blocks[0].data["whole"]
        assert [each for each in brief(blocks) if each[1] == CALL] == [("subscribed", CALL, 2), ("final", CALL, 3), ("final", CALL, 4)]
        assert [each for each in brief(blocks) if each[1] == OTHER] == [
            ("subscribed", OTHER, 0), ("call-started", OTHER, 1), ("call-ended", OTHER, 2),
        ]  # fmt: skip
        async with streamed(pair.a, "/events", again.last_id) as owner:
            call.final("at its owner")
            assert [each for each in brief(await owner.until("final")) if each[1] == CALL] == [("subscribed", CALL, 4), ("final", CALL, 5)]
        async with streamed(pair.b, f"/calls/{CALL}/events", f"{call.record.topic.log.epoch}:{call.offset - 1}") as one:
            assert brief(await one.until("final")) == [("subscribed", CALL, 4), ("final", CALL, 5)]
        await until(lambda: not pair.b.state.counters.subscribers and not pair.a.state.counters.subscribers)


async def test_a_position_that_is_newer_than_what_is_here_is_waited_for() -> None:
    async with pair_of_hubs() as pair:
        call = ScriptedCall(pair.a.state)
        record = await pair.known(CALL)
        async with streamed(pair.b, f"/calls/{CALL}/events"), streamed(pair.a, "/events") as stream:
            await until(lambda: record.loaded and record.topic.log.offset == 1)
            deliver, pair.broker_of_b.deliver = pair.broker_of_b.deliver, lambda topic, body: True  # type: ignore[method-assign]
            call.final("only elsewhere")
            await stream.until("final")
            await pair.cluster_of_a.keeper.settled()
            assert record.topic.log.offset == 1
            async with streamed(pair.b, "/events", stream.last_id) as again:
                pair.broker_of_b.deliver = deliver  # type: ignore[method-assign]
                call.final("and again")
                blocks = await again.until("final")
        assert blocks[0].data["whole"]
        assert brief(blocks[1:]) == [("subscribed", CALL, 2), ("final", CALL, 3)]


async def test_a_node_whose_broker_is_away_ends_the_stream_of_one_that_has_to_be_read_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bringing, "PATIENCE_SECONDS", 0.1)
    async with pair_of_hubs() as pair:
        ScriptedCall(pair.a.state)
        await pair.known(CALL)
        pair.broker_of_b.cut("the broker cannot be reached")
        async with streamed(pair.b, "/events") as stream:
            assert [block.data["type"] for block in await stream.rest()] == ["watching"]
        pair.broker_of_b.mend()
        async with streamed(pair.b, "/events") as stream:
            assert brief(await stream.until("call-started"))[-1] == ("call-started", CALL, 1)
