"""The microphone as a call: a pretend device at PortAudio's boundary, a real hub or a desk that writes down what it is told."""

import asyncio
import base64
import signal
import subprocess
import sys
import wave
from pathlib import Path

import pytest

from clients.leg import NotAnswered
from clients.mic import Recording, speak
from clients.microphone import Microphone, microphone
from hub.audio import g711
from tests.clients import pretend_portaudio
from tests.clients.desk import CALL, Desk, a_desk
from tests.clients.pretend_portaudio import tone
from tests.house import house

pytestmark = pytest.mark.usefixtures("pretend_device")

ROOT = Path(__file__).parents[2]


async def test_what_is_said_arrives_as_the_inbound_track_frame_by_frame() -> None:
    async with a_desk() as desk:
        with microphone() as device:
            played = await speak(desk.url, device, call_sid=CALL, parameters={"from": "+14155550142"}, hang_up_after_ms=900)
        await desk.ended.wait()
    assert [message["event"] for message in desk.messages] == ["connected", "start", *["media"] * 45, "stop"]
    start = desk.messages[1]["start"]
    assert (start["callSid"], start["tracks"], start["customParameters"]) == (CALL, ["inbound"], {"from": "+14155550142"})
    assert desk.timestamps("inbound") == list(range(5, 905, 20))
    assert {len(base64.b64decode(media["payload"])) for media in desk.media()} == {160}
    assert (played.seconds, played.frames_sent, played.cut_short) == (0.9, {"inbound": 45}, False)
    assert desk.close_code == 1000


async def test_the_device_sets_the_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretend_portaudio, "pace", 4.0)
    async with a_desk() as desk:
        began = asyncio.get_running_loop().time()
        with microphone() as device:
            await speak(desk.url, device, hang_up_after_ms=1000)
        await desk.ended.wait()
    assert desk.came_at[-1] - began > 0.9 / 4  # never faster than it was spoken


async def test_the_recording_is_what_the_hub_heard_bit_for_bit(tmp_path: Path) -> None:
    async with house() as home:
        recording = Recording(tmp_path / "said.wav")
        with microphone() as device:
            await speak(f"ws://127.0.0.1:{home.port}/twilio", device, hang_up_after_ms=900, recording=recording)
        recording.close()
        (transcriber,) = home.transcribers
        await asyncio.wait_for(transcriber.finished.wait(), 5)
        heard = transcriber.audio("inbound")
    with wave.open(str(tmp_path / "said.wav")) as saved:
        assert (saved.getframerate(), saved.getnchannels(), saved.getsampwidth()) == (8000, 1, 2)
        pcm = saved.readframes(saved.getnframes())
    # The stream's own time begins 5 ms before its first frame, as Twilio's does.
    assert heard.removeprefix(g711.silence(40)).ljust(len(pcm) // 2, b"\xff")[: len(pcm) // 2] == g711.to_mulaw(pcm)


def test_frames_that_were_lost_are_silence_in_the_recording(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "said.wav")
    recording.add(0, b"\x01" * 160)
    recording.add(3, b"\x02" * 160)
    recording.close()
    with wave.open(str(tmp_path / "said.wav")) as saved:
        mulaw = g711.to_mulaw(saved.readframes(saved.getnframes()))
    assert mulaw == b"\x01" * 160 + g711.silence(320) + b"\x02" * 160


async def test_hanging_up_sends_what_was_spoken_before_and_nothing_after() -> None:
    device = Microphone(8000, "test")
    device.heard(tone(0.06, 8000), 480, None, None)
    await asyncio.sleep(0)
    device.hang_up()
    device.heard(tone(0.06, 8000), 480, None, None)
    async with a_desk() as desk:
        played = await speak(desk.url, device)
    assert played.frames_sent == {"inbound": 3}
    assert desk.messages[-1]["event"] == "stop"


async def test_a_device_that_is_unplugged_ends_the_call_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretend_portaudio, "unplugged", True)
    async with a_desk() as desk:
        with microphone() as device:
            played = await speak(desk.url, device)
        assert device.vanished
        await desk.ended.wait()
    assert played.seconds > 0.9
    assert desk.messages[-1]["event"] == "stop"


async def test_a_cancelled_call_says_stop() -> None:
    async with a_desk() as desk:
        with microphone() as device:
            async with asyncio.TaskGroup() as group:
                speaking = group.create_task(speak(desk.url, device, heard=lambda seconds, _: seconds > 0.2 and speaking.cancel()))
        await desk.ended.wait()
    assert desk.messages[-1]["event"] == "stop"


async def test_a_hub_that_is_not_there_is_one_sentence() -> None:
    with microphone() as device, pytest.raises(NotAnswered, match="No hub answers"):
        await speak("ws://127.0.0.1:1/twilio", device)


async def command(*arguments: str, setting: str = "", interrupt: bool = False, desk: Desk | None = None) -> tuple[int | None, str, str]:
    """Run `transcript-client mic` as a program with the pretend device; give it a Ctrl-C once the desk has heard ten messages."""
    code = (
        "import sys; from tests.clients import pretend_portaudio as p; sys.modules['sounddevice'] = p;"
        f"p.sound = bytes(range(256)) * 400; p.rate_hz = 8000; {setting}\n"
        "from clients.__main__ import main; sys.exit(main(['mic', *sys.argv[1:]]))"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "ignore", "-c", code, *arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    if interrupt:
        assert desk is not None
        while len(desk.texts) < 10:
            await asyncio.sleep(0.01)
        process.send_signal(signal.SIGINT)
    out, err = await process.communicate()
    assert b"Traceback" not in err, err
    return process.returncode, out.decode(), err.decode()


async def test_ctrl_c_hangs_up_in_good_order_and_that_is_no_error(tmp_path: Path) -> None:
    async with a_desk() as desk:
        code, out, err = await command(
            "--url", desk.url, "--save", str(tmp_path / "said.wav"), "--call-sid", CALL, interrupt=True, desk=desk
        )
        await desk.ended.wait()
    assert (code, out) == (0, CALL + "\n")
    assert "Spoke for" in err
    assert desk.messages[-1]["event"] == "stop"
    assert desk.close_code == 1000
    with wave.open(str(tmp_path / "said.wav")) as saved:
        assert g711.to_mulaw(saved.readframes(saved.getnframes())) == desk.audio("inbound")


async def test_it_follows_its_own_transcript_to_the_last_word() -> None:
    from hub.audio.timeline import Block
    from tests.scripted import ScriptedTranscriber

    def talk(script: ScriptedTranscriber, block: Block) -> None:
        if block.start_ms == 0:
            script.final("can you hear me")

    async with house(on_block=talk) as home:
        code, out, err = await command("--url", f"ws://127.0.0.1:{home.port}/twilio", "--follow", "--hang-up-after", "500ms", "--quiet")
    assert (code, err) == (0, "")
    assert "caller: can you hear me" in out
    assert "call ended: completed" in out


async def test_the_command_says_what_is_wrong_and_lists_devices(tmp_path: Path) -> None:
    async with a_desk() as desk:
        for expected, words, setting, *arguments in (
            (1, "No hub answers", "", "--url", "ws://127.0.0.1:1/twilio"),
            (2, "cannot be written: No such file or directory", "", "--save", str(tmp_path / "no" / "folder.wav")),
            (2, "'Nothing' is no microphone", "", "--device", "Nothing"),
            (2, "No microphone can be used here", "p.absent = True", "--quiet"),
            (1, "gives no more sound", "p.unplugged = True; p.sound = bytes(1600)", "--url", desk.url),
            (0, "only silence: is it muted", "p.sound = b''; p.pace = 50", "--url", desk.url, "--hang-up-after", "4s"),
        ):
            code, _, err = await command(*arguments, setting=setting)
            assert (code, words in err) == (expected, True), err
    code, out, _ = await command("--devices")
    assert (code, out) == (0, "> 0 Pretend microphone, ALSA (1 in, 0 out)\n< 1 Pretend loudspeaker, ALSA (0 in, 1 out)\n")
