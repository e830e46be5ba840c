"""`transcript-client board` as a program: what a terminal and a pipe show, and its exit codes."""

import asyncio
import fcntl
import os
import pty
import struct
import sys
import termios

import pytest

from clients.__main__ import main
from tests.clients.commands.test_tail import at, client
from tests.house import House, house
from tests.media import CALL
from tests.publishing import ScriptedCall

OTHER = "CA" + "2" * 32


async def test_a_pipe_gets_a_line_for_each_change() -> None:
    async with house() as home:
        early = ScriptedCall(home.state)
        early.final("hello")
        process = await client("board", *at(home))
        assert process.stdout is not None
        lines = [(await process.stdout.readline()).decode().split(" ", 1)[1] for _ in range(2)]
        late = ScriptedCall(home.state, OTHER, from_=None, to=None)
        while not late.record.topic.audience.followings:
            await asyncio.sleep(0.01)
        late.interim("not yet")
        late.final("good-bye")
        early.lost()
        late.end()
        lines += [(await process.stdout.readline()).decode().split(" ", 1)[1] for _ in range(4)]
        process.terminate()
        await process.communicate()
    assert lines == [
        f"{CALL} +14155550123 → +14155550100 | call started, transcribed by scripted\n",
        f"{CALL} +14155550123 → +14155550100 | caller: hello\n",
        f"{OTHER} | call started, transcribed by scripted\n",
        f"{OTHER} | caller: good-bye\n",
        f"{CALL} +14155550123 → +14155550100 | scripted lost: for a test\n",
        f"{OTHER} | call ended: completed, 00:01.0; complete\n",
    ]


async def test_what_cannot_be_is_one_sentence_and_exit_1(capsys: pytest.CaptureFixture[str]) -> None:
    async with house(secret="s" * 32) as home:
        for arguments, says in (
            (at(home), "this hub wants a token first"),
            ((*at(home), "--token", "a.b.c"), "the token is not one of this hub's"),
            (("--url", "http://nonsense.invalid"), "no hub answers at ws://nonsense.invalid/client: Name or service not known"),
        ):
            assert await asyncio.to_thread(main, ["board", *arguments]) == 1
            assert capsys.readouterr() == ("", f"transcript-client: {says}\n")


async def screen_of(home: House, until: str) -> str:
    """Run the board in a real terminal until it shows something; return all it wrote. Ctrl-C must end it."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 120, 0, 0))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "clients", "board", *at(home), stdin=theirs, stdout=theirs, stderr=theirs, env=os.environ | {"TERM": "xterm"}
    )
    os.close(theirs)
    os.set_blocking(ours, False)
    written = ""
    try:
        while until not in written:
            try:
                written += os.read(ours, 65536).decode(errors="replace")
            except BlockingIOError:
                await asyncio.sleep(0.02)
        process.send_signal(2)
        assert await process.wait() == 130
    finally:
        os.close(ours)
        if process.returncode is None:
            process.kill()
            await process.wait()
    return written


async def test_a_terminal_gets_a_table_that_ctrl_c_leaves() -> None:
    async with house() as home:
        ScriptedCall(home.state).final("good morning")
        written = await screen_of(home, "good morning")
    assert "Live · 1" in written
    assert "+14155550123" in written
    assert "Traceback" not in written
