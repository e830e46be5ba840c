"""The webhooks' outbox in the archive's database. See `Undelivered`.

Each method is one short transaction of its own. Two nodes may serve one queue for a moment, since one has just taken the chore over. What
the slower one notes then does not take `done` back.

Knows rows. What puts queues there is `writing`.
"""

from bisect import bisect_right
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Integer,
    Row,
    Text,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    literal,
    literal_column,
    null,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from hub.archive.archive import StoredCall
from hub.archive.database import Database
from hub.archive.logs import events_after, newest_offset
from hub.archive.page import ROW, stored
from hub.archive.tables import Big, calls, webhook_letters, webhook_queues
from hub.archive.undelivered import Backlog, DeadLetter, Pending, Queue, Types, type_of
from hub.archive.words import storable

AT_ONCE = 100
"""Events that are read of a call at once: a sealed call has to be unpacked for it each time."""

AT_ONCE_BYTES = 1024 * 1024

_queues, _letters = webhook_queues.c, webhook_letters.c


def _its(name: str) -> BindParameter[Any]:
    """Return a value that is given when a statement runs: see `_values`. Its name is one that no column has."""
    return bindparam(f"its_{name}", type_=webhook_queues.c["done" if name == "passed" else name].type)


_MINE = and_(_queues.webhook == _its("webhook"), _queues.number == _its("number"), _queues.epoch == _its("epoch"))

_IS = and_(_MINE, _queues.done >= _its("done"))
"""Whether a row is still this queue. One that was put back, to send events once more or others in their place, is another."""

_ITS_LETTERS_AGAIN = and_(_letters.webhook == _its("webhook"), _letters.number == _its("number"), _letters.again)

# These run once an event. Made anew each time, they would take longer than what the database does.
_DUE = (
    select(webhook_queues)
    .where(
        _queues.webhook == _its("webhook"),
        _queues.next_at <= bindparam("its_now", type_=_queues.next_at.type),
        _queues.number.not_in(bindparam("its_beside", expanding=True, type_=_queues.number.type)),
    )
    .order_by(_queues.next_at, _queues.number)
    .limit(bindparam("its_limit", type_=Integer()))
)
"""The queues of a webhook that may be served."""

_FOUND = select(*ROW, _queues.done).join_from(calls, webhook_queues, calls.c.number == _queues.number).where(_IS)
"""A queue with its call."""

_AGAIN = select(func.min(_letters.offset)).where(_ITS_LETTERS_AGAIN)
"""The first dead letter of a call that is to be sent again."""

_REMOVE = delete(webhook_queues).where(_IS, _queues.news == _its("news"), ~exists().where(_ITS_LETTERS_AGAIN))
"""Removes a queue, unless something came meanwhile, or is to be sent again."""

_PASSED = case((_queues.done < _its("passed"), _its("passed")), else_=_queues.done)

_PASS = update(webhook_queues).where(_IS).values(done=_PASSED, failures=0, failing_since=null(), next_at=0.0, problem="")
"""Goes on behind an event that was delivered."""

_SET_ASIDE = update(webhook_queues).where(_IS).values(done=_PASSED, next_at=0.0)
"""Goes on behind an event that was not."""


class SqlUndelivered:
    """The webhooks' outbox of the open archive. Its methods are described in `Undelivered`."""

    def __init__(self, database: Database) -> None:
        """`database` is open."""
        self._database = database
        self._insert: Any = sqlite.insert if database.engine.dialect.name == "sqlite" else postgresql.insert
        self.wanted: Mapping[str, Types] = {}
        self.on_news: Callable[[Collection[str]], None] = lambda _: None

    def due(self, webhook: str, now: float, limit: int, beside: Collection[int] = ()) -> list[Queue]:
        """Return the queues that may be served."""
        wanted = {"its_webhook": webhook, "its_now": now, "its_beside": list(beside), "its_limit": limit}
        with self._database.reading() as connection:
            return [_queue(row) for row in connection.execute(_DUE, wanted)]

    def pending(self, queue: Queue, types: Types) -> list[Pending]:
        """Return what is to be sent next."""
        with self._database.reading() as connection:
            found = connection.execute(_FOUND, _values(queue)).first()
            if found is None or found.epoch != queue.epoch:
                return []
            call = stored(found)
            return _again(connection, queue, call) or _next(connection, call, found.done, types)

    def delivered(self, queue: Queue, sent: Pending) -> bool:
        """Note that an event was delivered."""
        with self._database.writing() as connection:
            if sent.again:
                mine = (_letters.webhook == queue.webhook, _letters.number == queue.number, _letters.offset == sent.offset)
                connection.execute(delete(webhook_letters).where(*mine))
            elif sent.offset >= queue.news and connection.execute(_REMOVE, _values(queue)).rowcount:
                return False
            passed = queue.done if sent.again else sent.offset
            return connection.execute(_PASS, _values(queue) | {"its_passed": passed}).rowcount > 0

    def failed(self, queue: Queue, now: float, next_at: float, problem: str) -> None:
        """Note that the next event could not be delivered."""
        since = func.coalesce(_queues.failing_since, now)
        values = {"failures": _queues.failures + 1, "failing_since": since, "next_at": next_at, "problem": storable(problem)}
        with self._database.writing() as connection:
            connection.execute(update(webhook_queues).where(_IS).values(values), _values(queue))

    def set_aside(self, queue: Queue, given_up: Pending, now: float, problem: str) -> None:
        """Make an event a dead letter."""
        letter = {
            "webhook": queue.webhook, "number": queue.number, "offset": given_up.offset, "type": storable(type_of(given_up.payload)),
            "at": now, "attempts": queue.failures, "problem": storable(problem), "again": False,
        }  # fmt: skip
        passed = queue.done if given_up.again else given_up.offset
        with self._database.writing() as connection:
            if connection.execute(_SET_ASIDE, _values(queue) | {"its_passed": passed}).rowcount:
                statement = self._insert(webhook_letters).values(letter)
                newer = {name: statement.excluded[name] for name in ("at", "attempts", "problem", "again")}
                connection.execute(statement.on_conflict_do_update(index_elements=["webhook", "number", "offset"], set_=newer))

    def settle(self, queue: Queue) -> None:
        """Remove a queue in which nothing is left."""
        with self._database.writing() as connection:
            connection.execute(_REMOVE, _values(queue))

    def hurry(self, webhook: str) -> None:
        """Make all queues of a webhook due."""
        with self._database.writing() as connection:
            connection.execute(update(webhook_queues).where(_queues.webhook == webhook, _queues.next_at > 0).values(next_at=0.0))

    def backlogs(self) -> dict[str, Backlog]:
        """Return what is left to be sent."""
        dead = select(_letters.webhook, func.count()).where(~_letters.again).group_by(_letters.webhook)
        waiting = select(_queues.webhook, func.count(), func.min(_queues.failing_since), func.max(_queues.problem))
        with self._database.reading() as connection:
            letters: dict[str, int] = {name: count for name, count in connection.execute(dead)}
            rows = {row[0]: row for row in connection.execute(waiting.group_by(_queues.webhook))}
        found: dict[str, Backlog] = {}
        for name in sorted(letters.keys() | rows.keys()):
            _, count, since, problem = rows.get(name, (name, 0, None, ""))
            found[name] = Backlog(calls=count, failing_since=since, problem=problem or "", dead=letters.get(name, 0))
        return found

    def dead_letters(self, webhook: str = "", call_sid: str = "") -> list[DeadLetter]:
        """Return dead letters."""
        wanted: list[ColumnElement[bool]] = [_letters.webhook == webhook] if webhook else []
        wanted += [calls.c.call_sid == storable(call_sid)] if call_sid else []
        named = select(webhook_letters, calls.c.call_sid).join_from(webhook_letters, calls, calls.c.number == _letters.number)
        with self._database.reading() as connection:
            rows = connection.execute(named.where(*wanted).order_by(_letters.at, _letters.number, _letters.offset))
            return [
                DeadLetter(
                    webhook=row.webhook, call_sid=row.call_sid, offset=row.offset, type=row.type, at=row.at, attempts=row.attempts,
                    problem=row.problem, again=row.again,
                )
                for row in rows
            ]  # fmt: skip

    def send_again(self, webhook: str, call_sid: str = "") -> int:
        """Have dead letters sent again."""
        numbers = select(calls.c.number).where(calls.c.call_sid == storable(call_sid))
        mine = and_(_letters.webhook == webhook, *([_letters.number.in_(numbers)] if call_sid else []))
        with self._database.writing() as connection:
            connection.execute(update(webhook_letters).where(mine).values(again=True))
            found = connection.scalars(select(_letters.number).where(mine)).all()
            for number in sorted(set(found)):
                self._queue_again(connection, webhook, number)
            return len(found)

    def replay(self, webhook: str, call_sid: str) -> bool:
        """Have a call sent once more."""
        with self._database.writing() as connection:
            number = connection.scalar(select(calls.c.number).where(calls.c.call_sid == storable(call_sid)))
            if number is None:
                return False
            connection.execute(delete(webhook_letters).where(_letters.webhook == webhook, _letters.number == number))
            self._queue_again(connection, webhook, number)
            connection.execute(update(webhook_queues).where(_queues.webhook == webhook, _queues.number == number).values(done=0))
            return True

    def _queue_again(self, connection: Connection, webhook: str, number: int) -> None:
        """Make a call's queue due. One that is made now stands behind all events that are stored."""
        newest = func.coalesce(newest_offset(number), 0)
        made = select(literal(webhook), calls.c.number, calls.c.epoch, newest, newest).where(calls.c.number == number)
        statement = self._insert(webhook_queues).from_select(["webhook", "number", "epoch", "done", "news"], made)
        due = {"next_at": 0.0, "failures": 0, "failing_since": None}
        connection.execute(statement.on_conflict_do_update(index_elements=["webhook", "number"], set_=due))


def entering(insert: Any) -> Any:
    """Return the statement that puts news into the webhooks' outbox, for `hub.archive.writing`.

    Its values are `call`, `its_webhook`, `its_epoch`, `its_first` and `its_last`. Where the call's log is another one than the queue knows,
    the queue begins anew with the first of these events.
    """
    webhook, epoch = bindparam("its_webhook", type_=Text()), bindparam("its_epoch", type_=Text())
    first, last = bindparam("its_first", type_=Big), bindparam("its_last", type_=Big)
    row = select(webhook, calls.c.number, epoch, first - literal_column("1"), last).where(
        calls.c.call_sid == bindparam("call", type_=calls.c.call_sid.type)
    )
    statement = insert(webhook_queues).from_select(["webhook", "number", "epoch", "done", "news"], row)
    new = statement.excluded
    same = _queues.epoch == new.epoch
    newer = case((and_(same, _queues.news > new.news), _queues.news), else_=new.news)
    rest = {"done": case((same, _queues.done), else_=new.done), "news": newer, "epoch": new.epoch}
    return statement.on_conflict_do_update(index_elements=["webhook", "number"], set_=rest)


def replaced_from(connection: Connection, number: int, first: int) -> None:
    """Take note that a call's events from this offset on are replaced by others: the others have not been sent."""
    queues = (_queues.number == number, _queues.done >= first)
    connection.execute(update(webhook_queues).where(*queues).values(done=first - 1))
    connection.execute(delete(webhook_letters).where(_letters.number == number, _letters.offset >= first))


def renumbered(connection: Connection, number: int, epoch: str, before: Sequence[int]) -> None:
    """Take note that a call's log has another epoch. `before`: the offsets of its events until now, which are 1, 2, 3 … from now on."""
    for row in connection.execute(select(webhook_queues).where(_queues.number == number)).all():
        moved = {"epoch": epoch, "done": bisect_right(before, row.done), "news": bisect_right(before, row.news)}
        connection.execute(update(webhook_queues).where(_queues.webhook == row.webhook, _queues.number == number).values(moved))
    if not before or before[-1] != len(before):
        connection.execute(delete(webhook_letters).where(_letters.number == number))


def _again(connection: Connection, queue: Queue, call: StoredCall) -> list[Pending]:
    """Return a dead letter that is to be sent again: the call's first. Its payload is empty where the log does not have it any more."""
    offset = connection.scalar(_AGAIN, _values(queue))
    if offset is None:
        return []
    event = next(events_after(connection, call, offset - 1, 1), None)
    payload = event.payload if event is not None and event.offset == offset else b""
    return [Pending(call_sid=call.call_sid, offset=offset, payload=payload, again=True)]


def _next(connection: Connection, call: StoredCall, after: int, types: Types) -> list[Pending]:
    """Return the next events of these types."""
    found: list[Pending] = []
    size, looked = 0, AT_ONCE
    while not found and looked == AT_ONCE:
        looked = 0
        for event in events_after(connection, call, after, AT_ONCE):
            looked, after = looked + 1, event.offset
            if size < AT_ONCE_BYTES and (types is None or type_of(event.payload) in types):
                found.append(Pending(call_sid=call.call_sid, offset=event.offset, payload=event.payload))
                size += len(event.payload)
    return found


def _values(queue: Queue) -> dict[str, Any]:
    """Return what the statements say of a queue, by the names that their values have."""
    return {
        "its_webhook": queue.webhook, "its_number": queue.number, "its_epoch": queue.epoch, "its_done": queue.done, "its_news": queue.news,
    }  # fmt: skip


def _queue(row: Row[Any]) -> Queue:
    return Queue(
        webhook=row.webhook, number=row.number, epoch=row.epoch, done=row.done, news=row.news, failures=row.failures,
        failing_since=row.failing_since,
    )  # fmt: skip
