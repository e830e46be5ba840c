"""`/twilio`, over real sockets: audio in, everything that ends a stream, and that no stream disturbs another."""

import asyncio

import aiohttp
import pytest

from hub.calls.call_context import Deadlines
from hub.calls.transcribed import TranscribedCall
from hub.errors import ProviderError
from hub.transcribers.transcriber import OnReport
from tests.completeness import completeness
from tests.frames import frame, knock
from tests.house import house, impatient
from tests.media import CALL, CONNECTED, STREAM, media, start, stop
from tests.scripted import ScriptedTranscriber, talking
from tests.web.callers import closed, follow, follow_ended, talk, told


async def test_a_socket_rests_after_a_block_and_loses_no_audio() -> None:
    async with house() as home:
        socket = await home.call()
        await talk(socket, 0, 100)
        await home.frames(10)
        assert len(home.state.resting_sockets) == 1
        await talk(socket, 100, 500)
        await socket.send_str(stop())
        assert await closed(socket) == (1000, "stop")
        audio = home.transcribers[0].audio("inbound")
    assert (home.state.counters.frames, len(audio)) == (50, 500 * 8)


async def test_audio_that_arrived_at_a_resting_socket_is_read_when_the_hub_stops() -> None:
    async with house() as home:
        socket = await home.call()
        await talk(socket, 0, 100)
        await home.frames(10)
        assert len(home.state.resting_sockets) == 1
        await talk(socket, 100, 180)
    assert home.state.counters.frames == 18
    assert len(home.transcribers[0].audio("outbound")) == 180 * 8


async def test_a_call_becomes_events_from_start_to_end() -> None:
    async with house(on_block=talking) as home:
        socket = await home.call(
            parameters={"from": "+14155550123", "to": "+14155550100", "outboundTrackLabel": "agent", "token": "secret"}
        )
        subscriber = await follow(home)
        await talk(socket, 0, 2000)
        await socket.send_str(stop())
        events = await told(subscriber)
        assert await closed(socket) == (1000, "stop")
        assert subscriber.close_code == 1000
    durable = [event for event in events if event["type"] != "interim"]
    assert [event["offset"] for event in durable] == list(range(1, len(durable) + 1))
    assert [event["type"] for event in durable] == ["call-started", "final", "final", "final", "final", "statistics", "call-ended"]
    started, ended = durable[0], durable[-1]
    assert (started["from"], started["to"], started["speakers"]) == (
        "+14155550123",
        "+14155550100",
        {"inbound": "caller", "outbound": "agent"},
    )
    assert "secret" not in str(events)
    assert (ended["reason"], ended["duration"], completeness(ended)) == ("completed", 2.0, "complete")
    assert {(final["speaker"], final["text"]) for final in durable if final["type"] == "final"} == {
        (speaker, f"{track} word {second}") for speaker, track in (("caller", "inbound"), ("agent", "outbound")) for second in (0, 1)
    }


@pytest.mark.parametrize(
    ("message", "code", "says"),
    [
        ("not json", 1007, "not JSON"),
        (b"\x00\x01", 1003, "binary"),
        ('{"event":"media","media":{"track":"inbound","timestamp":"1","payload":"!"}}', 1007, "base64"),
        ('{"event":"media","media":{"track":"inbound"}}', 1007, "timestamp"),
        (start(), 1002, "second start"),
        ("x" * 10_000_000, 1009, "65536 bytes"),
    ],
)
async def test_a_message_that_twilio_never_sends_closes_its_socket_and_nothing_else(message: str | bytes, code: int, says: str) -> None:
    async with house(on_block=talking) as home:
        good = await home.call("CA" + "9" * 32, "MZ" + "9" * 32)
        bad = await home.call()
        await (bad.send_bytes(message) if isinstance(message, bytes) else bad.send_str(message))
        got, reason = await closed(bad)
        assert got == code
        assert says in str(reason)
        subscriber = await follow(home, "CA" + "9" * 32)
        await talk(good, 0, 1000, "MZ" + "9" * 32)
        await good.send_str(stop())
        assert (await told(subscriber))[-1]["reason"] == "completed"
        while not home.state.counters.malformed:  # counted when the socket has lingered for its peer
            await asyncio.sleep(0.01)


async def test_media_before_start_is_refused() -> None:
    async with house() as home:
        socket = await home.open("/twilio")
        await socket.send_str(media("inbound", 0))
        assert await closed(socket) == (1002, "sent media before start")
        assert home.state.calls.live == 0


async def test_a_key_press_is_published_with_the_track_of_whoever_pressed_it() -> None:
    async with house() as home:
        socket = await home.call()
        subscriber = await follow(home)
        for digit, track in (("5", "inbound_track"), ("#", "outbound_track")):
            await socket.send_json({"event": "dtmf", "streamSid": STREAM, "dtmf": {"track": track, "digit": digit}})
        await socket.send_str(stop())
        keys = [event for event in await told(subscriber) if event["type"] == "dtmf"]
    assert [(key["digit"], key["track"]) for key in keys] == [("5", "inbound"), ("#", "outbound")]


async def test_a_stream_that_starts_when_the_hub_has_begun_to_stop_is_closed_with_1013() -> None:
    async with house() as home:
        socket = await home.open("/twilio")
        home.state.calls.draining = True
        await socket.send_str(CONNECTED)
        await socket.send_str(start())
        assert await closed(socket) == (1013, "the hub is stopping")
        assert home.state.counters.refused["twilio stopping"] == 1
        assert home.state.registry.find(CALL) is None


async def test_wild_timestamps_are_counted_and_unknown_events_skipped() -> None:
    async with house() as home:
        socket = await home.call()
        subscriber = await follow(home)
        for at in (-40, 10**15, 10**9):
            await socket.send_str(media("inbound", at))
        await socket.send_str('{"event":"something-new","streamSid":"MZ"}')
        await talk(socket, 0, 500)
        await socket.send_str(stop())
        ended = (await told(subscriber))[-1]
    assert ended["duration"] == 0.5
    assert ended["audio"]["inbound"] == {"filledMs": 0.0, "lostMs": 0.0, "lateMs": 0.0, "droppedMs": 60.0, "maxSkewMs": 0.0}  # type: ignore[index]


@pytest.mark.timeout(180)  # a thousand handshakes take as long as a busy machine takes
async def test_a_thousand_sockets_that_never_start_are_closed_and_disturb_nobody() -> None:
    limits = impatient(start_seconds=3.0, unproved_connections=2400)
    async with house(on_block=talking, limits=limits) as home, asyncio.TaskGroup() as group:
        idle = [group.create_task(closed(await home.open("/twilio"))) for _ in range(1000)]
        socket = await home.call()
        subscriber = await follow(home)
        await talk(socket, 0, 1000)
        await socket.send_str(stop())
        assert [event["type"] for event in await told(subscriber)][-1] == "call-ended"
        for each in idle:
            assert await each == (1008, "no start within 3 s")
        assert home.state.counters.refused["twilio no start"] == 1000


async def test_a_stream_that_is_being_closed_is_not_also_counted_as_one_without_a_start() -> None:
    """Its peer never answers the close frame, so the deadline for a start passes while the hub waits for that."""
    async with house(limits=impatient(start_seconds=0.1, close_seconds=1.0)) as home:
        async with knock(home.port, frame("nonsense"), "/twilio") as (reader, _):
            while not home.state.counters.streams_closed:
                await asyncio.sleep(0.01)
            await reader.read()
        assert home.state.counters.streams_closed == {1007: 1}
        assert dict(home.state.counters.refused) == {}


async def test_a_socket_that_dies_without_stop_ends_the_call_as_stream_lost() -> None:
    async with house(on_block=talking, deadlines=Deadlines(grace_seconds=0.05)) as home:
        socket = await home.call()
        subscriber = await follow(home)
        await talk(socket, 0, 1300)
        socket._response.connection.transport.abort()  # type: ignore[union-attr]
        ended = (await told(subscriber))[-1]
    assert (ended["type"], ended["reason"], ended["duration"]) == ("call-ended", "stream-lost", 1.3)


async def test_a_socket_that_goes_quiet_ends_the_call_as_stream_lost() -> None:
    async with house(deadlines=Deadlines(quiet_seconds=0.4, grace_seconds=0.05)) as home:
        socket = await home.call()
        await talk(socket, 0, 100)
        subscriber = await follow(home)
        assert (await told(subscriber))[-1]["reason"] == "stream-lost"
        assert (await closed(socket))[0] == 1000


async def test_a_stream_that_comes_back_goes_on_with_the_call() -> None:
    again = "MZ" + "2" * 32
    async with house(on_block=talking) as home:
        first = await home.call()
        subscriber = await follow(home)
        await talk(first, 0, 1000)
        await subscriber.receive_json()
        await first.close()
        second = await home.call(stream=again)
        await talk(second, 0, 1000, again)
        await second.send_str(stop(stream=again))
        events = await told(subscriber)
    assert [event["streamSid"] for event in events if event["type"] == "call-started"] == [again]
    finals = [event for event in events if event["type"] == "final"]
    assert len(finals) == len({event["utterance"] for event in finals}), "ids stay unique across streams"
    assert events[-1]["reason"] == "completed"
    assert events[-1]["duration"] >= 2.0  # type: ignore[operator]
    assert len(home.transcribers) == 1


async def test_two_streams_of_the_same_tracks_do_not_double_a_word() -> None:
    again = "MZ" + "2" * 32
    async with house() as home:
        first = await home.call()
        await talk(first, 0, 500)
        second = await home.call(stream=again)
        subscriber = await follow(home)
        for at in range(0, 500, 20):
            await talk(first, 500 + at, 520 + at)
            await talk(second, at, at + 20, again)
        await second.send_str(stop(stream=again))
        await talk(first, 1000, 1200)
        await first.send_str(stop())
        ended = (await told(subscriber))[-1]
        (transcriber,) = home.transcribers
    assert len(transcriber.audio("inbound")) == len(transcriber.audio("outbound")) == round(float(str(ended["duration"])) * 8000)
    assert 1.0 <= float(str(ended["duration"])) <= 3.0, "1.2 s, and what a busy machine took to let the second stream in"


async def test_a_stream_per_track_becomes_one_call() -> None:
    other = "MZ" + "2" * 32
    async with house() as home:
        left = await home.call(tracks=("inbound",))
        await follow(home)
        call = home.state.calls._calls[CALL]
        assert isinstance(call, TranscribedCall)
        now = call.clock()
        call.clock = lambda: now  # both begin at once, however long this machine takes to open the second one
        right = await home.call(stream=other, tracks=("outbound",))
        while call.streams < 2:
            await asyncio.sleep(0.01)
        for at in range(0, 1000, 20):
            while at > call.timeline.end_ms + 20:
                await asyncio.sleep(0.001)
            await left.send_str(media("inbound", at, b"\x01" * 160))
            await right.send_str(media("outbound", at, b"\x02" * 160, other))
        await left.send_str(stop())
        await right.send_str(stop(stream=other))
        await closed(right)
        (transcriber,) = home.transcribers
        await transcriber.finished.wait()
        assert transcriber.audio("inbound").count(1) == 8000
        assert transcriber.audio("outbound").count(2) == 8000


async def test_a_call_that_ended_can_begin_again_on_its_topic() -> None:
    async with house(on_block=talking) as home:
        for _ in range(2):
            socket = await home.call()
            await talk(socket, 0, 1000)
            await socket.send_str(stop())
            await closed(socket)
        subscriber = await home.open("/client")
        await subscriber.receive()
        await subscriber.send_str(CALL)
        events = await told(subscriber)
        assert len(home.state.registry) == 1
    assert [event["type"] for event in events].count("call-started") == 2
    assert [event["offset"] for event in events] == list(range(1, len(events) + 1))
    starts = [event["start"] for event in events if event["type"] == "final" and event["track"] == "inbound"]
    assert starts[1] >= starts[0] + 1.0, "call time goes on"  # type: ignore[operator]


class Deaf(ScriptedTranscriber):
    """A provider that refuses for good."""

    async def run(self, hear: OnReport) -> bool:
        raise ProviderError("Deaf", "refused the key", retryable=False)


async def test_a_provider_that_cannot_start_leaves_the_call_without_words_but_with_its_end() -> None:
    async with house(lambda _: Deaf()) as home:
        socket = await home.call()
        subscriber = await follow(home)
        await talk(socket, 0, 1000)
        await socket.send_str(stop())
        events = await told(subscriber)
    assert [(event["type"], event.get("reason")) for event in events] == [
        ("call-started", None),
        ("transcriber-lost", "refused the key"),
        ("condition-changed", None),
        ("gap", "no transcriber"),
        ("gap", "no transcriber"),
        ("statistics", None),
        ("call-ended", "completed"),
    ]
    assert [(event["start"], event["end"]) for event in events if event["type"] == "gap"] == [(0.0, 1.0)] * 2
    assert completeness(events[-1]) == completeness(events[2]) == "not transcribed: scripted refused the key"


class Broken(ScriptedTranscriber):
    """A bug in an adapter."""

    async def run(self, hear: OnReport) -> bool:
        raise RuntimeError("bug")


async def test_a_bug_in_a_transcriber_costs_that_calls_words_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    async with house(lambda started: Broken() if started.call_sid == CALL else ScriptedTranscriber(talking)) as home:
        bad = await home.call()
        other = await home.call("CA" + "2" * 32, "MZ" + "2" * 32)
        subscriber = await follow(home, "CA" + "2" * 32)
        await talk(bad, 0, 200)
        await talk(other, 0, 1000, "MZ" + "2" * 32)
        await other.send_str(stop())
        assert [event["type"] for event in await told(subscriber)][-1] == "call-ended"
        await bad.send_str(stop())
        assert await closed(bad) == (1000, "stop")
        told_bad = await told(await follow_ended(home))
        assert [event["type"] for event in told_bad] == ["call-started", "transcriber-lost", "gap", "gap", "statistics", "call-ended"]
        assert told_bad[-1]["reason"] == "completed"
    assert "RuntimeError: bug" in caplog.text


async def test_audio_never_waits_for_a_blocked_transcriber_or_a_subscriber_that_does_not_read() -> None:
    async with house(lambda started: ScriptedTranscriber(None if started.call_sid == CALL else talking)) as home:
        blocked = await home.call()
        other = await home.call("CA" + "2" * 32, "MZ" + "2" * 32)
        stalled = await follow(home, "CA" + "2" * 32)
        stalled._response.connection.transport.pause_reading()  # type: ignore[union-attr]
        reading = await follow(home, "CA" + "2" * 32)
        await asyncio.gather(talk(blocked, 0, 20_000), talk(other, 0, 20_000, "MZ" + "2" * 32))
        await other.send_str(stop())
        events = await told(reading)
        assert events[-1]["duration"] == 20.0
        await home.frames(4000)
        assert home.state.calls._calls[CALL].timeline.end_ms == 20_000
        await blocked.send_str(stop())


async def test_a_stopping_hub_refuses_new_calls_and_finishes_those_it_has() -> None:
    async with house(on_block=talking, drain_seconds=0.5) as home:
        socket = await home.call()
        subscriber = await follow(home)
        waiting = await home.open("/client")
        await waiting.receive()
        await talk(socket, 0, 1000)
        async with asyncio.TaskGroup() as group:
            drained = group.create_task(home.state.calls.drain(0.3))
            await asyncio.sleep(0)
            with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
                await home.open("/twilio")
            assert refusal.value.status == 503
            async with home.session.get(home.url("/readyz")) as answer:
                assert answer.status == 503
            events = await told(subscriber)
            await drained
        assert (events[-1]["type"], events[-1]["reason"], completeness(events[-1])) == ("call-ended", "hub-stopping", "complete")
        assert await closed(socket) == (1000, "the hub is stopping")
    assert (await closed(waiting))[0] == 4409
