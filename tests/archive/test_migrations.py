"""Versions of the tables: an older archive is brought to this version with all that is in it, a newer one is left alone."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from hub.archive import migrations
from hub.archive.archive import Access, ArchiveError, CallFilter
from hub.archive.database import Database, Dialect
from hub.archive.opening import connect, open_archive
from hub.archive.packed import pack
from hub.archive.postgres import PostgresDialect
from hub.archive.sqlite import SqliteDialect
from hub.archive.tables import metadata
from hub.archive.words import indexable
from tests.archive.made import facts, said, seal_all, sids, texts_of


def dialect_of(place: str) -> Dialect:
    """Return what connects to a place, without opening it as an archive."""
    if place.startswith("postgresql"):
        return PostgresDialect(place, alone=True)
    dialect = SqliteDialect(Path(place), alone=True)
    dialect.prepare()
    return dialect


def make_first_version(place: str) -> None:
    """Make an archive as the first version had it, with two calls: one live, one sealed."""
    dialect = dialect_of(place)
    engine = dialect.engine()
    with engine.connect().execution_options(archive_writes=True) as connection, connection.begin():
        migrations.upgrade(connection, "0001")
        for number, sid, ended in ((1, "CA1", None), (2, "CA2", 90.0)):
            told = facts(sid, float(number), ended_at=ended)
            row = {"number": number, "sid": sid, "at": float(number), "ended": ended, "sealed": ended is not None, "summary": told.summary}
            connection.execute(
                text(
                    "INSERT INTO calls (number, call_sid, epoch, started_at, ended_at, state, held, sealed, packed, summary, note)"
                    " VALUES (:number, :sid, 'e', :at, :ended, 'complete', :sealed, :sealed, 2, :summary, :summary)"
                ),
                row,
            )
        for offset in (3, 4):
            event = {"offset": offset, "payload": said("CA1", offset, f"word{offset}").payload}
            connection.execute(text("""INSERT INTO events (number, epoch, "offset", payload) VALUES (1, 'e', :offset, :payload)"""), event)
        for sid, number in (("CA1", 1), ("CA2", 2)):
            for each in pack([said(sid, 1, "word1"), said(sid, 2, "word2")]):
                packed = {"number": number, **each._asdict()}
                connection.execute(text("INSERT INTO packs VALUES (:number, 'e', :first, :size, :spoken, :packed)"), packed)
        dialect.index(connection, 2, indexable({"word1", "word2"}))
    engine.dispose()
    dialect.close()


def set_version(place: str, version: str) -> None:
    """Note another version in an archive."""
    database = connect(place)
    with database.writing() as connection:
        connection.execute(text(f"UPDATE {migrations.VERSION_TABLE} SET version_num = :version"), {"version": version})
    database.close()


def test_an_archive_of_the_first_version_keeps_all_that_is_in_it(place: str) -> None:
    make_first_version(place)
    archive = open_archive(place)
    assert texts_of(archive.log("CA1")) == ["word1", "word2", "word3", "word4"]
    assert texts_of(archive.log("CA2")) == ["word1", "word2"]
    assert sids(archive.page(CallFilter(), None, 9)) == ["CA2", "CA1"]
    assert sids(archive.page(CallFilter(words=("word2",)), None, 9)) == ["CA2"]
    assert archive.erase(["CA2"], "erased", 1.0) == [], "it is held"
    archive.write([], [Access(at=1.0, subject="ann", action="list")])
    seal_all(archive)
    assert len(archive.audit(0, 9)) == 1
    archive.close()


def test_a_newer_archive_is_refused_and_left_as_it_is(place: str) -> None:
    open_archive(place).close()
    set_version(place, "0099")
    for alone in (True, False):
        with pytest.raises(ArchiveError, match="was written by a newer version of the hub") as raised:
            open_archive(place, alone=alone)
        assert not raised.value.passing
    engine = dialect_of(place).engine()
    with engine.connect() as connection:
        assert migrations.version_of(connection) == "0099"
    engine.dispose()


def test_an_older_archive_is_not_changed_by_one_that_only_reads(place: str) -> None:
    make_first_version(place)
    with pytest.raises(ArchiveError, match="start the hub once"):
        open_archive(place, alone=False)
    open_archive(place).close()
    open_archive(place, alone=False).close()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_migration_that_is_interrupted_changes_nothing(place: str) -> None:
    make_first_version(place)
    code = f"""
import os, signal
from sqlalchemy import Engine, event
from hub.archive.opening import open_archive

def die(connection, cursor, statement, *rest):
    if "CREATE TABLE accesses" in statement:
        os.kill(os.getpid(), signal.SIGKILL)

event.listen(Engine, "before_cursor_execute", die)
open_archive({place!r})
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == -signal.SIGKILL
    dialect = dialect_of(place)
    engine = dialect.engine()
    with engine.connect() as connection:
        assert migrations.version_of(connection) == "0001"
    engine.dispose()
    dialect.close()
    archive = open_archive(place)
    assert texts_of(archive.log("CA1")) == ["word1", "word2", "word3", "word4"]
    archive.close()


def test_the_tables_are_as_the_code_knows_them(place: str) -> None:
    database = connect(place)
    with database.reading() as connection:
        assert differences(connection) == []
    database.close()


def differences(connection: Connection) -> list[Any]:
    """Return in what the tables differ from those in `hub.archive.tables`, but for the full-text index."""
    mine = {*metadata.tables}

    def compared(_: Any, name: str | None, kind: str, reflected: bool, other: Any) -> bool:
        return kind != "table" or name in mine

    return list(compare_metadata(MigrationContext.configure(connection, opts={"include_object": compared}), metadata))


def test_the_versions_are_those_of_the_files() -> None:
    script = ScriptDirectory(str(Path(migrations.__file__).parent))
    found = [each.revision for each in script.walk_revisions()]
    assert found == [migrations.NEWEST, *reversed(migrations.OLDER)]


def test_an_archive_of_this_version_is_opened_without_alembic(tmp_path: Path) -> None:
    place = str(tmp_path / "calls.db")
    open_archive(place).close()
    code = f"""
import sys
from hub.archive.opening import open_archive
open_archive({place!r}).close()
assert "alembic" not in sys.modules
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_no_row_of_the_audit_log_is_changed_or_deleted(place: str) -> None:
    database: Database = connect(place)
    archive = open_archive(place, alone=False)
    archive.write([], [Access(at=1.0, subject="ann", action="list")])
    for statement in ("UPDATE accesses SET subject = 'bob'", "DELETE FROM accesses"):
        with pytest.raises(ArchiveError, match="append-only"), database.writing() as connection:
            connection.execute(text(statement))
    assert [row.access.subject for row in archive.audit(0, 9)] == ["ann"]
    archive.close()
    database.close()
