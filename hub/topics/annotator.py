"""The seam by which something may add to a call: what is published because of what is published.

Knows records and events. Does not know what is added, nor why.
"""

from collections.abc import Iterable
from typing import Protocol

from hub.events import Durable, Interim
from hub.topics.record import Record


class Annotator(Protocol):
    """Says what else is to be published because of what is published: alerts. Never waits, never raises."""

    def published(self, record: Record, event: Durable) -> Iterable[Durable]:
        """Return the events that are to follow an event."""

    def revised(self, record: Record, interim: Interim) -> Iterable[Durable]:
        """Return the events that are to follow an interim."""

    def owed(self, record: Record) -> Iterable[Durable]:
        """Return the events that an earlier process had no time for. Called when this one goes on with a call."""
