"""`transcript-client mic` as a program, with a pretend device: what it sends, what it prints, and its exit codes."""

import asyncio
import signal
import subprocess
import sys
import wave
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import Progress

from clients.commands.mic import SILENT_SECONDS, LevelMeter, show_transcript
from hub.audio import g711
from tests.clients.desk import CALL, Desk, a_desk
from tests.house import house

ROOT = Path(__file__).parents[3]


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


@pytest.mark.parametrize(
    ("expected", "words", "setting", "arguments"),
    [
        (1, "No hub answers", "", ["--url", "ws://127.0.0.1:1/twilio"]),
        (2, "cannot be written: No such file or directory", "", ["--save", "no/folder.wav"]),
        (2, "'Nothing' is not a microphone", "", ["--device", "Nothing"]),
        (2, "No microphone can be used here", "p.absent = True", ["--quiet"]),
        (1, "delivers no more sound", "p.unplugged = True; p.sound = bytes(1600)", ["--url", "DESK"]),
        (0, "only silence: is it muted", "p.sound = b''; p.pace = 50", ["--url", "DESK", "--hang-up-after", "4s"]),
    ],
)
async def test_what_is_wrong_is_one_sentence(expected: int, words: str, setting: str, arguments: list[str]) -> None:
    async with a_desk() as desk:
        code, _, err = await command(*(desk.url if argument == "DESK" else argument for argument in arguments), setting=setting)
    assert (code, words in err) == (expected, True), err


async def test_devices_are_listed_and_nobody_is_called() -> None:
    code, out, _ = await command("--devices")
    assert (code, out) == (0, "> 0 Pretend microphone, ALSA (1 in, 0 out)\n< 1 Pretend loudspeaker, ALSA (0 in, 1 out)\n")


async def test_a_transcript_that_never_comes_is_given_up_and_that_does_not_end_the_call() -> None:
    errors, begun = Console(file=StringIO(), width=200), asyncio.Event()
    begun.set()
    async with house() as home:
        await show_transcript(f"ws://127.0.0.1:{home.port}/client", None, CALL, begun, errors, start_seconds=0.3)
    assert errors.file.getvalue().startswith("The transcript cannot be shown: no such call")  # type: ignore[attr-defined]


def test_a_silent_microphone_is_asked_about_once_and_not_before_some_seconds() -> None:
    console = Console(file=StringIO(), width=200)
    meter = LevelMeter(console, Progress(disable=True), CALL)
    for second in range(6):
        meter.show(float(second), g711.silence(160))
        assert ("only silence" in console.file.getvalue()) is (second >= SILENT_SECONDS)  # type: ignore[attr-defined]
    assert console.file.getvalue().count("only silence") == 1  # type: ignore[attr-defined]
    speaking = LevelMeter(console, Progress(disable=True), CALL)
    for second in range(6):
        speaking.show(float(second), b"\x10" * 160 if second == 1 else g711.silence(160))
    assert console.file.getvalue().count("only silence") == 1  # type: ignore[attr-defined]
