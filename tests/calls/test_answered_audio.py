"""The audio of a call that an agent answers: what reaches the model, and what reaches the caller and those who listen in."""

import asyncio
from dataclasses import replace

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
    ResponseEnded,
    ResponseStarted,
    SessionReady,
    TruncateItem,
)
from hub.events import AgentInterrupted, Final, Gap, TranscriberLost
from tests.calls.agent_desk import AGENT, LIMITS, desk
from tests.calls.answering import VOICE, Listener, speech

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


async def test_a_streams_clock_that_goes_back_to_zero_costs_no_audio_and_call_time_goes_on() -> None:
    async with desk() as it:
        it.frames(3000)
        it.at_ms = 0
        it.frames(2000)
        assert [(gap.track, gap.start, gap.end) for gap in it.events(Gap)] == [("inbound", 3.0, 3.1)]
        # The model heard 3 s before the leap, and after it all but the frames that were not believed at first.
        it.emit(CallerSpeechStarted("q", 3500), CallerSpeechStopped("q", 3700), CallerText("q", "Hello?"))
        (final,) = it.events(Final)
        assert final.start == pytest.approx(3.6, abs=0.1)
        it.stream.stop()
        await asyncio.sleep(0)
    assert it.end.duration == pytest.approx(5.1)


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
