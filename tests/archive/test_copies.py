"""Backups of an archive in a file, and the way back."""

import os
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.archive.archive import Access, Archive, Tombstone
from hub.archive.chain import Verification
from hub.archive.copies import CopyError, back_up, restore
from hub.archive.mark import mark_of
from hub.archive.opening import open_archive
from tests.archive.made import change, seal_all, texts_of, write_ended


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "calls.db"


@pytest.fixture
def running(file: Path) -> Iterator[Archive]:
    """The archive of a hub that runs."""
    archive = open_archive(os.fspath(file))
    yield archive
    archive.close()


def test_a_backup_is_made_while_a_hub_writes_and_has_everything_up_to_then(running: Archive, file: Path, tmp_path: Path) -> None:
    write_ended(running, "CA1", "one", at=1.0)
    seal_all(running)
    running.write([change("CA2", "two", at=2.0)], [Access(at=1.0, subject="alice", action="watch", call_sid="CA2")])
    copy = tmp_path / "copy.db"
    assert back_up(file, copy) == copy.stat().st_size
    running.write([change("CA2", "three", after=1)])
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir() if "part" in path.name) == []
    found = open_archive(os.fspath(copy))
    assert texts_of(found.log("CA1")) == ["one"]
    assert texts_of(found.log("CA2")) == ["two"]
    assert Verification().read(found.audit(0, 10))
    found.close()


def test_a_backup_replaces_no_file_and_needs_an_archive(running: Archive, file: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("x")
    with pytest.raises(CopyError, match="precious is there already"):
        back_up(file, tmp_path / "precious")
    assert (tmp_path / "precious").read_text() == "x"
    with pytest.raises(CopyError, match="does not exist"):
        back_up(tmp_path / "nothing.db", tmp_path / "copy.db")
    with pytest.raises(CopyError, match="No such file or directory"):
        back_up(file, tmp_path / "no folder" / "copy.db")


def test_what_is_restored_is_what_was_backed_up_and_no_epoch_is_trusted(running: Archive, file: Path, tmp_path: Path) -> None:
    write_ended(running, "CA1", "one", at=1.0)
    back_up(file, tmp_path / "copy.db")
    write_ended(running, "CA2", "two", at=2.0)
    running.close()
    mark_of(os.fspath(file)).write_bytes(b"what the hub left")
    moved = restore(tmp_path / "copy.db", file, replace=True)
    assert moved is not None
    assert not mark_of(os.fspath(file)).exists()
    found = open_archive(os.fspath(file))
    assert texts_of(found.log("CA1")) == ["one"]
    assert found.find("CA2") is None
    found.close()
    before = open_archive(os.fspath(moved))
    assert texts_of(before.log("CA2")) == ["two"]
    before.close()
    assert restore(tmp_path / "copy.db", tmp_path / "elsewhere.db", replace=False) is None


def test_a_call_that_was_erased_since_does_not_come_back(running: Archive, file: Path, tmp_path: Path) -> None:
    write_ended(running, "CA1", "canary", at=1.0)
    write_ended(running, "CA2", "two", at=2.0)
    seal_all(running)
    back_up(file, tmp_path / "copy.db")
    running.erase(["CA1"], "erased", 50.0)
    running.scrub()
    running.close()
    restore(tmp_path / "copy.db", file, replace=True)
    found = open_archive(os.fspath(file))
    erased = found.find("CA1")
    assert isinstance(erased, Tombstone)
    assert (erased.reason, erased.at) == ("erased", 50.0)
    assert texts_of(found.log("CA2")) == ["two"]
    found.close()
    assert b"canary" not in file.read_bytes()


def test_nothing_is_restored_over_an_archive_or_while_a_hub_uses_it(running: Archive, file: Path, tmp_path: Path) -> None:
    write_ended(running, "CA1", "one", at=1.0)
    copy = tmp_path / "copy.db"
    back_up(file, copy)
    with pytest.raises(CopyError, match=r"a hub uses .*: stop it first"):
        restore(copy, file, replace=True)
    running.close()
    with pytest.raises(CopyError, match=r"there is an archive at .*--replace"):
        restore(copy, file, replace=False)
    assert not list(tmp_path.glob("*.part*"))


def newer(copy: Path) -> None:
    with sqlite3.connect(copy) as connection:
        connection.execute("UPDATE archive_version SET version_num = '9999'")
    connection.close()


def damaged(copy: Path) -> None:
    content = bytearray(copy.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 3000] = b"\xff" * 3000
    copy.write_bytes(content)


def foreign(copy: Path) -> None:
    copy.unlink()
    with sqlite3.connect(copy) as connection:
        connection.execute("CREATE TABLE notes (text)")
    connection.close()


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (newer, "was written by a newer version of the hub"),
        (damaged, "damaged|malformed"),
        (foreign, "is not an archive of the hub"),
        (lambda copy: copy.write_bytes(b"no database " * 1000), "not a database"),
        (lambda copy: copy.unlink(), "does not exist"),
    ],
    ids=["newer", "damaged", "foreign", "no database", "gone"],
)
def test_a_file_that_is_no_good_backup_is_refused_and_the_archive_stays(
    harm: object, says: str, running: Archive, file: Path, tmp_path: Path
) -> None:
    for at in range(200):
        write_ended(running, f"CA{at}", "one", at=float(at))
    copy = tmp_path / "copy.db"
    back_up(file, copy)
    running.close()
    harm(copy)  # type: ignore[operator]
    with pytest.raises(CopyError, match=says) as raised:
        restore(copy, file, replace=True)
    assert "\n" not in str(raised.value)
    assert str(raised.value).startswith(str(copy)), "not the archive, which is whole"
    found = open_archive(os.fspath(file))
    assert texts_of(found.log("CA199")) == ["one"]
    found.close()
