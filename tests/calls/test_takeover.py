"""Going on with the calls of an earlier hub process: known at once, going on with their stream, or ended when none will come."""

import asyncio

import pytest

from hub import events
from hub.audio.g711 import Track
from hub.calls.bookmark import Entry
from hub.calls.call_context import Deadlines
from hub.calls.takeover import LeftCall
from hub.topics.registry import Registry
from hub.twilio.rest import Over
from tests.calls.call_desk import CALL, CallDesk, FakePeer, call_desk, gaps, kinds, published, start, turns
from tests.calls.left_calls import COMPLETE, EPOCH, final, left_call

NOTED_AT = 1000.0
"""Unix seconds. The desk's clocks stand there when it opens."""


def two_minutes_in(registry: Registry) -> list[LeftCall]:
    """As an earlier process left it: a minute into a call, inbound words published up to 58 s, outbound ones up to 60 s."""
    entry = Entry(
        account_sid="AC" + "0" * 32, stream_sid="MZ1", tracks=["inbound", "outbound"], parameters={"from": "+14155550123"},
        at=NOTED_AT, call_ms=61_000.0, settled_ms={"inbound": 58_000.0, "outbound": 60_000.0},
    )  # fmt: skip
    return [left_call(registry, CALL, entry, final("inbound-1", "hello", 1.0, 2.0), final("outbound-3", "bye", 59.0, 60.0))]


def begin(desk: CallDesk) -> None:
    desk.take_over.begin(desk.clock(), desk.clock())


async def test_a_call_is_known_with_its_past_before_its_stream_is_there() -> None:
    async with call_desk(account=True, left=two_minutes_in) as desk:
        begin(desk)
        assert (desk.record().live, desk.record().numbers) == (True, ("+14155550123", None))
        assert kinds(desk.record()) == ["call-started", "final", "final"]
        assert (desk.record().topic.log.epoch, desk.record().topic.log.offset) == (EPOCH, 3)
        assert desk.calls.live == 0


async def test_the_stream_that_comes_goes_on_and_what_was_lost_is_one_gap_a_track() -> None:
    async with call_desk(account=True, left=two_minutes_in) as desk:
        begin(desk)
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
        desk.transcribers[0].final("again", end=68.0)
        said = published(desk.record())[-1]
        assert isinstance(said, events.Final)
        assert said.utterance == "inbound-3", "the second may have been open when the process died"
        assert [event.offset for event in published(desk.record())] == list(range(1, 8))
        stream.stop()
        await desk.idle()


@pytest.mark.parametrize("call_ms", [61_000.0, 16_109.0])
async def test_time_that_a_gap_has_told_is_not_lost_once_more_when_the_next_process_dies_too(call_ms: float) -> None:
    def left(registry: Registry) -> list[LeftCall]:
        tracks: list[Track] = ["inbound", "outbound"]
        entry = Entry(stream_sid="MZ1", tracks=tracks, at=NOTED_AT, call_ms=call_ms, settled_ms=dict.fromkeys(tracks, call_ms))
        return [left_call(registry, CALL, entry)]

    async with call_desk(account=True, left=left) as desk:
        begin(desk)
        desk.clock.now += 5.5
        stream = desk.calls.join(start("MZ2"), FakePeer())
        ends = {track: end * 1000 for track, _, end, _ in gaps(desk.record())}
        assert desk.noted.entries[CALL].settled_ms == ends
        stream.stop()
        await desk.idle()


async def test_a_call_that_ended_meanwhile_ends_with_its_gap() -> None:
    async with call_desk(account=True, left=two_minutes_in) as desk:
        begin(desk)
        desk.account.over = Over(ended_at=NOTED_AT + 9.0)
        desk.account.answer.set()
        await desk.take_over.run()
        ended = published(desk.record())[-1]
        assert isinstance(ended, events.CallEnded)
        assert (ended.reason, ended.duration, ended.completeness.words_missing) == ("stream-lost", 70.0, True)
        assert gaps(desk.record()) == [("inbound", 58.0, 70.0, "no stream"), ("outbound", 60.0, 70.0, "no stream")]
        assert not desk.record().goes_on


async def test_without_an_account_a_stream_is_waited_for_and_then_the_call_ends_at_its_last_note() -> None:
    async with call_desk(left=two_minutes_in, deadlines=Deadlines(grace_seconds=0.02)) as desk:
        begin(desk)
        await desk.take_over.run()
        assert desk.account.asked == []
        ended = published(desk.record())[-1]
        assert isinstance(ended, events.CallEnded)
        assert (ended.reason, ended.duration) == ("stream-lost", 61.0)


async def test_a_call_that_was_ended_by_a_stopping_hub_is_live_again() -> None:
    def stopped(registry: Registry) -> list[LeftCall]:
        ended = events.CallEnded(call_sid="", reason="hub-stopping", duration=61.0, completeness=COMPLETE, audio={})
        return [left_call(registry, CALL, Entry(at=NOTED_AT, call_ms=61_000.0, tracks=["inbound"], parameters={}), ended)]

    async with call_desk(account=True, left=stopped) as desk:
        begin(desk)
        assert desk.record().live
        assert kinds(desk.record()) == ["call-started", "call-ended", "call-started"]


async def test_a_hub_that_stops_does_not_wait_for_twilio_and_leaves_the_call_to_the_next_process() -> None:
    async with call_desk(account=True, left=two_minutes_in) as desk:
        begin(desk)
        taking = asyncio.ensure_future(desk.take_over.run())
        await turns()
        await desk.calls.drain(3600.0)  # no call runs, so nothing is waited for
        taking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await taking
        assert kinds(desk.record()) == ["call-started", "final", "final"]
