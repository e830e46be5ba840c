"""The archive in a SQLite file: how it is opened, searched and scrubbed, and what SQLite's errors mean.

A commit reaches the page cache of the operating system, which survives the death of the process, and the disk a little later
(`synchronous = NORMAL`). Beside the file lie `…-wal`, where SQLite writes first, `…-shm`, which its processes share, and `…-lock`, by which
the hub keeps a second hub away. Other programs may read meanwhile.

**What is deleted leaves the file in two steps.** SQLite marks a deleted row's bytes as free; `secure_delete` overwrites them, but not the
copies in pages that it rearranges, and the full-text index keeps deleted words until its parts are merged. So `scrub` merges the index,
rebuilds the file (`VACUUM`) and empties the write-ahead log.

Knows files and FTS5. Does not know what a call is.
"""

import errno
import os
import sqlite3
import time
import zlib
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, TypeAlias

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    bindparam,
    column,
    create_engine,
    delete,
    event,
    inspect,
    literal_column,
    select,
    table,
)
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.pool import QueuePool

from hub.archive.archive import ArchiveError, ArchiveInUse
from hub.archive.database import PATIENCE_SECONDS, Found, Refused
from hub.archive.lock import FileLock

_TIDY_BYTES = 4 * 1024 * 1024
"""How large the write-ahead log grows before it is copied into the file."""

_CONNECTING = (
    f"PRAGMA busy_timeout = {PATIENCE_SECONDS * 1000:.0f}",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = NORMAL",
    "PRAGMA secure_delete = ON",
    "PRAGMA foreign_keys = ON",
    # Opens the log, so that it is there.
    "PRAGMA schema_version",
    # By whoever commits, the disk is waited for only where nobody calls `tidy`. 64 MB.
    "PRAGMA wal_autocheckpoint = 16000",
    # So that its size says how much of it is to be copied.
    f"PRAGMA journal_size_limit = {_TIDY_BYTES}",
)

_DAMAGED = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}
_REFUSED = {sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_RANGE}

_SENTENCES = {
    sqlite3.SQLITE_FULL: "cannot be written: the disk is full",
    sqlite3.SQLITE_IOERR: "cannot be read or written: the disk fails or is full",
    sqlite3.SQLITE_BUSY: "is being written by another program",
    sqlite3.SQLITE_LOCKED: "is being written by another program",
    sqlite3.SQLITE_READONLY: "cannot be written: the file, or its folder, is read-only",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: it, or its folder, is gone or not permitted",
}
"""Those of SQLite's codes after which a later attempt may succeed. The low byte of a code is the kind of error."""

_TEMPORARY = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOENT, errno.EROFS}

_documents = Table("documents", MetaData(), Column("number", Integer, primary_key=True), Column("words", LargeBinary))
"""The words of each call as they were put into the index, compressed: FTS5 must be told them again to take them out."""

Identity: TypeAlias = tuple[int, int]
"""Device and inode of a file."""

_index = table("call_words", column("rowid", Integer), column("words"), column("call_words"))


class SqliteDialect:
    """SQLite's part."""

    def __init__(self, path: Path, *, alone: bool) -> None:
        """`alone`: make the file where there is none, and keep other hubs away."""
        self.path = path.absolute()
        self.place = str(path)
        self.error: type[Exception] = sqlite3.Error
        # And it must be: on a full disk, there is no room for the files that the first connection makes.
        self.outlasts_errors = True
        self.writes: Mapping[str, Any] = {"archive_writes": True}
        self._alone = alone
        self._lock = FileLock(self.path.with_name(self.path.name + "-lock"))
        self._identity: Identity | None = None
        """Of the open file: another file can come to stand at its path."""
        self._log_identity: Identity | None = None
        """Of the write-ahead log of the open file."""

    def engine(self) -> Engine:
        """Return an engine. See `Dialect`."""
        engine = create_engine(
            "sqlite://", creator=self._connect, poolclass=QueuePool, paramstyle="named", hide_parameters=True, pool_size=4, max_overflow=4
        )
        event.listen(engine, "begin", _begin)
        return engine

    def prepare(self) -> None:
        """Make the file, readable by its owner only, and take the lock. See `Dialect`."""
        if self.path.is_dir():
            raise ArchiveError(f"{self.place} is a folder, not a file")
        if not self.path.parent.is_dir():
            raise ArchiveError(f"the folder of {self.place} does not exist", passing=True)
        if self.path.exists() and not self.path.is_file():
            raise ArchiveError(f"{self.place} is not a file")
        if not self._alone:
            self._identity = _look(self.path)
            if self._identity is None:
                raise ArchiveError(f"{self.place} does not exist")
            return
        self._forget_replaced()
        if not self._lock.take():
            raise ArchiveInUse(f"another hub uses {self.place}")
        try:
            # SQLite would create it readable by everyone. The files beside it get the permissions of the database.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            with suppress(PermissionError):  # it belongs to another user, who lets us write
                self.path.chmod(0o600)
        self._identity = _look(self.path)

    def lock(self, connection: Connection) -> None:
        """Do nothing: `prepare` took the lock."""

    def take_turn(self, connection: Connection, what: str) -> None:
        """Do nothing: whoever writes has the file for itself. See `Dialect`."""

    def lead(self, connection: Connection, chore: str) -> bool:  # noqa: ARG002  # PostgreSQL is asked
        """Return True: no other hub uses the file."""
        return True

    @property
    def replaced(self) -> bool:
        """Whether the file at the path is another one than the open one."""
        return self._identity != _look(self.path)

    def foreign(self, connection: Connection) -> str | None:
        """Any table in it makes it another program's."""
        return f"{self.place} is the database of another program" if inspect(connection).get_table_names() else None

    def problem(self, error: BaseException) -> ArchiveError:
        """Return what an error means. See `Dialect`."""
        if isinstance(error, OSError):
            return ArchiveError(f"{self.place}: {error.strerror or error}", passing=error.errno in _TEMPORARY)
        if isinstance(error, OverflowError | UnicodeError):
            return Refused(f"SQLite does not take a value: {error}")
        code = getattr(error, "sqlite_errorcode", None)
        kind = sqlite3.SQLITE_ERROR if code is None else code & 0xFF
        if kind in _DAMAGED:
            advice = "restore a backup, or move the file away to begin with an empty archive"
            return ArchiveError(f"{self.place} is not an archive, or is damaged ({error}): {advice}")
        if kind in _SENTENCES:
            return ArchiveError(f"{self.place} {_SENTENCES[kind]}", passing=True)
        if kind in _REFUSED:
            return Refused(f"SQLite does not take a value: {error}")
        return ArchiveError(f"{self.place}: {error}")

    def index(self, connection: Connection, number: int, words: set[str]) -> None:
        """Put a call's words into FTS5. See `Dialect`."""
        self.unindex(connection, number)
        document = " ".join(sorted(words))
        connection.execute(insert(_documents), {"number": number, "words": zlib.compress(document.encode())})
        connection.exec_driver_sql("INSERT INTO call_words (rowid, words) VALUES (:number, :words)", {"number": number, "words": document})

    def unindex(self, connection: Connection, number: int) -> None:
        """Take a call's words out of FTS5. See `Dialect`."""
        packed = connection.execute(select(_documents.c.words).where(_documents.c.number == number)).scalar()
        if packed is not None:
            connection.exec_driver_sql(
                "INSERT INTO call_words (call_words, rowid, words) VALUES ('delete', :number, :words)",
                {"number": number, "words": zlib.decompress(packed).decode()},
            )
            connection.execute(delete(_documents).where(_documents.c.number == number))

    def found(self, words: Iterable[str], facts: Iterable[Iterable[str]]) -> Found:
        """Ask FTS5. Its answers come in the order of the numbers, so that a common word costs no more than a page. See `Dialect`."""
        parts = [f"{_quoted(word)} *" for word in sorted(words)]
        parts += [f"({' OR '.join(map(_quoted, sorted(group)))})" for group in facts]
        asked = literal_column("call_words").op("MATCH")(bindparam("asked", " AND ".join(parts), unique=True))
        return Found(_index, _index.c.rowid, asked)

    def tidy(self) -> None:
        """Copy the log into the file. Writing goes on meanwhile, and no commit has to wait for the disk. See `Dialect`."""
        found = self._log
        if found.exists() and found.stat().st_size > _TIDY_BYTES:
            with closing(self._connect()) as connection:
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def scrub(self) -> None:
        """Merge the index, rebuild the file, empty the log. See `Dialect`."""
        with closing(self._connect()) as connection:
            connection.execute("INSERT INTO call_words (call_words) VALUES ('optimize')")
            # The copy that VACUUM makes lies beside the file: in many places the folder for temporary files is small, or in memory.
            folder = str(self.path.parent).replace("'", "''")
            connection.execute(f"PRAGMA temp_store_directory = '{folder}'")
            connection.execute("VACUUM")
            until = time.monotonic() + PATIENCE_SECONDS
            while connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:  # somebody reads what is old
                if time.monotonic() > until:
                    raise ArchiveError(
                        f"another program reads {self.place}, so that its write-ahead log could not be emptied", passing=True
                    )

    def file_bytes(self, connection: Connection) -> int:  # noqa: ARG002  # PostgreSQL is asked
        """Return the size of the file and of those beside it. See `Dialect`."""
        files = [self.path, self._log, self.path.with_name(self.path.name + "-shm")]
        return sum(each.stat().st_size for each in files if each.exists())

    def close(self) -> None:
        """Release the lock."""
        self._lock.release()

    def _connect(self) -> Any:
        if self.replaced:
            raise ArchiveError(f"{self.place} was deleted or replaced while it was open", passing=True)
        connection = sqlite3.connect(
            f"{self.path.as_uri()}?mode=rw", uri=True, timeout=PATIENCE_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            for statement in _CONNECTING:
                connection.execute(statement).fetchall()
        except BaseException:
            connection.close()
            raise
        self._log_identity = _look(self._log)
        return connection

    @property
    def _log(self) -> Path:
        return self.path.with_name(self.path.name + "-wal")

    def _forget_replaced(self) -> None:
        """Let go of what is left of a file that was replaced or deleted. SQLite would take its log for that of the new file."""
        if self._log_identity is not None and self._log_identity == _look(self._log):
            self._log.unlink()
        self._log_identity = None
        self._lock.release()  # its folder may have been replaced, too


def _look(path: Path) -> Identity | None:
    """Return what tells a file from others. None if there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _begin(connection: Connection) -> None:
    """Begin a transaction. One that writes takes SQLite's lock at once: one that has read first cannot wait for it.

    It is said to the driver: by SQLAlchemy it would cost half as much as storing an event.
    """
    writes = connection.get_execution_options().get("archive_writes", False)
    driver: Any = connection.connection.dbapi_connection
    driver.execute("BEGIN IMMEDIATE" if writes else "BEGIN")


def _quoted(word: str) -> str:
    return '"' + word.replace('"', '""') + '"'
