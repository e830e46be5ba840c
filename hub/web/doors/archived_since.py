"""Calls that are in the archive and no longer in memory, of which a reader of all calls has not received everything.

Knows rows. Does not know how their events reach the reader.
"""

from dataclasses import dataclass, field

from hub.archive.archive import CallFilter
from hub.events import stamped
from hub.tokens import Grant
from hub.web.doors.positions import MARGIN_SECONDS, AllCallsPosition
from hub.web.state import State

MOST_CALLS = 400
"""Calls that are brought back for one reader: more do not fit into a position."""


@dataclass(frozen=True, slots=True)
class ArchivedSince:
    """What the archive has for a reader."""

    call_sids: list[str] = field(default_factory=list)
    """In the order in which the calls began."""
    epochs: dict[str, str] = field(default_factory=dict)
    """Of all calls that were looked at, and when each ended, as events carry it (`at`)."""
    whole: bool = True
    """Whether nothing is missing: in memory and in the archive is everything that was published after the position."""


async def archived_since(state: State, grant: Grant, after: AllCallsPosition | None) -> ArchivedSince:
    """Return what ended after a position and is not in memory any more. Raises: ArchiveError."""
    if after is None:
        return ArchivedSince()
    now = state.registry.wall()
    horizon = now - state.registry.keep_seconds  # what ended before is in memory no longer, and is seen by those with the right only
    if state.archive is None:
        known_since = horizon if state.cluster is not None else max(horizon, state.began_at)
        return ArchivedSince(whole=after.moment >= known_since)
    seen_since = 0.0 if grant.may("archive") else horizon
    # A call that is named may have ended a little before the moment: what it got last came after its end.
    wanted = CallFilter(
        allowed=None if grant.everything else grant.calls, live=False, ended_after=max(seen_since, after.moment - MARGIN_SECONDS)
    )
    rows = await state.archive.read(state.archive.archive.page, wanted, None, MOST_CALLS + 1)
    due = [
        row
        for row in reversed(rows[:MOST_CALLS])
        if state.registry.known(row.call_sid) is None
        and (after.offset(row.epoch) is not None or (row.facts.ended_at or 0.0) > after.moment)
    ]
    return ArchivedSince(
        [row.call_sid for row in due],
        {row.epoch: stamped(row.facts.ended_at or now) for row in rows},
        len(rows) <= MOST_CALLS and after.moment >= seen_since,
    )
