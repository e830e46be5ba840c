"""The pretend Twilio of agent lines: its buffer, its marks, what it would warn about, and the command."""

import asyncio
import base64
import json
import os
import signal
import sys
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clients.__main__ import main
from clients.loudspeaker import loudspeaker
from clients.microphone import Microphone, microphone
from clients.phone import BadMessage, Handset, Phone, speak
from hub.audio.g711 import to_mulaw, to_pcm
from hub.twilio.media import Speech
from tests.agents.lines import Lines, lines, words
from tests.clients import pretend_portaudio
from tests.clients.desk import CALL, a_desk
from tests.providers.openai_script import Model, Reply, overheard

SPEECH = Speech("MZ1")


def handset(*messages: bytes) -> Handset:
    phone = Handset("MZ1")
    for message in messages:
        phone.receive(message)
    return phone


def test_audio_is_played_in_order_and_a_mark_comes_back_when_what_is_before_it_was_heard() -> None:
    phone = handset(SPEECH.media(b"\x01" * 240), SPEECH.mark("a"), SPEECH.media(b"\x02" * 40), SPEECH.mark("b"))
    assert phone.play() == b"\x01" * 160
    assert list(phone.echoes) == []
    assert phone.play() == b"\x01" * 80 + b"\x02" * 40 + b"\xff" * 40
    assert list(phone.echoes) == ["a", "b"]
    assert (phone.now_ms, phone.waiting_ms) == (40.0, 0.0)


def test_a_mark_behind_nothing_comes_back_at_once() -> None:
    assert list(handset(SPEECH.mark("a")).echoes) == ["a"]


def test_clear_silences_and_sends_every_mark_back() -> None:
    phone = handset(SPEECH.media(b"\x01" * 800), SPEECH.mark("a"), SPEECH.media(b"\x01" * 800), SPEECH.mark("b"))
    phone.play()
    phone.receive(SPEECH.clear())
    assert list(phone.echoes) == ["a", "b"]
    assert phone.clears == [160]
    assert phone.play() == b"\xff" * 160


MEDIA: dict[str, Any] = {"event": "media", "streamSid": "MZ1", "media": {"payload": base64.b64encode(b"x").decode()}}


@pytest.mark.parametrize(
    "message",
    [
        MEDIA | {"streamSid": "MZ2"},
        MEDIA | {"track": "outbound"},
        MEDIA | {"media": {"payload": "!"}},
        MEDIA | {"event": "speak"},
        {"event": "mark", "streamSid": "MZ1"},
        "clear",
    ],
)
def test_what_twilio_would_warn_about_is_refused(message: Any) -> None:
    with pytest.raises(BadMessage, match="31951"):
        handset(json.dumps(message).encode())


async def test_the_command_talks_to_an_agent_and_saves_what_was_heard(tmp_path: Path) -> None:
    saved = tmp_path / "heard.wav"
    async with lines(Model(replies=[Reply("Hello there friend.")])) as line:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "clients", "call", "--agent", "--url", line.url, "--save", str(saved), "--hang-up-after", "2s",
            "--call-sid", CALL,
            stderr=asyncio.subprocess.PIPE, env=os.environ | {"COLUMNS": "200"},
        )  # fmt: skip
        _, said = await process.communicate()
        await line.gone()
        assert process.returncode == 0, said
        assert line.home.state.registry.find(CALL) is not None
        assert f"2.0 s with the agent; you hung up. {saved} has what was heard." in said.decode()
    with wave.open(str(saved)) as file:
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (2, 8000, 16000)
        pcm = file.readframes(16000)
    right = to_mulaw(b"".join(pcm[at + 2 : at + 4] for at in range(0, len(pcm), 4)))
    assert overheard(right) == "Hello there friend."


async def test_the_command_says_when_the_agent_was_lost(tmp_path: Path) -> None:
    async with lines(Model(drop_after_ms=300)) as line:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "clients", "call", "--agent", "--url", line.url, stderr=asyncio.subprocess.PIPE,
            env=os.environ | {"COLUMNS": "200"},
        )  # fmt: skip
        _, said = await process.communicate()
        await line.gone()
    assert "the hub closed with 1000: the agent was lost" in said.decode()


@pytest.mark.usefixtures("pretend_device")
async def test_the_microphone_speaks_to_an_agent() -> None:
    async with lines() as line:
        with microphone() as device:
            async with Phone(line.url) as phone:
                await speak(phone, device, hang_up_after_ms=900)
        await line.gone()
    assert len(phone.said) == 900 * 8
    assert set(phone.said) > {0xFF}
    assert bytes(phone.said).startswith(bytes(line.talk.audio))
    assert phone.hung_up


async def together(line: Lines, phone: Phone, mic: Microphone, until_ms: float, mulaw: bytes = b"") -> None:
    """Speak into a microphone and have the loudspeaker ask, 20 ms at a time and in step with the model."""
    began_ms = phone.handset.now_ms
    for number in range(int(until_ms - began_ms) // 20):
        heard = len(line.talk.audio) if line.talk.session else None
        mic.heard(to_pcm(mulaw[number * 160 :][:160].ljust(160, b"\xff")), 160, None, None)
        while phone.handset.now_ms < began_ms + (number + 1) * 20 or (heard is not None and len(line.talk.audio) <= heard):
            await asyncio.sleep(0.0005)
        await asyncio.sleep(0.001)
        pretend_portaudio.speakers[0].ask()


@pytest.mark.usefixtures("pretend_device")
async def test_the_loudspeaker_plays_what_the_caller_hears_and_falls_silent_when_the_caller_cuts_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pretend_portaudio, "rate_hz", 8000)
    tale = "one two three four five six seven eight nine ten eleven twelve"
    async with lines(Model(replies=[Reply(tale)])) as line:
        mic = Microphone(8000, "test")
        with loudspeaker(None, pytest.fail) as speaker:
            async with Phone(line.url) as phone, asyncio.TaskGroup() as group:
                group.create_task(speak(phone, mic, play=speaker.play))
                await together(line, phone, mic, 1500)
                await together(line, phone, mic, 2500, words("wait a moment please"))
                mic.hang_up()
        await line.gone()
    (cut,) = phone.handset.clears
    heard, played = bytes(phone.handset.heard), to_mulaw(pretend_portaudio.played)
    waited = next(at for at in range(0, len(played), 160) if heard.startswith(played[at:]))
    assert waited <= 60 * 8
    assert overheard(played).startswith("one two three")
    assert set(played[cut + waited :]) == {0xFF}


async def command(url: str, *arguments: str, setting: str = "", hang_up: Callable[[], object] | None = None) -> tuple[int | None, str, str]:
    """Run `transcript-client call --agent --mic` as a program with the pretend devices; give it a Ctrl-C once something is so."""
    code = (
        "import sys; from tests.clients import pretend_portaudio as p; sys.modules['sounddevice'] = p;"
        f"p.in_time = True; p.rate_hz = 8000; {setting}\n"
        "from clients.__main__ import main; code = main(['call', '--agent', '--mic', *sys.argv[1:]])\n"
        "print([each.closed for each in p.speakers], bool(p.played)); sys.exit(code)"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "ignore", "-c", code, "--url", url, *arguments,
        cwd=Path(__file__).parents[2], stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    if hang_up is not None:
        while not hang_up():
            await asyncio.sleep(0.01)
        process.send_signal(signal.SIGINT)
    out, err = await process.communicate()
    assert b"Traceback" not in err, err
    return process.returncode, out.decode(), err.decode()


async def test_a_call_goes_on_without_a_loudspeaker_and_is_saved(tmp_path: Path) -> None:
    saved = tmp_path / "heard.wav"
    async with a_desk() as desk:
        code, out, told = await command(desk.url, "--save", str(saved), "--hang-up-after", "200ms", setting="p.mute = True")
    assert (code, out) == (0, "[] False\n")
    assert told.startswith(
        "No loudspeaker can be used here: Error querying device -1. `transcript-client mic --devices` lists what there is. "
    )
    assert "The call goes on without it.\nSpeak into Pretend microphone; Ctrl-C hangs up.\n0.2 s with the agent; you hung up." in told
    with wave.open(str(saved)) as file:
        assert file.getnframes() == 1600


async def test_the_loudspeaker_can_be_chosen_or_left_out() -> None:
    async with a_desk() as desk:
        _, out, told = await command(desk.url, "--hang-up-after", "100ms", "--speaker", "1")
        assert out.startswith("[True]")
        assert told.startswith(
            "Speak into Pretend microphone and hear the agent on Pretend loudspeaker, best by headphones; Ctrl-C hangs up."
        )
        _, out, told = await command(desk.url, "--hang-up-after", "100ms", "--speaker", "Nothing")
        assert told.startswith("'Nothing' is no loudspeaker that can be used")
        _, out, told = await command(desk.url, "--hang-up-after", "100ms", "--no-speaker")
        assert (out, told.splitlines()[0]) == ("[] False\n", "Speak into Pretend microphone; Ctrl-C hangs up.")


async def test_ctrl_c_closes_the_loudspeaker_and_hangs_up_in_good_order() -> None:
    async with a_desk() as desk:
        code, out, told = await command(desk.url, hang_up=lambda: len(desk.texts) >= 10)
        await desk.ended.wait()
    assert (code, out) == (0, "[True] True\n")
    assert "you hung up" in told
    assert desk.messages[-1]["event"] == "stop"


async def test_a_loudspeaker_that_never_closes_does_not_keep_the_program() -> None:
    async with a_desk() as desk:
        code, out, _ = await command(desk.url, "--hang-up-after", "100ms", setting="p.stuck.set()")
    assert (code, out.split()[0]) == (0, "[False]")


async def test_a_headset_that_is_unplugged_ends_the_call_and_is_told_of() -> None:
    unplug = "p.unplugged = True; p.sound = bytes(3200)"
    async with a_desk() as desk:
        code, out, told = await command(desk.url, setting=unplug)
        await desk.ended.wait()
    assert (code, out.startswith("[True]")) == (0, True)
    assert "Pretend microphone gives no more sound" in told
    assert desk.messages[-1]["event"] == "stop"


async def test_a_loudspeaker_is_for_who_speaks(capsys: pytest.CaptureFixture[str]) -> None:
    assert await asyncio.to_thread(main, ["call", "--agent", "--speaker", "Headphones"]) == 2
    assert "--speaker is for who speaks" in capsys.readouterr().err


async def test_a_cancelled_call_says_stop() -> None:
    async with lines() as line:

        async def call() -> None:
            async with Phone(line.url) as phone:
                while not phone.over.is_set():
                    await line.together(phone)

        async with asyncio.TaskGroup() as group:
            calling = group.create_task(call())
            await line.fake.until(lambda: line.fake.open_sessions == 1)
            calling.cancel()
        await line.gone()
        (record,) = line.home.state.registry
        assert record.ended is not None
        assert record.ended.reason == "completed"


async def test_either_a_file_speaks_or_the_microphone(capsys: pytest.CaptureFixture[str]) -> None:
    assert await asyncio.to_thread(main, ["call", "--agent", "--mic", "hello.wav"]) == 2
    assert "leave one of them out" in capsys.readouterr().err


async def test_a_call_to_an_agent_that_there_is_not_has_failed(tmp_path: Path) -> None:
    async with lines(file="[agents.desk]\n", tmp_path=tmp_path) as line:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "clients", "call", "--agent", "nobody", "--url", line.url, stderr=asyncio.subprocess.PIPE,
            env=os.environ | {"COLUMNS": "200"},
        )  # fmt: skip
        _, said = await process.communicate()
        await line.gone()
    assert (process.returncode, said.decode()) == (1, "The hub ended the call with close code 1013: no agent of this hub has that name.\n")


@pytest.mark.parametrize("name", ["", "nowhere/heard.wav"])
async def test_where_nothing_can_be_saved_nobody_is_called(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["call", "--agent", "--url", "ws://127.0.0.1:9/agent", "--save", str(tmp_path / name)]) == 2
    assert "cannot be written: name a file in a directory that there is." in capsys.readouterr().err.replace("\n", " ")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has such a device")
async def test_a_full_disk_is_told_in_a_sentence() -> None:
    async with lines() as line:
        code, _, told = await command(line.url, "--save", "/dev/full", "--hang-up-after", "200ms", "--no-speaker")
        await line.gone()
    assert code == 1
    assert "/dev/full cannot be written: " in told
    assert "Traceback" not in told
