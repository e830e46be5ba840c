"""Decides whose a call becomes. The same for every broker.

Pure: it is handed the time. Knows rows and generations. Does not know where they are kept.
"""

from msgspec.structs import replace

from hub.broker.broker import Row

LONGEST_PAUSE_SECONDS = 2.5
"""Beats that are further apart than this are not steady: in between, this node or the broker did not run."""


def may_claim(row: Row, node_id: str, *, holds: bool, live_only: bool = False) -> bool:
    """Return whether a node may have a call. `holds`: whether the lease of the call's owner holds. `live_only`: not one that has ended."""
    if row.ended_at is not None:
        return not live_only
    return row.owner == node_id or not holds


def claimed_row(row: Row, node_id: str, *, agent: bool) -> Row:
    """Return a call's row as it is once a node has claimed it: live, and in the next generation if it was another node's."""
    generation = row.generation + (row.owner != node_id)
    return replace(row, owner=node_id, generation=generation, agent=agent, ended_at=None)


def may_register(stored: Row | None, row: Row) -> bool:
    """Return whether a node may say this of a call. Of two owners in one generation, the first one stays."""
    return stored is None or row.generation > stored.generation or (row.generation, row.owner) == (stored.generation, stored.owner)


def is_moved(stored: Row | None, row: Row) -> bool:
    """Return whether a row says something new of whose the call is, so that everyone has to be told."""
    return stored is None or (stored.generation, stored.owner) != (row.generation, row.owner)


class Steadiness:
    """Since when a node's beats have succeeded without a pause. See STEADY_SECONDS."""

    def __init__(self, steady_seconds: float) -> None:
        self._steady_seconds = steady_seconds
        self._since: float | None = None
        """When the first beat succeeded of those without a pause. None: none has since the last failure."""
        self._newest = 0.0
        """When the newest beat succeeded."""

    def beaten(self, now: float) -> None:
        """Take note of a beat that succeeded."""
        if self._since is None or now - self._newest > LONGEST_PAUSE_SECONDS:
            self._since = now
        self._newest = now

    def failed(self) -> None:
        """Take note of a beat that failed, or of a broker that knows nothing of the beats so far."""
        self._since = None

    def is_steady(self, now: float) -> bool:
        """Return whether the leases of other nodes that have ended did so because those nodes are gone."""
        if self._since is None or now - self._newest > LONGEST_PAUSE_SECONDS:
            return False
        return now - self._since >= self._steady_seconds
