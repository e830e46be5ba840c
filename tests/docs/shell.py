"""A shell in which the commands of the pages are run."""

import asyncio
import os
import re
import shlex
import signal
import sys
from pathlib import Path

from tests.docs.pages import TOP
from tests.house import House
from tests.media import CALL
from tests.test_serve import environment

CLIENT = (
    "import sys; from tests.clients import pretend_portaudio as p; sys.modules['sounddevice'] = p; p.in_time = True; p.rate_hz = 8000; "
    "from clients.__main__ import main; sys.exit(main())"
)
"""`transcript-client` on a machine with a microphone and a loudspeaker."""


class Shell:
    """A shell in a folder of its own, where the hub's commands are installed."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.folder = folder
        self.variables = variables
        programs = folder / "bin"
        programs.mkdir()
        for name, arguments in (
            ("transcript-hub", ["-m", "hub"]),
            ("transcript-client", ["-W", "ignore", "-c", CLIENT]),
            ("python", []),
            ("python3", []),
        ):
            program = programs / name
            program.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, *arguments])} "$@"\n')
            program.chmod(0o755)
        self._path = os.pathsep.join((str(programs), str(Path(sys.executable).parent), os.environ["PATH"]))

    async def start(self, line: str, folder: Path | None = None) -> asyncio.subprocess.Process:
        """Run a line, without waiting for its end."""
        variables = {"PATH": self._path, "PYTHONPATH": str(TOP), "COLUMNS": "200"} | self.variables
        return await asyncio.create_subprocess_shell(
            f"exec {line}" if "|" not in line else line,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env=environment(**variables), cwd=folder or self.folder, start_new_session=True,
        )  # fmt: skip

    async def run(self, line: str, folder: Path | None = None) -> str:
        """Run a line that is to succeed; return what it printed."""
        process = await self.start(line, folder)
        said, complained = await process.communicate()
        assert process.returncode == 0, f"{line}\n{said.decode()}\n{complained.decode()}"
        return said.decode()


async def until_printed(process: asyncio.subprocess.Process, *expected: str) -> str:
    """Read what a program prints until all of this was in it; then end the program."""
    assert process.stdout is not None
    said = ""
    while not all(each in said for each in expected):
        more = await process.stdout.readline()
        assert more, f"it ended after {said!r}: {(await process.communicate())[1].decode()}"
        said += more.decode()
    os.killpg(process.pid, signal.SIGTERM)
    await process.communicate()
    return said


def here(line: str, home: House, door: str = "client") -> str:
    """Return a line with this test's hub, and its call, in place of the page's."""
    line = re.sub(r"CA(0123)?…", CALL, line).replace("127.0.0.1:5000", f"127.0.0.1:{home.port}")
    line = re.sub(r"(?<=--url )(ws|http)s?://(hub\.example\.com|10\.0\.0\.7:5000)", rf"\1://127.0.0.1:{home.port}", line)
    return re.sub(r"wss?://hub\.example\.com/", f"ws://127.0.0.1:{home.port}/", line) + (
        "" if "--url" in line or door == "" else f" --url ws://127.0.0.1:{home.port}/{door}"
    )
