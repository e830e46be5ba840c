"""A line that breaks: a TCP relay in front of a hub that cuts connections wherever a test says."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

CHUNK_BYTES = 1000


class BreakingLine:
    """Relays to `target`. Cuts each connection after as many bytes from the hub as `lives` gives; both ends are reset, not closed."""

    def __init__(self, target: int | None, lives: Callable[[], float]) -> None:
        self.target = target
        """The hub's port; None: connections are cut at once."""
        self.lives = lives
        self.cuts = 0
        self.connections = 0
        self.port = 0
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/client"

    def cut(self) -> None:
        """Cut every connection now."""
        for writer in list(self._open):
            writer.transport.abort()

    async def relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self.target is None:
            writer.transport.abort()
            return
        hub_reader, hub_writer = await asyncio.open_connection("127.0.0.1", self.target)
        ends = {writer, hub_writer}
        self._open |= ends
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, hub_writer, float("inf")))
                group.create_task(self._pump(hub_reader, writer, self.lives()))
        except* (ConnectionError, EOFError):
            self.cuts += 1
        finally:
            self._open -= ends
            for end in ends:
                end.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: float) -> None:
        while left > 0:
            data = await reader.read(int(min(CHUNK_BYTES, left)))
            if not data:
                raise EOFError
            left -= len(data)
            writer.write(data)
            await writer.drain()
        writer.transport.close()  # what was relayed so far arrives
        raise EOFError


@asynccontextmanager
async def breaking_line(target: int | None, lives: Callable[[], float] = lambda: float("inf")) -> AsyncIterator[BreakingLine]:
    line = BreakingLine(target, lives)
    relays: set[asyncio.Task[None]] = set()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        relays.add(task)
        try:
            await line.relay(reader, writer)
        finally:
            relays.discard(task)

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    line.port = server.sockets[0].getsockname()[1]
    try:
        yield line
    finally:
        server.close()
        line.cut()
        while relays:
            await asyncio.wait(relays)


def random_lives(seed: int, first: int, most: int) -> Callable[[], float]:
    """The first connection lives for `first` bytes, each later one for up to `most`."""
    chance = random.Random(seed)
    lives = iter(lambda: chance.randint(1, most), None)
    waiting = [first]
    return lambda: waiting.pop() if waiting else next(lives)
