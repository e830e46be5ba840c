"""Reads the log of a call: what is packed, and what came after it.

Knows rows and packs. Does not know what an event says.
"""

from collections.abc import Iterator, Sequence

from sqlalchemy import ColumnElement, Connection, Integer, bindparam, func, literal_column, select

from hub.archive.archive import ArchiveError, StoredCall, StoredEvent, StoredLog
from hub.archive.packed import unpack, unpack_spoken
from hub.archive.tables import calls, events, packs
from hub.transcript.search import spoken

_number, _epoch = bindparam("its_number", type_=calls.c.number.type), bindparam("its_epoch", type_=calls.c.epoch.type)
_after = bindparam("its_after", type_=events.c.offset.type)

_its_packs = (packs.c.number == _number) & (packs.c.epoch == _epoch)
_holding = select(func.max(packs.c.first)).where(_its_packs, packs.c.first <= _after + literal_column("1")).scalar_subquery()
_from_it_on = packs.c.first >= func.coalesce(_holding, literal_column("0"))

# Webhooks ask for these once an event. Made anew each time, they would take longer than what the database does.
_PACKS_AFTER = select(packs.c.first, packs.c.packed).where(_its_packs, _from_it_on).order_by(packs.c.first)
_EVENTS_AFTER = (
    select(events.c.offset, events.c.payload)
    .where(events.c.number == _number, events.c.epoch == _epoch, events.c.offset > _after)
    .order_by(events.c.offset)
    .limit(bindparam("its_limit", type_=Integer()))
)


def log_of(connection: Connection, call: StoredCall) -> StoredLog:
    """Return a call with its events. Raises: ArchiveError where a pack is damaged."""
    read = list(events_of(connection, call.facts.number, call.epoch, call.call_sid))
    note = connection.scalar(select(calls.c.note).where(calls.c.number == call.facts.number))
    first = read[0].offset if read else 1
    return StoredLog(call=call, first=first, payloads=[event.payload for event in read], note=note or b"")


def spoken_in(connection: Connection, wanted: Sequence[StoredCall]) -> list[list[bytes]]:
    """Return what a search reads of calls. See `Archive.spoken`. Raises: ArchiveError where a pack is damaged."""
    found: dict[tuple[int, str], list[bytes]] = {(call.facts.number, call.epoch): [] for call in wanted}
    numbers = [call.facts.number for call in wanted]
    read = select(packs.c.number, packs.c.epoch, packs.c.spoken).where(packs.c.number.in_(numbers))
    for number, epoch, packed in connection.execute(read.order_by(packs.c.number, packs.c.first)):
        if (parts := found.get((number, epoch))) is not None:
            try:
                parts.append(unpack_spoken(packed))
            except ValueError as error:
                raise ArchiveError(f"the call with the number {number}: {error}") from error
    for number in connection.scalars(select(calls.c.number).where(calls.c.number.in_(numbers), ~calls.c.sealed)).all():
        for (each, epoch), parts in found.items():
            if each == number:
                parts.append(spoken(event.payload for event in unpacked(connection, number, epoch)))
    return list(found.values())


def unpacked(connection: Connection, number: int, epoch: str) -> list[StoredEvent]:
    """Return the events of a call that are not packed, in the order of their offsets."""
    mine = (events.c.number == number) & (events.c.epoch == epoch)
    rows = connection.execute(select(events.c.offset, events.c.payload).where(mine).order_by(events.c.offset))
    return [StoredEvent(offset, payload) for offset, payload in rows]


def events_of(connection: Connection, number: int, epoch: str, call_sid: str) -> Iterator[StoredEvent]:
    """Yield the events of a call in the order of their offsets. Raises: ArchiveError where a pack is damaged, with the callSid."""
    mine = (packs.c.number == number) & (packs.c.epoch == epoch)
    for first, packed in connection.execute(select(packs.c.first, packs.c.packed).where(mine).order_by(packs.c.first)):
        try:
            yield from unpack(first, packed)
        except ValueError as error:
            raise ArchiveError(f"{call_sid}: {error}") from error
    yield from unpacked(connection, number, epoch)


def events_after(connection: Connection, call: StoredCall, after: int, limit: int) -> Iterator[StoredEvent]:
    """Yield a call's events behind an offset, no more than so many. Raises: ArchiveError where a pack is damaged."""
    mine = {"its_number": call.facts.number, "its_epoch": call.epoch, "its_after": after}
    for first, packed in connection.execute(_PACKS_AFTER, mine):
        try:
            for event in unpack(first, packed):
                if event.offset > after and limit > 0:
                    yield event
                    limit -= 1
        except ValueError as error:
            raise ArchiveError(f"{call.call_sid}: {error}") from error
        if limit <= 0:
            return
    for offset, payload in connection.execute(_EVENTS_AFTER, mine | {"its_limit": limit}):
        yield StoredEvent(offset, payload)


def newest_offset(number: int) -> ColumnElement[int]:
    """Return, as a part of a statement, the offset of the newest event of a call's log. 0 where it has none."""
    unpacked_ones = select(func.max(events.c.offset)).where(events.c.number == number, events.c.epoch == calls.c.epoch).scalar_subquery()
    return func.coalesce(unpacked_ones, calls.c.packed)
