"""Starts hubs by forking them from one process that has done the imports: a start then costs a tenth of a second, not one.

Each hub says what it says over a socket of its own. So the end of the socket is the end of the process.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tests.bench.hub_process import HubProcess
from tests.test_serve import environment

PROGRAM = """
import gc, json, os, signal, socket, sys
from hub import commands
from hub.archive import sql
from hub.broker.valkey import broker
from hub.__main__ import main
gc.freeze()
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
lines = os.fdopen(os.dup(0))  # the hub's own stdin is as it was
while line := lines.readline():
    place, name, settings = json.loads(line)
    if not os.fork():
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        said = socket.socket(socket.AF_UNIX)
        said.connect(place)
        said.sendall(f"{name} {os.getpid()}\\n".encode())
        os.dup2(said.fileno(), 2)
        said.close()
        sys.stderr = open(2, "w", buffering=1, closefd=False)  # the old one may know of a file where it could seek
        os.environ.clear()
        os.environ.update(settings)
        os._exit(main(["serve"]))
"""
"""Starts a hub for each line: where it says what it says, under which name, and its environment."""


class Forking:
    """The process from which hubs are forked."""

    def __init__(self, process: asyncio.subprocess.Process, place: Path) -> None:
        self._process = process
        self._place = place
        self._hubs: list[HubProcess] = []

    def start(self, settings: dict[str, str]) -> HubProcess:
        """Start a hub. Never waits."""
        assert self._process.stdin is not None
        self._hubs.append(HubProcess())
        line = json.dumps([str(self._place), len(self._hubs) - 1, environment(**settings)])
        self._process.stdin.write(f"{line}\n".encode())
        return self._hubs[-1]

    async def attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read what one hub says, until it is gone."""
        name, pid = (await reader.readline()).split()
        hub = self._hubs[int(name)]
        hub.pid = int(pid)
        with suppress(ConnectionError):
            async for line in reader:
                hub.says(line.decode())
        hub.ends()
        writer.close()


@asynccontextmanager
async def forking() -> AsyncIterator[Forking]:
    """Run the process. The hubs that run at the end are not its business."""
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        place = Path(folder) / "said"
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", PROGRAM, stdin=asyncio.subprocess.PIPE)
        made = Forking(process, place)
        server = await asyncio.start_unix_server(made.attend, place, limit=1 << 20)
        try:
            yield made
        finally:
            server.close()
            process.kill()
            await process.communicate()
