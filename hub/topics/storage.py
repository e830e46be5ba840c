"""The seam to where events are kept for longer than the process lives.

Knows records. Does not know where events are kept, nor in how many places.
"""

from typing import Protocol

from hub.topics.record import Record


class Storage(Protocol):
    """Where events are kept for longer than the process lives."""

    def store_soon(self, record: Record) -> None:
        """Store the record's events that are not stored yet, and then release them. Never waits, never raises."""

    def lacks(self, record: Record) -> bool:
        """Return whether an event of the record is not stored everywhere yet."""
