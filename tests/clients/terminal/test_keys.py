"""`board` as people run it: on a terminal, with keys. The terminal is a real one, without a screen."""

import asyncio
import os
import re
import sys

import pytest

from hub.events import ToolReturned
from tests.house import House, house
from tests.publishing import ScriptedCall

pty = pytest.importorskip("pty")

WHY = (
    "not transcribed: deepgram refused",
    "scripted lost, trying again",
    "only one side was heard",
    "tool book_flight failed",
    "20 % of the audio was lost",
)
"""What is wrong with five of sixty calls, the most urgent first."""

SECONDS = 30.0
"""More than a board needs to start on a busy machine."""

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Screen:
    """What a program writes to its terminal, a screen at a time: it begins each one at the upper left."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._written = ""
        self._news = asyncio.Event()
        asyncio.get_running_loop().add_reader(descriptor, self._read)

    def _read(self) -> None:
        try:
            self._written += os.read(self._descriptor, 65536).decode(errors="replace")
        except OSError:  # the program has left
            asyncio.get_running_loop().remove_reader(self._descriptor)
        self._news.set()

    @property
    def lines(self) -> list[str]:
        """The newest whole screen."""
        screens = self._written.split("\x1b[H")
        return [ESCAPES.sub("", line).rstrip() for line in (screens[-2] if len(screens) > 1 else "").splitlines()]

    def press(self, keys: str) -> None:
        os.write(self._descriptor, keys.encode())

    async def shows(self, *texts: str) -> list[str]:
        """Wait for a screen that has these texts in this order, and return its lines."""
        async with asyncio.timeout(SECONDS):
            while not re.search(".*".join(map(re.escape, texts)), "\n".join(self.lines), re.DOTALL):
                self._news.clear()
                await self._news.wait()
        return self.lines


def begin(hub: House) -> None:
    """Begin sixty calls, five of them in trouble, none of them among the newest."""
    calls = [
        ScriptedCall(hub.state, f"CA{at:032d}", from_=f"+1415555{at:04d}", parameters={"queue": ("billing", "orders")[at % 2]})
        for at in range(60)
    ]
    calls[3].refused()
    calls[11].lost()
    calls[20].condition(unheard="outbound")
    returned = ToolReturned(call_sid=calls[33].call, invocation="i", tool="book_flight", outcome="failed", detail="", time=1.0, seconds=0.5)
    calls[33].publish(returned)
    calls[41].condition(lost_percent=20.0)


async def test_a_supervisor_sees_the_five_of_sixty_first_and_goes_through_the_rest_by_keys() -> None:
    mine, its = pty.openpty()
    import fcntl
    import struct
    import termios

    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 110, 0, 0))
    async with house() as hub:
        begin(hub)
        command = (sys.executable, "-m", "clients", "board", "--url", f"ws://127.0.0.1:{hub.port}")
        environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "110", "LINES": "24"}
        program = await asyncio.create_subprocess_exec(*command, stdin=its, stdout=its, stderr=its, env=environment)
        before = termios.tcgetattr(its)
        screen = Screen(mine)
        try:
            lines = await screen.shows("5 need attention, 60 live", "Needs attention · 5", *WHY, "Live · 55")
            assert len(lines) <= 24
            screen.press("f")
            assert "Live ·" not in "\n".join(await screen.shows("show: attention"))
            screen.press("\x1b")
            await screen.shows("show: all")
            screen.press("/0007\r")
            await screen.shows("filter: 0007", "Live · 1", "+14155550007")
            screen.press("\x1b")
            screen.press("\x1b[F")
            await screen.shows("+14155550000", "s order")
            screen.press("q")
            assert await asyncio.wait_for(program.wait(), SECONDS) == 0
            assert termios.tcgetattr(its)[3] == before[3], "the terminal is as it was"
        finally:
            asyncio.get_running_loop().remove_reader(mine)
            if program.returncode is None:
                program.kill()
                await program.wait()
            os.close(mine)
            os.close(its)
