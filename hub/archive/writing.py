"""Writes what is new of many calls in one transaction: the path of every event that is to outlive the process.

Its statements are made with SQLAlchemy once, and the driver runs them as text: an event with a commit of its own takes half the CPU time
that it takes with SQLAlchemy around each statement.

What the row of a call says changes rarely, and is in indexes; its summary changes with every event. So the two are written apart, and the
former only where it differs.

Knows rows. Does not know when it is called.
"""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from sqlalchemy import BindParameter, Connection, bindparam, case, false, func, literal_column, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import UpdateBase

from hub.archive.archive import Access, AuditRow, Change, NotStored
from hub.archive.chain import linked
from hub.archive.database import Conflict, Database, Refused
from hub.archive.fencing import admitted
from hub.archive.sql_undelivered import SqlUndelivered, entering
from hub.archive.sql_unnoted import SqlUnnoted, listing, unlisting
from hub.archive.tables import accesses, calls, events, tombstones
from hub.archive.undelivered import news_of
from hub.archive.unnoted import listed
from hub.archive.words import storable, storable_or_none

log = logging.getLogger(__name__)

Row: TypeAlias = dict[str, Any]

_LISTED = ("epoch", "started_at", "ended_at", "from_number", "to_number", "agent", "queue", "state")
"""What a row says of a call for lists and searches. The summary and the note are apart."""

ATTEMPTS = 3
"""How often a batch is written that another node was in the way of."""


@dataclass(slots=True)
class _SetAside:
    """The calls of a batch that are not stored: see NotStored."""

    unknown: set[str] = field(default_factory=set)
    fenced: dict[str, int] = field(default_factory=dict)
    news: set[str] = field(default_factory=set)
    """The webhooks that want some of what is stored."""


class Writing:
    """Writes into one database."""

    def __init__(self, database: Database, undelivered: SqlUndelivered, unnoted: SqlUnnoted) -> None:
        self._database = database
        self._undelivered = undelivered
        self._unnoted = unnoted
        self._sql = _Statements(database)

    def write(self, changes: Sequence[Change], accesses: Sequence[Access] = ()) -> None:
        """Store all of this. See `Archive.write`."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                left = self._write(changes, accesses)
            except Conflict:
                if attempt == ATTEMPTS:
                    raise
            else:
                break
        if left.news:
            self._undelivered.on_news(left.news)
        if left.unknown or left.fenced:
            raise NotStored(left.unknown, left.fenced)

    def _write(self, changes: Sequence[Change], accesses: Sequence[Access]) -> _SetAside:
        left = _SetAside()
        try:
            with self._database.writing() as connection:
                self._store(connection, changes, left)
                self.account(connection, accesses)
        except Refused:
            left = self._write_each(changes, accesses)
        return left

    def _write_each(self, changes: Sequence[Change], accesses: Sequence[Access]) -> _SetAside:
        """Store one change after the other, and drop those that the database refuses."""
        left = _SetAside()
        for change in changes:
            try:
                with self._database.writing() as connection:
                    self._store(connection, [change], left)
            except Refused as error:
                log.error("%s: %d events cannot be archived, and are dropped: %s", change.call_sid, len(change.events), error.problem)
        with self._database.writing() as connection:
            self.account(connection, accesses)
        return left

    def _store(self, connection: Connection, changes: Sequence[Change], left: _SetAside) -> None:
        changes = admitted(self._database, connection, changes, left.fenced)
        told = [_row(change, self._database.node) for change in changes if change.facts is not None]
        if told:
            self._tell(connection, told)
        new = [
            {"call": change.call_sid, "its_epoch": change.epoch, "its_offset": event.offset, "its_payload": event.payload}
            for change in changes
            for event in change.events
        ]
        # An event of a call that has no row is not inserted, and one that is there already is not either.
        if new and _run(connection, self._sql.append, new) < len(new):
            left.unknown |= self._without_row(connection, {change.call_sid for change in changes if change.events})
        self._note(connection, [change for change in changes if change.facts is None], left.unknown)
        # The row of a live call says that it is not sealed, once it says that it is live.
        late = [{"call": change.call_sid} for change in changes if change.facts is None or change.facts.ended_at is not None]
        if late:
            _run(connection, self._sql.unseal, late)
        if self._undelivered.wanted:
            self._enter(connection, changes, left)
        self._list_unnoted(connection, [change for change in changes if change.facts is not None])

    def _list_unnoted(self, connection: Connection, changes: Sequence[Change]) -> None:
        """Put the calls on the list that end with these changes, and take those away that get a note. Both concern the row of a call."""
        for change in changes:
            found = listed(event.payload for event in change.events)
            if found and self._unnoted.wanted:
                _run(connection, self._sql.list_unnoted, [{"call": change.call_sid}])
            elif found is False:
                _run(connection, self._sql.unlist, [{"call": change.call_sid}])

    def _enter(self, connection: Connection, changes: Sequence[Change], left: _SetAside) -> None:
        """Put into the webhooks' outbox what they want of these changes."""
        found = [(change, each) for change in changes for each in news_of(self._undelivered.wanted, change.events)]
        if found:
            rows: list[Row] = [
                {
                    "call": change.call_sid, "its_webhook": each.webhook, "its_epoch": change.epoch,
                    "its_first": each.first, "its_last": each.last,
                }
                for change, each in found
            ]  # fmt: skip
            _run(connection, self._sql.enter, rows)
            left.news.update(each.webhook for _, each in found)

    def _tell(self, connection: Connection, rows: list[Row]) -> None:
        """Write rows of calls, the newest state of each last."""
        if _run(connection, self._sql.summarize, rows) < len(rows):
            fresh = self._fresh(connection, rows)
            if fresh:
                _run(connection, self._sql.begin, fresh)
            _run(connection, self._sql.summarize, rows)
        _run(connection, self._sql.relist, rows)

    def _fresh(self, connection: Connection, rows: list[Row]) -> list[Row]:
        """Return those that have no row yet, with numbers that nobody has, without those that were erased."""
        sids = {row["call"] for row in rows}
        gone = set(connection.scalars(select(tombstones.c.call_sid).where(tombstones.c.call_sid.in_(sids))))
        there = sids - self._without_row(connection, sids, forgiven=gone)
        fresh = {row["call"]: row for row in reversed(rows) if row["call"] not in there}
        numbers = {row["its_number"] for row in fresh.values()}
        taken = set(connection.scalars(select(calls.c.number).where(calls.c.number.in_(numbers))))
        renumbered: list[Row] = []
        for row in fresh.values():
            number = row["its_number"]
            while number in taken:  # a clock that was set back can lead to a number that another call has
                number += 1
                if number not in numbers and connection.scalar(select(calls.c.number).where(calls.c.number == number)) is not None:
                    taken.add(number)
            taken.add(number)
            renumbered.append(row | {"its_number": number})
        return renumbered

    def _note(self, connection: Connection, changes: Sequence[Change], unknown: set[str]) -> None:
        """Write the notes of calls whose row stays as it is otherwise."""
        notes = [{"call": change.call_sid, "its_note": change.note} for change in changes if change.note is not None]
        if notes and _run(connection, self._sql.note, notes) < len(notes):
            unknown |= self._without_row(connection, {change.call_sid for change in changes if change.note is not None})

    def _without_row(self, connection: Connection, sids: Collection[str], forgiven: Collection[str] | None = None) -> set[str]:
        """Return the calls that have no row, and were not erased."""
        there = set(connection.scalars(select(calls.c.call_sid).where(calls.c.call_sid.in_(sids))))
        missing = set(sids) - there
        if missing and forgiven is None:
            forgiven = set(connection.scalars(select(tombstones.c.call_sid).where(tombstones.c.call_sid.in_(missing))))
        return missing - set(forgiven or ())

    def account(self, connection: Connection, made: Sequence[Access]) -> None:
        """Add to the audit log, in the transaction of this connection."""
        if not made:
            return
        self._database.dialect.take_turn(connection, "audit log")
        newest = connection.execute(select(accesses).order_by(accesses.c.id.desc()).limit(1)).first()
        last = None if newest is None else audit_row(newest)
        rows = linked(map(_storable_access, made), last)
        _run(connection, self._sql.account, [_audit_values(row) for row in rows])


class _Statements:
    """The statements, in the database's own words. Their values have names that no column has."""

    def __init__(self, database: Database) -> None:
        dialect = database.engine.dialect
        insert = sqlite.insert if dialect.name == "sqlite" else postgresql.insert

        def text_of(statement: UpdateBase) -> str:
            return str(statement.compile(dialect=dialect, column_keys=[]))

        mine = calls.c.call_sid == bindparam("call", type_=calls.c.call_sid.type)
        listed = {name: _its(name) for name in _LISTED}
        same_epoch = calls.c.epoch == listed["epoch"]
        first = listed | {
            "number": _its("number"),
            "call_sid": mine.right,
            "summary": _its("summary"),
            "note": bindparam("its_first_note", type_=calls.c.note.type),
            "generation": _its("generation"),
            "owner": _its("owner"),
        }
        self.begin = text_of(insert(calls).values(first).on_conflict_do_nothing(index_elements=["call_sid"]))
        self.summarize = text_of(update(calls).where(mine).values(summary=_its("summary"), note=func.coalesce(_its("note"), calls.c.note)))
        differs = or_(*(calls.c[name].is_distinct_from(value) for name, value in listed.items()))
        packed = case((same_epoch, calls.c.packed), else_=literal_column("0"))
        self.relist = text_of(update(calls).where(mine, differs).values(listed | {"sealed": false(), "packed": packed}))
        self.note = text_of(update(calls).where(mine).values(note=_its("note")))
        self.unseal = text_of(update(calls).where(mine, calls.c.sealed).values(sealed=false()))
        epoch, offset, payload = (bindparam(f"its_{name}", type_=events.c[name].type) for name in ("epoch", "offset", "payload"))
        unpacked = or_(calls.c.epoch != epoch, calls.c.packed < offset)
        event = select(calls.c.number, epoch, offset, payload).where(mine, unpacked)
        self.append = text_of(insert(events).from_select(list(events.c), event).on_conflict_do_nothing())
        self.enter = text_of(entering(insert))
        self.list_unnoted = text_of(listing(insert))
        self.unlist = text_of(unlisting())
        self.account = text_of(insert(accesses).values({each.name: bindparam(f"its_{each.name}", type_=each.type) for each in accesses.c}))


def _run(connection: Connection, statement: str, rows: list[Row]) -> int:
    """Run a statement with each of these values. Return how many rows it changed in all."""
    cursor = connection.connection.cursor()
    cursor.executemany(statement, rows)
    return cursor.rowcount


def _its(name: str) -> BindParameter[Any]:
    """Return the value of a column of `calls`, to be given when a statement runs."""
    return bindparam(f"its_{name}", type_=calls.c[name].type)


def _row(change: Change, owner: str) -> Row:
    facts = change.facts
    assert facts is not None, "the row of a change that has none"
    return {
        "call": change.call_sid,
        "its_number": facts.number,
        "its_epoch": change.epoch,
        "its_started_at": facts.started_at,
        "its_ended_at": facts.ended_at,
        "its_from_number": storable_or_none(facts.from_),
        "its_to_number": storable_or_none(facts.to),
        "its_agent": storable_or_none(facts.agent),
        "its_queue": storable_or_none(facts.queue),
        "its_state": facts.state,
        "its_summary": facts.summary,
        "its_note": change.note,
        "its_first_note": change.note or b"",
        "its_generation": change.generation,
        "its_owner": owner,
    }


def audit_row(row: Any) -> AuditRow:
    """Return a row of the table of accesses."""
    access = Access(at=row.at, subject=row.subject, action=row.action, call_sid=row.call_sid, detail=row.detail)
    return AuditRow(id=row.id, access=access, previous=row.previous, digest=row.digest)


def _storable_access(access: Access) -> Access:
    return Access(
        at=access.at,
        subject=storable(access.subject),
        action=access.action,
        call_sid=storable(access.call_sid),
        detail=storable(access.detail),
    )


def _audit_values(row: AuditRow) -> Row:
    access = row.access
    return {
        "its_id": row.id,
        "its_at": access.at,
        "its_subject": access.subject,
        "its_action": access.action,
        "its_call_sid": access.call_sid,
        "its_detail": access.detail,
        "its_previous": row.previous,
        "its_digest": row.digest,
    }
