"""A call that people hold, directly: streams that come, go and break, call time, gaps, and what the next hub process is told."""

import pytest

from hub import events
from hub.calls.call_context import Deadlines
from hub.errors import ProviderError
from hub.transcribers.transcriber import OnReport
from hub.twilio.rest import CallFacts, Over
from tests.calls.call_desk import CALL, FakePeer, call_desk, gaps, kinds, published, start, turns


async def test_a_call_begins_with_its_first_stream_and_ends_with_its_last() -> None:
    async with call_desk() as desk:
        stream = desk.calls.join(start(**{"from": "+14155550123", "inboundTrackLabel": "Ada"}), FakePeer())
        desk.talk(stream, 0, 1000)
        stream.stop()
        await desk.idle()
        started, figures, ended = published(desk.record())
    assert isinstance(started, events.CallStarted)
    assert isinstance(figures, events.Statistics)
    assert (started.from_, started.speakers, started.parameters["from"]) == (
        "+14155550123", {"inbound": "Ada", "outbound": "callee"}, "+14155550123",
    )  # fmt: skip
    assert isinstance(ended, events.CallEnded)
    assert (ended.reason, ended.duration, ended.completeness.words_missing) == ("completed", 1.0, False)
    assert desk.counters.ended == {("completed", "complete"): 1}


async def test_a_socket_may_rest_after_a_block_unless_the_call_comes_by_two() -> None:
    async with call_desk() as desk:
        left = desk.calls.join(start("MZ1", "inbound"), FakePeer())
        assert [left.chunk("inbound", at_ms, b"\x01" * 160) for at_ms in range(0, 100, 20)] == [False] * 4 + [True]
        right = desk.calls.join(start("MZ2", "outbound"), FakePeer())
        assert not any(left.chunk("inbound", at_ms, b"\x01" * 160) for at_ms in range(100, 400, 20))
        right.stop()
        left.stop()


async def test_a_track_that_two_streams_carry_is_taken_from_the_newer_one() -> None:
    async with call_desk() as desk:
        old = desk.calls.join(start("MZ1"), FakePeer())
        desk.talk(old, 0, 1000)
        new = desk.calls.join(start("MZ2"), FakePeer())
        desk.talk(old, 1000, 1200)
        desk.talk(new, 0, 500)
        assert desk.call().timeline.end_ms == 1500, "what the old stream still brings is not taken twice"
        new.stop()
        desk.talk(old, 1500, 1600)
        assert desk.call().timeline.end_ms == 1600, "the old one is good enough once the new one is gone"
        old.stop()


async def test_call_time_is_carried_on_by_the_clock_over_a_hole_between_two_streams() -> None:
    async with call_desk() as desk:
        first = desk.calls.join(start("MZ1"), FakePeer())
        desk.talk(first, 0, 1000)
        first.lost()
        desk.clock.now += 4.0
        second = desk.calls.join(start("MZ2"), FakePeer())
        desk.talk(second, 0, 500)
        assert gaps(desk.record()) == [("inbound", 1.0, 5.0, "no stream"), ("outbound", 1.0, 5.0, "no stream")]
        assert desk.call().timeline.end_ms == 5500
        second.stop()


async def test_a_hand_over_between_two_streams_is_no_gap() -> None:
    async with call_desk() as desk:
        first = desk.calls.join(start("MZ1"), FakePeer())
        desk.talk(first, 0, 1000)
        first.lost()
        desk.clock.now += 0.4
        second = desk.calls.join(start("MZ2"), FakePeer())
        assert gaps(desk.record()) == []
        second.stop()


async def test_a_track_that_was_missing_while_the_other_went_on_is_a_gap_of_its_own() -> None:
    async with call_desk() as desk:
        left = desk.calls.join(start("MZ1", "inbound"), FakePeer())
        right = desk.calls.join(start("MZ2", "outbound"), FakePeer())
        desk.talk(left, 0, 1000, "inbound")
        desk.talk(right, 0, 1000, "outbound")
        left.lost()
        desk.clock.now += 3.0
        desk.talk(right, 1000, 4000, "outbound")
        again = desk.calls.join(start("MZ3", "inbound"), FakePeer())
        assert gaps(desk.record()) == [("inbound", 1.0, 4.0, "no stream")]
        again.stop()
        right.stop()


async def test_a_leap_of_the_streams_clock_is_a_gap_and_audio_goes_on() -> None:
    async with call_desk() as desk:
        stream = desk.calls.join(start(), FakePeer())
        desk.talk(stream, 0, 1000)
        desk.talk(stream, 61_000, 62_000)
        stream.stop()
        await desk.idle()
    assert gaps(desk.record()) == [
        ("inbound", 1.0, 61.0, "the stream's clock leapt"), ("outbound", 1.0, 61.0, "the stream's clock leapt"),
    ]  # fmt: skip
    assert desk.record().ended is not None
    assert desk.record().ended.duration == 62.0  # type: ignore[union-attr]


async def test_a_quiet_stream_is_closed_and_lost() -> None:
    async with call_desk(deadlines=Deadlines(quiet_seconds=0.2, grace_seconds=0.0)) as desk:
        peer = FakePeer()
        desk.calls.join(start(), peer)
        desk.clock.now += 1.0
        await desk.idle()
        assert peer.closed == ["no frame for 0 s"]
    assert desk.counters.ended == {("stream-lost", "incomplete"): 1}


async def test_without_an_account_a_broken_call_waits_a_grace_for_another_stream() -> None:
    async with call_desk() as desk:
        desk.calls.join(start("MZ1"), FakePeer()).lost()
        await turns()
        assert desk.calls.live == 1
        desk.calls.join(start("MZ2"), FakePeer()).stop()
        await desk.idle()
    assert kinds(desk.record()) == ["call-started", "call-started", "statistics", "call-ended"]


async def test_with_an_account_twilio_is_asked_for_a_stream_in_place_of_a_broken_one() -> None:
    async with call_desk(account=True) as desk:
        desk.account.facts = CallFacts("in-progress", from_="+14155550123", to="+14155550100", direction="inbound")
        first = desk.calls.join(start("MZ1", room="42", token="secret"), FakePeer())
        first.lost()
        await turns()
        assert desk.account.asked == [(CALL, ("inbound", "outbound"), {"room": "42"})], "with what it brought, but for secrets"
        desk.calls.join(start("MZ2"), FakePeer()).stop()
        await desk.idle()


async def test_a_call_for_which_no_stream_will_come_ends() -> None:
    async with call_desk(account=True) as desk:
        first = desk.calls.join(start("MZ1"), FakePeer())
        first.lost()
        desk.account.answer.set()
        await desk.idle()
    assert desk.counters.ended == {("stream-lost", "incomplete"): 1}


async def test_hope_returns_with_a_stream_so_that_a_later_break_is_waited_for_again() -> None:
    async with call_desk(account=True) as desk:
        left = desk.calls.join(start("MZ1", "inbound"), FakePeer())
        right = desk.calls.join(start("MZ2", "outbound"), FakePeer())
        left.lost()
        desk.account.answer.set()
        await turns()  # Twilio says that none will come for the inbound track; the outbound one goes on
        desk.account.answer.clear()
        again = desk.calls.join(start("MZ3", "inbound", "outbound"), FakePeer())
        right.stop()
        again.lost()
        await turns()
        assert desk.calls.live == 1, "it is waited for, because Twilio has not said of this one that none will come"
        desk.calls.join(start("MZ4"), FakePeer()).stop()
        await desk.idle()


async def test_numbers_that_no_stream_brought_are_asked_for_and_published_with_the_stream_that_is_there() -> None:
    async with call_desk(account=True) as desk:
        desk.account.facts = CallFacts("in-progress", from_="+14155550123", to="+14155550100", direction="inbound")
        stream = desk.calls.join(start("MZ1"), FakePeer())
        await turns()
        first, second = published(desk.record())
        assert isinstance(first, events.CallStarted)
        assert isinstance(second, events.CallStarted)
        assert (second.from_, second.to, second.direction, second.stream_sid) == ("+14155550123", "+14155550100", "inbound", "MZ1")
        assert desk.record().summary().started_at == first.at, "the call began when it began"
        stream.stop()


@pytest.mark.parametrize("error", [ProviderError("scripted", "refused the key", retryable=False), ZeroDivisionError()])
async def test_a_transcriber_that_fails_leaves_the_call_without_words_and_with_its_end(error: Exception) -> None:
    async with call_desk() as desk:
        stream = desk.calls.join(start(), FakePeer())
        (transcriber,) = desk.transcribers

        async def run(_: OnReport) -> bool:
            await transcriber.finished.wait()
            raise error

        transcriber.run = run  # type: ignore[method-assign]
        desk.talk(stream, 0, 1000)
        stream.stop()
        await desk.idle()
    assert kinds(desk.record()) == ["call-started", "transcriber-lost", "gap", "gap", "statistics", "call-ended"]
    assert gaps(desk.record())[0] == ("inbound", 0.0, 1.0, "no transcriber")
    assert desk.counters.ended == {("completed", "not-transcribed"): 1}


async def test_words_that_are_still_open_at_the_end_are_published_and_the_record_is_incomplete() -> None:
    async with call_desk() as desk:
        stream = desk.calls.join(start(), FakePeer())
        await turns()
        (transcriber,) = desk.transcribers
        transcriber.interim("half a sen")
        stream.stop()
        await desk.idle()
    final = published(desk.record())[1]
    assert isinstance(final, events.Final)
    assert final.text == "half a sen"
    assert desk.counters.ended == {("completed", "incomplete"): 1}


async def test_a_stopping_hub_closes_streams_and_says_so() -> None:
    async with call_desk() as desk:
        peer = FakePeer()
        desk.calls.join(start(), peer)
        await desk.calls.drain(0.0)
    assert peer.closed == ["the hub is stopping"]
    assert desk.counters.ended == {("hub-stopping", "complete"): 1}


async def test_keys_are_published_in_their_place() -> None:
    async with call_desk() as desk:
        stream = desk.calls.join(start(), FakePeer())
        stream.dtmf("5", "outbound")
        stream.mark("means nothing here")
        stream.stop()
        await desk.idle()
    key = published(desk.record())[1]
    assert isinstance(key, events.Dtmf)
    assert (key.digit, key.track) == ("5", "outbound")


# What the next hub process is told.


async def test_it_is_noted_how_far_the_words_were_published_before_a_subscriber_has_them() -> None:
    async with call_desk(account=True) as desk:
        stream = desk.calls.join(start(), FakePeer())
        await turns()
        desk.talk(stream, 0, 2000)
        noted: list[float] = []
        desk.record().topic.log.watch(lambda: noted.append(desk.noted.entries[CALL].settled_ms["inbound"]))
        desk.transcribers[0].final("hello", end=1.5)
        assert noted == [1500.0]
        stream.stop()
        await desk.idle()
        assert not desk.record().goes_on, "a call that is over is not gone on with"


async def test_a_call_that_gave_way_leaves_the_notes_to_the_other_one() -> None:
    async with call_desk(account=True) as desk:
        first = desk.calls.join(start("MZ1"), FakePeer())
        await turns()
        old = desk.transcribers[0]
        old.may_end.clear()
        first.stop()
        await old.finished.wait()
        second = desk.calls.join(start("MZ2"), FakePeer())
        await turns()
        old.final("late words", end=0.5)
        old.may_end.set()
        await turns()
        entry = desk.noted.entries[CALL]
        assert (entry.stream_sid, entry.settled_ms["inbound"]) == ("MZ2", 0.0)
        second.stop()
        await desk.idle()


@pytest.mark.parametrize(
    ("after_seconds", "summary", "duration"),
    [(120.0, "incomplete: 120 s not transcribed", 121.0), (1.0, "complete", 1.0), (None, "incomplete: words may be missing", 1.0)],
)
async def test_what_was_said_after_a_stream_broke_is_missing_up_to_the_end_that_twilio_gives(
    after_seconds: float | None, summary: str, duration: float
) -> None:
    async with call_desk(account=True) as desk:
        stream = desk.calls.join(start(), FakePeer())
        desk.talk(stream, 0, 1000)
        stream.lost()
        await turns()
        desk.clock.now += 130
        desk.account.over = Over(desk.clock.now - 130 + after_seconds if after_seconds is not None else None)
        desk.account.answer.set()
        await desk.idle()
    ended = desk.record().ended
    assert ended is not None
    assert (ended.completeness.summary, ended.duration) == (summary, duration)


@pytest.mark.parametrize(("seconds", "missing"), [(30.0, 30.0), (1.0, 0.0)])
async def test_a_stream_that_stops_long_after_its_last_audio_has_lost_what_was_between(seconds: float, missing: float) -> None:
    async with call_desk() as desk:
        stream = desk.calls.join(start(), FakePeer())
        desk.talk(stream, 0, 1000)
        desk.clock.now += seconds
        stream.stop()
        await desk.idle()
    ended = desk.record().ended
    assert ended is not None
    assert ended.completeness.untranscribed_seconds == missing
    assert ended.duration == 1.0 + missing


async def test_audio_that_comes_late_does_not_set_back_the_time_that_is_reached_at_the_phones() -> None:
    """A hand-over is timed by it: what the other node has heard meanwhile must not be taken for something said earlier."""
    async with call_desk() as desk:
        stream = desk.calls.join(start(), FakePeer())
        for at_ms in range(0, 1000, 20):
            desk.talk(stream, at_ms, at_ms + 20)
            desk.clock.now += 0.02
        call = desk.call()
        assert abs(call.spoken_ms - 1000) <= 20
        desk.clock.now += 15
        desk.talk(stream, 1000, 1100)
        assert call.call_ms <= 1100
        assert abs(call.spoken_ms - 16_000) <= 100
        desk.talk(stream, 1100, 16_000)
        assert abs(call.spoken_ms - 16_000) <= 100
        stream.stop()
        await desk.idle()
