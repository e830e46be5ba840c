"""Follows the news of a cluster without a hole: by messages while they come in order, and by the stream of news where one is missing.

Knows numbers. Does not connect: it is handed what came, and asks for what it lacks.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from hub.broker.broker import BrokerError, News, Receiver


@dataclass(frozen=True, slots=True)
class Chapter:
    """News as the stream has them, behind some number."""

    life: str
    newest: int
    news: list[tuple[int, News | None]]
    """In order, with their numbers. None in the place of news that no node of this cluster wrote."""


class NewsReading:
    """How far one node has read."""

    def __init__(self, receiver: Receiver, read: Callable[[int], Awaitable[Chapter]]) -> None:
        """`read` returns what the stream has behind a number."""
        self._receiver = receiver
        self._read = read
        self._life = ""
        self._told: int | None = None
        """Number of the newest news that the receiver has. None: it has to read the snapshot first."""
        self._snapshots = 0
        """How many snapshots are being read: nothing is told meanwhile, since a snapshot may be older."""
        self._lacking = asyncio.Event()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Tell nothing while a snapshot is being read."""
        self._snapshots += 1
        try:
            yield
        finally:
            self._snapshots -= 1
            self._lacking.set()

    def begin(self, life: str, number: int) -> None:
        """Go on behind a snapshot."""
        self._life, self._told = life, number
        self._lacking.set()

    def begun(self) -> None:
        """Take note that messages come from here on: some before may have been missed."""
        if self._told is None:
            self._miss()
        else:
            self._lacking.set()

    def seen(self, life: str, number: int) -> None:
        """Take note of the newest number there is, as a beat says it."""
        if self._told is None or self._snapshots:
            return
        if life != self._life:
            self._miss()
        elif number > self._told:
            self._lacking.set()

    def take(self, life: str, news: News) -> None:
        """Take news that came as a message."""
        if self._told is None or self._snapshots:
            return
        if life != self._life:
            self._miss()
        elif news.number == self._told + 1:
            self._tell(news)
        elif news.number > self._told:
            self._lacking.set()

    async def run(self) -> None:
        """Read what is lacking, until cancelled."""
        while True:
            await self._lacking.wait()
            self._lacking.clear()
            try:
                while await self._read_on():
                    pass
            except BrokerError:  # the broker says what is wrong; the next beat that succeeds says what is lacking
                continue

    async def _read_on(self) -> bool:
        """Read a part of what is lacking. Returns whether there may be more."""
        if self._told is None or self._snapshots:
            return False
        chapter = await self._read(self._told)
        if self._told is None or self._snapshots:
            return False
        if chapter.life != self._life:
            self._miss()
            return False
        for number, news in chapter.news:
            if number <= self._told:
                continue  # it came as a message meanwhile
            if number != self._told + 1 or news is None:
                self._miss()
                return False
            self._tell(news)
        if chapter.news:
            return True
        if chapter.newest > self._told:  # the stream has lost them
            self._miss()
        return False

    def _tell(self, news: News) -> None:
        self._told = news.number
        self._receiver.told(news)

    def _miss(self) -> None:
        self._told = None
        self._receiver.missed()
