"""`transcript-client call --agent` as a program, with pretend devices: what it prints, what it saves, and its exit codes."""

import asyncio
import os
import signal
import sys
import wave
from collections.abc import Callable
from pathlib import Path

import pytest

from clients.__main__ import main
from hub.audio.g711 import to_mulaw
from tests.agents.lines import lines
from tests.clients.desk import CALL, a_desk
from tests.providers.openai_script import Model, Reply, overheard


async def test_it_talks_to_an_agent_and_saves_what_was_heard(tmp_path: Path) -> None:
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
        assert f"2.0 s with the agent; you hung up. The call is in {saved}." in said.decode()
    with wave.open(str(saved)) as file:
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (2, 8000, 16000)
        pcm = file.readframes(16000)
    right = to_mulaw(b"".join(pcm[at + 2 : at + 4] for at in range(0, len(pcm), 4)))
    assert overheard(right) == "Hello there friend."


async def test_a_lost_agent_is_reported(tmp_path: Path) -> None:
    async with lines(Model(drop_after_ms=300)) as line:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "clients", "call", "--agent", "--url", line.url, stderr=asyncio.subprocess.PIPE,
            env=os.environ | {"COLUMNS": "200"},
        )  # fmt: skip
        _, said = await process.communicate()
        await line.gone()
    assert "the hub closed with 1000: the agent was lost" in said.decode()


async def command(url: str, *arguments: str, setting: str = "", hang_up: Callable[[], object] | None = None) -> tuple[int | None, str, str]:
    """Run `transcript-client call --agent --mic` as a program with the pretend devices; give it a Ctrl-C once `hang_up` is true."""
    code = (
        "import sys; from tests.clients import pretend_portaudio as p; sys.modules['sounddevice'] = p;"
        f"p.in_time = True; p.rate_hz = 8000; {setting}\n"
        "from clients.__main__ import main; code = main(['call', '--agent', '--mic', *sys.argv[1:]])\n"
        "print([each.closed for each in p.speakers], bool(p.played)); sys.exit(code)"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "ignore", "-c", code, "--url", url, *arguments,
        cwd=Path(__file__).parents[3], stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
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
        "No loudspeaker can be used here: Error querying device -1. `transcript-client mic --devices` lists the devices. "
    )
    assert (
        "The call goes on without a loudspeaker.\nSpeak into Pretend microphone; Ctrl-C hangs up.\n0.2 s with the agent; you hung up."
        in told
    )
    with wave.open(str(saved)) as file:
        assert file.getnframes() == 1600


@pytest.mark.parametrize(
    ("options", "devices", "says"),
    [
        (
            ["--speaker", "1"],
            "[True]",
            "Speak into Pretend microphone and hear the agent on Pretend loudspeaker, best with headphones; Ctrl-C hangs up.",
        ),
        (["--speaker", "Nothing"], "[] False", "'Nothing' is not a loudspeaker that can be used"),
        (["--no-speaker"], "[] False", "Speak into Pretend microphone; Ctrl-C hangs up."),
    ],
)
async def test_the_loudspeaker_can_be_chosen_or_left_out(options: list[str], devices: str, says: str) -> None:
    async with a_desk() as desk:
        _, out, told = await command(desk.url, "--hang-up-after", "100ms", *options)
    assert out.startswith(devices)
    assert told.startswith(says)


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


async def test_an_unplugged_headset_ends_the_call_and_is_reported() -> None:
    unplug = "p.unplugged = True; p.sound = bytes(3200)"
    async with a_desk() as desk:
        code, out, told = await command(desk.url, setting=unplug)
        await desk.ended.wait()
    assert (code, out.startswith("[True]")) == (0, True)
    assert "Pretend microphone delivers no more sound" in told
    assert desk.messages[-1]["event"] == "stop"


async def test_a_loudspeaker_needs_a_microphone(capsys: pytest.CaptureFixture[str]) -> None:
    assert await asyncio.to_thread(main, ["call", "--agent", "--speaker", "Headphones"]) == 2
    assert "--speaker needs --mic" in capsys.readouterr().err


async def test_a_file_and_the_microphone_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert await asyncio.to_thread(main, ["call", "--agent", "--mic", "hello.wav"]) == 2
    assert "leave out one of them" in capsys.readouterr().err


async def test_a_call_to_an_unknown_agent_fails(tmp_path: Path) -> None:
    async with lines(file="[agents.desk]\n", tmp_path=tmp_path) as line:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "clients", "call", "--agent", "nobody", "--url", line.url, stderr=asyncio.subprocess.PIPE,
            env=os.environ | {"COLUMNS": "200"},
        )  # fmt: skip
        _, said = await process.communicate()
        await line.gone()
    assert (process.returncode, said.decode()) == (1, "The hub ended the call with close code 1013: no agent of this hub has that name.\n")


@pytest.mark.parametrize("name", ["", "nowhere/heard.wav"])
async def test_a_file_that_cannot_be_saved_is_reported_before_the_call(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["call", "--agent", "--url", "ws://127.0.0.1:9/agent", "--save", str(tmp_path / name)]) == 2
    assert "cannot be written: name a file in a directory that exists." in capsys.readouterr().err.replace("\n", " ")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has such a device")
async def test_a_full_disk_is_one_sentence() -> None:
    async with lines() as line:
        code, _, told = await command(line.url, "--save", "/dev/full", "--hang-up-after", "200ms", "--no-speaker")
        await line.gone()
    assert code == 1
    assert "/dev/full cannot be written: " in told
    assert "Traceback" not in told
