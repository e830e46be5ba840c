"""A call that an agent answers, directly: what is published of it, how it ends, and how it gives way to another call."""

import asyncio
from dataclasses import replace
from typing import Any, cast

import pytest

from hub.agents.voice_model import (
    AgentAudio,
    AgentTextDelta,
    CallerSpeechStarted,
    CallerSpeechStopped,
    CallerText,
    ResponseStarted,
    SessionLost,
    SessionReady,
)
from hub.agents.webhooks import Webhooks
from hub.events import AgentTrouble, CallEnded, CallStarted, Dtmf, Final, Gap, TranscriberLost
from tests.calls.agent_desk import AGENT, LIMITS, Desk, desk, start_body
from tests.calls.answering import VOICE, speech

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
    assert (it.end.reason, it.end.duration, it.end.completeness.words_missing) == (reason, 0.2, reason == "stream-lost")
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
        assert it.call.answered
        it.now += 1
        while it.call.answered:
            await asyncio.sleep(0.002)
    assert (it.end.reason, it.peer.closed) == ("stream-lost", ["no frame for 60 s"])


async def test_a_model_that_owes_an_answer_for_too_long_is_lost() -> None:
    async with desk(limits=replace(LIMITS, look_seconds=0.01)) as it:
        it.emit(CallerSpeechStopped("q", 0))
        it.frames(14_900)
        await it.looked()
        assert it.call.holds
        it.frames(500)  # looked at every 200 ms
        while it.call.holds:
            await asyncio.sleep(0.002)
    assert [trouble.reason for trouble in it.events(AgentTrouble)] == ["did not begin to answer; it is asked once more"]
    assert [lost.reason for lost in it.events(TranscriberLost)] == ["did not answer within 15 s"]
    assert it.counters.providers["scripted"].refused == 1


async def test_keys_are_published_and_given_to_the_model() -> None:
    async with desk() as it:
        for key in "7#":
            it.stream.dtmf(key, "inbound")
        it.frame()
        assert [(event.digit, event.track) for event in it.events(Dtmf)] == [("7", "inbound"), ("#", "inbound")]
        assert any("keypad: 7#" in str(request) for request in it.model.sent)


async def test_words_that_are_missing_at_the_end_are_said_in_its_completeness() -> None:
    async with desk() as it:
        it.emit(CallerSpeechStarted("q", 0))
        it.frames(1000)
        it.stream.stop()
    assert [gap.reason for gap in it.events(Gap)] == ["the call ended before its transcription came"]
    assert it.end.completeness.words_missing


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


async def test_the_time_without_audio_before_a_stream_stops_is_a_gap() -> None:
    async with desk() as it:
        it.frames(1000)
        it.now += 30
        it.stream.stop()
    assert [(gap.track, gap.start, round(gap.end, 1)) for gap in it.events(Gap)] == [("inbound", 1.0, 31.0)]
    assert (it.end.completeness.summary, round(it.end.duration, 1)) == ("incomplete: 30 s not transcribed", 31.0)
