"""The open database: one connection that writes, several that read, and what goes wrong in a sentence.

All writing goes through one connection, one transaction at a time, so that in SQLite nobody waits by polling, and in PostgreSQL the lock
that keeps a second hub away is lost exactly when the connection is. A connection to a server that failed is thrown away, and the next
attempt opens another one.

The nodes of a cluster share a PostgreSQL database: each has such a connection. What two of them may not do at once, they do in turns.

Knows transactions and errors. What differs between SQLite and PostgreSQL is a `Dialect`. Does not know what is written.
"""

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Connection, Engine, FromClause
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from hub.archive.archive import ArchiveError, NotStored
from hub.archive.migrations import NEWEST, OLDER, is_compatible, upgrade, version_of

PATIENCE_SECONDS = 5.0
"""How long writing waits for other writing. A scrub takes longer, and then the calls go on as they do when a disk is full."""


class Refused(ArchiveError):
    """The database does not take these values: it would refuse them again."""


class Conflict(ArchiveError):
    """Another node wrote the same at the same moment, and went first. Nothing was written: the next attempt is likely to succeed."""


@dataclass(frozen=True, slots=True)
class Found:
    """Where the full-text index finds calls: what to select from, the column with the call's number, and the condition."""

    source: FromClause
    number: ColumnElement[int]
    condition: ColumnElement[bool]


class Dialect(Protocol):
    """What differs between SQLite and PostgreSQL."""

    place: str
    """Where the archive is, as people may read it: without a password."""

    error: type[Exception]
    """The base of the driver's own errors."""

    outlasts_errors: bool
    """Whether a connection can be used on after an error that has nothing to do with values."""

    writes: Mapping[str, Any]
    """Execution options of the connection that writes."""

    def engine(self) -> Engine:
        """Return an engine. Nothing is connected yet."""

    def prepare(self) -> None:
        """Make sure that there is something to connect to, and that no other hub uses it. Raises: ArchiveError, OSError."""

    def lock(self, connection: Connection) -> None:
        """Make sure that no other hub writes, or only other nodes of the cluster, for as long as this connection lasts.

        Raises: ArchiveError.
        """

    def take_turn(self, connection: Connection, what: str) -> None:
        """Wait until no other node does this, and keep them waiting until the end of the transaction. Nothing where hubs are alone."""

    def lead(self, connection: Connection, chore: str) -> bool:
        """Return whether this connection is now the one that has a chore, for as long as it lasts. Only in a cluster."""

    @property
    def replaced(self) -> bool:
        """Whether another database stands, or none, where the open one stood."""

    def foreign(self, connection: Connection) -> str | None:
        """Return why a database without a version is not an empty one, as a sentence. None where it is one."""

    def problem(self, error: BaseException) -> ArchiveError:
        """Return what an error of the driver or of the operating system means."""

    def index(self, connection: Connection, number: int, words: set[str]) -> None:
        """Put a call's words into the full-text index, in the place of those that are there."""

    def unindex(self, connection: Connection, number: int) -> None:
        """Take a call's words out of the full-text index."""

    def found(self, words: Iterable[str], facts: Iterable[Iterable[str]]) -> Found:
        """Find calls in which each of `words` begins a word, and that have at least one of each group of `facts`."""

    def tidy(self) -> None:
        """Do in the background what would otherwise delay a commit."""

    def scrub(self) -> None:
        """Remove what was deleted from the files."""

    def file_bytes(self, connection: Connection) -> int:
        """Return how many bytes all of it takes."""

    def close(self) -> None:
        """Let another hub have it."""


class Database:
    """The open database."""

    def __init__(self, dialect: Dialect, *, alone: bool = True, node: str = "") -> None:
        """`alone`: this process is the hub, and brings the tables to the newest version.

        `node`: its id in a cluster whose nodes do that together. Where neither is given, it uses the archive beside a hub.
        """
        self.dialect = dialect
        self.node = node
        """The id of this node. Empty where no other one shares the database."""
        self._upgrades = alone or bool(node)
        self.engine = dialect.engine()
        self._turn = threading.Lock()
        """Held by whoever writes."""
        self._writer: Connection | None = None
        """The connection that writes. None before the first time, and after it failed."""
        self._leading: dict[str, Connection] = {}
        """The connections by which this node has chores of the cluster."""

    def open(self) -> None:
        """Connect for the first time. Raises: ArchiveError."""
        try:
            if self._upgrades:
                with self.writing():
                    pass
            else:
                with self._in_words():
                    self.dialect.prepare()
                with self.reading() as connection:
                    self._check(connection, upgrading=False)
        except ArchiveError:
            self.close()
            raise

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Lend a connection, in which everything is seen as it is at one moment. Raises: ArchiveError."""
        lent_by = self.engine.pool
        try:
            with self._in_words(), self.engine.connect() as connection:
                yield connection
        finally:
            if self.engine.pool is not lent_by:  # it was given up meanwhile, and nobody else closes what came back to it
                lent_by.dispose()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Lend the connection that writes, in a transaction. Raises: ArchiveError, and then nothing was written."""
        if not self._turn.acquire(timeout=PATIENCE_SECONDS):
            raise ArchiveError(f"{self.dialect.place} was being written for more than {PATIENCE_SECONDS:.0f} seconds", passing=True)
        try:
            with self._in_words():
                connection = self._connected()
                with connection.begin():
                    yield connection
        except BaseException as error:
            if not isinstance(error, Refused | NotStored) and not self.dialect.outlasts_errors:
                self._drop_writer()
            raise
        finally:
            self._turn.release()

    def tidy(self) -> None:
        """Do now and then what would otherwise delay a commit. Raises: ArchiveError."""
        with self._in_words():
            self.dialect.tidy()

    def scrub(self) -> None:
        """Remove what was deleted from the files. Nothing else is written meanwhile. Raises: ArchiveError."""
        with self._turn, self._in_words():
            self._connected()
            self.dialect.scrub()

    def leads(self, chore: str) -> bool:
        """Return whether this process does a chore. See `Archive.leads`. Raises: ArchiveError."""
        if not self.node:
            return True
        with self._in_words():
            connection = self._leading.get(chore)
            if connection is None:
                connection = self._leading[chore] = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            try:
                leads = self.dialect.lead(connection, chore)
            except BaseException:
                _drop(self._leading.pop(chore))
                raise
            if not leads:
                self._leading.pop(chore).close()
            return leads

    def close(self) -> None:
        """Close all connections: one that a thread reads by at the moment, as soon as it has read."""
        with self._turn:
            self._drop_writer()
            while self._leading:
                _drop(self._leading.popitem()[1])
            self._give_up_readers()
            self.dialect.close()

    def _connected(self) -> Connection:
        """Return the connection that writes. Only whoever has the turn calls this."""
        if self._writer is not None and self.dialect.replaced:
            self._drop_writer()
            self._give_up_readers()
        if self._writer is None:
            self.dialect.prepare()
            connection = self.engine.connect().execution_options(**self.dialect.writes)
            try:
                self.dialect.lock(connection)
                with connection.begin():
                    self.dialect.take_turn(connection, "versions")
                    self._check(connection, upgrading=self._upgrades)
            except BaseException:
                _drop(connection)
                raise
            self._writer = connection
        return self._writer

    def _drop_writer(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            _drop(writer)

    def _give_up_readers(self) -> None:
        """Close the connections that read. The next reader gets one of another pool; `reading` closes those that are lent at the moment."""
        given_up = self.engine.pool
        with suppress(SQLAlchemyError):
            self.engine.dispose()
            given_up.dispose()  # what came back between the emptying and the replacing

    def _check(self, connection: Connection, *, upgrading: bool) -> None:
        """Make sure that the database is an archive of this version, or make it one."""
        place, version = self.dialect.place, version_of(connection)
        if version is None and (problem := self.dialect.foreign(connection)) is not None:
            raise ArchiveError(problem)
        if version == NEWEST:
            return
        if version is not None and version not in OLDER:
            if self.node and is_compatible(connection):
                return
            raise ArchiveError(f"{place} was written by a newer version of the hub (its tables have version {version}, this hub {NEWEST})")
        if not upgrading:
            written = "is empty" if version is None else "was written by an older version of the hub"
            raise ArchiveError(f"{place} {written}: start the hub once, which makes its tables")
        upgrade(connection)

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        """Turn errors of the driver, and of the operating system, into an ArchiveError."""
        try:
            yield
        except DBAPIError as error:
            raise self.dialect.problem(error.orig or error) from error
        except (SQLAlchemyError, self.dialect.error, OSError, OverflowError, UnicodeError) as error:
            raise self.dialect.problem(error) from error


def _drop(connection: Connection) -> None:
    """Close a connection for good, whatever state it is in."""
    with suppress(SQLAlchemyError):
        connection.invalidate()
        connection.close()
