"""The archive in a SQL database: the one implementation of `Archive`, for SQLite and PostgreSQL.

What is written is in `writing` and `sealing`, what is found in `page` and `logs`, what differs between the two in `sqlite` and `postgres`.
Here is the rest: single rows, erasure and the audit log.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, delete, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from hub.archive import fencing
from hub.archive.archive import (
    Access,
    AccessFilter,
    AuditRow,
    CallFilter,
    Change,
    Expiry,
    Sizes,
    StoredCall,
    StoredLog,
    StoredRecording,
    Tombstone,
)
from hub.archive.database import Database
from hub.archive.due import due_calls, due_recordings
from hub.archive.logs import events_of, log_of, spoken_in
from hub.archive.page import ROW_OF, named, page, rows_where, stored
from hub.archive.sealing import seal
from hub.archive.sql_undelivered import SqlUndelivered, renumbered
from hub.archive.sql_unnoted import SqlUnnoted
from hub.archive.tables import accesses, calls, events, packs, recordings, tombstones
from hub.archive.words import storable
from hub.archive.writing import Writing, audit_row

ALL = AccessFilter()
"""All rows of the audit log."""

PORTION = 1000
"""Tombstones that are named in one statement."""


class SqlArchive:
    """The open archive. Its methods are described in `Archive`."""

    def __init__(self, database: Database) -> None:
        """`database` is open."""
        self._database = database
        self.undelivered = SqlUndelivered(database)
        self.unnoted = SqlUnnoted(database)
        self._writing = Writing(database, self.undelivered, self.unnoted)
        # Both have the same interface, and each compiles for its own database only.
        self._insert: Any = sqlite.insert if database.engine.dialect.name == "sqlite" else postgresql.insert

    def write(self, changes: Sequence[Change], accesses: Sequence[Access] = ()) -> None:
        """Store what is new of calls, and who did what with them."""
        self._writing.write(changes, accesses)

    def restamp(self, call_sid: str, epoch: str, payloads: Sequence[bytes]) -> None:
        """Put another log in place of a call's."""
        mine = calls.c.call_sid == storable(call_sid)
        with self._database.writing() as connection:
            found = connection.execute(select(calls.c.number, calls.c.epoch).where(mine)).first()
            if found is None:
                return
            number = found.number
            before = [event.offset for event in events_of(connection, number, found.epoch, call_sid)]
            for table in (events, packs):
                connection.execute(delete(table).where(table.c.number == number))
            rows = [{"number": number, "epoch": epoch, "offset": at, "payload": payload} for at, payload in enumerate(payloads, 1)]
            if rows:
                connection.execute(insert(events), rows)
            connection.execute(update(calls).where(mine).values(epoch=epoch, packed=0, sealed=False))
            renumbered(connection, number, epoch, before)

    def take(self, call_sid: str, generation: int) -> StoredLog | None:
        """Make a call this node's, and return it with its events."""
        with self._database.writing() as connection:
            return fencing.take(self._database, connection, call_sid, generation)

    def ownerless(self, living: Collection[str]) -> list[StoredCall]:
        """Return the calls that have not ended and whose owner is none of these nodes."""
        with self._database.reading() as connection:
            rows = connection.execute(rows_where(calls.c.ended_at.is_(None), calls.c.owner.not_in(living))).all()
            return [stored(row) for row in reversed(rows)]

    def leads(self, chore: str) -> bool:
        """Return whether this process is the one that does a chore."""
        return self._database.leads(chore)

    def live(self) -> list[StoredLog]:
        """Return the calls that have not ended, the oldest first."""
        with self._database.reading() as connection:
            rows = connection.execute(rows_where(calls.c.ended_at.is_(None))).all()
            return [log_of(connection, stored(row)) for row in reversed(rows)]

    def find(self, call_sid: str) -> StoredCall | Tombstone | None:
        """Return a call's row."""
        with self._database.reading() as connection:
            row = connection.execute(ROW_OF, named(call_sid)).first()
            if row is not None:
                return stored(row)
            erased = connection.execute(select(tombstones).where(tombstones.c.call_sid == storable(call_sid))).first()
            return None if erased is None else Tombstone(call_sid=erased.call_sid, at=erased.at, reason=erased.reason)

    def log(self, call_sid: str) -> StoredLog | None:
        """Return a call with its events."""
        with self._database.reading() as connection:
            row = connection.execute(ROW_OF, named(call_sid)).first()
            return None if row is None else log_of(connection, stored(row))

    def page(self, wanted: CallFilter, before: int | None, limit: int) -> list[StoredCall]:
        """Return the newest calls that fit."""
        with self._database.reading() as connection:
            return page(connection, self._database.dialect, wanted, before, limit)

    def spoken(self, found: Sequence[StoredCall]) -> list[list[bytes]]:
        """Return what a search reads of calls."""
        with self._database.reading() as connection:
            return spoken_in(connection, found)

    def seal(self) -> bool:
        """Pack the events of one call that has ended, and index its words."""
        return seal(self._database)

    def with_number(self, number: str) -> list[StoredCall]:
        """Return all calls from or to a number."""
        known = storable(number)
        with self._database.reading() as connection:
            rows = connection.execute(rows_where(or_(calls.c.from_number == known, calls.c.to_number == known)))
            return [stored(row) for row in rows]

    def hold(self, call_sid: str, *, held: bool) -> bool:
        """Put a legal hold on a call, or release it."""
        with self._database.writing() as connection:
            changed = connection.execute(update(calls).where(calls.c.call_sid == storable(call_sid)).values(held=held))
            return changed.rowcount > 0

    def erase(self, call_sids: Iterable[str], reason: str, at: float, note: Access | None = None) -> list[str]:
        """Erase calls that have ended and are not held, and leave tombstones."""
        with self._database.writing() as connection:
            gone = [each for each in call_sids if self._erase(connection, storable(each), reason, at)]
            if note is not None:
                self._writing.account(connection, [replace(note, call_sid=each) for each in gone])
            return gone

    def _erase(self, connection: Connection, call_sid: str, reason: str, at: float) -> bool:
        mine = (calls.c.call_sid == call_sid, calls.c.ended_at.is_not(None), ~calls.c.held)
        number = connection.scalar(select(calls.c.number).where(*mine).with_for_update())
        if number is None:
            return False
        self._database.dialect.unindex(connection, number)
        connection.execute(delete(calls).where(calls.c.number == number))  # and with it its events and packs
        connection.execute(delete(tombstones).where(tombstones.c.call_sid == call_sid))
        connection.execute(insert(tombstones), {"call_sid": call_sid, "at": at, "reason": storable(reason)})
        return True

    def scrub(self) -> None:
        """Remove every byte of what was erased from the files."""
        with self._database.reading() as connection:  # another node may erase more meanwhile
            due = list(connection.scalars(select(tombstones.c.call_sid).where(~tombstones.c.scrubbed)))
        self._database.scrub()
        with self._database.writing() as connection:
            for start in range(0, len(due), PORTION):
                these = tombstones.c.call_sid.in_(due[start : start + PORTION])
                connection.execute(update(tombstones).where(these).values(scrubbed=True))

    def unscrubbed(self) -> bool:
        """Return whether the files may still have bytes of what was erased."""
        with self._database.reading() as connection:
            return connection.execute(select(tombstones.c.call_sid).where(~tombstones.c.scrubbed).limit(1)).first() is not None

    def due(self, expiry: Expiry, limit: int) -> list[StoredCall]:
        """Return the calls that are due, those that ended first at the beginning."""
        with self._database.reading() as connection:
            return [stored(row) for row in connection.execute(due_calls(expiry, limit))]

    def keep_recording(self, recording: StoredRecording) -> None:
        """Note that a recording lies in the store."""
        row = {column.name: getattr(recording, column.name) for column in recordings.c}
        with self._database.writing() as connection:
            statement = self._insert(recordings)
            rest = {name: statement.excluded[name] for name in row if name != "call_sid"}
            connection.execute(statement.on_conflict_do_update(index_elements=["call_sid"], set_=rest), row)

    def recording(self, call_sid: str) -> StoredRecording | None:
        """Return the recording of a call."""
        with self._database.reading() as connection:
            row = connection.execute(select(recordings).where(recordings.c.call_sid == storable(call_sid))).first()
            return None if row is None else _recording(row)

    def recordings_due(self, expiry: Expiry, limit: int) -> list[StoredRecording]:
        """Return the recordings of calls that are due, and of calls that are erased."""
        with self._database.reading() as connection:
            return [_recording(row) for row in connection.execute(due_recordings(expiry, limit))]

    def forget_recording(self, call_sid: str) -> None:
        """Note that a recording lies in the store no longer."""
        with self._database.writing() as connection:
            connection.execute(delete(recordings).where(recordings.c.call_sid == storable(call_sid)))

    def audit(self, after: int, limit: int, wanted: AccessFilter = ALL) -> list[AuditRow]:
        """Return the rows of the audit log that fit and have a higher id than `after`."""
        exact = {"subject": wanted.subject, "action": wanted.action, "call_sid": wanted.call_sid}
        clauses = [accesses.c[name] == storable(value) for name, value in exact.items() if value is not None]
        clauses += [] if wanted.since is None else [accesses.c.at >= wanted.since]
        clauses += [] if wanted.until is None else [accesses.c.at < wanted.until]
        rows = select(accesses).where(accesses.c.id > after, *clauses).order_by(accesses.c.id).limit(limit)
        with self._database.reading() as connection:
            return [audit_row(row) for row in connection.execute(rows)]

    def sizes(self) -> Sizes:
        """Return how large the archive is."""
        with self._database.reading() as connection:
            packed = connection.scalar(select(func.coalesce(func.sum(packs.c.size), 0)))
            waiting = connection.scalar(select(func.coalesce(func.sum(func.length(events.c.payload)), 0)))
            return Sizes(
                calls=connection.scalar(select(func.count()).select_from(calls)) or 0,
                events_bytes=int(packed or 0) + int(waiting or 0),
                file_bytes=self._database.dialect.file_bytes(connection),
                oldest=connection.scalar(select(calls.c.started_at).order_by(calls.c.number).limit(1)),
            )

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()


def _recording(row: Any) -> StoredRecording:
    return StoredRecording(
        call_sid=row.call_sid, key=row.key, media_type=row.media_type, seconds=row.seconds, size=row.size, sha256=row.sha256,
        stored_at=row.stored_at,
    )  # fmt: skip
