"""A hub in a process of its own that can be killed, and what has to outlive it: its provider, and the place of its archive."""

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from clients.commands.demo import free_port
from tests.archive.postgres_server import postgres_server, programs
from tests.test_serve import environment

FORKING = """
import os, sys
from hub import commands
from hub.archive import sql
from hub.__main__ import main
while sys.stdin.readline():
    pid = os.fork()
    if not pid:
        os._exit(main(["serve"]))
    print("hub", pid, file=sys.stderr, flush=True)
    os.waitpid(pid, 0)
    print("gone", file=sys.stderr, flush=True)
"""
"""Starts a hub for each line, one after the other. What takes a second of a start, its imports, is done once."""

FINAL_MS = 500
"""A final so often in each call."""


class HubProcess:
    """One life of the hub."""

    def __init__(self, pid: int = 0) -> None:
        self.pid = pid
        """0 until it is known."""
        self.said: list[str] = []
        self.listens = asyncio.Event()
        """Set once it listens, or is gone."""
        self.gone = asyncio.Event()

    def says(self, line: str) -> None:
        """Take a line that it said."""
        self.said.append(line)
        if "listening on" in line:
            self.listens.set()

    def ends(self) -> None:
        """It is gone."""
        self.gone.set()
        self.listens.set()

    def signal(self, number: int) -> None:
        """Send it a signal, if it is there."""
        if self.pid and not self.gone.is_set():
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


class Hubs:
    """Hubs that are started one after the other with the same settings. Run `read` meanwhile."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._hub = HubProcess()
        """The one that was started last."""

    def start(self) -> HubProcess:
        """Start the next one; the one before it is gone."""
        assert self._process.stdin is not None
        self._hub = HubProcess()
        self._process.stdin.write(b"\n")
        return self._hub

    async def read(self) -> None:
        """Read what they say, until cancelled."""
        assert self._process.stderr is not None
        async for line in self._process.stderr:
            match line.decode().split():
                case ["hub", pid]:
                    self._hub.pid = int(pid)
                case ["gone"]:
                    self._hub.ends()
                case _:
                    self._hub.says(line.decode())
        self._hub.ends()

    def stop(self) -> None:
        """Let none be started any more, and kill the one that runs."""
        self._hub.signal(signal.SIGKILL)
        with suppress(ProcessLookupError):
            self._process.kill()


async def hubs(**settings: str) -> Hubs:
    """Make what starts hubs with these settings."""
    pipe = asyncio.subprocess.PIPE
    return Hubs(await asyncio.create_subprocess_exec(sys.executable, "-c", FORKING, stdin=pipe, stderr=pipe, env=environment(**settings)))


async def spawned(group: asyncio.TaskGroup, **settings: str) -> HubProcess:
    """Start a hub by its command. What it says is read in the group."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hub", "serve", stderr=asyncio.subprocess.PIPE, env=environment(**settings)
    )
    hub = HubProcess(process.pid)

    async def read() -> None:
        assert process.stderr is not None
        async for line in process.stderr:
            hub.says(line.decode())
        await process.wait()
        hub.ends()

    group.create_task(read())
    return hub


@asynccontextmanager
async def deepgram() -> AsyncIterator[str]:
    """Run the provider, and give its address."""
    port = free_port(0)
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.bench.stub_deepgram", str(port), str(FINAL_MS))
    try:
        yield f"ws://127.0.0.1:{port}"
    finally:
        process.kill()
        await process.wait()


@contextmanager
def archive(kind: str) -> Iterator[str]:
    """Give a place where there is no archive yet."""
    if kind == "sqlite":
        with tempfile.TemporaryDirectory(prefix="killed-") as folder:
            yield str(Path(folder) / "calls.db")
        return
    found = programs()
    if found is None:
        raise SystemExit("no PostgreSQL server is installed")
    with postgres_server(found) as server:
        yield server.schema()
