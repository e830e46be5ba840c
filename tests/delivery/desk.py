"""A hub's delivery with an archive, a clock that can be moved, and calls that are stored by hand."""

import asyncio
import ipaddress
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from hub.archive.archive import Archive, Change
from hub.archive.opening import open_archive
from hub.archive.threads import ArchiveThreads
from hub.delivery.delivery import Delivery
from hub.delivery.signing import key_of
from hub.delivery.webhook import Webhook
from hub.ops.counters import WebhookCounters
from tests.archive.made import change
from tests.delivery.program import SECRET, Program

HOUR, DAY = 3600.0, 86400.0


def webhook(program: Program, name: str = "crm", **other: Any) -> Webhook:
    """Return a webhook whose receiver is a program on this machine."""
    made = Webhook(
        name=name, url=program.url, keys=(key_of(SECRET),), events=None, timeout_seconds=30.0,
        networks=(ipaddress.ip_network("127.0.0.0/8"),),
    )  # fmt: skip
    return replace(made, **other)


@dataclass
class Desk:
    """A delivery that runs."""

    threads: ArchiveThreads
    delivery: Delivery
    counters: dict[str, WebhookCounters]
    moved_seconds: list[float] = field(default_factory=lambda: [0.0])

    @property
    def archive(self) -> Archive:
        """The archive."""
        return self.threads.archive

    def move(self, seconds: float) -> None:
        """Move the clock on."""
        self.moved_seconds[0] += seconds
        self.delivery.look_soon()

    async def say(self, call_sid: str, *texts: str, after: int = 0, ended: bool = False, **other: Any) -> None:
        """Store finals of a call, the first of which begins it."""
        at = 1.0 + int(call_sid.removeprefix("CA")) if not after or ended else None
        more = {"ended_at": 9.0, **other} if ended else other
        await self.store(change(call_sid, *texts, after=after, at=at, **(more if at is not None else {})))

    async def store(self, *changes: Change) -> None:
        """Store changes."""
        await asyncio.wrap_future(self.threads.write(changes))

    async def until_settled(self) -> None:
        """Wait until nothing is left to be sent."""
        while any(backlog.calls for backlog in self.archive.undelivered.backlogs().values()):
            await asyncio.sleep(0.01)

    async def until_failed(self, count: int, webhook: str = "crm") -> None:
        """Wait until so many attempts have failed."""
        while self.counters[webhook].failed < count:
            await asyncio.sleep(0.01)

    async def until_dead(self, count: int) -> None:
        """Wait until there are so many dead letters."""
        while len(self.archive.undelivered.dead_letters()) < count:
            await asyncio.sleep(0.01)


@asynccontextmanager
async def delivering(place: str, *webhooks: Webhook, node: str = "") -> AsyncIterator[Desk]:
    """Run a delivery over an archive until this is left."""
    threads = ArchiveThreads(open_archive(place, node=node))
    counters: dict[str, WebhookCounters] = {}
    moved = [0.0]
    try:
        delivery = Delivery(webhooks, threads, lambda: time.time() + moved[0], counters)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(delivery.run())
            yield Desk(threads, delivery, counters, moved)
            running.cancel()
    finally:
        await threads.close()
