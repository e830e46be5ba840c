"""The stores in which events outlive the process, and when an event may be told that none of them has.

There can be two: the archive, and the broker of a cluster. Each stores every event by itself, and releases it as soon as it has it. So an
event is told once the faster store has it, and the death of the process, or of the other store, does not lose what somebody saw.

**Behind.** A store can be slow or away, and people look at the call now. A store that has not stored an event after 50 ms is *behind*.
While another store keeps up, nothing else follows from that. Once all stores are behind, so is the hub: it tells events at once, and the
mark says so, until one of the stores has everything. An event that no store has yet waits in each of them. So the store that falls behind
last tells all that waits, and no list of waiting events is needed beside those that the stores have.

Knows which stores there are. Does not know how they store.
"""

import logging
from collections.abc import Iterable
from typing import Protocol

from hub.archive.mark import BehindMark
from hub.topics.record import Record
from hub.topics.registry import Registry

log = logging.getLogger(__name__)

BOUND_SECONDS = 0.05
"""How long an event waits to be stored before it is told."""


class EventStore(Protocol):
    """One place in which events outlive the process. No method waits or raises."""

    @property
    def behind(self) -> bool:
        """Whether something that the store lacks has waited for longer than BOUND_SECONDS."""

    @property
    def unstored(self) -> int:
        """How many calls have something that is not stored yet."""

    def store_soon(self, record: Record) -> None:
        """Store the record's events that are not stored yet, and then release them: see `Registry.release`."""

    def note(self, record: Record, note: bytes) -> None:
        """Store how far a live call is published, for the process that may have to go on with it."""

    def lacks(self, record: Record) -> bool:
        """Return whether an event of the record is not stored yet."""


class Stores:
    """All stores of the hub. Implements `hub.topics.registry.Storage` and `hub.calls.bookmark.Notes`."""

    def __init__(self, registry: Registry, mark: BehindMark | None = None) -> None:
        """`mark` tells the next process on this machine whether this one died while it was behind. None in a cluster: see Node.behind."""
        self._registry = registry
        self._mark = mark
        self._stores: tuple[EventStore, ...] = ()
        self.behind = False
        """Whether events are told that no store has."""

    def add(self, store: EventStore) -> None:
        """Keep all events there, too. Before the first call."""
        self._stores = (*self._stores, store)
        self._registry.storage = self
        self._registry.stored_first = True
        if self._mark is not None:
            self._mark.level()

    def close(self) -> None:
        """Take note that nothing is published any more. Whether everything is stored is what the next process trusts."""
        if self._mark is not None:
            self._mark.close(level=not any(store.unstored for store in self._stores))

    def store_soon(self, record: Record) -> None:
        """See Storage."""
        for store in self._stores:
            store.store_soon(record)
        if self.behind:
            self._registry.release(record, record.topic.log.entered)

    def note(self, record: Record, note: bytes) -> None:
        """Store in all stores how far a live call is published."""
        for store in self._stores:
            store.note(record, note)

    def lacks(self, record: Record) -> bool:
        """See Storage."""
        return any(store.lacks(record) for store in self._stores)

    def fell_behind(self, waiting: Iterable[Record]) -> None:
        """Take note that a store, which says so, is behind now. `waiting`: all records with something that it lacks.

        If no other store keeps up, everything is told from now on.
        """
        if self.behind or not all(store.behind for store in self._stores):
            return
        self.behind = True
        if self._mark is not None:
            self._mark.behind()
        log.info("events are told before they are stored")
        for record in waiting:
            self._registry.release(record, record.topic.log.entered)

    def wait_again(self) -> None:
        """Tell nothing more that no store has, until a store says again that it is behind."""
        self.behind = False

    def caught_up(self) -> None:
        """Take note that a store, which was behind, has everything."""
        if not self.behind:
            return
        self.behind = False
        if self._mark is not None:
            self._mark.level()
        log.info("everything that was told is stored")
