"""What is erased and scrubbed is in no byte of any file: a canary word and a canary number are looked for in all of them."""

import os
import secrets
from pathlib import Path

import pytest

from hub.archive.archive import Access, Archive, ArchiveError, CallFilter
from hub.archive.opening import open_archive
from tests.archive.made import change, seal_all, sids, texts_of, write_ended
from tests.archive.postgres_server import PostgresServer


class Canary:
    """A word and a number that are nowhere else. An index keeps a word without the letters that it shares with its neighbour."""

    def __init__(self) -> None:
        self.word = "zq" + "".join(chr(ord("a") + byte % 26) for byte in secrets.token_bytes(18))
        self.number = f"+1{secrets.randbelow(10**10):010d}"
        self.sid = f"CA{secrets.token_hex(16)}"

    def seen(self, files: list[Path]) -> set[str]:
        """Return what of it is in these files."""
        content = b"\n".join(each.read_bytes() for each in files)
        parts = {"word": self.word[6:], "number": self.number[4:]}
        return {name for name, part in parts.items() if part.encode() in content}


def live_long(archive: Archive, canary: Canary) -> None:
    """Store the canary's call among others, in the ways in which calls are stored: live, sealed, gone on, sealed again."""
    for i in range(40):
        write_ended(archive, f"CA{i}", *(f"neighbour {i} {j}" for j in range(20)), at=1.0 + i, from_=f"+1999555{i:04d}")
    archive.write([change(canary.sid, f"I am {canary.word}", *["filler"] * 100, at=100.0, from_=canary.number)])
    archive.write([change(canary.sid, after=101, at=100.0, ended_at=200.0, from_=canary.number, note=canary.word.encode())])
    seal_all(archive)
    archive.write([change(canary.sid, f"{canary.word} once more", at=100.0, after=101, from_=canary.number, to=canary.number)])
    archive.write([change(canary.sid, at=100.0, ended_at=300.0, from_=canary.number)])
    for i in range(40, 60):
        write_ended(archive, f"CA{i}", *(f"neighbour {i} {j}" for j in range(20)), at=1.0 + i)
    seal_all(archive)
    archive.write([], [Access(at=1.0, subject="ann", action="search", call_sid=canary.sid, detail="q")])


def erase_and_look(archive: Archive, canary: Canary, files: list[Path]) -> set[str]:
    """Erase the canary's call. Return what of it is still in the files."""
    assert archive.erase([canary.sid], "erased", 1000.0) == [canary.sid]
    archive.scrub()
    seen = canary.seen(files)
    assert texts_of(archive.log("CA3"))[0] == "neighbour 3 0"
    return seen


@pytest.fixture
def canary() -> Canary:
    """A canary."""
    return Canary()


def test_nothing_of_an_erased_call_is_in_the_files_of_sqlite(tmp_path: Path, canary: Canary) -> None:
    archive = open_archive(str(tmp_path / "calls.db"))
    live_long(archive, canary)
    files = [tmp_path / name for name in ("calls.db", "calls.db-wal", "calls.db-shm")]
    assert canary.seen(files) == {"word", "number"}, "or this test could not fail"
    assert erase_and_look(archive, canary, files) == set()
    assert files[1].stat().st_size < 2 * 4152, "but for the note that it was scrubbed"
    archive.close()
    assert canary.seen([each for each in tmp_path.iterdir() if each.is_file()]) == set()


def test_nothing_of_an_erased_call_is_in_the_tables_of_postgresql(postgres: PostgresServer, canary: Canary) -> None:
    archive = open_archive(postgres.schema())
    live_long(archive, canary)
    postgres.execute("ANALYZE")
    postgres.execute("CHECKPOINT")
    assert canary.seen(postgres.table_files()) == {"word", "number"}, "or this test could not fail"
    assert archive.erase([canary.sid], "erased", 1000.0) == [canary.sid]
    archive.scrub()
    postgres.execute("CHECKPOINT")
    assert canary.seen(postgres.table_files()) == set()
    assert texts_of(archive.log("CA3"))[0] == "neighbour 3 0"
    archive.close()


def test_scrubbing_says_when_another_program_holds_what_was_erased(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, canary: Canary) -> None:
    monkeypatch.setattr("hub.archive.sqlite.PATIENCE_SECONDS", 0.05)
    path = os.fspath(tmp_path / "calls.db")
    archive = open_archive(path)
    live_long(archive, canary)
    reader = open_archive(path, alone=False)
    with reader._database.reading() as connection:  # type: ignore[attr-defined]
        connection.exec_driver_sql("SELECT count(*) FROM calls").all()
        archive.erase([canary.sid], "erased", 1.0)
        with pytest.raises(ArchiveError, match="write-ahead log could not be emptied") as raised:
            archive.scrub()
        assert raised.value.passing
    reader.close()
    archive.scrub()
    assert canary.seen(list(tmp_path.iterdir())) == set()
    archive.close()


def test_a_hold_and_its_call_outlast_the_erasure_of_others(archive: Archive) -> None:
    for i in range(4):
        write_ended(archive, f"CA{i}", "word", at=1.0 + i)
    archive.hold("CA2", held=True)
    seal_all(archive)
    assert archive.erase([f"CA{i}" for i in range(4)], "erased", 1.0) == ["CA0", "CA1", "CA3"]
    archive.scrub()
    assert sids(archive.page(CallFilter(words=("word",)), None, 10)) == ["CA2"]
    assert texts_of(archive.log("CA2")) == ["word"]
