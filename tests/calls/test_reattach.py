"""A stream that breaks while its call lives: Twilio is asked for another, the topic goes on, and what was lost is told."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from hub.calls.bookmark import Entry
from hub.calls.call_context import DEADLINES, Deadlines
from hub.twilio.rest import Patience
from tests.calls.left_calls import leave, left
from tests.completeness import completeness
from tests.house import House, house, impatient
from tests.media import CALL, media, stop
from tests.providers.fake_twilio import ACCOUNT, TOKEN, FakeTwilio, LiveStream, PhoneCall, fake_twilio
from tests.scripted import talking

OTHER = "MZ" + "2" * 32

PUBLIC, URL = "https://hub.example.com", "wss://hub.example.com/twilio"


HURRIED = impatient(twilio=Patience(first_wait_seconds=0.01, longest_wait_seconds=0.05))


@asynccontextmanager
async def phone(deadlines: Deadlines = DEADLINES, **settings: Any) -> AsyncIterator[tuple[FakeTwilio, House]]:
    async with fake_twilio() as twilio:
        credentials = {"twilio_account": ACCOUNT, "twilio_token": TOKEN, "twilio_url": twilio.url, "public_url": PUBLIC}
        async with house(deadlines=deadlines, **({"on_block": talking, "limits": HURRIED} | credentials | settings)) as home:
            twilio.ports["hub.example.com"] = home.port
            yield twilio, home


PARAMETERS = {"from": "+14155550123", "to": "+14155550100", "room": "42", "outboundTrackLabel": "agent"}


async def called(twilio: FakeTwilio, home: House, *tracks: str) -> tuple[PhoneCall, LiveStream]:
    """A call with a stream for each of `tracks`, or one for both, whose first words were told; and its first stream."""
    phone_call = twilio.ring()
    streams = [phone_call.stream(URL, track, PARAMETERS) for track in tracks or ("both_tracks",)]
    while not (record := home.state.registry.find(phone_call.sid)) or record.outline.utterances < len(streams):
        await asyncio.sleep(0.01)
    return phone_call, streams[0]


async def follow(home: House, call_sid: str) -> aiohttp.ClientWebSocketResponse:
    socket = await home.open("/client")
    await socket.receive()
    await socket.send_json({"action": "subscribe", "callSid": call_sid, "interims": False})
    return socket


async def until(socket: aiohttp.ClientWebSocketResponse, kind: str) -> list[dict[str, Any]]:
    """Every event up to the next of a kind."""
    events: list[dict[str, Any]] = []
    while not events or events[-1]["type"] != kind:
        events.append(await socket.receive_json())
    return events


def cut(home: House) -> None:
    """Break every Twilio socket, as a proxy that is restarted would."""
    for socket in list(home.state.sockets):
        request = socket._req
        if request is not None and request.path == "/twilio" and request.transport is not None:
            request.transport.abort()


def posts(twilio: FakeTwilio) -> int:
    return sum(method == "POST" for method, _, _ in twilio.asked)


async def test_a_broken_stream_is_asked_for_again_and_the_call_goes_on() -> None:
    async with phone() as (twilio, home):
        phone_call, first = await called(twilio, home)
        record = home.state.registry.find(phone_call.sid)
        assert record is not None
        epoch = record.topic.log.epoch
        subscriber = await follow(home, phone_call.sid)
        cut(home)
        before = await until(subscriber, "call-started")
        before += await until(subscriber, "call-started")
        after = await until(subscriber, "final")
        await phone_call.hang_up()
        rest = await until(subscriber, "call-ended")
        second = phone_call.streams[1]
    again = before[-1]
    assert again["streamSid"] == second.sid != first.sid
    assert (again["from"], again["parameters"]["room"], again["speakers"]["outbound"]) == ("+14155550123", "42", "agent")
    durable = [event for event in before + after + rest if "offset" in event and event["type"] != "subscribed"]
    assert [event["offset"] for event in durable] == list(range(1, len(durable) + 1)), "the same topic, not a number missing"
    assert {event["epoch"] for event in durable} == {epoch}
    finals = [event for event in durable if event["type"] == "final" and event["track"] == "inbound"]
    assert finals[-1]["start"] > finals[0]["start"], "call time goes on"
    assert rest[-1]["reason"] == "completed"
    assert posts(twilio) == 1


async def test_a_hole_in_the_audio_is_told_as_a_gap_on_both_tracks() -> None:
    async with phone() as (twilio, home):
        phone_call, _ = await called(twilio, home)
        subscriber = await follow(home, phone_call.sid)
        twilio.trouble = [503] * 20  # more than GAP_MS, by the waits between
        cut(home)
        events = await until(subscriber, "gap")
        events += await until(subscriber, "gap")
        await phone_call.hang_up()
        ended = (await until(subscriber, "call-ended"))[-1]
    gaps = [event for event in events if event["type"] == "gap"]
    assert {gap["track"] for gap in gaps} == {"inbound", "outbound"}
    assert {gap["reason"] for gap in gaps} == {"no stream"}
    assert gaps[0]["start"] == gaps[1]["start"]
    assert gaps[0]["end"] - gaps[0]["start"] >= 0.5
    assert ended["duration"] >= gaps[0]["end"]


async def test_a_call_that_twilio_says_is_over_ends_at_once() -> None:
    async with phone(Deadlines(grace_seconds=3600)) as (twilio, home):
        phone_call, _ = await called(twilio, home)
        subscriber = await follow(home, phone_call.sid)
        phone_call.status, phone_call.ended_at = "completed", time.time()
        cut(home)
        ended = (await until(subscriber, "call-ended"))[-1]
    assert ended["reason"] == "stream-lost"
    assert posts(twilio) == 0


async def test_a_refusal_that_no_second_try_can_mend_ends_the_call(caplog: pytest.LogCaptureFixture) -> None:
    async with phone() as (twilio, home):
        phone_call, _ = await called(twilio, home)
        subscriber = await follow(home, phone_call.sid)
        twilio.tokens = ("another",)
        cut(home)
        assert (await until(subscriber, "call-ended"))[-1]["reason"] == "stream-lost"
    assert "Twilio's REST API says 401, error 20003" in caplog.text
    assert TOKEN not in caplog.text


async def test_a_stream_that_goes_quiet_is_asked_for_again() -> None:
    async with phone(Deadlines(quiet_seconds=0.4)) as (twilio, home):
        phone_call, stream = await called(twilio, home)
        assert stream.task is not None
        subscriber = await follow(home, phone_call.sid)
        live = next(iter(home.state.calls._calls.values()))
        live._streams[0].audio_at -= 60  # as after a minute without a frame
        stream.status = "stopped"
        await until(subscriber, "call-started")
        await phone_call.hang_up()
        await until(subscriber, "call-ended")


async def test_where_one_of_two_streams_breaks_the_other_goes_on_and_the_lost_one_is_asked_for() -> None:
    async with phone() as (twilio, home):
        phone_call, _ = await called(twilio, home, "inbound_track", "outbound_track")
        live = home.state.calls._calls[phone_call.sid]
        lost = live._streams[1]
        twilio.trouble = [503] * 30
        lost.lost()
        while len(phone_call.streams) < 3 or live._streams[-1].sid != phone_call.streams[2].sid:
            await asyncio.sleep(0.01)
        assert phone_call.streams[2].tracks == list(lost.tracks)
        subscriber = await follow(home, phone_call.sid)
        gap = (await until(subscriber, "gap"))[-1]
        assert (gap["track"], gap["reason"]) == (lost.tracks[0], "no stream")
        await phone_call.hang_up()
        assert (await until(subscriber, "call-ended"))[-1]["reason"] == "completed"


async def test_where_both_of_two_streams_break_both_come_back_and_no_span_is_told_twice() -> None:
    async with phone() as (twilio, home):
        phone_call, _ = await called(twilio, home, "inbound_track", "outbound_track")
        subscriber = await follow(home, phone_call.sid)
        twilio.trouble = [503] * 60  # more than GAP_MS, by the waits between
        cut(home)
        live = home.state.calls._calls[phone_call.sid]
        while len(phone_call.streams) < 4 or live.streams < 2:
            await asyncio.sleep(0.01)
        assert sorted(stream.tracks for stream in phone_call.streams[2:]) == [["inbound"], ["outbound"]]
        await phone_call.hang_up()
        events = await until(subscriber, "call-ended")
        assert events[-1]["reason"] == "completed"
        for track in ("inbound", "outbound"):
            gaps = [(event["start"], event["end"]) for event in events if event["type"] == "gap" and event["track"] == track]
            assert gaps
            assert all(later >= end for (_, end), (later, _) in itertools.pairwise(gaps)), gaps


async def test_a_hub_that_stops_does_not_wait_for_a_stream() -> None:
    async with phone() as (twilio, home):
        phone_call, _ = await called(twilio, home)
        subscriber = await follow(home, phone_call.sid)
        twilio.trouble = [503] * 1000
        cut(home)
        while not twilio.asked:
            await asyncio.sleep(0.01)
        await home.state.calls.drain(0.0)
        assert (await until(subscriber, "call-ended"))[-1]["reason"] == "hub-stopping"


# ------------------------------------------------------------------------------------------------------------ a new hub


def left_behind(path: Path, call_sid: str, ago_seconds: float = 2.0, **more: Any) -> None:
    """An archive as a hub leaves it that was killed."""
    settled: Any = {"inbound": 7000.0, "outbound": 5000.0}
    entry = Entry(
        account_sid=ACCOUNT, stream_sid="MZ" + "1" * 32, tracks=["inbound", "outbound"], parameters=PARAMETERS,
        at=time.time() - ago_seconds, call_ms=8000.0, settled_ms=settled, **more,
    )  # fmt: skip
    leave(path, call_sid, entry)


async def test_a_call_left_behind_is_known_at_once_and_goes_on_with_exactly_the_gap(tmp_path: Path) -> None:
    path = tmp_path / "calls"
    async with fake_twilio() as twilio:
        phone_call = twilio.ring()
        left_behind(path, phone_call.sid)
        credentials = {"twilio_account": ACCOUNT, "twilio_token": TOKEN, "twilio_url": twilio.url, "public_url": PUBLIC}
        async with house(on_block=talking, archive=str(path), **credentials) as home:
            assert home.state.registry.live() == [phone_call.sid]
            record = home.state.registry.find(phone_call.sid)
            assert record is not None
            assert record.ahead is not record.outline, "lists show nothing of it before it is stored"
            twilio.ports["hub.example.com"] = home.port
            subscriber = await follow(home, phone_call.sid)
            events = await until(subscriber, "final")
            await phone_call.hang_up()
            events += await until(subscriber, "call-ended")
        assert left(path) == {}, "a call that is over is not taken up again"
    durable = [event for event in events if event["type"] != "subscribed"]
    assert [event["type"] for event in durable[:4]] == ["call-started", "call-started", "gap", "gap"], "the second is of the new stream"
    assert (durable[0]["streamSid"], durable[1]["streamSid"]) == ("MZ" + "1" * 32, phone_call.streams[0].sid)
    assert durable[0]["from"] == durable[1]["from"] == "+14155550123"
    gaps = {gap["track"]: gap for gap in durable[2:4]}
    assert (gaps["inbound"]["start"], gaps["outbound"]["start"]) == (7.0, 5.0)
    assert gaps["inbound"]["end"] == gaps["outbound"]["end"]
    assert 10.0 <= gaps["inbound"]["end"] <= 15.0, "eight seconds, and the two or more since"
    assert durable[4]["start"] >= gaps["inbound"]["end"]


async def test_a_call_that_ended_while_no_hub_listened_is_told_so(tmp_path: Path) -> None:
    path = tmp_path / "calls"
    async with fake_twilio() as twilio:
        phone_call = twilio.ring()
        phone_call.status, phone_call.ended_at = "completed", time.time() - 58
        left_behind(path, phone_call.sid, ago_seconds=60.0)
        credentials = {"twilio_account": ACCOUNT, "twilio_token": TOKEN, "twilio_url": twilio.url, "public_url": PUBLIC}
        async with house(archive=str(path), **credentials) as home:
            subscriber = await follow(home, phone_call.sid)
            events = await until(subscriber, "call-ended")
            assert home.state.registry.live() == []
    assert [event["type"] for event in events] == ["subscribed", "call-started", "gap", "gap", "statistics", "call-ended"]
    missing = events[-1]["duration"] - 5.0
    assert (events[-1]["reason"], completeness(events[-1])) == ("stream-lost", f"incomplete: {missing:.1f} s not transcribed")
    assert 9.0 <= events[-1]["duration"] <= 10.1, "Twilio's clock has whole seconds"
    assert events[2]["end"] == events[-1]["duration"]


async def test_calls_that_an_earlier_hub_had_are_taken_up_however_many_the_hub_may_have(tmp_path: Path) -> None:
    path = tmp_path / "calls"
    async with fake_twilio() as twilio:
        phone_calls = [twilio.ring() for _ in range(3)]
        for each in phone_calls:
            left_behind(path, each.sid)
        credentials = {"twilio_account": ACCOUNT, "twilio_token": TOKEN, "twilio_url": twilio.url, "public_url": PUBLIC}
        async with house(archive=str(path), calls=1, **credentials) as home:
            twilio.ports["hub.example.com"] = home.port
            while home.state.calls.live_streams < 3:
                await asyncio.sleep(0.01)
            assert home.state.calls.refusal is not None
            for each in phone_calls:
                await each.hang_up()


async def test_a_hub_that_stops_leaves_its_calls_to_the_next(tmp_path: Path) -> None:
    path = tmp_path / "calls"
    async with fake_twilio() as twilio:
        credentials = {"twilio_account": ACCOUNT, "twilio_token": TOKEN, "twilio_url": twilio.url, "public_url": PUBLIC}
        async with house(on_block=talking, archive=str(path), **credentials) as home:
            twilio.ports["hub.example.com"] = home.port
            phone_call, _ = await called(twilio, home)
        entry = left(path)[phone_call.sid]
        assert set(entry.settled_ms.values()) == {entry.settled_ms["inbound"]}, "its last words were told"
        assert entry.settled_ms["inbound"] >= 900.0


async def test_a_stream_that_comes_while_the_last_words_are_awaited_goes_on_in_call_time_and_keeps_their_utterances_apart() -> None:
    async with house() as home:
        first = await home.call()
        for at_ms in range(0, 2000, 20):
            await first.send_str(media("inbound", at_ms))
            await first.send_str(media("outbound", at_ms))
        await home.frames(200)
        (old,) = home.transcribers
        old.may_end.clear()
        old.interim("old wor", "inbound", 1.0, 1.4)
        await first.send_str(stop())
        await old.finished.wait()
        second = await home.call(CALL, OTHER)
        for at_ms in range(0, 2000, 20):
            await second.send_str(media("inbound", at_ms, stream=OTHER))
            await second.send_str(media("outbound", at_ms, stream=OTHER))
        await home.frames(400)
        _, new = home.transcribers
        assert 2000 <= new.blocks[0].start_ms < 4000, "call time goes on, and does not leap"
        new.interim("new", "inbound", 2.5, 2.7)
        old.final("old words", "inbound", 1.0, 1.6)
        old.may_end.set()
        new.final("new words", "inbound", 2.5, 2.9)
        await second.send_str(stop(CALL, OTHER))
        follower = await home.open("/client")
        await follower.receive()
        await follower.send_str(CALL)
        events = await until(follower, "call-ended")
    finals = [event for event in events if event["type"] == "final"]
    assert [(event["text"], event["start"], event["end"]) for event in finals] == [("old words", 1.0, 1.6), ("new words", 2.5, 2.9)]
    assert len({event["utterance"] for event in finals}) == 2
    assert [event["type"] for event in events if event["type"] != "interim"].count("call-ended") == 1
    assert events[-1]["duration"] < 6
