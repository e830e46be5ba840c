"""A call that an agent answers, directly: what reaches the model, what reaches the caller, what is published, and how it ends."""

import asyncio
from dataclasses import replace
from typing import Any, cast

import pytest

from hub.agents.voice_model import (
    AgentAudio,
    AgentAudioDone,
    AgentText,
    AgentTextDelta,
    AppendAudio,
    CallerSpeechStarted,
    CallerSpeechStopped,
    CallerText,
    CreateResponse,
    ModelEvent,
    ResponseEnded,
    ResponseStarted,
    SessionLost,
    SessionReady,
    TruncateItem,
)
from hub.agents.webhooks import Webhooks
from hub.events import AgentInterrupted, CallEnded, CallStarted, Dtmf, Final, Gap, TranscriberLost
from tests.calls.agent_desk import AGENT, LIMITS, Desk, desk, start_body

VOICE = b"\x01" * 8


class Listener:
    """Somebody who listens in."""

    def __init__(self) -> None:
        self.blocks: list[bytes] = []

    def receive(self, payload: bytes) -> None:
        self.blocks.append(payload)

    def ended(self, reason: str) -> None: ...


def speech(duration_ms: int, text: str, item_id: str = "i1", response_id: str = "r1") -> list[ModelEvent]:
    """A whole response, as a model says it."""
    return [
        ResponseStarted(response_id),
        AgentAudio(response_id, item_id, VOICE * duration_ms),
        AgentAudioDone(response_id, item_id),
        AgentText(response_id, item_id, text),
        ResponseEnded(response_id, "completed"),
    ]


# What reaches the model.


async def test_a_callers_frames_reach_the_model_as_they_came() -> None:
    async with desk() as it:
        for number in range(3):
            it.frame(bytes([number]) * 160)
        assert it.model.sent == [AppendAudio(bytes([number]) * 160) for number in range(3)]
        assert it.counters.providers["scripted"].sent_ms == 60


async def test_a_frame_that_is_repeated_reaches_the_model_once() -> None:
    async with desk() as it:
        it.frame(b"\x02" * 160, at_ms=0)
        it.frame(b"\x02" * 160, at_ms=0)
        it.frame(b"\x03" * 160, at_ms=20)
        assert it.model.audio() == b"\x02" * 160 + b"\x03" * 160
        assert it.counters.providers["scripted"].sent_ms == 40


async def test_a_frame_that_is_late_or_of_a_time_that_cannot_be_true_does_not_reach_the_model() -> None:
    async with desk() as it:
        it.frames(400)
        sent = len(it.model.sent)
        it.frame(b"\x02" * 160, at_ms=100)
        it.frame(b"\x02" * 160, at_ms=-20)
        it.frame(b"\x02" * 160, at_ms=25 * 3600 * 1000)
        assert len(it.model.sent) == sent


async def test_the_outbound_track_does_not_reach_the_model_and_no_socket_rests() -> None:
    async with desk() as it:
        assert it.stream.chunk("outbound", 0, b"\x02" * 160) is False
        assert [it.stream.chunk("inbound", at_ms, b"\xff" * 160) for at_ms in range(0, 400, 20)] == [False] * 20
        assert it.model.audio() == b"\xff" * 3200


async def test_early_audio_waits_for_the_session_and_the_greeting_is_asked_for_first() -> None:
    async with desk(replace(AGENT, greeting="Hello."), ready=False) as it:
        it.frames(100)
        assert it.model.sent == []
        it.emit(SessionReady())
        assert [type(request) for request in it.model.sent] == [CreateResponse] + [AppendAudio] * 5


async def test_the_session_is_asked_to_be_as_the_agent_is_for_this_call() -> None:
    async with desk(replace(AGENT, instructions="{from} calls {to}.")) as it:
        assert it.model.settings is not None
        assert it.model.settings.instructions == "+14155550123 calls +14155550100."
        assert [tool.name for tool in it.model.settings.tools] == ["book", "hang_up", "transfer"]


# A clock that leaps.


async def test_a_leap_of_the_streams_clock_is_a_gap_on_both_tracks_and_call_time_goes_on_after_it() -> None:
    async with desk() as it:
        it.frames(1000)
        it.at_ms += 60_000
        it.frames(1000)
        gaps = it.events(Gap)
        assert [(gap.track, gap.start, gap.end, gap.reason) for gap in gaps] == [
            ("inbound", 1.0, 61.0, "the stream's clock leapt"),
            ("outbound", 1.0, 61.0, "the stream's clock leapt"),
        ]
        # The model heard 1 s before the leap, and after it all but the frames that were not believed at first.
        it.emit(CallerSpeechStarted("q", 1500), CallerSpeechStopped("q", 1700), CallerText("q", "Hello?"))
        (final,) = it.events(Final)
        assert final.start == pytest.approx(61.5, abs=0.1)
        it.stream.stop()
        await asyncio.sleep(0)
    assert it.end.duration == pytest.approx(62.0)


async def test_a_leap_gives_up_no_model_that_was_asked_a_moment_ago() -> None:
    async with desk(limits=replace(LIMITS, look_seconds=0.01)) as it:
        it.emit(CallerSpeechStarted("q", 0))
        it.frames(600)
        it.emit(CallerSpeechStopped("q", 500))
        it.at_ms += 60_000
        it.frames(600)
        await it.looked()
        assert it.call.holds
        assert it.events(TranscriberLost) == []


async def test_one_frame_with_a_wrong_time_is_no_leap() -> None:
    async with desk() as it:
        it.frames(200)
        it.frame(at_ms=90_000)
        it.at_ms = 200
        it.frames(400)
        assert it.events(Gap) == []
        assert len(it.model.audio()) == 600 * 8


# What reaches the caller.


async def test_the_agents_voice_goes_out_with_its_mark_in_one_write() -> None:
    async with desk() as it:
        it.emit(ResponseStarted("r1"), AgentAudio("r1", "i1", VOICE * 100))
        ((media, mark),) = it.peer.writes
        assert (media["event"], mark["event"], mark["mark"]["name"]) == ("media", "mark", "0:800")


async def test_an_interruption_clears_the_caller_tells_the_model_and_is_published_and_counted() -> None:
    async with desk() as it:
        it.emit(ResponseStarted("r1"), AgentTextDelta("r1", "i1", "One two three four"), AgentAudio("r1", "i1", VOICE * 1000))
        it.frames(500)
        it.emit(CallerSpeechStarted("q", 480))
        assert [message["event"] for message in it.peer.writes[-1]] == ["clear"]
        assert it.model.sent[-1] == TruncateItem("i1", 500)
        (cut,), (final,) = it.events(AgentInterrupted), it.events(Final)
        assert (cut.time, cut.heard, cut.generated) == (0.5, 0.5, 1.0)
        assert (final.text, final.interrupted, final.speaker) == ("One two", True, "desk")
        assert it.counters.agents.interruptions == 1


async def test_a_mark_that_comes_back_says_what_was_heard() -> None:
    async with desk() as it:
        it.emit(*speech(200, "One."))
        it.frames(100)
        assert it.events(Final) == []
        it.stream.mark("0:1600")
        assert [final.text for final in it.events(Final)] == ["One."]


async def test_those_who_listen_in_hear_both_sides_where_they_were_heard() -> None:
    async with desk() as it:
        listener = Listener()
        it.record.live_audio.listeners[listener] = None
        it.emit(*speech(300, "One."))
        for _ in range(50):
            it.frame(b"\x02" * 160)
            it.stream.mark("0:2400") if it.at_ms == 300 else None
        it.stream.stop()
    sound = b"".join(block[-1600:] for block in listener.blocks)  # 100 ms of stereo, behind their heads
    left, right = sound[0::2], sound[1::2]
    assert left.count(b"\x02") == 8000
    assert right.count(b"\x01") == 2400


async def test_the_agents_voice_is_where_the_caller_heard_it_also_after_a_pause_and_in_pieces_of_any_size() -> None:
    async with desk() as it:
        listener = Listener()
        it.record.live_audio.listeners[listener] = None
        it.emit(ResponseStarted("r1"), *(AgentAudio("r1", "i1", b"\x01" * size) for size in (801, 799, 3, 797)))
        for at_ms, name in ((120, "0:801"), (220, "0:1600"), (220, "0:1603"), (320, "0:2400")):
            it.frames(at_ms - it.at_ms)
            it.stream.mark(name)
        it.frames(680)
        it.emit(AgentAudioDone("r1", "i1"), AgentText("r1", "i1", "One."), ResponseEnded("r1", "completed"))
        it.emit(*speech(200, "Two.", "i2", "r2"))
        it.frames(220)
        it.stream.mark("0:4000")
        it.frames(780)
        it.stream.stop()
    right = b"".join(block[-1600:] for block in listener.blocks)[1::2]
    assert right[:2400] == b"\x01" * 2400
    assert right[8000:9600] == b"\x01" * 1600
    assert right.count(b"\x01") == 4000


async def test_an_agents_silence_is_no_audio_that_is_missing() -> None:
    async with desk() as it:
        it.frames(1000)
        it.at_ms += 200
        it.frames(1000)
        assert set(it.call.amiss_bytes()) == {("inbound", "filled"), ("inbound", "late"), ("inbound", "dropped")}
        assert it.call.amiss_bytes()["inbound", "filled"] == 1600
    assert (it.end.audio["outbound"].filled_ms, it.end.audio["inbound"].filled_ms) == (0.0, 200.0)


# Life cycle.


async def test_a_call_begins_with_its_stream_and_says_which_agent_answers() -> None:
    async with desk() as it:
        (started,) = it.events(CallStarted)
        assert (started.agent, started.transcriber.provider, started.transcriber.model) == ("desk", "scripted", "test")
        assert (started.tracks, started.speakers["outbound"], started.from_) == (["inbound", "outbound"], "desk", "+14155550123")
        assert (it.call.accepts, it.call.holds, it.call.answered, it.call.streams, it.call.superseded) == (False, True, True, 1, False)


@pytest.mark.parametrize(("verb", "reason"), [("stop", "completed"), ("lost", "stream-lost")])
async def test_a_stream_that_is_over_ends_the_call_and_nothing_has_an_effect_after_it(verb: str, reason: str) -> None:
    async with desk() as it:
        it.frames(200)
        getattr(it.stream, verb)()
        assert (it.call.holds, it.call.answered, it.call.streams, it.model.closed) == (False, False, 0, True)
        sent = len(it.model.sent)
        it.frames(200)
        it.stream.mark("0:800")
        it.stream.dtmf("1", "inbound")
        it.stream.stop()
        it.stream.lost()
        assert len(it.model.sent) == sent
    assert (it.end.reason, it.end.duration, it.end.transcript) == (reason, 0.2, "complete")
    assert it.peer.closed == []  # Twilio closes its own stream
    assert it.events(Dtmf) == []


async def test_a_hub_that_stops_ends_the_call_and_closes_the_stream() -> None:
    async with desk() as it:
        it.call.stop()
    assert (it.end.reason, it.peer.closed) == ("hub-stopping", ["the hub is stopping"])


async def test_a_call_that_is_cancelled_ends_as_the_hub_stopping_with_its_session_closed() -> None:
    async with Webhooks() as webhooks:
        it = Desk()
        it.begin(webhooks)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(it.call.run())
            await it.model.opened.wait()
            running.cancel()
        it.call.end()
    assert it.end.reason == "hub-stopping"
    assert not it.model.running


async def test_a_session_that_is_lost_is_published_counted_and_ends_the_agents_part() -> None:
    async with desk() as it:
        it.emit(*speech(1000, "One two three four."))
        it.frames(500)
        it.emit(SessionLost("lost the connection"))
        assert it.peer.closed == ["the agent was lost"]
    (lost,) = it.events(TranscriberLost)
    assert (lost.provider, lost.reason, lost.attempt) == ("scripted", "lost the connection", 0)
    assert [final.text for final in it.events(Final)] == ["One two"]
    assert (it.end.reason, it.counters.providers["scripted"].refused) == ("agent-lost", 1)


async def test_an_event_that_the_hub_fails_on_ends_the_agents_part_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    async with desk() as it:
        it.emit(cast("Any", object()))
        assert it.peer.closed == ["the agent was lost"]
    assert it.end.reason == "agent-lost"
    assert "an event of the model could not be taken" in caplog.text


async def test_a_model_that_raises_fails_the_call_and_not_the_hub(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(type(Desk().model)):  # type: ignore[misc]
        async def attend(self) -> None:
            raise RuntimeError("a bug")

    async with Webhooks() as webhooks:
        it = Desk(model=Broken())
        it.begin(webhooks)
        await it.call.run()
        it.call.end()
    assert (it.end.reason, it.peer.closed) == ("failed", ["the hub failed on this call"])
    assert "the call failed" in caplog.text


async def test_an_agents_time_is_limited_by_the_calls_clock() -> None:
    async with desk(limits=replace(LIMITS, call_seconds=90.0, look_seconds=0.01)) as it:
        it.now += 89.0
        it.frame()
        await it.looked()
        assert it.call.holds
        it.now += 1.0
        it.frame()
        while it.call.holds:
            await asyncio.sleep(0.002)
    (lost,) = it.events(TranscriberLost)
    assert "1.5 minutes are the most (HUB_AGENT_MINUTES)" in lost.reason
    assert (it.end.reason, it.peer.closed) == ("agent-limit", ["the agent's time is up"])
    assert it.counters.providers["scripted"].refused == 0  # the model did nothing wrong


async def test_a_stream_that_goes_quiet_is_lost() -> None:
    async with desk(limits=replace(LIMITS, look_seconds=0.01)) as it:
        it.frame()
        it.now += LIMITS.quiet_seconds - 1
        await it.looked()
        assert it.call.holds
        it.now += 1
        while it.call.holds:
            await asyncio.sleep(0.002)
    assert (it.end.reason, it.peer.closed) == ("stream-lost", ["no frame for 60 s"])


async def test_a_model_that_owes_an_answer_for_too_long_is_lost() -> None:
    async with desk(limits=replace(LIMITS, look_seconds=0.01)) as it:
        it.emit(CallerSpeechStopped("q", 0))
        it.frames(14_900)
        await it.looked()
        assert it.call.holds
        it.frames(100)
        while it.call.holds:
            await asyncio.sleep(0.002)
    assert [lost.reason for lost in it.events(TranscriberLost)] == ["did not answer within 15 s"]
    assert it.counters.providers["scripted"].refused == 1


async def test_keys_are_published_and_given_to_the_model() -> None:
    async with desk() as it:
        for key in "7#":
            it.stream.dtmf(key, "inbound")
        it.frame()
        assert [(event.digit, event.track) for event in it.events(Dtmf)] == [("7", "inbound"), ("#", "inbound")]
        assert any("keypad: 7#" in str(request) for request in it.model.sent)


async def test_words_that_are_missing_at_the_end_make_the_transcript_truncated() -> None:
    async with desk() as it:
        it.emit(CallerSpeechStarted("q", 0))
        it.frames(1000)
        it.stream.stop()
    assert [gap.reason for gap in it.events(Gap)] == ["the call ended before its transcription came"]
    assert it.end.transcript == "truncated"


# Giving way.


async def test_a_call_that_gives_way_publishes_its_words_before_and_no_end() -> None:
    async with desk() as it:
        it.emit(ResponseStarted("r1"), AgentTextDelta("r1", "i1", "One two three four"), AgentAudio("r1", "i1", VOICE * 1000))
        it.frames(500)
        it.call.give_way()
        assert it.call.superseded
        assert [final.text for final in it.events(Final)] == ["One two"]
        assert it.peer.closed == ["the call goes on in another stream"]
        assert it.record.left_off is not None
        assert it.record.left_off.call_ms == 500
    assert it.events(CallEnded) == []


@pytest.mark.parametrize("waits", ["released", "stopped", "nobody"])
async def test_a_call_that_goes_on_without_its_agent_waits_for_whoever_takes_it_over(waits: str) -> None:
    limits = replace(LIMITS, pass_on_seconds=0.05 if waits == "nobody" else 3600.0)
    async with desk(replace(AGENT, dial="+14155550199"), limits, reachable=True) as it:
        it.emit(SessionLost("lost the connection"))
        if waits == "nobody":
            await it.running
        else:
            for _ in range(20):
                await asyncio.sleep(0)
            assert not it.running.done()
            assert not it.call.holds
        if waits == "released":
            it.call.give_way()
    assert [ended.reason for ended in it.events(CallEnded)] == ([] if waits == "released" else ["agent-lost"])


@pytest.mark.parametrize(("dial", "reachable"), [("", True), ("+14155550199", False)])
async def test_a_call_that_nobody_can_take_over_ends_at_once(dial: str, reachable: bool) -> None:
    async with desk(replace(AGENT, dial=dial), replace(LIMITS, pass_on_seconds=3600.0), reachable=reachable) as it:
        it.emit(SessionLost("lost the connection"))
        await it.running


async def test_a_call_that_comes_back_goes_on_in_call_time_and_tells_the_pause_as_a_gap() -> None:
    async with desk() as first:
        first.frames(1000)
        first.stream.stop()
    async with Webhooks() as webhooks:
        again = Desk(now=first.now + 9.0)
        again.registry, again.record = first.registry, first.record
        again.begin(webhooks)
        assert [(gap.track, gap.start, gap.end, gap.reason) for gap in again.events(Gap)] == [
            ("inbound", 1.0, pytest.approx(10.0), "no stream"),
            ("outbound", 1.0, pytest.approx(10.0), "no stream"),
        ]


async def test_a_call_that_comes_back_counts_from_where_it_is_and_believes_no_time_below_zero() -> None:
    async with desk() as first:
        first.frames(1000)
        first.stream.stop()
    async with Webhooks() as webhooks, asyncio.TaskGroup() as group:
        again = Desk(now=first.now + 9.0)
        again.registry, again.record = first.registry, first.record
        again.begin(webhooks)
        running = group.create_task(again.call.run())
        await again.model.opened.wait()
        again.emit(SessionReady(), CallerText("q", "Hello?"))
        assert [final.start for final in again.events(Final)] == [pytest.approx(10.0)]
        again.frame(at_ms=-20)
        again.frame(at_ms=0)
        assert len(again.model.audio()) == 160
        assert (again.call.amiss_bytes()["inbound", "dropped"], again.call.amiss_bytes()["inbound", "late"]) == (160, 0)
        again.call.stop()
        await running


async def test_a_call_has_one_stream() -> None:
    async with desk() as it:
        with pytest.raises(AssertionError, match="one stream"):
            it.call.join(start_body(), it.peer)
