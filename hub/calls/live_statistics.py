"""Tells those who follow a live call its statistics so far.

They are told as interims are: the newest replaces the one before, whoever is slow or comes later gets only the newest, and none is kept.
Each node tells the readers that it has, from the events that it has, so nothing has to be sent between nodes. A call that nobody follows
costs nothing.
"""

import asyncio

from hub.events import CallStatistics, Statistics, encode
from hub.topics.audience import STATISTICS
from hub.topics.record import Record
from hub.topics.registry import Registry

EVERY_SECONDS = 5.0
"""How often the statistics of one call are told at most: people compare shares and silences, and see no change of a second."""

LOOKS = 5
"""How often it is looked in this time for calls whose statistics are due: the first ones come within a second of the first words."""

TOLD_PER_TURN = 16
"""Calls whose statistics are told in one turn of the event loop: about a millisecond."""

LOOKED_AT_PER_TURN = 500
"""Calls that are looked at in one turn: as long. Most calls that the hub knows are over, or followed by nobody."""


class LiveStatistics:
    """The statistics of all live calls that somebody follows."""

    def __init__(self, registry: Registry, every_seconds: float = EVERY_SECONDS) -> None:
        self._registry = registry
        self._every_seconds = every_seconds
        self._told: dict[Record, tuple[float, int, CallStatistics]] = {}
        """What was told of each call that somebody follows: when on the registry's clock, as of which offset, and what."""

    async def run(self) -> None:
        """Tell what is due, until cancelled."""
        while True:
            await asyncio.sleep(self._every_seconds / LOOKS)
            await self.tell_all()

    async def tell_all(self) -> None:
        """Tell what is due, a few calls in each turn of the event loop."""
        followed: list[Record] = []
        for at, record in enumerate(self._registry, 1):
            if record.live and record.loaded and len(record.topic.audience):
                followed.append(record)
            if at % LOOKED_AT_PER_TURN == 0:
                await asyncio.sleep(0)
        self._told = {record: self._told[record] for record in followed if record in self._told}
        for at, record in enumerate(followed, 1):
            self.tell(record)
            if at % TOLD_PER_TURN == 0:
                await asyncio.sleep(0)

    def tell(self, record: Record) -> None:
        """Tell a live call's followers its figures, if those have changed and none were told for a while. Never waits."""
        now, newest = self._registry.clock(), record.topic.log.offset
        told_at, offset, known = self._told.get(record, (now - self._every_seconds, 0, None))
        if not record.live or newest == offset or now - told_at < self._every_seconds or record.outline.statistics.is_empty:
            return
        figures = record.outline.statistics.figures()
        if figures == known:
            self._told[record] = (told_at, newest, figures)
            return
        self._told[record] = (now, newest, figures)
        event = Statistics(call_sid=record.call_sid, at=self._registry.now(), figures=figures)
        record.topic.audience.revise_by(STATISTICS, encode(event))
