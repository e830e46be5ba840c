"""Storing before telling: the order in which events are released, a slow archive, a broken one, and what the mark says meanwhile."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hub.archive.access_log import AccessLog
from hub.archive.archive import Access, ArchiveError, Change
from hub.archive.mark import BehindMark
from hub.calls.keeper import BOUND_SECONDS, Keeper
from hub.events import CallEnded, Final, Interim
from hub.topics.outbox import Outbox, Rounds
from hub.topics.past import Past
from hub.topics.record import Record
from hub.topics.registry import Registry
from tests.calls.left_calls import COMPLETE, EPOCH, past_of

CALL = "CA1"


@dataclass
class SlowWriter:
    """An archive whose writes the test finishes one by one. Implements `Writer`."""

    asked: list[tuple[Sequence[Change], Sequence[Access]]] = field(default_factory=list)
    pending: "list[Future[None]]" = field(default_factory=list)

    def write(self, changes: Sequence[Change], accesses: Sequence[Access] = ()) -> "Future[None]":
        self.asked.append((changes, accesses))
        self.pending.append(Future())
        return self.pending[-1]

    def offsets(self) -> list[dict[str, list[int]]]:
        """Which events each write had, by call."""
        return [{change.call_sid: [event.offset for event in change.events] for change in changes} for changes, _ in self.asked]


class Socket:
    """A subscriber's socket that takes everything."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.taken.append(data)

    def get_write_buffer_size(self) -> int:
        return 0


@dataclass
class Desk:
    registry: Registry
    keeper: Keeper
    writer: SlowWriter
    access_log: AccessLog
    mark_path: Path

    def follow(self, record: Record) -> Socket:
        socket = Socket()
        loop = asyncio.get_running_loop()
        outbox = Outbox(socket, Rounds(loop.call_later, loop.time), lambda payload: payload + b"\n", lambda _: None)
        following, _ = record.topic.audience.follow(outbox)
        outbox.news(following)
        return socket

    def final(self, record: Record, text: str) -> None:
        self.registry.publish(
            record,
            Final(
                call_sid=record.call_sid, utterance=text, revision=1, track="inbound", speaker="caller", text=text, start=0, end=1, words=[]
            ),
        )  # fmt: skip

    def interim(self, record: Record, text: str) -> None:
        self.registry.revise(
            record,
            Interim(call_sid=record.call_sid, utterance=text, revision=1, track="inbound", speaker="caller", text=text, start=0, end=1),
        )

    def trusted(self) -> bool:
        """What the next process would read from the mark if this one died now."""
        mark = BehindMark(self.mark_path)
        return mark.trusted


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with opened(tmp_path) as desk:
        yield desk


@asynccontextmanager
async def opened(tmp_path: Path) -> AsyncIterator[Desk]:
    loop = asyncio.get_running_loop()
    registry = Registry(keep_seconds=0.0, clock=loop.time, wall=lambda: 1000.0, soon=loop.call_soon)
    registry.stored_first = True
    writer = SlowWriter()
    access_log = AccessLog(lambda: 1000.0, lambda: registry.storage.audit_soon())  # type: ignore[union-attr]
    keeper = registry.storage = Keeper(registry, writer, BehindMark(tmp_path / "mark"), access_log)
    yield Desk(registry, keeper, writer, access_log, tmp_path / "mark")


async def until_asked(desk: Desk, count: int) -> None:
    while len(desk.writer.asked) < count:
        await asyncio.sleep(0)


async def until(fact: object) -> None:
    assert callable(fact)
    while not fact():
        await asyncio.sleep(0.001)


def told(socket: Socket) -> list[str]:
    """The texts that a subscriber was told, in order. Interims in brackets."""
    lines = b"".join(socket.taken).splitlines()
    texts = [line.split(b'"text":"')[1].split(b'"')[0].decode() for line in lines]
    return [f"({text})" if b'"interim"' in line else text for line, text in zip(lines, texts, strict=True)]


async def test_nobody_sees_an_event_before_it_is_stored(desk: Desk) -> None:
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


async def test_what_comes_while_a_batch_is_stored_makes_the_next_one_of_all_calls(desk: Desk) -> None:
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


async def test_interims_keep_their_place_behind_the_finals_that_came_before(desk: Desk) -> None:
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


async def test_after_the_bound_it_is_told_all_the_same_and_the_mark_says_so_until_all_is_stored(desk: Desk) -> None:
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


async def test_what_could_not_be_stored_is_stored_later_with_its_row_and_note(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
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


async def test_a_long_turn_of_the_event_loop_is_not_taken_for_a_slow_archive(desk: Desk) -> None:
    record = desk.registry.open(CALL)
    desk.final(record, "one")
    time.sleep(2 * BOUND_SECONDS)
    await until_asked(desk, 1)
    await asyncio.sleep(0)
    assert not desk.keeper.behind, "the archive was asked just now"
    desk.writer.pending[0].set_result(None)
    await until(lambda: record.stored == 1)
    assert not desk.keeper.behind


async def test_a_note_alone_is_stored_too(desk: Desk) -> None:
    record = desk.registry.open(CALL)
    desk.final(record, "one")
    await until_asked(desk, 1)
    desk.writer.pending[0].set_result(None)
    await until(lambda: record.stored == 1)
    desk.keeper.note(record, b"noted")
    await until_asked(desk, 2)
    (change,) = desk.writer.asked[1][0]
    assert (change.events, change.note, change.facts) == ((), b"noted", None)


async def test_rows_of_the_audit_log_are_stored_with_the_events(desk: Desk) -> None:
    desk.access_log.note("alice", "export", CALL)
    await until_asked(desk, 1)
    stored = asyncio.ensure_future(desk.access_log.stored())
    await asyncio.sleep(0)
    assert not stored.done()
    assert [access.subject for access in desk.writer.asked[0][1]] == ["alice"]
    desk.writer.pending[0].set_result(None)
    await stored


async def test_a_call_is_not_forgotten_before_it_is_stored(desk: Desk) -> None:
    record = desk.registry.open(CALL)
    desk.registry.publish(record, CallEnded(call_sid=CALL, reason="completed", duration=1.0, completeness=COMPLETE, audio={}))
    await until(lambda: desk.keeper.behind)
    record.ended_at = -1.0
    assert desk.registry.expire() == 0
    desk.writer.pending[0].set_result(None)
    await until(lambda: not desk.keeper.unstored)
    assert desk.registry.expire() == 1


async def test_a_hub_that_stops_waits_for_the_archive_and_leaves_a_mark_that_outlives_the_machine(desk: Desk) -> None:
    record = desk.registry.open(CALL)
    desk.final(record, "one")
    closing = asyncio.ensure_future(desk.keeper.close())
    await until_asked(desk, 1)
    assert not closing.done()
    desk.writer.pending[0].set_result(None)
    await closing
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


async def test_of_a_call_that_was_brought_back_nobody_sees_more_than_is_stored_either(desk: Desk) -> None:
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
