"""Delivers to all webhooks what the archive has for them.

In a cluster one node delivers, whichever nodes store. When that node dies, another one goes on where it was.

Neither calls nor the event loop wait for any of this: the archive is asked in a thread of its own, and receivers are waited for by tasks
that nobody waits for. Knows which webhooks there are. How one is served is `courier.py`'s.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence

from hub.archive.archive import ArchiveError
from hub.archive.threads import ArchiveThreads
from hub.delivery.courier import Courier
from hub.delivery.webhook import Webhook
from hub.ops.counters import WebhookCounters

log = logging.getLogger(__name__)

WATCH_SECONDS = 2.0
"""How often it is asked which node delivers, and how much waits."""


class Delivery:
    """Delivers to the webhooks of a hub."""

    def __init__(
        self, webhooks: Sequence[Webhook], threads: ArchiveThreads, wall: Callable[[], float], counters: dict[str, WebhookCounters]
    ) -> None:
        """To be made in the event loop, before the first event is stored: from then on, all that is stored is delivered.

        `wall`: Unix seconds. `counters` gets an entry for each webhook.
        """
        self._threads = threads
        self._counters = counters
        counters.update({each.name: WebhookCounters() for each in webhooks})
        self._couriers = {each.name: Courier(each, threads, counters[each.name], wall) for each in webhooks}
        self._loop = asyncio.get_running_loop()
        undelivered = threads.archive.undelivered
        undelivered.wanted = {each.name: each.events for each in webhooks}
        undelivered.on_news = self._stored

    async def run(self) -> None:
        """Deliver, until cancelled."""
        async with asyncio.TaskGroup() as group:
            await self._watch(first=True)
            for each in self._couriers.values():
                group.create_task(each.run())
            while True:
                await asyncio.sleep(WATCH_SECONDS)
                await self._watch()

    def look_soon(self) -> None:
        """Look at once for what is due: the clock was moved, or something is to be sent again."""
        for each in self._couriers.values():
            each.look_soon()

    def _stored(self, webhooks: Collection[str]) -> None:
        """Take note, in the thread that writes, that there is something for these."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake, list(webhooks))

    def _wake(self, webhooks: Collection[str]) -> None:
        for name in webhooks:
            self._couriers[name].look_soon()

    async def _watch(self, *, first: bool = False) -> None:
        """Find out whether this node delivers, and how much waits."""
        archive = self._threads.archive
        try:
            on_duty = await self._threads.undelivered(archive.leads, "webhooks")
            backlogs = await self._threads.undelivered(archive.undelivered.backlogs) if on_duty else {}
        except ArchiveError as error:
            log.debug("the webhooks' outbox cannot be read now: %s", error.problem)
            for courier in self._couriers.values():
                courier.on_duty = False  # by now another node may deliver
            return
        for name, courier in self._couriers.items():
            courier.on_duty = on_duty
            backlog, counters = backlogs.get(name), self._counters[name]
            counters.calls, counters.dead = (backlog.calls, backlog.dead) if backlog is not None else (0, 0)
            counters.failing_since = backlog.failing_since if backlog is not None else None
            if first:
                courier.health.failing_since = counters.failing_since
        for name in backlogs.keys() - self._couriers.keys() if first else ():
            log.warning("webhook %s is not in the file any more: what it has not been sent waits in the archive", name)
