"""What an operator reads when the archive cannot be opened: one sentence that says what is wrong, and nothing is overwritten."""

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from hub.archive.archive import Archive, ArchiveError
from hub.archive.opening import connect, open_archive
from tests.archive.made import change, seal_all, texts_of, write_ended
from tests.archive.postgres_server import PASSWORD, PostgresServer


def refused(place: str | Path, *, alone: bool = True) -> ArchiveError:
    """Return why an archive is not opened."""
    with pytest.raises(ArchiveError) as raised:
        open_archive(str(place), alone=alone)
    assert "\n" not in raised.value.problem
    return raised.value


class TestAnywhere:
    """Both databases."""

    def test_a_second_hub_is_refused_until_the_first_one_has_closed(self, place: str) -> None:
        first = open_archive(place)
        assert "another hub uses" in refused(place).problem
        first.write([change("CA1", "a", at=1.0)])
        first.close()
        open_archive(place).close()

    def test_others_may_read_while_a_hub_writes(self, archive: Archive, place: str) -> None:
        write_ended(archive, "CA1", "a", at=1.0)
        other = open_archive(place, alone=False)
        assert texts_of(other.log("CA1")) == ["a"]
        archive.write([change("CA1", "b", after=1)])
        assert texts_of(other.log("CA1")) == ["a", "b"]
        other.close()
        archive.write([change("CA1", "c", after=2)])

    def test_one_that_only_reads_makes_no_archive(self, place: str) -> None:
        assert "does not exist" in refused(place, alone=False).problem or "start the hub once" in refused(place, alone=False).problem

    def test_an_address_of_another_kind(self) -> None:
        assert "mysql://" in refused("mysql://root:secret@localhost/calls").problem
        assert "secret" not in refused("mysql://root:secret@localhost/calls").problem

    def test_who_reads_while_it_is_closed_leaves_no_connection_open(self, place: str) -> None:
        """Every test is held to that; see `no_connection_left_open`."""
        database = connect(place)
        with database.reading() as connection:
            database.close()
            assert connection.exec_driver_sql("SELECT count(*) FROM calls").scalar() == 0


class TestSqlite:
    """A file."""

    def test_the_files_are_readable_by_their_owner_only(self, tmp_path: Path) -> None:
        path = tmp_path / "calls.db"
        path.touch(mode=0o644)
        archive = open_archive(str(path))
        write_ended(archive, "CA1", "a", at=1.0)
        files = sorted(tmp_path.iterdir())
        assert [each.name for each in files] == ["calls.db", "calls.db-lock", "calls.db-shm", "calls.db-wal"]
        assert {stat.S_IMODE(each.stat().st_mode) for each in files} == {0o600}
        archive.close()

    @pytest.mark.parametrize("name", ["a b.db", "50%.db", "what?.db", "#1.db", "ünï.db", "it's.db", "a&b=c.db"])
    def test_any_name(self, tmp_path: Path, name: str) -> None:
        archive = open_archive(str(tmp_path / name))
        write_ended(archive, "CA1", "a", at=1.0)
        archive.erase(["CA1"], "erased", 1.0)
        archive.scrub()
        archive.close()
        assert (tmp_path / name).stat().st_size > 0
        assert {each.name for each in tmp_path.iterdir()} == {name, f"{name}-lock"}

    def test_a_folder(self, tmp_path: Path) -> None:
        assert "is a folder" in refused(tmp_path).problem

    def test_a_folder_that_does_not_exist(self, tmp_path: Path) -> None:
        assert "the folder of" in refused(tmp_path / "no" / "calls.db").problem

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pipes in folders")
    def test_something_that_is_no_file(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        assert "is not a file" in refused(tmp_path / "pipe").problem

    def test_a_file_of_another_kind_stays_as_it_is(self, tmp_path: Path) -> None:
        path = tmp_path / "notes.txt"
        path.write_text("my notes, not a database, and long enough to be read as one" * 100)
        before = path.read_bytes()
        assert "restore a backup, or move the file away" in refused(path).problem
        assert path.read_bytes() == before

    def test_the_database_of_another_program_stays_as_it_is(self, tmp_path: Path) -> None:
        path = tmp_path / "other.db"
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE calls (mine TEXT)")
            connection.execute("INSERT INTO calls VALUES ('precious')")
        connection.close()
        assert "database of another program" in refused(path).problem
        connection = sqlite3.connect(path)
        assert connection.execute("SELECT * FROM calls").fetchall() == [("precious",)]
        assert connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (1,)
        connection.close()

    def test_a_damaged_archive_is_not_touched(self, tmp_path: Path) -> None:
        path = tmp_path / "calls.db"
        archive = open_archive(str(path))
        write_ended(archive, "CA1", *("word" * 50 for _ in range(200)), at=1.0)
        archive.close()
        whole = path.read_bytes()
        path.write_bytes(whole[:100] + b"\xff" * 4000 + whole[4100:])
        damaged = path.read_bytes()
        assert "is damaged" in refused(path).problem
        assert path.read_bytes() == damaged

    def test_a_call_that_is_damaged_later_says_so(self, tmp_path: Path) -> None:
        path = tmp_path / "calls.db"
        archive = open_archive(str(path))
        write_ended(archive, "CA1", "a", at=1.0)
        write_ended(archive, "CA2", "b", at=2.0)
        seal_all(archive)
        archive.close()
        connection = sqlite3.connect(path)
        connection.execute("UPDATE packs SET packed = x'00112233' WHERE number = (SELECT number FROM calls WHERE call_sid = 'CA1')")
        connection.commit()
        connection.close()
        archive = open_archive(str(path))
        with pytest.raises(ArchiveError, match="CA1: a pack of events is damaged"):
            archive.log("CA1")
        assert texts_of(archive.log("CA2")) == ["b"]
        archive.close()

    def test_a_read_only_file(self, tmp_path: Path) -> None:
        if sys.platform == "win32" or os.geteuid() == 0:
            pytest.skip("root may write everything")
        path = tmp_path / "calls.db"
        open_archive(str(path)).close()
        path.chmod(0o400)
        tmp_path.chmod(0o500)
        problem = refused(path).problem
        tmp_path.chmod(0o700)
        assert "read-only" in problem or "not permitted" in problem

    def test_a_file_that_is_deleted_meanwhile_is_made_again(self, tmp_path: Path) -> None:
        folder = tmp_path / "data"
        folder.mkdir()
        archive = open_archive(str(folder / "calls.db"))
        archive.write([change("CA1", "a", at=1.0)])
        shutil.rmtree(folder)
        with pytest.raises(ArchiveError, match="the folder of") as raised:
            archive.write([change("CA1", "b", after=1)])
        assert raised.value.passing
        folder.mkdir()
        with pytest.raises(ArchiveError, match="does not know 1 of the calls"):
            archive.write([change("CA1", "b", after=1)])
        archive.write([change("CA1", "a", "b", at=1.0)])
        assert texts_of(archive.log("CA1")) == ["a", "b"]
        assert (folder / "calls.db").is_file()
        archive.close()

    def test_a_log_that_is_left_of_a_deleted_file_is_not_taken_for_the_new_ones(self, tmp_path: Path) -> None:
        path = tmp_path / "calls.db"
        archive = open_archive(str(path))
        archive.write([change("CA1", "a", at=1.0)])
        path.unlink()
        archive.write([change("CA2", "b", at=2.0)])
        assert archive.find("CA1") is None
        archive.close()
        archive = open_archive(str(path))
        assert texts_of(archive.log("CA2")) == ["b"]
        archive.close()

    def test_a_file_that_is_replaced_by_a_backup_is_used_from_then_on(self, tmp_path: Path) -> None:
        path, backup = tmp_path / "calls.db", tmp_path / "backup.db"
        first = open_archive(str(backup))
        write_ended(first, "CA9", "restored", at=9.0)
        first.close()
        archive = open_archive(str(path))
        archive.write([change("CA1", "a", at=1.0)])
        backup.replace(path)
        archive.write([change("CA1", "a", at=1.0)])
        assert texts_of(archive.log("CA9")) == ["restored"]
        assert texts_of(archive.log("CA1")) == ["a"]
        archive.close()

    def test_who_reads_a_file_while_it_is_replaced_leaves_no_connection_open(self, tmp_path: Path) -> None:
        """Every test is held to that; see `no_connection_left_open`."""
        path = tmp_path / "calls.db"
        database = connect(str(path))
        with database.reading() as connection:
            path.rename(tmp_path / "moved.db")
            with database.writing():
                pass
            assert connection.exec_driver_sql("SELECT count(*) FROM calls").scalar() == 0
        database.close()

    def test_another_program_that_writes_for_long_is_told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("hub.archive.sqlite.PATIENCE_SECONDS", 0.05)
        monkeypatch.setattr("hub.archive.sqlite._CONNECTING", ("PRAGMA busy_timeout = 50", "PRAGMA journal_mode = WAL"))
        path = tmp_path / "calls.db"
        archive = open_archive(str(path))
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ArchiveError, match="is being written by another program") as raised:
            archive.write([change("CA1", "a", at=1.0)])
        assert raised.value.passing
        other.execute("ROLLBACK")
        other.close()
        archive.write([change("CA1", "a", at=1.0)])
        assert texts_of(archive.log("CA1")) == ["a"]
        archive.close()


class TestPostgres:
    """A server."""

    def test_a_wrong_password_is_refused_and_not_repeated(self, postgres: PostgresServer) -> None:
        error = refused(postgres.url(password="my secret"))
        assert "refuses the connection: password authentication failed" in error.problem
        assert "secret" not in str(error)
        assert "secret" not in repr(error.__cause__)

    def test_an_unknown_database(self, postgres: PostgresServer) -> None:
        error = refused(postgres.url(database="nowhere"))
        assert 'refuses the connection: database "nowhere" does not exist' in error.problem
        assert PASSWORD not in str(error)

    def test_a_server_that_is_away(self) -> None:
        error = refused("postgresql://hub:secret@127.0.0.1:1/calls")
        assert "cannot be reached" in error.problem
        assert "secret" not in str(error)
        assert error.passing

    def test_a_host_that_does_not_exist(self) -> None:
        assert "cannot be reached" in refused("postgresql://hub:secret@nowhere.invalid/calls").problem

    @pytest.mark.parametrize(
        "url",
        ["postgresql://hub:pass@word:secret@host/db", "postgresql://hub:secret/x@host/db", "postgresql://hub:secret@host:port/db?secret=1"],
    )
    def test_an_address_that_cannot_be_read_is_not_repeated(self, url: str) -> None:
        assert "secret" not in str(refused(url))

    def test_the_tables_of_another_program(self, postgres: PostgresServer) -> None:
        place = postgres.schema()
        schema = place.rpartition("%3D")[2]
        postgres.execute(f"CREATE TABLE {schema}.calls (mine text)")
        assert "table `calls` of another program" in refused(place).problem

    def test_a_server_that_is_started_anew_is_used_again(self, postgres: PostgresServer) -> None:
        archive = open_archive(postgres.schema())
        archive.write([change("CA1", "a", at=1.0)])
        postgres.stop()
        for attempt in (lambda: archive.write([change("CA1", "b", after=1)]), lambda: archive.log("CA1")):
            for _ in range(2):
                with pytest.raises(ArchiveError) as raised:
                    attempt()
                assert raised.value.passing
                assert PASSWORD not in str(raised.value)
        postgres.start()
        archive.write([change("CA1", "b", after=1)])
        assert texts_of(archive.log("CA1")) == ["a", "b"]
        archive.close()

    def test_a_hub_that_lost_its_lock_does_not_write_beside_another(self, postgres: PostgresServer) -> None:
        place = postgres.schema()
        first = open_archive(place)
        first.write([change("CA1", "a", at=1.0)])
        postgres.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'transcript-hub'")
        second = open_archive(place)
        for _ in range(2):
            with pytest.raises(ArchiveError) as raised:
                first.write([change("CA1", "b", after=1)])
            assert raised.value.passing
        assert "another hub uses" in raised.value.problem
        second.close()
        first.write([change("CA1", "b", after=1)])
        assert texts_of(first.log("CA1")) == ["a", "b"]
        first.close()

    def test_without_psycopg_the_extra_is_named(self) -> None:
        code = (
            "import sys; sys.modules['psycopg'] = None\nfrom hub.archive.opening import open_archive\nopen_archive('postgresql://host/db')"
        )
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert 'pip install "transcript-hub[postgres]"' in ran.stderr
