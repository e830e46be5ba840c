"""A recording played as a call, judged by a real WebSocket server that keeps all it receives."""

import asyncio
import base64
import json
import re
import time
from collections import Counter
from typing import Any

import pytest

from clients.audio.files import RecordedCall
from clients.pretend_twilio.media_socket import CallResult, OutgoingCall
from clients.pretend_twilio.messages import FIRST_TIMESTAMP_MS
from clients.pretend_twilio.playback import Faults, frames, play
from hub.audio.g711 import Track
from hub.twilio import media as twilio
from tests.clients.desk import CALL, STREAM, Desk, a_desk

TWO_SIDES = RecordedCall(bytes(range(256)) * 25, bytes(reversed(range(256))) * 25)
"""6400 bytes a track: 800 ms, 40 frames."""


async def played(recording: RecordedCall = TWO_SIDES, parameters: dict[str, str] | None = None, **options: Any) -> tuple[Desk, CallResult]:
    """Play at full speed into a desk; return both once the socket is closed."""
    async with a_desk() as desk:
        call = OutgoingCall(desk.url, CALL, STREAM, parameters=parameters or {}, headers={"X-Twilio-Signature": "abc="})
        result = await play(call, recording, **({"speed": 0} | options))
        await desk.ended.wait()
        return desk, result


def grid(start_ms: int, end_ms: int) -> list[int]:
    return list(range(start_ms + FIRST_TIMESTAMP_MS, end_ms, 20))


# ---------------------------------------------------------------------------------------------------------------- the wire


async def test_the_opening_is_what_twilio_says() -> None:
    desk, _ = await played(parameters={"from": "+14155550142", "room": "42"})
    connected, start, first, second = desk.messages[:4]
    assert connected == {"event": "connected", "protocol": "Call", "version": "1.0.0"}
    account = start["start"].pop("accountSid")
    assert re.fullmatch("AC[0-9a-f]{32}", account)
    assert start == {
        "event": "start",
        "sequenceNumber": "1",
        "start": {
            "streamSid": STREAM,
            "callSid": CALL,
            "tracks": ["inbound", "outbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": {"from": "+14155550142", "room": "42"},
        },
        "streamSid": STREAM,
    }
    for message, track, number in ((first, "inbound", "2"), (second, "outbound", "3")):
        payload = base64.b64encode((TWO_SIDES.inbound if track == "inbound" else TWO_SIDES.outbound or b"")[:160]).decode()
        assert message == {
            "event": "media",
            "sequenceNumber": number,
            "media": {"track": track, "chunk": "1", "timestamp": "5", "payload": payload},
            "streamSid": STREAM,
        }
    assert desk.messages[-1] == {
        "event": "stop",
        "sequenceNumber": "82",
        "stop": {"accountSid": account, "callSid": CALL},
        "streamSid": STREAM,
    }
    assert desk.binaries == 0
    assert desk.close_code == 1000


async def test_counters_and_timestamps_run_as_twilios_do() -> None:
    desk, result = await played()
    assert [message["sequenceNumber"] for message in desk.messages[1:]] == [str(number) for number in range(1, 83)]
    for track in ("inbound", "outbound"):
        assert [media["chunk"] for media in desk.media(track)] == [str(number) for number in range(1, 41)]
        assert desk.timestamps(track) == grid(0, 800)
    assert desk.audio("inbound") == TWO_SIDES.inbound
    assert desk.audio("outbound") == TWO_SIDES.outbound
    assert result == CallResult(CALL, STREAM, {"inbound": 40, "outbound": 40}, 0, 0.8, None, None, False)


async def test_the_hubs_own_reader_understands_every_message() -> None:
    desk, _ = await played()
    kinds = Counter(type(twilio.decode(text)) for text in desk.texts)
    assert kinds == {twilio.Connected: 1, twilio.Start: 1, twilio.Media: 80, twilio.Stop: 1}


async def test_a_last_piece_is_filled_up_with_silence() -> None:
    desk, result = await played(RecordedCall(b"\x01" * 1000, b"\x02" * 1000))
    assert {len(base64.b64decode(media["payload"])) for media in desk.media()} == {160}
    assert desk.audio("inbound") == b"\x01" * 1000 + b"\xff" * 120
    assert result.frames_sent == {"inbound": 7, "outbound": 7}


async def test_a_mono_file_is_a_stream_of_the_inbound_track_alone() -> None:
    desk, result = await played(RecordedCall(b"\x01" * 320))
    assert desk.messages[1]["start"]["tracks"] == ["inbound"]
    assert desk.media("outbound") == []
    assert result.frames_sent == {"inbound": 2}


async def test_identifiers_are_random_and_look_like_twilios() -> None:
    async with a_desk() as desk:
        results = [await play(OutgoingCall(desk.url), TWO_SIDES, speed=0) for _ in range(2)]
    identifiers = {(one.call_sid, one.stream_sid) for one in results}
    assert len(identifiers) == 2
    for call_sid, stream_sid in identifiers:
        assert re.fullmatch("CA[0-9a-f]{32}", call_sid)
        assert re.fullmatch("MZ[0-9a-f]{32}", stream_sid)


async def test_no_compression_is_offered_and_headers_are_passed_on() -> None:
    desk, _ = await played()
    assert desk.headers is not None
    assert "Sec-WebSocket-Extensions" not in desk.headers
    assert desk.headers["X-Twilio-Signature"] == "abc="


# ------------------------------------------------------------------------------------------------------------------ pacing


async def test_frames_leave_when_they_are_due_and_never_before() -> None:
    speed, seconds, held_up_seconds = 2, 1.6, 0.7
    silence = b"\xff" * round(seconds * 8000)
    delays = iter([held_up_seconds])
    began = asyncio.get_running_loop().time()
    desk, _ = await played(RecordedCall(silence, silence), speed=speed, progress=lambda _: time.sleep(next(delays, 0.0)))
    for came_at, message in zip(desk.came_at[2:], desk.messages[2:], strict=True):
        due_ms = int(message["media"]["timestamp"]) - FIRST_TIMESTAMP_MS if message["event"] == "media" else seconds * 1000
        assert came_at - began > due_ms / 1000 / speed - 0.001
    # Deadlines are absolute: what held up the first frame would otherwise hold up the last one, too.
    assert desk.came_at[-1] - began < seconds / speed + held_up_seconds - 0.05


async def test_full_speed_waits_for_nothing_but_the_socket() -> None:
    hour = RecordedCall(b"\x01" * 8000 * 60, b"\x02" * 8000 * 60)
    began = asyncio.get_running_loop().time()
    desk, _ = await played(hour)
    assert asyncio.get_running_loop().time() - began < 10
    assert len(desk.media()) == 6000


async def test_progress_is_reported_in_seconds_of_the_call() -> None:
    seconds: list[float] = []
    await played(progress=seconds.append)
    assert seconds == sorted(seconds)
    assert seconds[0] == 0.02
    assert seconds[-1] == 0.8


# ------------------------------------------------------------------------------------------------------------------ faults


async def test_a_late_outbound_track_begins_late_with_its_true_timestamp() -> None:
    desk, _ = await played(faults=Faults(late_outbound_ms=300))
    assert desk.timestamps("inbound") == grid(0, 800)
    assert desk.timestamps("outbound") == grid(300, 800)
    assert desk.media("outbound")[0]["chunk"] == "1"


async def test_lost_frames_leave_holes_in_chunks_and_timestamps_but_not_in_the_sequence() -> None:
    desk, result = await played(faults=Faults(lose=0.25, seed=1))
    assert 5 < result.frames_lost < 40
    assert result.frames_lost + len(desk.media()) == 80
    for track in ("inbound", "outbound"):
        assert set(desk.timestamps(track)) < set(grid(0, 800))
        assert all((int(media["chunk"]) - 1) * 20 + 5 == int(media["timestamp"]) for media in desk.media(track))
    assert [int(message["sequenceNumber"]) for message in desk.messages[1:]] == list(range(1, len(desk.messages)))


async def test_everything_can_be_lost_and_the_call_still_starts_and_stops() -> None:
    desk, result = await played(faults=Faults(lose=1))
    assert [message["event"] for message in desk.messages] == ["connected", "start", "stop"]
    assert result.frames_lost == 80


async def test_duplicates_are_the_same_message_twice() -> None:
    desk, result = await played(faults=Faults(duplicate=20))
    assert result.frames_sent == {"inbound": 42, "outbound": 42}
    twice = [json.loads(text)["media"] for text, times in Counter(desk.texts).items() if times == 2]
    assert [(media["track"], media["chunk"], media["timestamp"]) for media in twice] == [
        ("inbound", "20", "385"),
        ("outbound", "20", "385"),
        ("inbound", "40", "785"),
        ("outbound", "40", "785"),
    ]


async def test_jitter_changes_the_order_and_nothing_else() -> None:
    desk, _ = await played(faults=Faults(jitter_ms=150, seed=3))
    for track, original in (("inbound", TWO_SIDES.inbound), ("outbound", TWO_SIDES.outbound)):
        came = desk.timestamps(track)
        assert came != sorted(came)
        assert sorted(came) == grid(0, 800)
        furthest = 0
        for timestamp in came:
            furthest = max(furthest, timestamp)
            assert furthest - timestamp < 150
        in_order = sorted(desk.media(track), key=lambda media: int(media["timestamp"]))
        assert b"".join(base64.b64decode(media["payload"]) for media in in_order) == original
    assert desk.messages[-1]["event"] == "stop"


async def test_a_one_sided_call_still_announces_both_tracks() -> None:
    desk, result = await played(faults=Faults(one_sided=True))
    assert desk.messages[1]["start"]["tracks"] == ["inbound", "outbound"]
    assert desk.media("outbound") == []
    assert result.frames_sent == {"inbound": 40, "outbound": 0}


async def test_without_a_stop_the_socket_breaks_off() -> None:
    desk, result = await played(faults=Faults(no_stop=True), speed=10)
    assert desk.messages[-1]["event"] == "media"
    assert desk.close_code == 1006
    assert not result.cut_short
    assert result.close_code is None


async def test_hanging_up_early_ends_with_a_stop() -> None:
    desk, result = await played(faults=Faults(hang_up_after_ms=300))
    assert desk.timestamps("inbound") == grid(0, 300)
    assert desk.messages[-1]["event"] == "stop"
    assert result.seconds == 0.3


def test_a_seed_makes_the_same_accidents_again() -> None:
    def accidents(seed: int) -> list[tuple[Track, int, int]]:
        return [(frame.track, frame.chunk, frame.copies) for frame in frames(TWO_SIDES, Faults(lose=0.1, jitter_ms=100, seed=seed))]

    assert accidents(1) == accidents(1) != accidents(2)


def test_frames_leave_in_the_order_of_their_departure() -> None:
    departures = [frame.at_ms for frame in frames(TWO_SIDES, Faults(jitter_ms=150))]
    assert departures == sorted(departures)
    assert len(departures) == 80


# -------------------------------------------------------------------------------------------------------- how it is cut short


async def test_a_cancelled_call_says_stop_and_closes() -> None:
    async with a_desk() as desk:
        playing = asyncio.ensure_future(
            play(OutgoingCall(desk.url), TWO_SIDES, progress=lambda seconds: seconds > 0.2 and playing.cancel())
        )
        with pytest.raises(asyncio.CancelledError):
            await playing
        await desk.ended.wait()
    assert desk.messages[-1]["event"] == "stop"
    assert desk.close_code == 1000
    assert len(desk.media()) < 40
