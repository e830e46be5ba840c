"""The file behind the journal: a SQLite database with one row per live call, held by one process at a time.

SQLite is what makes the file safe: a write happens wholly or not at all, whenever the process is killed and however full the disk is. The
operating system releases its lock with the process. Beside the database lies `…-wal`, where SQLite writes first.

**What is deleted leaves the file at once.** SQLite marks a deleted row's bytes as free and overwrites them some day. `secure_delete`
overwrites them at once, but not the copies in pages that SQLite rearranges: in two trials with 5,400 deleted rows each, four and one could
still be found. So the database is also rebuilt (`VACUUM`) whenever rows were deleted, and the write-ahead log is emptied. Rebuilding alone
would not do, because new pages are made in memory that held old ones. All of it takes 3 ms of CPU time with 600 calls.

Knows rows and disks. Does not know what a row says.
"""

import errno
import logging
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from hub.errors import HubError

log = logging.getLogger(__name__)

_KIND = (0x54726A6C, 1)
"""What tells a journal from any other database: SQLite's application id (`Trjl`), and the version of its one table."""

_OPENING = (
    "PRAGMA journal_mode = WAL",
    # Each write reaches the page cache, which survives the death of the process. It reaches the disk now and then.
    "PRAGMA synchronous = NORMAL",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA secure_delete = ON",
    "BEGIN EXCLUSIVE",
    "COMMIT",
)
"""What takes the lock. On a file that is a journal already it writes nothing, so that a full disk does not hide the calls in it."""

_MAKING = (
    "BEGIN EXCLUSIVE",
    "CREATE TABLE IF NOT EXISTS calls (call_sid TEXT PRIMARY KEY, entry BLOB NOT NULL) WITHOUT ROWID",
    f"PRAGMA application_id = {_KIND[0]}",
    f"PRAGMA user_version = {_KIND[1]}",
    "COMMIT",
)

_NO_DATABASE = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}
"""SQLite's codes for a file that is no database, and for a damaged one."""

_DISK = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}
"""SQLite's codes for a disk that is full or fails."""

_DISK_ERRNO = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


class JournalError(HubError):
    """The journal's file cannot be used. `disk`: the disk is full or fails, so a later attempt may succeed."""

    code = "journal"

    def __init__(self, problem: str, *, disk: bool = False) -> None:
        self.problem = problem
        self.disk = disk
        super().__init__(f"the journal cannot be written: {problem}")


class JournalInUse(JournalError):
    """Another process holds the file."""

    def __init__(self) -> None:
        super().__init__("another hub uses it")


class JournalDamaged(JournalError):
    """The file was no journal, or a damaged one. It has been moved out of the way."""


class JournalFile:
    """The open database. One thread uses it at a time."""

    def __init__(self, path: Path) -> None:
        """`path` is the database's file. Nothing is opened before `open`."""
        self._path = path
        self._connection: sqlite3.Connection | None = None
        """None while the file is not open."""
        self._identity: tuple[int, int] | None = None
        """Device and inode of the open file: another file can come to stand at its path."""

    @property
    def held(self) -> bool:
        """Whether the file is open, and still the one at its path."""
        return self._connection is not None and self._identity == self._look()

    def open(self) -> None:
        """Open the file, or create it, readable by its owner only, and hold it until `close`. Raises: JournalError."""
        self.close()
        try:
            with self._in_words():
                self._connect()
        except JournalError:
            self.close()
            raise

    def _connect(self) -> None:
        try:
            # SQLite would create it readable by everyone. The log beside it gets the permissions of the database.
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            if not self._path.is_file():  # before its permissions are changed: they are a folder's, or a device's
                raise JournalError("it is no file") from None
            with suppress(PermissionError):  # it belongs to another user, who lets us write
                self._path.chmod(0o600)
        self._identity = self._look()
        self._connection = sqlite3.connect(self._path, timeout=0, isolation_level=None, check_same_thread=False)
        # First of all: without it, SQLite makes a third file that processes share, for which a full disk has no room.
        self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        ((tables,),) = self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        kind = tuple(self._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
        if tables and kind != _KIND:
            raise self._set_aside("it is another program's database, or another version's")
        for statement in _OPENING if tables else _OPENING + _MAKING:
            self._connection.execute(statement).fetchall()

    def read(self) -> list[object]:
        """Return every row's entry: bytes, if a journal wrote it. Raises: JournalError."""
        with self._in_words():
            return [entry for (entry,) in self._opened.execute("SELECT entry FROM calls ORDER BY call_sid")]

    def write(self, entries: Mapping[str, bytes | None], *, whole: bool) -> None:
        """Write one entry per callSid; None deletes it. `whole`: delete all others, too. Raises: JournalError, and nothing is changed."""
        ended = [(call_sid,) for call_sid, entry in entries.items() if entry is None]
        live = [(call_sid, entry) for call_sid, entry in entries.items() if entry is not None]
        with self._in_words():
            with self._opened as transaction:
                transaction.execute("BEGIN IMMEDIATE")
                if whole:
                    transaction.execute("DELETE FROM calls")
                transaction.executemany("DELETE FROM calls WHERE call_sid = ?", ended)
                transaction.executemany("REPLACE INTO calls VALUES (?, ?)", live)
            if whole or ended:
                self._opened.execute("VACUUM")
                self._opened.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """Close the file and let another process have it."""
        connection, self._connection, self._identity = self._connection, None, None
        if connection is not None:
            with suppress(sqlite3.Error), closing(connection):
                connection.rollback()

    @property
    def _opened(self) -> sqlite3.Connection:
        assert self._connection is not None, "read or written before open()"
        return self._connection

    def _look(self) -> tuple[int, int] | None:
        """Return device and inode of the file at the path. None if there is none."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        """Turn the errors of SQLite and of the operating system into a JournalError."""
        try:
            yield
        except OSError as error:
            raise JournalError(error.strerror or str(error), disk=error.errno in _DISK_ERRNO) from error
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # the low byte is the kind of error
            if code == sqlite3.SQLITE_BUSY:
                raise JournalInUse from error
            if code in _NO_DATABASE:
                raise self._set_aside(str(error)) from error
            raise JournalError(str(error), disk=code in _DISK) from error

    def _set_aside(self, problem: str) -> JournalDamaged:
        """Move a file that is no journal out of the way. It may be a user's own, named by mistake, so it is not deleted."""
        self.close()
        aside = self._path.with_name(self._path.name + ".damaged")
        with suppress(OSError):
            self._path.replace(aside)
        log.warning("%s is not a journal (%s): it is now %s, and no call is taken up from it", self._path, problem, aside.name)
        return JournalDamaged(problem)
