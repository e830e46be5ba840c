"""The microphone as a call: a pretend device at PortAudio's boundary, and a real hub or a desk that keeps all it receives."""

import asyncio
import base64
import wave
from pathlib import Path

import pytest

from clients.audio.wav import WavRecorder
from clients.devices.microphone import Microphone, microphone
from clients.pretend_twilio.media_socket import NotAnswered, OutgoingCall
from clients.pretend_twilio.speaking import speak
from hub.audio import g711
from tests.clients import pretend_portaudio
from tests.clients.desk import CALL, a_desk
from tests.clients.pretend_portaudio import tone
from tests.house import house

pytestmark = pytest.mark.usefixtures("pretend_device")


async def test_what_is_said_arrives_as_the_inbound_track_frame_by_frame() -> None:
    async with a_desk() as desk:
        with microphone() as device:
            result = await speak(OutgoingCall(desk.url, CALL, parameters={"from": "+14155550142"}), device, hang_up_after_ms=900)
        await desk.ended.wait()
    assert [message["event"] for message in desk.messages] == ["connected", "start", *["media"] * 45, "stop"]
    start = desk.messages[1]["start"]
    assert (start["callSid"], start["tracks"], start["customParameters"]) == (CALL, ["inbound"], {"from": "+14155550142"})
    assert desk.timestamps("inbound") == list(range(5, 905, 20))
    assert {len(base64.b64decode(media["payload"])) for media in desk.media()} == {160}
    assert (result.seconds, result.frames_sent, result.cut_short) == (0.9, {"inbound": 45}, False)
    assert desk.close_code == 1000


async def test_the_device_sets_the_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretend_portaudio, "pace", 4.0)
    async with a_desk() as desk:
        began = asyncio.get_running_loop().time()
        with microphone() as device:
            await speak(OutgoingCall(desk.url), device, hang_up_after_ms=1000)
        await desk.ended.wait()
    assert desk.came_at[-1] - began > 0.9 / 4  # never faster than it was spoken


async def test_the_recording_is_what_the_hub_heard_bit_for_bit(tmp_path: Path) -> None:
    async with house() as home:
        recorder = WavRecorder(tmp_path / "said.wav")
        with microphone() as device:
            await speak(OutgoingCall(f"ws://127.0.0.1:{home.port}/twilio"), device, hang_up_after_ms=900, recorder=recorder)
        recorder.close()
        (transcriber,) = home.transcribers
        await asyncio.wait_for(transcriber.finished.wait(), 5)
        heard = transcriber.audio("inbound")
    with wave.open(str(tmp_path / "said.wav")) as saved:
        assert (saved.getframerate(), saved.getnchannels(), saved.getsampwidth()) == (8000, 1, 2)
        pcm = saved.readframes(saved.getnframes())
    # The stream's own time begins 5 ms before its first frame, as Twilio's does.
    assert heard.removeprefix(g711.silence(40)).ljust(len(pcm) // 2, b"\xff")[: len(pcm) // 2] == g711.to_mulaw(pcm)


async def test_hanging_up_sends_what_was_spoken_before_and_nothing_after() -> None:
    device = Microphone(8000, "test")
    device.record(tone(0.06, 8000), 480, None, None)
    await asyncio.sleep(0)
    device.hang_up()
    device.record(tone(0.06, 8000), 480, None, None)
    async with a_desk() as desk:
        result = await speak(OutgoingCall(desk.url), device)
    assert result.frames_sent == {"inbound": 3}
    assert desk.messages[-1]["event"] == "stop"


async def test_a_device_that_is_unplugged_ends_the_call_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretend_portaudio, "unplugged", True)
    async with a_desk() as desk:
        with microphone() as device:
            result = await speak(OutgoingCall(desk.url), device)
        assert device.vanished
        await desk.ended.wait()
    assert result.seconds > 0.9
    assert desk.messages[-1]["event"] == "stop"


async def test_a_cancelled_call_says_stop() -> None:
    async with a_desk() as desk:
        with microphone() as device:
            async with asyncio.TaskGroup() as group:
                speaking = group.create_task(
                    speak(OutgoingCall(desk.url), device, sent=lambda seconds, _: seconds > 0.2 and speaking.cancel())
                )
        await desk.ended.wait()
    assert desk.messages[-1]["event"] == "stop"


async def test_a_hub_that_is_not_there_is_one_sentence() -> None:
    with microphone() as device, pytest.raises(NotAnswered, match="No hub answers"):
        await speak(OutgoingCall("ws://127.0.0.1:1/twilio"), device)


async def test_frames_that_were_lost_leave_a_hole_in_chunks_and_timestamps() -> None:
    device = Microphone(8000, "test", waiting_frames=2)
    device.record(tone(0.1, 8000), 800, None, None)  # five frames, of which the last three are lost
    await asyncio.sleep(0)
    async with a_desk() as desk:
        async with asyncio.TaskGroup() as group:
            speaking = group.create_task(speak(OutgoingCall(desk.url), device))
            while len(desk.media()) < 2:
                await asyncio.sleep(0.001)
            device.record(tone(0.02, 8000), 160, None, None)
            await asyncio.sleep(0)
            device.hang_up()
        await desk.ended.wait()
    assert [(media["chunk"], media["timestamp"]) for media in desk.media()] == [("1", "5"), ("2", "25"), ("6", "105")]
    assert (speaking.result().frames_sent, speaking.result().frames_lost, speaking.result().seconds) == ({"inbound": 3}, 3, 0.12)
