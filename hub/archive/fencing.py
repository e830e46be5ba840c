"""Who may write of a call where the nodes of a cluster share the archive.

Each call has one owner, and each change of owner raises the call's generation, which the broker counts. The row of the call has the
generation of the newest owner that the archive knows. A process that was stopped for a minute, while another node went on with its calls,
is an older owner when it wakes up. What it writes then is refused.

Whoever writes locks the rows of its calls first, and so does `take`. So a call is taken over before an older owner's transaction or after
it, never within: the new owner reads everything that the older one could store.

**What two owners wrote differently.** A new owner reads the log by `take` and goes on behind it, so the two logs agree. It cannot take
where the archive is away while the owner changes. Then it goes on with what the broker has, and stores all of that later. What the older
owner alone had stored at those offsets and behind them is replaced, so that the archive does not mix two logs.

Knows rows. Does not know who owns a call.
"""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, insert, select, update

from hub.archive.archive import Change, NotStored, StoredLog
from hub.archive.database import Database
from hub.archive.logs import events_of, log_of
from hub.archive.page import ROW_OF, named, stored
from hub.archive.sql_undelivered import replaced_from
from hub.archive.tables import calls, events, packs


def admitted(database: Database, connection: Connection, changes: Sequence[Change], fenced: dict[str, int]) -> Sequence[Change]:
    """Return those of the changes that this node may write. The generations of all other calls are put into `fenced`."""
    if not database.node:
        return changes
    there = _locked(connection, {change.call_sid for change in changes})
    begun = {change.call_sid for change in changes if change.facts is not None} - there.keys()
    if begun:
        # Nodes store calls that begin in turns: two could begin with the same number, or be the same call.
        database.dialect.take_turn(connection, "new calls")
        there |= _locked(connection, begun)
    allowed: list[Change] = []
    for change in changes:
        row = there.get(change.call_sid)
        if row is not None and row.generation > change.generation:
            fenced[change.call_sid] = row.generation
            continue
        if row is not None and row.generation < change.generation and change.events:
            _adopt(connection, row, change, database.node)
        allowed.append(change)
    return allowed


def take(database: Database, connection: Connection, call_sid: str, generation: int) -> StoredLog | None:
    """Make a call this node's. See `Archive.take`."""
    row = connection.execute(_locking(ROW_OF), named(call_sid)).first()
    if row is None:
        return None
    if row.generation > generation or (row.generation == generation and row.owner not in {"", database.node}):
        raise NotStored(fenced={call_sid: row.generation})
    _own(connection, row, generation, database.node)
    return log_of(connection, stored(connection.execute(ROW_OF, named(call_sid)).one()))


def _locked(connection: Connection, sids: Collection[str]) -> dict[str, Row[Any]]:
    """Return the rows of calls, which nobody else changes until the end of the transaction. All nodes lock in the same order."""
    columns = (calls.c.number, calls.c.call_sid, calls.c.epoch, calls.c.generation, calls.c.packed)
    rows = connection.execute(_locking(select(*columns).where(calls.c.call_sid.in_(sids)).order_by(calls.c.number)))
    return {row.call_sid: row for row in rows}


def _locking(statement: Select[Any]) -> Select[Any]:
    """Lock the rows that are read, but for those who only refer to them."""
    return statement.with_for_update(key_share=True)


def _own(connection: Connection, row: Row[Any], generation: int, node: str) -> None:
    connection.execute(update(calls).where(calls.c.number == row.number).values(generation=generation, owner=node))


def _adopt(connection: Connection, row: Row[Any], change: Change, node: str) -> None:
    """Make a call the writing node's, and take away what is to be replaced by its events."""
    _own(connection, row, change.generation, node)
    first = change.events[0].offset
    if row.epoch != change.epoch:
        return
    if row.packed >= first:
        _unpack(connection, row)
    _delete(connection, row, events.c.offset >= first)
    replaced_from(connection, row.number, first)


def _unpack(connection: Connection, row: Row[Any]) -> None:
    """Put packed events back where they can be replaced. The call is sealed again once it is over."""
    kept = list(events_of(connection, row.number, row.epoch, row.call_sid))
    _delete(connection, row)
    connection.execute(delete(packs).where(packs.c.number == row.number, packs.c.epoch == row.epoch))
    rows = [{"number": row.number, "epoch": row.epoch, "offset": event.offset, "payload": event.payload} for event in kept]
    connection.execute(insert(events), rows)
    connection.execute(update(calls).where(calls.c.number == row.number).values(packed=0, sealed=False))


def _delete(connection: Connection, row: Row[Any], *which: Any) -> None:
    connection.execute(delete(events).where(events.c.number == row.number, events.c.epoch == row.epoch, *which))
