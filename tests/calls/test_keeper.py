"""Storing before telling: the order in which events are released, a slow archive, a broken one, and what the mark says meanwhile."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.archive.archive import ArchiveError, NotStored
from hub.archive.mark import BehindMark
from hub.events import CallEnded
from hub.topics.past import Past
from hub.topics.record import Record
from hub.topics.stores import BOUND_SECONDS
from tests.calls.keeper_desk import CALL, KeeperDesk, opened, told, until, until_asked
from tests.calls.left_calls import COMPLETE, EPOCH, past_of


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[KeeperDesk]:
    async with opened(tmp_path) as desk:
        yield desk


async def test_nobody_sees_an_event_before_it_is_stored(desk: KeeperDesk) -> None:
    record = desk.registry.open(CALL)
    socket = desk.follow(record)
    desk.final(record, "one")
    assert (record.topic.log.offset, record.topic.log.entered, record.outline.utterances, record.ahead.utterances) == (0, 1, 0, 1)
    await until_asked(desk, 1)
    assert told(socket) == []
    desk.writer.pending[0].set_result(None)
    await until(lambda: told(socket) == ["one"])
    assert (record.topic.log.offset, record.outline.utterances, record.stored) == (1, 1, 1)
    assert not desk.keeper.behind


async def test_what_comes_while_a_batch_is_stored_makes_the_next_one_of_all_calls(desk: KeeperDesk) -> None:
    one, other = desk.registry.open("CA1"), desk.registry.open("CA2")
    desk.final(one, "a")
    await until_asked(desk, 1)
    desk.final(one, "b")
    desk.final(other, "c")
    desk.final(one, "d")
    desk.writer.pending[0].set_result(None)
    await until_asked(desk, 2)
    desk.writer.pending[1].set_result(None)
    await until(lambda: not desk.keeper.unstored)
    assert desk.writer.offsets() == [{"CA1": [1]}, {"CA1": [2, 3], "CA2": [1]}]
    (first,), (second, _) = desk.writer.asked[0][0], desk.writer.asked[1][0]
    assert first.facts is not None
    assert second.facts is None, "the row of the call stays as it is"


async def test_interims_keep_their_place_behind_the_finals_that_came_before(desk: KeeperDesk) -> None:
    record = desk.registry.open(CALL)
    socket = desk.follow(record)
    desk.final(record, "one")
    desk.interim(record, "two")
    await until_asked(desk, 1)
    assert told(socket) == []
    desk.writer.pending[0].set_result(None)
    await until(lambda: told(socket) == ["one", "(two)"])
    desk.interim(record, "two and")
    assert told(socket)[-1] == "(two and)", "nothing is stored, so nothing is waited for"


async def test_after_the_bound_it_is_told_all_the_same_and_the_mark_says_so_until_all_is_stored(desk: KeeperDesk) -> None:
    record = desk.registry.open(CALL)
    socket = desk.follow(record)
    assert desk.trusted()
    began = asyncio.get_running_loop().time()
    desk.final(record, "one")
    await until(lambda: told(socket) == ["one"])
    assert asyncio.get_running_loop().time() - began >= BOUND_SECONDS
    assert desk.keeper.behind
    assert not desk.trusted()
    desk.final(record, "two")
    assert told(socket) == ["one", "two"], "a hub that is behind waits for nothing"
    desk.writer.pending[0].set_result(None)
    await until_asked(desk, 2)
    assert desk.keeper.behind, "the second is not stored yet"
    assert not desk.trusted()
    desk.writer.pending[1].set_result(None)
    await until(lambda: not desk.keeper.behind)
    assert desk.trusted()
    assert desk.writer.offsets() == [{CALL: [1]}, {CALL: [2]}]


async def test_what_could_not_be_stored_is_stored_later_with_its_row_and_note(desk: KeeperDesk, caplog: pytest.LogCaptureFixture) -> None:
    record = desk.registry.open(CALL)
    desk.final(record, "one")
    desk.keeper.note(record, b"noted")
    await until_asked(desk, 1)
    desk.writer.pending[0].set_exception(ArchiveError("the disk is full", passing=True))
    await until(lambda: desk.keeper.trouble == "the disk is full")
    assert desk.keeper.behind
    assert record.topic.log.offset == 1, "nobody waits for an archive that says no"
    desk.final(record, "two")
    await until(lambda: len(desk.writer.asked) == 2)
    (change,) = desk.writer.asked[1][0]
    assert ([event.offset for event in change.events], change.note, change.facts is not None) == ([1, 2], b"noted", True)
    desk.writer.pending[1].set_result(None)
    await until(lambda: not desk.keeper.trouble)
    assert caplog.text.count("the archive cannot be written") == 1


async def test_a_long_turn_of_the_event_loop_is_not_taken_for_a_slow_archive(desk: KeeperDesk) -> None:
    record = desk.registry.open(CALL)
    desk.final(record, "one")
    time.sleep(2 * BOUND_SECONDS)
    await until_asked(desk, 1)
    await asyncio.sleep(0)
    assert not desk.keeper.behind, "the archive was asked just now"
    desk.writer.pending[0].set_result(None)
    await until(lambda: record.stored == 1)
    assert not desk.keeper.behind


async def test_a_note_alone_is_stored_too(desk: KeeperDesk) -> None:
    record = desk.registry.open(CALL)
    desk.final(record, "one")
    await until_asked(desk, 1)
    desk.writer.pending[0].set_result(None)
    await until(lambda: record.stored == 1)
    desk.keeper.note(record, b"noted")
    await until_asked(desk, 2)
    (change,) = desk.writer.asked[1][0]
    assert (change.events, change.note, change.facts) == ((), b"noted", None)


async def test_rows_of_the_audit_log_are_stored_with_the_events(desk: KeeperDesk) -> None:
    desk.access_log.note("alice", "export", CALL)
    await until_asked(desk, 1)
    stored = asyncio.ensure_future(desk.access_log.stored())
    await asyncio.sleep(0)
    assert not stored.done()
    assert [access.subject for access in desk.writer.asked[0][1]] == ["alice"]
    desk.writer.pending[0].set_result(None)
    await stored


async def test_a_call_is_not_forgotten_before_it_is_stored(desk: KeeperDesk) -> None:
    record = desk.registry.open(CALL)
    desk.registry.publish(record, CallEnded(call_sid=CALL, reason="completed", duration=1.0, completeness=COMPLETE, audio={}))
    await until(lambda: desk.keeper.behind)
    record.ended_at = -1.0
    assert desk.registry.expire() == 0
    desk.writer.pending[0].set_result(None)
    await until(lambda: not desk.keeper.unstored)
    assert desk.registry.expire() == 1


async def test_a_hub_that_stops_waits_for_the_archive_and_leaves_a_mark_that_outlives_the_machine(desk: KeeperDesk) -> None:
    record = desk.registry.open(CALL)
    desk.final(record, "one")
    closing = asyncio.ensure_future(desk.keeper.close())
    await until_asked(desk, 1)
    assert not closing.done()
    desk.writer.pending[0].set_result(None)
    await closing
    desk.stores.close()
    assert b"closed" in desk.mark_path.read_bytes()


def test_a_mark_of_another_start_of_the_machine_is_trusted_only_if_the_hub_had_stopped(tmp_path: Path) -> None:
    path = tmp_path / "mark"
    assert not BehindMark(path).trusted, "there was none"
    mark = BehindMark(path)
    mark.level()
    assert BehindMark(path).trusted
    content = path.read_bytes()
    for state, trusted in (("level", False), ("closed", True)):
        mark.level() if state == "level" else mark.close(level=True)
        content = path.read_bytes()
        path.write_bytes(content.replace(mark._boot, b"0" * len(mark._boot)))
        assert BehindMark(path).trusted is trusted
        path.write_bytes(content)
    path.write_bytes(b"something else")
    assert not BehindMark(path).trusted


async def test_of_a_call_that_was_brought_back_nobody_sees_more_than_is_stored_either(desk: KeeperDesk) -> None:
    record = desk.registry.restore(CALL, EPOCH, 1024, Past(past_of(CALL)))
    desk.final(record, "good bye")
    await until_asked(desk, 1)
    desk.registry.publish(record, CallEnded(call_sid=CALL, reason="completed", duration=1.0, completeness=COMPLETE, audio={}))
    assert (record.live, record.summary().utterances) == (True, 0)
    desk.writer.pending[0].set_result(None)
    while record.topic.log.offset < 2:
        await asyncio.sleep(0)
    assert not record.topic.audience.ended, "the end is still to come"
    await until_asked(desk, 2)
    desk.writer.pending[1].set_result(None)
    await until(lambda: not record.live)
    assert record.topic.audience.ended


async def test_a_call_that_another_node_owns_by_now_is_given_up_and_the_rest_of_the_batch_is_told(desk: KeeperDesk) -> None:
    fenced: list[tuple[str, int]] = []

    def lost(record: Record, generation: int) -> None:
        fenced.append((record.call_sid, generation))
        desk.registry.lose(record)

    desk.keeper.on_fenced = lost
    mine, other, new = (desk.registry.open(sid) for sid in ("CA1", "CA2", "CA3"))
    other.generation = 4
    sockets = {record: desk.follow(record) for record in (mine, other, new)}
    for record in sockets:
        desk.final(record, "one")
    desk.stores.note(other, b"noted")
    await until_asked(desk, 1)
    assert [change.generation for change in desk.writer.asked[0][0]] == [0, 4, 0]
    desk.final(other, "two")
    desk.writer.pending[0].set_exception(NotStored(unknown=["CA3"], fenced={"CA2": 5}))
    await until_asked(desk, 2)
    assert fenced == [("CA2", 5)]
    assert (told(sockets[mine]), mine.stored) == (["one"], 1)
    assert (told(sockets[other]), desk.keeper.lacks(other)) == ([], False)
    assert desk.writer.offsets()[1:] == [{"CA3": [1]}], "of the lost call, nothing is written any more"
    desk.writer.pending[1].set_result(None)
    await until(lambda: not desk.keeper.unstored)
    assert (fenced, desk.keeper.trouble, desk.keeper.behind) == ([("CA2", 5)], "", False)


async def test_a_call_that_is_lost_while_it_is_stored_is_stored_no_further(desk: KeeperDesk, caplog: pytest.LogCaptureFixture) -> None:
    record = desk.registry.open(CALL)
    desk.final(record, "one")
    await until_asked(desk, 1)
    desk.final(record, "two")
    desk.registry.lose(record)
    desk.writer.pending[0].set_result(None)
    await until(lambda: not desk.keeper.unstored)
    assert desk.writer.offsets() == [{CALL: [1]}]
    assert "could not be stored" not in caplog.text
