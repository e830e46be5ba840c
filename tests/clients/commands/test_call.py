"""`transcript-client call` as a program: what it plays, what it prints, and its exit codes."""

import asyncio
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection

from clients.__main__ import main
from tests.clients.desk import CALL, Desk, a_desk


async def command(*arguments: str | Path) -> tuple[int, str]:
    """Run `transcript-client call` as a program; return its exit code and what it wrote to stderr."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "ignore", "-m", "clients", "call", *map(str, arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    out, err = await process.communicate()
    assert out == b""
    assert b"Traceback" not in err
    assert process.returncode is not None
    return process.returncode, err.decode()


async def test_the_command_plays_the_shipped_call_with_what_it_was_told() -> None:
    async with a_desk() as desk:
        code, err = await command(
            "--url", desk.url, "--speed", "max", "--call-sid", CALL, "--from", "+14155550142", "--to", "+14155550100",
            "--parameter", "room=42", "--hang-up-after", "2s", "--late-outbound", "0.5", "--jitter", "40ms", "--lose", "2%", "--duplicate",
        )  # fmt: skip
        await desk.ended.wait()
    assert code == 0
    assert "Played 2.0 s" in err
    assert desk.messages[1]["start"]["customParameters"] == {"from": "+14155550142", "to": "+14155550100", "room": "42"}
    assert desk.messages[1]["start"]["callSid"] == CALL
    assert min(desk.timestamps("outbound")) >= 505
    assert desk.messages[-1]["event"] == "stop"


async def test_quiet_says_nothing() -> None:
    async with a_desk() as desk:
        assert await command("--url", desk.url, "--speed", "max", "--hang-up-after", "1", "--quiet") == (0, "")


async def test_the_command_says_code_and_reason_when_the_hub_ends_the_call() -> None:
    async def close_at_once(desk: Desk, connection: ServerConnection) -> None:
        await connection.recv()
        await connection.close(1013, "draining [soon]")

    async with a_desk(close_at_once) as desk:
        code, err = await command("--url", desk.url, "--quiet")
    assert code == 1
    assert re.fullmatch(r"The hub ended the call after \d\.\d s with close code 1013: draining \[soon\]\n", err)


@pytest.mark.parametrize(
    ("expected", "words", "arguments"),
    [
        (1, "No hub answers", ["--url", "ws://127.0.0.1:1/twilio", "--quiet"]),
        (2, "No such file", ["nowhere.wav"]),
        (2, "not a", ["notes.txt"]),
        (2, "'soon' is not a duration", ["--hang-up-after", "soon"]),
        (2, "'200%' is not a share", ["--lose", "200%"]),
        (2, "'-1' is not a speed", ["--speed=-1"]),
        (2, "'CA1' is not a callSid", ["--call-sid", "CA1"]),
        (2, "'room' is not a parameter", ["--parameter", "room"]),
        (2, "'long' is too long", ["--parameter", "long=" + "x" * 496]),
    ],
)
def test_what_is_wrong_is_one_sentence(
    expected: int, words: str, arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("Not a call.\n" * 200)
    try:
        code: object = main(["call", *arguments])
    except SystemExit as ended:  # by argparse
        code = ended.code
    out, err = capsys.readouterr()
    assert (code, out, words in err) == (expected, "", True), err
    assert "Traceback" not in err


async def test_ctrl_c_hangs_up_in_good_order() -> None:
    async with a_desk() as desk:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-W", "ignore", "-m", "clients", "call", "--url", desk.url, stderr=subprocess.PIPE
        )
        while len(desk.texts) < 10:
            await asyncio.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _out, err = await process.communicate()
        await desk.ended.wait()
    assert process.returncode == 130
    assert b"Traceback" not in err
    assert b"You hung up." in err
    assert desk.messages[-1]["event"] == "stop"
    assert desk.close_code == 1000
