"""Finds calls: the pages of the list and of the search, newest first, however many calls there are.

Nothing is ever sorted or counted as a whole. Each way below goes through an index in the order of the numbers, from the newest on, and
stops when the page is full; where a filter needs two ways, as "from or to this number" does, their answers are merged.

Two filters at once are the hard case: all calls of an agent can be many, those with a state too, and those with both few. Then the
full-text index is asked, which has these facts as words (`hub.archive.words`) and intersects them. Calls that are not sealed are not in
it. They are few, and one way goes through all of them.

Knows rows. Does not know who asks.
"""

import heapq
import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, bindparam, func, or_, select, true

from hub.archive.archive import CallFilter, Facts, StoredCall
from hub.archive.database import Dialect
from hub.archive.tables import calls
from hub.archive.words import fact, indexable, storable

ROW = [
    calls.c[name]
    for name in (
        "number",
        "call_sid",
        "epoch",
        "started_at",
        "ended_at",
        "from_number",
        "to_number",
        "agent",
        "queue",
        "state",
        "held",
        "summary",
        "generation",
        "owner",
    )
]
"""The columns of which `stored` makes a call."""

Clause = ColumnElement[bool]

MANY_WAYS = 8
"""With more ways than this, asking the full-text index once takes less time than asking the table's indexes one after the other."""

_ended = func.coalesce(calls.c.ended_at, -1.0)
"""When a call ended, and a negative number while it lives: in a form in which a database does not choose the index of this column."""

_CALL_SID = re.compile("CA[0-9a-f]{32}")
"""No phone number looks like this."""

_NUMBER = re.compile(r"\+[0-9]+")
"""No callSid looks like this."""

_HIGHEST = 2**63 - 1
"""No database takes a higher number."""


def stored(row: Any) -> StoredCall:
    """Return a row of the table of calls."""
    facts = Facts(
        number=row.number,
        started_at=row.started_at,
        ended_at=row.ended_at,
        from_=row.from_number,
        to=row.to_number,
        agent=row.agent,
        queue=row.queue,
        state=row.state,
        summary=row.summary,
    )
    return StoredCall(call_sid=row.call_sid, epoch=row.epoch, facts=facts, held=row.held, generation=row.generation, owner=row.owner)


ROW_OF = select(*ROW).where(calls.c.call_sid == bindparam("its_call_sid", type_=calls.c.call_sid.type))
"""The statement that reads the row of a call. Its value is `named(call_sid)`."""


def named(call_sid: str) -> dict[str, str]:
    """Return the value for `ROW_OF`."""
    return {"its_call_sid": storable(call_sid)}


def rows_where(*clauses: Clause) -> Select[Any]:
    """Return the statement that reads rows, the newest first."""
    return select(*ROW).where(*clauses).order_by(calls.c.number.desc())


def page(connection: Connection, dialect: Dialect, wanted: CallFilter, before: int | None, limit: int) -> list[StoredCall]:
    """Return the newest calls that fit. See `Archive.page`."""
    if limit <= 0 or (wanted.allowed is not None and not wanted.allowed):
        return []
    asked = _Asked(wanted, before, _lowest_ended(connection, wanted.ended_after))
    ways = _indexed(dialect, asked) if asked.for_the_index else asked.ways()
    answers = (_read(connection, way.limit(limit)) for way in ways)
    merged = heapq.merge(*answers, key=lambda call: -call.facts.number)
    return list(itertools.islice(_once(merged), limit))


@dataclass(frozen=True, slots=True)
class _Fact:
    """A filter that the full-text index knows."""

    words: frozenset[str]
    """It fits where the index has one of these."""
    ways: tuple[Clause, ...]
    """It fits where one of these is true. Each goes through an index of the table."""
    fits: Clause
    """The same, to be compared with a row that was found in another way."""


class _Asked:
    """What is asked for, in SQL."""

    def __init__(self, wanted: CallFilter, before: int | None, lowest_ended: int) -> None:
        """`lowest_ended`: see `_lowest_ended`."""
        self.words = indexable(wanted.words)
        self._live = wanted.live
        self.facts = list(_facts(wanted))
        self._lately = wanted.ended_after is not None
        self._lowest_ended = lowest_ended
        self._lowest = None if wanted.since is None else _number_at(wanted.since)
        """Every call that fits has this number or a higher one. None where it may have any."""
        highest = [] if wanted.until is None else [_number_at(wanted.until) + 1024]
        self._below = min([*highest, *([] if before is None else [before])], default=None)
        """Every call that fits has a lower number. None where it may have any."""
        self._moments = [
            *([] if wanted.since is None else [calls.c.started_at >= wanted.since]),
            *([] if wanted.until is None else [calls.c.started_at < wanted.until]),
            *([] if wanted.live is None else [_ended < 0 if wanted.live else _ended >= 0]),
            *([] if wanted.ended_after is None else [or_(_ended < 0, _ended > wanted.ended_after)]),
        ]

    @property
    def for_the_index(self) -> bool:
        """Whether the full-text index answers sooner. Live calls are few, and not in it."""
        return bool(self.words) or (not self._live and (len(self.facts) > 1 or any(len(each.ways) > MANY_WAYS for each in self.facts)))

    def between(self, number: ColumnElement[int]) -> list[Clause]:
        """Return what bounds the number, in whatever table it is."""
        return [
            *([] if self._lowest is None else [number >= _storable(self._lowest)]),
            *([] if self._below is None else [number < _storable(self._below)]),
        ]

    def recent(self, number: ColumnElement[int]) -> list[Clause]:
        """Return what bounds the number of a call that has ended, if only those are wanted that ended lately."""
        return [number >= self._lowest_ended] if self._lately else []

    def fits(self, known: _Fact | None = None) -> list[Clause]:
        """Return all that a row must fit, but for the words, and for what is known."""
        return [*self._moments, *(each.fits for each in self.facts if each is not known)]

    def ways(self) -> list[Select[Any]]:
        """Return statements that go through the indexes of the table."""
        between = self.between(calls.c.number)
        live = rows_where(calls.c.ended_at.is_(None), *between, *self.fits())
        if self._live:
            return [live]
        known = self.facts[0] if self.facts else None
        through = known.ways if known is not None else (true(),)
        ways = [rows_where(each, *between, *self.recent(calls.c.number), *self.fits(known)) for each in through]
        return [live, *ways] if self._lately else ways


def _indexed(dialect: Dialect, asked: _Asked) -> list[Select[Any]]:
    """Return statements that ask the full-text index, and go through what is not sealed."""
    found = dialect.found(asked.words, [each.words for each in asked.facts])
    bounds = [*asked.between(found.number), *asked.recent(found.number), *asked.fits(), calls.c.sealed]
    joined = found.source.join(calls, calls.c.number == found.number)
    sealed = select(*ROW).select_from(joined).where(found.condition, *bounds).order_by(found.number.desc())
    # Of calls that are not sealed nobody knows the words here. Those that live are searched in memory.
    unknown = [calls.c.ended_at.is_not(None)] if asked.words else []
    return [sealed, rows_where(~calls.c.sealed, *unknown, *asked.between(calls.c.number), *asked.fits())]


def _facts(wanted: CallFilter) -> Iterator[_Fact]:
    if wanted.allowed is not None:
        keys = sorted(map(storable, wanted.allowed))
        numbers = [key for key in keys if not _CALL_SID.fullmatch(key)]
        words = [fact("call", key) for key in keys if not _NUMBER.fullmatch(key)] + [fact("number", number) for number in numbers]
        either = [column == number for number in numbers for column in (calls.c.from_number, calls.c.to_number)]
        fits = or_(calls.c.call_sid.in_(keys), _compared(calls.c.from_number).in_(numbers), _compared(calls.c.to_number).in_(numbers))
        yield _Fact(frozenset(words), (calls.c.call_sid.in_(keys), *either), fits)
    if wanted.number is not None:
        number = storable(wanted.number)
        columns = (calls.c.from_number, calls.c.to_number)
        fits = or_(*(_compared(column) == number for column in columns))
        yield _Fact(frozenset({fact("number", number)}), tuple(column == number for column in columns), fits)
    if wanted.agent is not None:
        yield _equal(calls.c.agent, wanted.agent, fact("agent", wanted.agent))
    if wanted.queue is not None:
        yield _equal(calls.c.queue, wanted.queue, fact("queue", wanted.queue))
    if wanted.state is not None:
        yield _equal(calls.c.state, wanted.state, fact("state", wanted.state))


def _equal(column: ColumnElement[Any], value: str, word: str) -> _Fact:
    return _Fact(frozenset({word}), (column == storable(value),), _compared(column) == storable(value))


def _lowest_ended(connection: Connection, ended_after: float | None) -> int:
    """Return the lowest number of the calls that ended later than this: those that are older need not be gone through."""
    if ended_after is None:
        return 0
    lowest = connection.scalar(select(func.min(calls.c.number)).where(calls.c.ended_at > ended_after))
    return _HIGHEST if lowest is None else lowest


def _compared(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return a column in a form in which a database does not choose its index. Without statistics, SQLite would often choose it."""
    return func.coalesce(column, "")


def _number_at(moment: float) -> int:
    """Return the lowest number of a call that begins in the millisecond of this moment."""
    return int(max(moment, 0.0) * 1000) * 1024


def _storable(number: int) -> int:
    """Return the nearest number that a database takes."""
    return max(0, min(number, _HIGHEST))


def _read(connection: Connection, way: Select[Any]) -> Iterator[StoredCall]:
    return iter([stored(row) for row in connection.execute(way)])


def _once(found: Iterable[StoredCall]) -> Iterator[StoredCall]:
    """Leave out what comes again: a call within one company is from and to numbers that are asked for."""
    last = None
    for call in found:
        if call.facts.number != last:
            yield call
        last = call.facts.number
