"""Backups of an archive in a SQLite file, made while a hub runs, and the way back.

A backup is one file. It is copied in one step, from one moment: in the write-ahead mode a reader keeps nobody from writing, and a copy in
several steps would begin anew with every commit of a hub that is busy. It is checked before it gets its name, so a file of that name is
whole.

Knows files. Does not know what a call is, except that an erased one must not come back.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from hub.archive.lock import FileLock
from hub.archive.mark import mark_of
from hub.archive.migrations import NEWEST, OLDER, VERSION_TABLE
from hub.archive.opening import open_archive
from hub.errors import HubError

_BESIDE = ("-wal", "-shm")


class CopyError(HubError):
    """A backup cannot be made or restored. Nothing was changed."""

    code = "copy"


def back_up(archive: Path, copy: Path) -> int:
    """Copy an archive into a file that is not there yet. Return its size in bytes. Raises: CopyError."""
    with _in_words(copy):
        if copy.exists():
            raise CopyError(f"{copy} is there already: name a file that is not")
        _check(archive)
        with _beside(copy) as unfinished:
            _copy(archive, unfinished)
            _check(unfinished)
            os.rename(unfinished, copy)
        _flush_folder(copy.parent)
        return copy.stat().st_size


def restore(copy: Path, archive: Path, *, replace: bool) -> Path | None:
    """Put a backup in the place of an archive that no hub uses. Calls that were erased there since are erased in it, too.

    `replace`: where there is an archive already, move it away; return where it is then. Raises: CopyError, and nothing was changed.
    """
    with _in_words(archive):
        _check(copy)
        lock = FileLock(archive.with_name(archive.name + "-lock"))
        if not lock.take():
            raise CopyError(f"a hub uses {archive}: stop it first")
        try:
            if archive.exists() and not replace:
                raise CopyError(f"there is an archive at {archive}: --replace moves it away, and puts the backup in its place")
            with _beside(archive) as unfinished:
                _copy(copy, unfinished)
                _erase_again(archive, unfinished)
                _check(unfinished)
                moved = _move_away(archive)
                mark_of(os.fspath(archive)).unlink(missing_ok=True)  # so that the next hub does not trust the epochs of calls that go on
                os.replace(unfinished, archive)
            _flush_folder(archive.parent)
            return moved
        finally:
            lock.release()


def _check(file: Path) -> None:
    """Make sure that a file is a whole archive that this hub can read."""
    if not file.is_file():
        raise CopyError(f"{file} does not exist, or is not a file")
    try:
        version = _version(file)
    except sqlite3.DatabaseError as error:
        raise CopyError(f"{file} cannot be read: {error}") from error
    if version not in {NEWEST, *OLDER}:
        raise CopyError(f"{file} was written by a newer version of the hub (its tables have version {version}, this hub {NEWEST})")


def _version(file: Path) -> str:
    """Return the version of the tables in a file that is whole. Raises: CopyError, sqlite3.DatabaseError."""
    with closing(_opened(file)) as connection:
        (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if found != "ok":
            raise CopyError(f"{file} is damaged: {' '.join(found.split())}")
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if VERSION_TABLE not in tables:
            raise CopyError(f"{file} is not an archive of the hub")
        (version,) = connection.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone()  # noqa: S608  # a constant
    return str(version)


def _copy(source: Path, target: Path) -> None:
    with closing(_opened(source)) as read, closing(sqlite3.connect(target)) as written:
        read.backup(written)
    with open(target, "rb+") as file:
        os.fsync(file.fileno())


def _erase_again(archive: Path, copy: Path) -> None:
    """Erase from a copy what was erased from the archive since the copy was made. An archive that cannot be read knows nothing of that."""
    if not archive.exists():
        return
    try:
        with closing(_opened(archive)) as connection:
            erased = connection.execute("SELECT call_sid, at, reason FROM tombstones").fetchall()
    except sqlite3.Error:
        return
    restored = open_archive(os.fspath(copy))
    try:
        gone = [call_sid for call_sid, at, reason in erased if restored.erase([call_sid], reason, at)]
        if gone:
            restored.scrub()
    finally:
        restored.close()


def _move_away(archive: Path) -> Path | None:
    if not archive.exists():
        return None
    with suppress(sqlite3.Error), closing(sqlite3.connect(archive)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    moved = next(path for at in range(1, 10_000) if not (path := archive.with_name(f"{archive.name}.replaced-{at}")).exists())
    for end in ("", *_BESIDE):
        with suppress(FileNotFoundError):
            os.rename(archive.with_name(archive.name + end), moved.with_name(moved.name + end))
    return moved


@contextmanager
def _beside(file: Path) -> Iterator[Path]:
    """Give a new file beside another one, readable by its owner only, and remove what is left of it afterwards."""
    unfinished = file.with_name(f"{file.name}.{os.getpid()}.part")
    os.close(os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        yield unfinished
    finally:
        for end in ("", *_BESIDE, "-journal", "-lock"):
            unfinished.with_name(unfinished.name + end).unlink(missing_ok=True)


def _opened(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True, timeout=5.0)
    try:
        connection.execute("PRAGMA query_only = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def _flush_folder(folder: Path) -> None:
    """Make sure that a new name is on the disk, where the system lets a folder be flushed."""
    with suppress(OSError):
        found = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(found)
        finally:
            os.close(found)


@contextmanager
def _in_words(file: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise CopyError(f"{file}: {error}") from error
    except OSError as error:
        raise CopyError(f"{error.filename or file}: {error.strerror or error}") from error
