"""The list of calls that are still to get a note, in the archive's database. See `Unnoted`.

Knows rows. What puts calls there is `writing`.
"""

from collections.abc import Collection
from typing import Any

from sqlalchemy import bindparam, delete, func, select

from hub.archive.database import Database
from hub.archive.tables import calls, notes_due
from hub.archive.unnoted import UnnotedCall
from hub.archive.words import storable


class SqlUnnoted:
    """The list of the open archive. Its methods are described in `Unnoted`."""

    def __init__(self, database: Database) -> None:
        """`database` is open."""
        self._database = database
        self.wanted = False

    def due(self, limit: int, beside: Collection[str] = ()) -> tuple[list[UnnotedCall], int]:
        """Return calls of the list, and how many are listed."""
        joined = select(calls.c.call_sid, calls.c.ended_at).join_from(notes_due, calls, calls.c.number == notes_due.c.number)
        mine = (calls.c.ended_at.is_not(None), calls.c.call_sid.not_in(beside))
        with self._database.reading() as connection:
            rows = connection.execute(joined.where(*mine).order_by(notes_due.c.number).limit(limit)).all()
            count = connection.scalar(select(func.count()).select_from(notes_due)) or 0
            return [UnnotedCall(row.call_sid, row.ended_at) for row in rows], count

    def drop(self, call_sid: str) -> None:
        """Take a call from the list."""
        numbers = select(calls.c.number).where(calls.c.call_sid == storable(call_sid))
        with self._database.writing() as connection:
            connection.execute(delete(notes_due).where(notes_due.c.number.in_(numbers)))


def listing(insert: Any) -> Any:
    """Return the statement that puts a call on the list, for `hub.archive.writing`. Its value is `call`."""
    row = select(calls.c.number).where(calls.c.call_sid == bindparam("call", type_=calls.c.call_sid.type))
    return insert(notes_due).from_select(["number"], row).on_conflict_do_nothing()


def unlisting() -> Any:
    """Return the statement that takes a call from the list."""
    row = select(calls.c.number).where(calls.c.call_sid == bindparam("call", type_=calls.c.call_sid.type)).scalar_subquery()
    return delete(notes_due).where(notes_due.c.number == row)
