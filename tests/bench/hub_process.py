"""A hub in a process of its own that can be killed, and what has to outlive it: its provider, and the place of its archive."""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from clients.commands.demo import free_port
from tests.archive.postgres_server import postgres_server, programs
from tests.test_serve import environment

WARM = "import sys; from hub import commands; from hub.__main__ import main; sys.stdin.readline(); sys.exit(main(['serve']))"
"""A hub with its imports done, that waits for a line to begin."""

FINAL_MS = 500
"""A final so often in each call."""


class HubProcess:
    """One life of the hub."""

    def __init__(self, process: asyncio.subprocess.Process, *, warm: bool) -> None:
        self._process = process
        self._warm = warm
        self.said: list[str] = []
        self.listens = asyncio.Event()
        self.gone = asyncio.Event()

    async def read(self) -> None:
        """Read what it says, to its end."""
        assert self._process.stderr is not None
        async for line in self._process.stderr:
            self.said.append(line.decode())
            if b"listening on" in line:
                self.listens.set()
        await self._process.wait()
        self.gone.set()
        self.listens.set()

    def begin(self) -> None:
        """Let it begin."""
        if self._warm:
            assert self._process.stdin is not None
            self._process.stdin.write(b"\n")

    def signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(number)


async def spawned(*, warm: bool, **settings: str) -> HubProcess:
    """Start a hub's process. `warm`: it begins later, when it is let."""
    command = ("-c", WARM) if warm else ("-m", "hub", "serve")
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environment(**settings)
    )
    return HubProcess(process, warm=warm)


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
