"""`board` on a terminal of its own: what stands on it, and keys for it. The terminal is a real one, without a screen."""

import asyncio
import fcntl
import os
import pty
import re
import struct
import sys
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.house import House

SECONDS = 30.0
"""More than a board needs to start on a busy machine."""

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Screen:
    """What a program writes to its terminal, a screen at a time: it begins each one at the upper left."""

    def __init__(self, descriptor: int, program: asyncio.subprocess.Process) -> None:
        self.program = program
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


@asynccontextmanager
async def board(hub: House, *, columns: int = 110, lines: int = 24) -> AsyncIterator[Screen]:
    """Run `board` on a terminal of this size. Afterwards the terminal must be as it was before."""
    mine, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    before = termios.tcgetattr(its)
    command = (sys.executable, "-m", "clients", "board", "--url", f"ws://127.0.0.1:{hub.port}")
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(columns), "LINES": str(lines)}
    program = await asyncio.create_subprocess_exec(*command, stdin=its, stdout=its, stderr=its, env=environment)
    screen = Screen(mine, program)
    try:
        yield screen
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
