"""Which calls and recordings are due to be erased, as conditions on rows.

Knows rows. Does not know days, nor what time it is.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, false, func, not_, or_, select

from hub.archive.archive import Expiry
from hub.archive.page import ROW
from hub.archive.tables import calls, recordings
from hub.archive.words import storable

Clause = ColumnElement[bool]


def due_calls(expiry: Expiry, limit: int) -> Select[Any]:
    """Return the statement that reads the rows of calls that are due, those that ended first at the beginning."""
    return select(*ROW).where(_due(expiry), ~calls.c.held).order_by(calls.c.ended_at).limit(limit)


def due_recordings(expiry: Expiry, limit: int) -> Select[Any]:
    """Return the statement that reads the recordings of calls that are due, and of calls that are erased."""
    both = recordings.outerjoin(calls, calls.c.call_sid == recordings.c.call_sid)
    old = and_(calls.c.number.is_not(None), ~calls.c.held, _due(expiry))
    return select(recordings).select_from(both).where(or_(old, calls.c.number.is_(None))).order_by(recordings.c.stored_at).limit(limit)


def _due(expiry: Expiry) -> Clause:
    moments = [each for each in (expiry.ended_before, *expiry.numbers.values(), *expiry.agents.values()) if each is not None]
    if not moments:
        return false()
    named = list(_named(expiry))
    # Without a number or an agent, a comparison is NULL, and so would its negation be.
    others = not_(func.coalesce(or_(*(of_it for of_it, _ in named)), false())) if named else None
    due = [and_(of_it, calls.c.ended_at < before) for of_it, before in named if before is not None]
    if expiry.ended_before is not None:
        rest = calls.c.ended_at < expiry.ended_before
        due.append(rest if others is None else and_(others, rest))
    return and_(calls.c.ended_at < max(moments), or_(*due))  # the first part goes through an index


def _named(expiry: Expiry) -> Iterator[tuple[Clause, float | None]]:
    """Yield who is named, as a condition, and before which moment calls of theirs are due."""
    for number, before in expiry.numbers.items():
        known = storable(number)
        yield or_(calls.c.from_number == known, calls.c.to_number == known), before
    for agent, before in expiry.agents.items():
        yield calls.c.agent == storable(agent), before
