"""Taking up the calls of an earlier hub process: known at once, going on with their stream, or ended when none will come."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub import events
from hub.calls.journal import Entry, Journal
from hub.twilio.rest import Over
from tests.calls.call_desk import CALL, FakePeer, call_desk, gaps, kinds, published, start, turns
from tests.calls.journal_process import left


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """As an earlier process left it: two minutes into a call, inbound words published up to 58 s, outbound ones up to 60 s."""
    before = Journal(tmp_path / "calls", time.time)
    before.keep(
        Entry(
            call_sid=CALL, account_sid="AC" + "0" * 32, stream_sid="MZ1", tracks=["inbound", "outbound"],
            parameters={"from": "+14155550123"}, call_ms=61_000.0, settled_ms={"inbound": 58_000.0, "outbound": 60_000.0},
        )
    )  # fmt: skip
    before.close()
    taken_up = Journal(tmp_path / "calls", time.time)
    yield taken_up
    taken_up.close()


async def test_a_call_is_known_before_its_stream_is_there(journal: Journal) -> None:
    async with call_desk(account=True, journal=journal) as desk:
        assert desk.take_over is not None
        desk.take_over.begin()
        assert (desk.record().live, desk.record().numbers) == (True, ("+14155550123", None))
        assert kinds(desk.record()) == ["call-started"]
        assert desk.calls.live == 0


async def test_the_stream_that_comes_goes_on_and_what_was_lost_is_one_gap_a_track(journal: Journal) -> None:
    async with call_desk(account=True, journal=journal) as desk:
        assert desk.take_over is not None
        desk.take_over.begin()
        taking = desk.group.create_task(desk.take_over.run())
        await turns()
        assert desk.account.asked == [(CALL, ("inbound", "outbound"), {"from": "+14155550123"})]
        desk.clock.now += 5.5
        stream = desk.calls.join(start("MZ2"), FakePeer())
        await taking
        (inbound, outbound) = gaps(desk.record())
        assert inbound[:2] == ("inbound", 58.0)
        assert outbound[:2] == ("outbound", 60.0)
        assert inbound[2] == outbound[2] == pytest.approx(66.5, abs=0.2)
        stream.stop()
        await desk.idle()


async def test_a_call_that_ended_meanwhile_ends_with_its_gap(journal: Journal, tmp_path: Path) -> None:
    async with call_desk(account=True, journal=journal) as desk:
        assert desk.take_over is not None
        desk.take_over.begin()
        desk.account.over = Over(ended_at=journal.left[0].at + 9.0)
        desk.account.answer.set()
        await desk.take_over.run()
        ended = published(desk.record())[-1]
        assert isinstance(ended, events.CallEnded)
        assert (ended.reason, ended.duration, ended.completeness.words_missing) == ("stream-lost", 70.0, True)
        assert gaps(desk.record()) == [("inbound", 58.0, 70.0, "no stream"), ("outbound", 60.0, 70.0, "no stream")]
    journal.close()
    assert left(tmp_path / "calls") == []


async def test_a_hub_that_stops_does_not_wait_for_twilio_and_leaves_the_call_to_the_next_process(journal: Journal, tmp_path: Path) -> None:
    async with call_desk(account=True, journal=journal) as desk:
        assert desk.take_over is not None
        desk.take_over.begin()
        taking = asyncio.ensure_future(desk.take_over.run())
        await turns()
        await desk.calls.drain(3600.0)  # no call runs, so nothing is waited for
        taking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await taking
        assert kinds(desk.record()) == ["call-started"]
    journal.close()
    assert [entry.call_sid for entry in left(tmp_path / "calls")] == [CALL]
