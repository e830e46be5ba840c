"""`transcript-client mic` as a program, with a pretend device: what it sends, what it prints, and its exit codes."""

import asyncio
import signal
import subprocess
import sys
import wave
from pathlib import Path

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


async def test_the_command_says_what_is_wrong_and_lists_devices(tmp_path: Path) -> None:
    async with a_desk() as desk:
        for expected, words, setting, *arguments in (
            (1, "No hub answers", "", "--url", "ws://127.0.0.1:1/twilio"),
            (2, "cannot be written: No such file or directory", "", "--save", str(tmp_path / "no" / "folder.wav")),
            (2, "'Nothing' is not a microphone", "", "--device", "Nothing"),
            (2, "No microphone can be used here", "p.absent = True", "--quiet"),
            (1, "delivers no more sound", "p.unplugged = True; p.sound = bytes(1600)", "--url", desk.url),
            (0, "only silence: is it muted", "p.sound = b''; p.pace = 50", "--url", desk.url, "--hang-up-after", "4s"),
        ):
            code, _, err = await command(*arguments, setting=setting)
            assert (code, words in err) == (expected, True), err
    code, out, _ = await command("--devices")
    assert (code, out) == (0, "> 0 Pretend microphone, ALSA (1 in, 0 out)\n< 1 Pretend loudspeaker, ALSA (0 in, 1 out)\n")
