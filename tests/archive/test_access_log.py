"""Rows of the audit log before they are stored: noted without waiting, taken in order, never lost unnoticed."""

import asyncio

import pytest

from hub.archive import access_log
from hub.archive.access_log import AccessLog
from hub.archive.archive import ArchiveError


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def actions(log: AccessLog) -> list[str]:
    return [row.action for row in log.take()]


def test_rows_are_taken_in_the_order_in_which_they_were_noted_and_once() -> None:
    woken: list[None] = []
    log = AccessLog(Clock(), lambda: woken.append(None))
    log.note("alice", "watch", "CA1")
    log.note("alice", "search", detail="q, from")
    first, second = log.take()
    assert (first.at, first.subject, first.action, first.call_sid, first.detail) == (1000.0, "alice", "watch", "CA1", "")
    assert (second.action, second.call_sid, second.detail) == ("search", "", "q, from")
    assert len(woken) == 2
    log.stored_all([first, second])
    assert (log.take(), log.waiting) == ([], 0)


def test_rows_that_could_not_be_stored_are_taken_again_before_newer_ones() -> None:
    log = AccessLog(Clock(), lambda: None)
    log.note("alice", "watch", "CA1")
    taken = log.take()
    log.note("alice", "listen", "CA1")
    log.put_back(taken)
    assert log.waiting == 2
    assert actions(log) == ["watch", "listen"]


async def test_an_answer_waits_until_its_row_is_stored_and_for_no_later_row() -> None:
    log = AccessLog(Clock(), lambda: None)
    await log.stored()  # nothing is noted
    log.note("alice", "export", "CA1")
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(log.stored())
        await asyncio.sleep(0)
        taken = log.take()
        log.put_back(taken)
        await asyncio.sleep(0)
        assert not waiting.done()
        taken = log.take()
        log.note("bob", "watch", "CA2")
        log.stored_all(taken)
    assert log.waiting == 1


async def test_an_answer_is_refused_when_its_row_is_not_stored_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_log, "STORED_SECONDS", 0.0)
    log = AccessLog(Clock(), lambda: None)
    log.note("alice", "export", "CA1")
    with pytest.raises(ArchiveError, match="could not be noted in time") as raised:
        await log.stored()
    assert raised.value.passing
    assert actions(log) == ["export"], "and the row is stored all the same, when it can be"


async def test_too_many_rows_are_lost_and_counted_and_nothing_is_answered_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_log, "MOST_ROWS", 2)
    log = AccessLog(Clock(), lambda: None)
    for call in ("CA1", "CA2", "CA3", "CA4"):
        log.note("alice", "watch", call)
    with pytest.raises(ArchiveError, match="has not noted"):
        await log.stored()
    rows = log.take()
    assert [row.call_sid for row in rows] == ["CA1", "CA2", ""]
    assert (rows[2].subject, rows[2].action) == ("hub", "audit")
    assert rows[2].detail.startswith("2 rows are missing here")
    log.stored_all(rows)
    await log.stored()
    log.note("alice", "watch", "CA5")
    assert actions(log) == ["watch"]


def test_a_list_is_noted_once_a_minute_for_each_subject_and_call() -> None:
    clock = Clock()
    log = AccessLog(clock, lambda: None)
    for subject, call in (("alice", ""), ("alice", ""), ("bob", ""), ("alice", "CA1"), ("alice", "CA1")):
        log.note(subject, "list", call)
    rows = log.take()
    assert [(row.subject, row.call_sid) for row in rows] == [("alice", ""), ("bob", ""), ("alice", "CA1")]
    log.stored_all(rows)
    clock.now += 60
    log.note("alice", "list")
    clock.now -= 3600  # the clock was put back
    log.note("alice", "list")
    assert actions(log) == ["list", "list"]


async def test_a_hub_without_an_archive_notes_nothing_and_waits_for_nothing() -> None:
    log = AccessLog(Clock())
    log.note("alice", "export", "CA1")
    await log.stored()
    assert (log.take(), log.waiting) == ([], 0)
