"""Two stores, as in a cluster: an event is told once the first of them has it, and before that only while both are behind."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.events import CallEnded
from hub.topics.record import Record
from tests.calls.keeper_desk import CALL, KeeperDesk, opened, told, until, until_asked
from tests.calls.left_calls import COMPLETE


class OtherStore:
    """A store that the test answers for. Implements `EventStore`."""

    def __init__(self, desk: KeeperDesk) -> None:
        self._desk = desk
        self._stored: dict[Record, int] = {}
        self._waiting: dict[Record, None] = {}
        self.notes: list[bytes] = []
        self.behind = False

    @property
    def unstored(self) -> int:
        return len(self._waiting)

    def store_soon(self, record: Record) -> None:
        self._waiting[record] = None

    def note(self, record: Record, note: bytes) -> None:
        self.notes.append(note)

    def lacks(self, record: Record) -> bool:
        return self._stored.get(record, 0) < record.topic.log.entered

    def stored(self) -> None:
        """Have everything."""
        was_behind, self.behind = self.behind, False
        if was_behind:
            self._desk.stores.caught_up()
        for record in list(self._waiting):
            del self._waiting[record]
            self._stored[record] = record.topic.log.entered
            self._desk.registry.release(record, record.topic.log.entered)

    def fall_behind(self) -> None:
        self.behind = True
        self._desk.stores.fell_behind(list(self._waiting))


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[KeeperDesk]:
    async with opened(tmp_path) as desk:
        yield desk


@pytest.fixture
def other(desk: KeeperDesk) -> OtherStore:
    store = OtherStore(desk)
    desk.stores.add(store)
    return store


async def test_whichever_store_has_an_event_first_lets_it_be_told(desk: KeeperDesk, other: OtherStore) -> None:
    record = desk.registry.open(CALL)
    socket = desk.follow(record)
    desk.final(record, "one")
    await until_asked(desk, 1)
    other.stored()
    assert told(socket) == ["one"], "the archive has not answered yet"
    desk.final(record, "two")
    desk.interim(record, "three")
    desk.writer.pending[0].set_result(None)
    await until_asked(desk, 2)
    assert told(socket) == ["one"], "no store has the second one"
    desk.writer.pending[1].set_result(None)
    await until(lambda: told(socket) == ["one", "two", "(three)"])
    other.stored()
    assert told(socket) == ["one", "two", "(three)"], "each is told once"


async def test_a_store_that_is_behind_lets_nothing_be_told_while_the_other_keeps_up(desk: KeeperDesk, other: OtherStore) -> None:
    record = desk.registry.open(CALL)
    socket = desk.follow(record)
    desk.final(record, "one")
    await until(lambda: desk.keeper.behind)
    assert (told(socket), desk.stores.behind, desk.trusted()) == ([], False, True)
    other.stored()
    desk.final(record, "two")
    assert told(socket) == ["one"]
    other.stored()
    assert told(socket) == ["one", "two"]


async def test_when_the_last_store_falls_behind_all_that_waits_is_told_until_one_has_everything(
    desk: KeeperDesk, other: OtherStore
) -> None:
    record, second = desk.registry.open(CALL), desk.registry.open("CA2")
    socket, at_second = desk.follow(record), desk.follow(second)
    desk.final(record, "one")
    await until(lambda: desk.keeper.behind)
    desk.final(second, "a")
    other.fall_behind()
    assert (told(socket), told(at_second)) == (["one"], ["a"])
    assert (desk.stores.behind, desk.trusted()) == (True, False)
    desk.final(record, "two")
    assert told(socket) == ["one", "two"], "nothing is waited for"
    other.stored()
    assert (desk.stores.behind, desk.trusted(), desk.keeper.behind) == (False, True, True)
    desk.final(record, "three")
    assert told(socket) == ["one", "two"], "one store keeps up again, so it is waited for"
    other.stored()
    assert told(socket) == ["one", "two", "three"]


async def test_the_archive_lets_be_told_too_what_waits_when_it_is_the_last_to_fall_behind(desk: KeeperDesk, other: OtherStore) -> None:
    record = desk.registry.open(CALL)
    socket = desk.follow(record)
    other.fall_behind()
    desk.final(record, "one")
    assert (told(socket), desk.stores.behind) == ([], False)
    await until(lambda: told(socket) == ["one"])
    assert (desk.stores.behind, desk.trusted()) == (True, False)
    desk.writer.pending[0].set_result(None)
    await until(lambda: not desk.stores.behind)
    assert desk.trusted()
    assert other.behind


async def test_a_call_is_not_forgotten_before_both_stores_have_it(desk: KeeperDesk, other: OtherStore) -> None:
    record = desk.registry.open(CALL)
    desk.registry.publish(record, CallEnded(call_sid=CALL, reason="completed", duration=1.0, completeness=COMPLETE, audio={}))
    await until_asked(desk, 1)
    desk.writer.pending[0].set_result(None)
    await until(lambda: not desk.keeper.unstored)
    record.ended_at = -1.0
    assert desk.registry.expire() == 0
    other.stored()
    assert desk.registry.expire() == 1


async def test_notes_go_to_both_stores(desk: KeeperDesk, other: OtherStore) -> None:
    record = desk.registry.open(CALL)
    desk.stores.note(record, b"noted")
    await until_asked(desk, 1)
    assert ([change.note for change in desk.writer.asked[0][0]], other.notes) == ([b"noted"], [b"noted"])


async def test_the_mark_says_closed_only_if_both_stores_have_everything(desk: KeeperDesk, other: OtherStore) -> None:
    desk.final(desk.registry.open(CALL), "one")
    await until_asked(desk, 1)
    desk.writer.pending[0].set_result(None)
    await asyncio.wait_for(desk.keeper.close(), 5)
    assert other.unstored
    desk.stores.close()
    assert not desk.trusted()
