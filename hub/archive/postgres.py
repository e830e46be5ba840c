"""The archive in a PostgreSQL database: how it is reached, searched and scrubbed, and what its errors mean.

One hub at a time writes, or the nodes of one cluster: the connection that writes holds an advisory lock, for itself or shared, which the
server releases with the connection. Other programs may read meanwhile.

**A node that stops must not stop the others.** A process that is stopped, or whose machine vanished, may have a transaction open, and with
it locks on rows. The server ends such a transaction after IDLE_SECONDS.

The address is libpq's own (`postgresql://user:password@host:port/database?sslmode=require`), with all that libpq knows. No message and no
log line has its password.

Knows psycopg and `tsvector`. Does not know what a call is.
"""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    MetaData,
    Table,
    Text,
    cast,
    create_engine,
    delete,
    func,
    inspect,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, TSQUERY, TSVECTOR, insert

from hub.archive.archive import ArchiveError, ArchiveInUse
from hub.archive.database import PATIENCE_SECONDS, Conflict, Found, Refused
from hub.archive.tables import metadata
from hub.archive.words import UNBOUNDED, facts_among

log = logging.getLogger(__name__)

CONNECT_SECONDS = 5
"""How long a server may take to accept a connection, unless the address says it."""

_CONNECTING = {
    "application_name": "transcript-hub",
    "connect_timeout": CONNECT_SECONDS,
    # A server that vanished with its machine or its network is noticed after ten seconds, and not after two hours.
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}

WORDS_BYTES = 700_000
"""A `tsvector` holds a megabyte, with some bytes beside each word. Who talks for a day uses about 200,000 bytes of different words."""

_WORDS = Table("call_words", MetaData(), Column("number", BigInteger, primary_key=True), Column("words", TSVECTOR))

_HOLDING_WORDS = ("calls", "events", "packs", "call_words", "tombstones", "recordings")
"""The tables from which something is erased."""

IDLE_SECONDS = 5.0
"""How long a transaction of a cluster's node may do nothing. A node is dead after 8 s, and another one then takes its calls over."""

_KEYS = "hashtext(%(name)s), hashtext(current_schema())"
"""The keys of an advisory lock. Two archives may lie in two schemas of one database."""

_LOCK = {"name": "transcript-hub archive"}

_TOGETHER = (
    f"SET idle_in_transaction_session_timeout = {IDLE_SECONDS * 1000:.0f}; SET lock_timeout = {PATIENCE_SECONDS * 1000:.0f};"
    "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 3; SET tcp_keepalives_count = 3"
)
"""What the server does for the nodes of a cluster. The last three: it notices a machine that vanished as this hub notices the server."""

_SENTENCES = {
    "42501": "does not permit this to this user",
    "53100": "cannot write: its disk is full",
    "53300": "has no connection free",
    "55P03": "is locked: a scrub, or another program, has its tables",
    "57P01": "is being stopped",
    "57P02": "has crashed",
    "57P03": "is starting or being stopped",
    "25006": "is read-only",
}
"""What PostgreSQL's codes mean (https://www.postgresql.org/docs/current/errcodes-appendix.html)."""

_CONFLICTS = ("40001", "40P01")
"""A serialization failure, and a deadlock that the server has ended."""

_PASSING = ("08", "25", "40", "53", "55", "57", "58")
"""Classes of codes after which a later attempt may succeed."""

_REFUSED = ("22", "23", "54")
"""Classes of codes about values: not of the right kind, breaking a rule, too large."""


class PostgresDialect:
    """PostgreSQL's part."""

    def __init__(self, url: str, *, alone: bool, shared: bool = False) -> None:
        """`alone`: keep other hubs away. `shared`: keep those away that are no nodes of this cluster.

        Raises: ArchiveError where psycopg is missing, or where the URL cannot be read.
        """
        try:
            import psycopg
        except ImportError:
            raise ArchiveError('it is in PostgreSQL, and psycopg is not installed: pip install "transcript-hub[postgres]"') from None
        self._psycopg: Any = psycopg
        self.error: type[Exception] = psycopg.Error
        self.outlasts_errors = False
        # Where several write, each statement sees what the others have stored, and not what was there when the transaction began.
        self.writes: Mapping[str, Any] = {"isolation_level": "READ COMMITTED"}
        self._alone = alone
        self._shared = shared
        try:
            given = psycopg.conninfo.conninfo_to_dict(url)
        except psycopg.Error:
            # libpq's text may quote a part of the password, where a character in it is not escaped.
            sentence = (
                "its address cannot be read; it is postgresql://user:password@host:5432/database, with % codes for special characters"
            )
            raise ArchiveError(sentence) from None
        self._arguments = {**_CONNECTING, **given}
        self._secrets = [str(given[name]) for name in ("password", "sslpassword") if given.get(name)]
        self.place = f"PostgreSQL at {given.get('host') or 'this machine'}"

    def engine(self) -> Engine:
        """Return an engine. See `Dialect`."""
        return create_engine(
            "postgresql+psycopg://",
            creator=self._connect,
            # All that is read of a call at once is of one moment, although a call may be sealed meanwhile.
            isolation_level="REPEATABLE READ",
            # A reader need not notice that the server was started anew.
            pool_pre_ping=True,
            hide_parameters=True,
            pool_size=4,
            max_overflow=4,
        )

    def prepare(self) -> None:
        """Do nothing: the server is there, or it is not."""

    def lock(self, connection: Connection) -> None:
        """Take the advisory lock. See `Dialect`."""
        if self._shared and not self._try(connection, "pg_try_advisory_lock_shared", _LOCK):
            raise ArchiveInUse(f"a hub without HUB_BROKER uses the archive in {self.place}: stop it, or make it a node", passing=True)
        if self._alone and not self._try(connection, "pg_try_advisory_lock", _LOCK):
            others = "a cluster uses" if self._try(connection, "pg_try_advisory_lock_shared", _LOCK) else "another hub uses"
            raise ArchiveInUse(f"{others} the archive in {self.place}", passing=True)
        connection.rollback()  # the lock is the connection's, not the transaction's

    def take_turn(self, connection: Connection, what: str) -> None:
        """Take an advisory lock of the transaction. See `Dialect`."""
        if self._shared:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_KEYS})", {"name": f"transcript-hub {what}"})

    def lead(self, connection: Connection, chore: str) -> bool:
        """Hold an advisory lock of the connection: taken again and again it stays one as long as the connection does. See `Dialect`."""
        return self._try(connection, "pg_try_advisory_lock", {"name": f"transcript-hub chore {chore}"})

    @staticmethod
    def _try(connection: Connection, function: str, name: dict[str, str]) -> bool:
        return bool(connection.exec_driver_sql(f"SELECT {function}({_KEYS})", name).scalar())

    @property
    def replaced(self) -> bool:
        """A server is not replaced without breaking its connections."""
        return False

    def foreign(self, connection: Connection) -> str | None:
        """Tables of these names would be another program's. Other tables may be there."""
        mine = {*metadata.tables, _WORDS.name} & set(inspect(connection).get_table_names())
        if not mine:
            return None
        return f"the database in {self.place} has a table `{min(mine)}` of another program: give the archive a database of its own"

    def problem(self, error: BaseException) -> ArchiveError:
        """Return what an error means. See `Dialect`."""
        if isinstance(error, OverflowError | UnicodeError):
            return Refused(f"PostgreSQL does not take a value: {error}")
        code = getattr(error, "sqlstate", None)
        if isinstance(error, self._psycopg.Error) and code is not None:
            if code in _CONFLICTS:
                return Conflict(f"{self.place}: another node was faster", passing=True)
            sentence = _SENTENCES.get(code)
            if sentence is not None or code.startswith(_PASSING):
                return ArchiveError(f"{self.place} {sentence or f'failed: {self._told(error)}'}", passing=True)
            if code.startswith(_REFUSED):
                return Refused(f"PostgreSQL does not take a value: {self._told(error)}")
            return ArchiveError(f"{self.place} failed: {self._told(error)}")
        if isinstance(error, self._psycopg.DataError):  # of psycopg itself
            return Refused(f"PostgreSQL does not take a value: {self._told(error)}")
        # An error while connecting has no code. A server that answered says FATAL: a wrong password, an unknown database.
        _, answered, reason = self._told(error).partition("FATAL: ")
        if answered:
            return ArchiveError(f"{self.place} refuses the connection: {reason.strip()}", passing=True)
        return ArchiveError(f"{self.place} cannot be reached: {self._told(error)}", passing=True)

    def _told(self, error: BaseException) -> str:
        """Return the driver's own words: one line, without the password."""
        words = " ".join(str(error).split("\n", 1)[0].split())
        for secret in self._secrets:
            words = words.replace(secret, "***")
        return words or type(error).__name__

    def index(self, connection: Connection, number: int, words: set[str]) -> None:
        """Put a call's words into a `tsvector`. See `Dialect`."""
        if sum(len(word.encode()) for word in words) > WORDS_BYTES:
            log.warning("call %d has more different words than an index takes: every search has to read it", number)
            words = facts_among(words) | {UNBOUNDED}
        document = func.array_to_tsvector(cast(literal(sorted(words)), ARRAY(Text)))
        statement = insert(_WORDS).values(number=number, words=document)
        connection.execute(
            statement.on_conflict_do_update(index_elements=["number"], set_={"words": statement.excluded.words}),
        )

    def unindex(self, connection: Connection, number: int) -> None:
        """Take a call's words out. See `Dialect`."""
        connection.execute(delete(_WORDS).where(_WORDS.c.number == number))

    def found(self, words: Iterable[str], facts: Iterable[Iterable[str]]) -> Found:
        """Ask the GIN index. See `Dialect`."""
        said = " & ".join(f"{_quoted(word)}:*" for word in sorted(words))
        parts = [f"(({said}) | {_quoted(UNBOUNDED)})"] if said else []
        parts += [f"({' | '.join(map(_quoted, sorted(group)))})" for group in facts]
        return Found(_WORDS, _WORDS.c.number, _WORDS.c.words.op("@@")(cast(" & ".join(parts), TSQUERY)))

    def tidy(self) -> None:
        """Do nothing: the server does it."""

    def scrub(self) -> None:
        """Write the tables anew, without what was deleted. See `Dialect`."""
        with self._connect() as connection:
            connection.autocommit = True
            connection.execute("SET lock_timeout = 0")
            for name in _HOLDING_WORDS:
                connection.execute(f"VACUUM (FULL) {name}")

    def file_bytes(self, connection: Connection) -> int:
        """Return the size of the tables with their indexes. See `Dialect`."""
        names = [*metadata.tables, _WORDS.name]
        sizes = (connection.scalar(select(func.pg_total_relation_size(name))) for name in names)
        return sum(size or 0 for size in sizes)

    def close(self) -> None:
        """Do nothing: the lock went with its connection."""

    def _connect(self) -> Any:
        connection = self._psycopg.connect(**self._arguments)
        if self._shared:
            connection.execute(_TOGETHER)
            connection.commit()
        return connection


def _quoted(word: str) -> str:
    return "'" + word.replace("\\", "\\\\").replace("'", "''") + "'"
