"""Makes a call this node's whose owner is gone, with all its events: as the broker has them, or the archive, whichever has more.

What a subscriber has seen is in one of the two, so the call keeps its epoch. The exception is an owner that had told events which were
stored nowhere, or may have: then positions may mean other events, and the call gets a new epoch. Without an archive that is so for an owner
that died before it had reached a broker again that was away, or had lost its data. Of such a call nodes still have what they replicate.

**Reaping.** Every node looks every second for calls whose owners are gone. The broker gives each of them to one node only.

Knows the cluster and the archive. Does not know how a stream is brought back (`takeover.py`).
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable

import msgspec

from hub.archive.archive import ArchiveError, StoredCall, StoredLog
from hub.archive.threads import ArchiveThreads
from hub.broker.broker import BrokerError, Claimed, Logged, Row
from hub.calls.bookmark import Entry
from hub.calls.recall import restamped, unix
from hub.calls.takeover import LeftCall, TakeOver
from hub.cluster.cluster import Cluster
from hub.events import encode
from hub.ops.counters import ClusterCounters
from hub.topics.past import Past
from hub.topics.registry import Registry
from hub.topics.replication import take

log = logging.getLogger(__name__)

ABSENT_SECONDS = 15.0
"""How long a node must have been gone before its calls are looked for in the archive. A broker that starts empty knows no node at first."""

UNSERVED_SECONDS = 3.0
"""A call that has been claimed, and not taken after so long, is taken once more: the broker failed in between, or nobody waits for it."""

TAKEN_AT_ONCE = 8
"""Calls that are read at the same time after a node has died."""


class Taking:
    """Takes calls over."""

    def __init__(self, registry: Registry, cluster: Cluster, archive: ArchiveThreads | None) -> None:
        self._registry = registry
        self._cluster = cluster
        self.archive = archive
        """None where the broker alone keeps calls."""

    async def take(self, claimed: Claimed) -> LeftCall:
        """Go on with a call that was claimed. Raises: BrokerError."""
        row = await self._newest(claimed.row)
        logged = await self._cluster.broker.log(row.call_sid)
        stored = await self._stored(row)
        payloads, first, note = _longest(row, logged, stored)
        epoch, renews = row.epoch, claimed.behind or (claimed.broker_was_away and self.archive is None)
        if first + len(payloads) - 1 < self._heard(row):
            copied_from, copied = await self._cluster.replica_logs.longest(row.call_sid, epoch)
            if copied_from + len(copied) > first + len(payloads):
                payloads, first, note = copied, copied_from, b""
            payloads, renews = payloads or self._outlined(row), True
        if renews:
            epoch = secrets.token_hex(6)
            payloads = [restamped(payload, epoch, offset) for offset, payload in enumerate(payloads, first)]
            log.warning("call=%s something may have been told that is not stored: the call goes on under a new epoch", row.call_sid)
        past = await asyncio.to_thread(Past, payloads, first)
        record = self._registry.known(row.call_sid)
        if record is None or record.topic.log.epoch != epoch:
            record = self._registry.learn(row.call_sid, row.owner, epoch, row.number)
        take(self._registry, record, past, row.generation)
        # What the archive lacks of the owner before, it gets from this one.
        record.stored = len(stored.payloads) if stored is not None and stored.whole and stored.call.epoch == epoch else 0
        in_broker = logged.first + len(logged.payloads) - 1 if logged is not None and logged.epoch == epoch else 0
        self._cluster.keeper.adopted(record, in_broker)
        return LeftCall(record, Entry.read(note, past, unix(past.at)))

    def _heard(self, row: Row) -> int:
        """Return the offset of the newest event that this node has heard of."""
        record = self._registry.known(row.call_sid)
        return record.summary().offset if record is not None and record.topic.log.epoch == row.epoch else 0

    def _outlined(self, row: Row) -> list[bytes]:
        """Return the beginning of a call of which nothing else is left than what every node knows of it."""
        record = self._registry.known(row.call_sid)
        return [encode(record.outline.started)] if record is not None and record.outline.started is not None else []

    async def _newest(self, row: Row) -> Row:
        """Return the row in a generation that is newer than the archive's: a broker that has lost its data counts from 1 again."""
        try:
            stored = await self.archive.read(self.archive.archive.find, row.call_sid) if self.archive is not None else None
        except ArchiveError:
            return row
        if isinstance(stored, StoredCall) and stored.generation >= row.generation and stored.owner != row.owner:
            return msgspec.structs.replace(row, generation=stored.generation + 1, epoch=stored.epoch, number=stored.facts.number)
        return row

    async def _stored(self, row: Row) -> StoredLog | None:
        if self.archive is None:
            return None
        try:
            return await self.archive.read(self.archive.archive.take, row.call_sid, row.generation)
        except ArchiveError as error:
            log.warning("call=%s the archive does not say what it has: %s", row.call_sid, error.problem)
            return None


def _longest(row: Row, logged: Logged | None, stored: StoredLog | None) -> tuple[list[bytes], int, bytes]:
    """Return a call's events, the offset of the first, and the newest note, of whichever store has more."""
    payloads, first, note = (list(logged.payloads), logged.first, logged.note) if logged is not None else ([], 1, b"")
    is_whole = stored is not None and stored.call.epoch == row.epoch and stored.first == 1
    if stored is not None and is_whole and (len(stored.payloads) > first + len(payloads) - 1 or first > 1):
        behind = payloads[max(0, len(stored.payloads) - first + 1) :]
        payloads, first, note = [*stored.payloads, *behind], 1, note if behind else stored.note
    return payloads, first, note


class Reaper:
    """Takes over the calls of nodes that have died, for as long as the hub runs."""

    def __init__(self, cluster: Cluster, taking: Taking, take_over: TakeOver, registry: Registry, counters: ClusterCounters) -> None:
        self._cluster = cluster
        self._taking = taking
        self._take_over = take_over
        self._registry = registry
        self._counters = counters
        self._absent: dict[str, float] = {}
        """Since when nodes are gone that the archive has as owners of live calls, on the registry's clock."""
        self._looked_at = 0.0
        """When the archive was looked at last."""
        self._due = asyncio.Event()
        self._taking_now: set[str] = set()
        self.leaves: Callable[[str], bool] = lambda _: False
        """Which calls are left to a stream that has come to this node already. It is set before the first look."""

    def look_soon(self) -> None:
        """Look for calls whose owners are gone. Never waits."""
        self._due.set()

    async def run(self) -> None:
        """Take over what is lost, until cancelled."""
        room = asyncio.Semaphore(TAKEN_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            while True:
                await self._due.wait()
                self._due.clear()
                if self._cluster.membership.leaving:
                    continue
                try:
                    lost = await self._cluster.broker.lost()
                    lost += await self._ownerless()
                    lost += self._cluster.directory.unserved(UNSERVED_SECONDS)
                    lost += self._cluster.directory.orphans(time.monotonic())
                except (BrokerError, ArchiveError):
                    continue
                for row in lost:
                    if row.call_sid not in self._taking_now and not self.leaves(row.call_sid):
                        self._taking_now.add(row.call_sid)
                        group.create_task(self._go_on_with(row, room))

    async def _ownerless(self) -> list[Row]:
        """Return the live calls that only the archive knows: the broker has lost them, and their nodes died before they came back.

        Raises: ArchiveError.
        """
        now, archive = self._registry.clock(), self._taking.archive
        if archive is None or now - self._looked_at < ABSENT_SECONDS / 3:
            return []
        self._looked_at = now
        living = [node.id for node in self._cluster.membership.nodes]
        stored = await archive.read(archive.archive.ownerless, living)
        self._absent = {call.owner: self._absent.get(call.owner, now) for call in stored}
        return [
            Row(call_sid=call.call_sid, owner=call.owner, generation=0, epoch=call.epoch, number=call.facts.number)
            for call in stored
            if self._registry.known(call.call_sid) is None and now - self._absent[call.owner] >= ABSENT_SECONDS
        ]

    async def _go_on_with(self, row: Row, room: asyncio.Semaphore) -> None:
        try:
            async with room:
                claim = await self._cluster.broker.claim(
                    row.call_sid, self._cluster.node_id, epoch=row.epoch, number=row.number, heard=row.generation, gone=True
                )
                if not isinstance(claim, Claimed):
                    return
                left = await self._taking.take(claim)
            log.info("call=%s goes on here: node %s is gone", row.call_sid, row.owner)
            came = await self._take_over.go_on(left, self._registry.clock(), self._registry.wall())
            self._counters.takeovers["continued" if came else "ended"] += 1
        except BrokerError as error:
            self._counters.takeovers["failed"] += 1
            log.warning("call=%s cannot be gone on with yet: %s", row.call_sid, error.problem)
        finally:
            self._taking_now.discard(row.call_sid)
