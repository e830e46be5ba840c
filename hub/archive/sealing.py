"""Seals calls that have ended: packs their events, and puts their words into the full-text index. One call at a time, in the background.

Reading, compressing and collecting words take most of the time, so they are done before the transaction begins. If the call went on
meanwhile, or another node sealed it, it is left alone.

In a cluster, each node seals the calls that it owns: a hundred nodes end more calls than one could pack. One of them also seals those that
nobody has sealed for a while, since their owners are gone.

Knows rows, packs and words. Does not know when it is called.
"""

import logging
from collections.abc import Sequence

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, or_, select, true, update

from hub.archive.archive import StoredLog
from hub.archive.database import Database
from hub.archive.logs import log_of, unpacked
from hub.archive.packed import Pack, pack
from hub.archive.page import stored
from hub.archive.tables import calls, events, packs
from hub.archive.words import facts_of, indexable
from hub.events import CallSummary
from hub.transcript.search import document

log = logging.getLogger(__name__)

_summaries = msgspec.json.Decoder(CallSummary)


UNSEALED_SECONDS = 60.0
"""For so long after its end, a call is left to its owner."""


def seal(database: Database) -> bool:
    """Seal one call. See `Archive.seal`."""
    database.tidy()
    with database.reading() as connection:
        row = connection.execute(select(calls).where(~calls.c.sealed, calls.c.ended_at.is_not(None), _mine(database)).limit(1)).first()
        if row is None:
            return False
        read = log_of(connection, stored(row))
        new = unpacked(connection, row.number, row.epoch)
    packed, words = list(pack(new)), _words(read)
    last = new[-1].offset if new else row.packed
    with database.writing() as connection:
        if _unchanged(connection, row, last):
            _keep(connection, row, packed, last)
            database.dialect.index(connection, row.number, words)
    return True


def _mine(database: Database) -> ColumnElement[bool]:
    """Return which calls this node seals."""
    if not database.node:
        return true()
    own = calls.c.owner == database.node
    if not database.leads("seal"):
        return own
    return or_(own, calls.c.ended_at < func.extract("epoch", func.now()) - UNSEALED_SECONDS)


def _words(read: StoredLog) -> set[str]:
    """Return what the index keeps of a call."""
    call = read.call
    try:
        said = document(_summaries.decode(call.facts.summary), read.payloads)
    except (msgspec.MsgspecError, ValueError) as error:
        log.warning("%s: it cannot be found by its words, because its record cannot be read: %s", call.call_sid, error)
        said = frozenset()
    return indexable(said) | facts_of(call.call_sid, call.facts)


def _unchanged(connection: Connection, row: Row[tuple[object, ...]], last: int) -> bool:
    """Return whether the call is as it was when it was read."""
    now = connection.execute(select(calls).where(calls.c.number == row.number).with_for_update()).first()
    newer = select(events.c.offset).where(events.c.number == row.number, events.c.epoch == row.epoch, events.c.offset > last).limit(1)
    return now == row and connection.execute(newer).first() is None


def _keep(connection: Connection, row: Row[tuple[object, ...]], packed: Sequence[Pack], last: int) -> None:
    for each in packed:
        part = {"first": each.first, "size": each.size, "spoken": each.spoken, "packed": each.packed}
        connection.execute(insert(packs), {"number": row.number, "epoch": row.epoch, **part})
    connection.execute(delete(events).where(events.c.number == row.number, events.c.epoch == row.epoch, events.c.offset <= last))
    connection.execute(update(calls).where(calls.c.number == row.number).values(sealed=True, packed=last))
