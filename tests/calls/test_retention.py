"""What is due is erased, on a clock that the test moves: nothing outlives its day, and nothing goes before it."""

import time
from pathlib import Path

import pytest

from hub.archive.archive import StoredRecording, Tombstone
from hub.archive.threads import ArchiveThreads
from hub.calls.retention import SCRUB_AT_LAST_SECONDS, SCRUB_SECONDS, TRUST_SECONDS, KeepTerms, Retention
from hub.text.terms import Terms
from tests.house import House
from tests.media import CALL
from tests.publishing import FROM, ScriptedCall
from tests.upkeep.kept import away, ended, everything, keeping, stored
from tests.web.watchers import OTHER, THIRD

DAY = 86400.0
WORD = "quetzalcanary"


class Clock:
    """A wall clock and a monotonic one that go on by themselves, and leap when the test says so."""

    def __init__(self) -> None:
        self.passed = 0.0
        self.set_by = 0.0

    def wall(self) -> float:
        return time.time() + self.passed + self.set_by

    def monotonic(self) -> float:
        return time.monotonic() + self.passed


class Shelf:
    """Recordings, of which some cannot be deleted now. Implements `Recordings`."""

    def __init__(self, threads: ArchiveThreads) -> None:
        self.threads = threads
        self.away = False

    async def put(self, call_sid: str) -> None:
        recording = StoredRecording(
            call_sid=call_sid, key=call_sid, media_type="audio/flac", seconds=1.0, size=1, sha256="", stored_at=time.time()
        )
        await self.threads.read(self.threads.archive.keep_recording, recording)

    async def erase(self, call_sid: str) -> None:
        if self.away:
            raise OSError("the bucket is away")
        await self.threads.read(self.threads.archive.forget_recording, call_sid)


def retention(home: House, clock: Clock, days: str = "0", recording_days: str = "0") -> Retention:
    assert home.state.archive is not None
    terms = KeepTerms(Terms.of(days), Terms.of(recording_days))
    return Retention(home.state.archive, home.state.erasure, terms, clock.wall, clock.monotonic)


def found(home: House, call_sid: str) -> object:
    assert home.state.archive is not None
    return home.state.archive.archive.find(call_sid)


async def test_nothing_outlives_its_day_and_nothing_goes_before_it(tmp_path: Path) -> None:
    async with keeping(tmp_path) as home:
        clock = Clock()
        sweeper = retention(home, clock, f"30, {FROM}=7, desk=0.5")
        await ended(home, CALL, WORD, from_="+14155559876")
        await ended(home, OTHER, from_=FROM)
        ScriptedCall(home.state, THIRD, "+14155559876")
        for days, gone in ((6.99, set()), (7.01, {OTHER}), (29.99, {OTHER}), (30.01, {OTHER, CALL}), (3000.0, {OTHER, CALL})):
            clock.passed = days * DAY
            await sweeper.sweep()
            assert {each for each in (CALL, OTHER, THIRD) if isinstance(found(home, each), Tombstone)} == gone, days
            assert {each for each in (CALL, OTHER, THIRD) if home.state.registry.find(each) is None} == gone, days
        tombstone = found(home, OTHER)
        assert isinstance(tombstone, Tombstone)
        assert tombstone.reason == "kept for 7 days"
        assert not [path for path, content in everything(tmp_path).items() if WORD.encode() in content]
        rows = home.state.archive.archive.audit(0, 100) if home.state.archive else []
        assert [(row.access.subject, row.access.action, row.access.call_sid) for row in rows if row.access.action == "expire"] == [
            ("hub", "expire", OTHER), ("hub", "expire", CALL),
        ]  # fmt: skip


async def test_without_days_nothing_is_ever_erased(tmp_path: Path) -> None:
    async with keeping(tmp_path) as home:
        clock = Clock()
        sweeper = retention(home, clock)
        await ended(home, CALL)
        clock.passed = 30_000 * DAY
        assert await sweeper.sweep() == 0
        assert home.state.registry.find(CALL) is not None


async def test_a_held_call_stays_until_it_is_released(tmp_path: Path) -> None:
    async with keeping(tmp_path) as home:
        clock = Clock()
        sweeper = retention(home, clock, "1", "1")
        assert home.state.archive is not None
        await ended(home, CALL)
        await ended(home, OTHER)
        home.state.archive.archive.hold(CALL, held=True)
        clock.passed = 2 * DAY
        assert await sweeper.sweep() == 1
        assert not isinstance(found(home, CALL), Tombstone)
        home.state.archive.archive.hold(CALL, held=False)
        assert await sweeper.sweep() == 1
        assert isinstance(found(home, CALL), Tombstone)


async def test_a_recording_goes_before_its_call_and_with_it_at_the_latest(tmp_path: Path) -> None:
    async with keeping(tmp_path) as home:
        clock = Clock()
        assert home.state.archive is not None
        shelf = home.state.erasure.recordings = Shelf(home.state.archive)
        sweeper = retention(home, clock, "30", "7, +14155559876=90")
        await ended(home, CALL)
        await ended(home, OTHER, from_="+14155559876")
        for call in (CALL, OTHER):
            await shelf.put(call)
        archive = home.state.archive.archive
        clock.passed = 8 * DAY
        await sweeper.sweep()
        assert (archive.recording(CALL), archive.recording(OTHER) is None) == (None, False)
        assert not isinstance(found(home, CALL), Tombstone)
        clock.passed = 31 * DAY
        await sweeper.sweep()
        assert archive.recording(OTHER) is None


async def test_a_recording_that_cannot_be_deleted_now_is_deleted_by_a_later_sweep(tmp_path: Path) -> None:
    async with keeping(tmp_path) as home:
        clock = Clock()
        assert home.state.archive is not None
        shelf = home.state.erasure.recordings = Shelf(home.state.archive)
        sweeper = retention(home, clock)
        await ended(home, CALL)
        await shelf.put(CALL)
        shelf.away = True
        erased = await home.state.erasure.one(CALL, "alice")
        assert (erased.call_sids, erased.recordings) == ([CALL], {CALL: "the bucket is away"})
        assert await sweeper.sweep() == 0
        assert home.state.archive.archive.recording(CALL) is not None
        shelf.away = False
        assert await sweeper.sweep() == 1
        assert home.state.archive.archive.recording(CALL) is None


@pytest.mark.parametrize("leap", [3650 * DAY, -3650 * DAY])
async def test_a_clock_that_was_set_erases_nothing_for_a_day(leap: float, tmp_path: Path) -> None:
    async with keeping(tmp_path) as home:
        clock = Clock()
        sweeper = retention(home, clock, "30")
        await ended(home, CALL)
        clock.set_by = leap
        assert await sweeper.sweep() == 0
        clock.passed = TRUST_SECONDS / 2
        assert await sweeper.sweep() == 0
        clock.set_by = 0.0
        assert await sweeper.sweep() == 0
        assert not isinstance(found(home, CALL), Tombstone)
        clock.passed = TRUST_SECONDS * 2
        assert await sweeper.sweep() == 0
        clock.passed = 31 * DAY
        assert await sweeper.sweep() == 1


async def test_the_files_are_scrubbed_once_a_day_in_a_quiet_moment_or_after_two_days(tmp_path: Path) -> None:
    async with keeping(tmp_path) as home:
        clock = Clock()
        sweeper = retention(home, clock, "0.001")
        erasure = home.state.erasure
        live = ScriptedCall(home.state, THIRD)

        async def erase_one(call: str) -> None:
            await ended(home, call, WORD)
            clock.passed += 100.0
            assert await sweeper.sweep() == 1

        await erase_one("CA-first")
        assert not erasure.unscrubbed, "the first time at once"
        await erase_one("CA-second")
        assert erasure.unscrubbed
        clock.passed += SCRUB_SECONDS
        await sweeper.sweep()
        assert erasure.unscrubbed, "a call is live"
        live.end()
        await stored(home)  # the call is live until its end is told
        await sweeper.sweep()
        assert not erasure.unscrubbed
        ScriptedCall(home.state, "CA-another")
        await erase_one("CA-third")
        clock.passed += SCRUB_AT_LAST_SECONDS
        await sweeper.sweep()
        assert not erasure.unscrubbed
        assert not [path for path, content in everything(tmp_path).items() if WORD.encode() in content]


async def test_what_an_earlier_process_erased_and_did_not_scrub_is_scrubbed(tmp_path: Path) -> None:
    async with keeping(tmp_path) as home:
        await ended(home, CALL, WORD)
        assert home.state.archive is not None
        home.state.archive.archive.erase([CALL], "erased", 1.0)
    async with keeping(tmp_path) as home:
        assert home.state.archive is not None
        await retention(home, Clock()).sweep()
        assert not home.state.archive.archive.unscrubbed()
        assert not [path for path, content in everything(tmp_path).items() if WORD.encode() in content]


async def test_an_archive_that_is_away_for_a_while_ends_no_sweeping(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with keeping(tmp_path) as home:
        sweeper = retention(home, Clock(), "30")
        with away(home, tmp_path / "calls.db"):
            await sweeper.try_to_sweep()
            assert "what is due is not erased yet" in caplog.text
        assert await sweeper.sweep() == 0
