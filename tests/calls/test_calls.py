"""Streams become calls: joined, refused, superseded, drained. And `call-ended` is the last event, whatever is still to be said before."""

import asyncio

import pytest

from hub import events
from hub.calls.calls import Draining, Taken
from hub.topics.record import Record
from hub.twilio.media import StartBody
from tests.calls.call_desk import CALL, CallDesk, FakePeer, call_desk, kinds, published, start, turns


async def superseded(desk: CallDesk) -> None:
    """A call that awaits its last words, and whose callSid another call has."""
    first = desk.calls.join(start("MZ1"), FakePeer())
    await turns()
    desk.transcribers[0].may_end.clear()
    desk.talk(first, 0, 1000)
    first.stop()
    await desk.transcribers[0].finished.wait()
    desk.calls.join(start("MZ2"), FakePeer())
    await turns()


async def test_a_second_stream_joins_the_call_that_is_there() -> None:
    async with call_desk() as desk:
        for name in ("MZ1", "MZ2"):
            desk.calls.join(start(name), FakePeer())
        assert (desk.calls.live, desk.calls.live_streams, desk.counters.calls, desk.counters.streams) == (1, 2, 1, 2)


async def test_call_ended_comes_after_the_last_words_of_an_earlier_part() -> None:
    async with call_desk() as desk:
        await superseded(desk)
        old, new = desk.transcribers
        new.final("new words", start=2.0, end=2.5)
        (second,) = desk.call()._streams
        second.stop()
        await new.finished.wait()
        await turns()
        assert "call-ended" not in kinds(desk.record())
        old.final("old words", start=0.2, end=0.8)
        old.may_end.set()
        await desk.idle()
        assert kinds(desk.record()) == ["call-started", "call-started", "final", "final", "statistics", "call-ended"]
        assert desk.record().topic.audience.ended
    assert desk.counters.ended == {("completed", "incomplete"): 1}, "one call, one end"


async def test_a_stopping_hub_waits_for_the_last_words_of_a_superseded_part() -> None:
    async with call_desk() as desk:
        await superseded(desk)
        old = desk.transcribers[0]
        drained = asyncio.ensure_future(desk.calls.drain(0.0))
        await turns()
        assert not drained.done()
        old.final("old words", start=0.2, end=0.8)
        old.may_end.set()
        await drained
        assert [event.text for event in published(desk.record()) if isinstance(event, events.Final)] == ["old words"]


async def test_a_draining_hub_takes_no_new_call_but_further_streams_of_those_it_has() -> None:
    async with call_desk() as desk:
        first = desk.calls.join(start("MZ1"), FakePeer())
        drained = asyncio.ensure_future(desk.calls.drain(60.0))
        await turns()
        with pytest.raises(Draining):
            desk.calls.join(start("MZ9", call="CA9"), FakePeer())
        desk.calls.join(start("MZ2"), FakePeer()).stop()
        first.stop()
        await drained
        assert desk.calls.live == 0


async def test_a_call_that_people_lead_gives_way_to_an_agent_without_an_end_of_its_own() -> None:
    async with call_desk() as desk:
        peer = FakePeer()
        desk.calls.join(start("MZ1"), peer)
        desk.calls.answer(start("MZ2"), FakePeer(), desk.calls._open_transcribed)
        assert peer.closed == ["an agent goes on with this call"]
        assert desk.calls.live_streams == 1
        record = desk.registry.find(CALL)
        assert record is not None
        assert record.live


async def test_a_call_that_is_refused_when_it_is_opened_leaves_nothing_behind() -> None:
    def refuse(_: Record, __: StartBody) -> None:
        raise Taken("no agent is free")

    async with call_desk() as desk:
        with pytest.raises(Taken):
            desk.calls.answer(start("MZ1"), FakePeer(), refuse)  # type: ignore[arg-type]
        assert (desk.calls.live, desk.counters.calls, desk.counters.streams) == (0, 0, 0)


async def test_a_failed_stream_is_published_while_its_call_lives_and_only_then() -> None:
    async with call_desk() as desk:
        desk.calls.stream_failed("CA9", "MZ1", "nobody knows this call")
        stream = desk.calls.join(start("MZ1"), FakePeer())
        desk.calls.stream_failed(CALL, "MZ1", "31924")
        stream.stop()
        await desk.idle()
        desk.calls.stream_failed(CALL, "MZ1", "too late")
    assert kinds(desk.record()) == ["call-started", "stream-error", "statistics", "call-ended"]


async def test_audio_that_fared_badly_is_counted_over_all_calls_ever() -> None:
    async with call_desk() as desk:
        stream = desk.calls.join(start("MZ1"), FakePeer())
        stream.chunk("inbound", -5, b"\x01" * 160)
        assert desk.calls.amiss_bytes()["inbound", "dropped"] == 160
        stream.stop()
        await desk.idle()
        assert desk.calls.amiss_bytes()["inbound", "dropped"] == 160


async def test_ended_calls_are_forgotten_after_their_keep_time() -> None:
    async with call_desk(keep_seconds=60.0) as desk:
        desk.calls.join(start("MZ1"), FakePeer()).stop()
        await desk.idle()
        expiring = asyncio.ensure_future(desk.calls.expire(every_seconds=0.001))
        desk.clock.now += 59.0
        await asyncio.sleep(0.01)
        assert desk.registry.find(CALL) is not None
        desk.clock.now += 1.0
        while desk.registry.find(CALL) is not None:
            await asyncio.sleep(0.001)
        expiring.cancel()
