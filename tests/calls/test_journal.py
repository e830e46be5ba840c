"""What a hub that was killed leaves behind: the newest state of each live call and nothing of any other, whatever happened to the disk."""

import os
import random
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from hub.calls import journal as journals
from hub.calls.journal import Journal
from hub.calls.journal_file import JournalFile
from hub.errors import ConfigError
from tests.calls.journal_process import MOUNTED, entry, journal_process, left

NOW = 1_700_000_000.0


def opened(path: Path, now: float = NOW) -> Journal:
    return Journal(path, lambda: now)


def names(path: Path) -> list[str]:
    return sorted(found.call_sid for found in left(path, NOW))


def on_disk(folder: Path) -> bytes:
    """Every byte of every file in a folder."""
    return b"".join(file.read_bytes() for file in sorted(folder.iterdir()))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls"


# What is in it.


def test_the_newest_state_of_each_live_call_is_what_is_left(path: Path) -> None:
    journal = opened(path)
    assert journal.left == []
    for call_sid, call_ms in (("CA1", 0.0), ("CA2", 0.0), ("CA1", 500.0), ("CA3", 0.0)):
        journal.keep(entry(call_sid, call_ms))
    journal.drop("CA2")
    journal.drop("CA2")
    journal.close()
    found = left(path, NOW + 10)
    assert [(each.call_sid, each.call_ms, each.at) for each in found] == [("CA1", 500.0, NOW), ("CA3", 0.0, NOW)]
    assert left(path, NOW + 10) == found, "reading changes nothing"


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    (tmp_path / "calls").touch(0o644)
    with journal_process(tmp_path / "calls") as hub:
        hub.tell("keep CA1 0")
        hub.ask("written")
        assert {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {"calls": 0o600, "calls-wal": 0o600}


def test_a_call_of_the_day_before_yesterday_is_forgotten(path: Path) -> None:
    journal = opened(path)
    journal.keep(entry("CA1"))
    journal.close()
    assert left(path, NOW + 86400 * 2) == []
    assert b"+14150000001" not in on_disk(path.parent)


def test_a_clock_that_was_put_back_makes_no_call_older_than_now(path: Path) -> None:
    journal = opened(path)
    journal.keep(entry("CA1"))
    journal.close()
    later = opened(path, NOW - 3600)
    assert [(found.call_sid, later.age_seconds(found)) for found in later.left] == [("CA1", 0.0)]
    later.close()


def test_an_ended_calls_number_is_gone_from_the_disk_with_the_call(path: Path) -> None:
    """Calls end in an order that makes SQLite rearrange its pages, where deleted rows can leave copies."""
    shuffled, live = random.Random(1), set(range(300))
    with journal_process(path) as hub:
        hub.tell(*(f"keep CA{call} 0" for call in sorted(live)))
        while live:
            over = set(shuffled.sample(sorted(live), min(len(live), shuffled.randint(1, 10))))
            live -= over
            noted = shuffled.sample(sorted(live), len(live) // 4)
            hub.tell(*(f"drop CA{call}" for call in over), *(f"keep CA{call} {10 ** shuffled.randrange(8)}" for call in noted))
            assert hub.ask("written") == "written"
            assert set(_numbers(on_disk(path.parent))) == {b"+1415%07d" % call for call in live}, "not even parts of others"
        assert {file.name for file in path.parent.iterdir()} == {"calls", "calls-wal"}
    assert names(path) == []


def _numbers(content: bytes) -> Iterator[bytes]:
    start = content.find(b"+1415")
    while start >= 0:
        yield content[start : start + 12]
        start = content.find(b"+1415", start + 1)


# Two hubs.


def test_a_file_that_another_hub_holds_stops_the_start_in_words_and_stays_as_it_is(path: Path) -> None:
    with journal_process(path) as hub:
        hub.tell("keep CA1 500")
        hub.ask("written")
        before = on_disk(path.parent)
        for _ in range(2):
            with pytest.raises(ConfigError, match=r"^HUB_JOURNAL .*calls is used by another hub that is running: stop that one, or give"):
                opened(path)
        assert on_disk(path.parent) == before
        hub.tell("keep CA2 0")
        hub.ask("written")
        hub.kill()
    assert names(path) == ["CA1", "CA2"], "the lock went with the process, and both calls are in the file"


@pytest.mark.parametrize("kills", [10, pytest.param(100, marks=pytest.mark.long)])
def test_a_hub_that_is_killed_at_any_moment_leaves_what_it_noted(path: Path, kills: int) -> None:
    """Each turn of the churn notes CA0, begins one call and ends the one of twenty turns before."""
    for kill in range(kills):
        shutil.rmtree(path.parent)
        path.parent.mkdir()
        with journal_process(path) as hub:
            hub.tell("keep CA0 0")
            assert hub.ask("written") == "written"
            hub.tell("churn")
            for _ in range(50 + 37 * (kill % 10)):
                hub.read()
            hub.kill()
        found = {each.call_sid: each for each in left(path, time.time())}
        last = int(found["CA0"].call_ms)
        live = {f"CA{number}" for number in range(max(1, last - 19), last)}
        assert live <= set(found) <= live | {"CA0", f"CA{last}", f"CA{last - 20}"}, "one moment of the churn, whole"


# Disks.


def test_a_file_that_cannot_be_made_stops_the_start_in_words(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^HUB_JOURNAL .* cannot be written: No such file or directory"):
        opened(tmp_path / "nowhere" / "calls")


@pytest.mark.skipif(sys.platform == "win32", reason="has neither permissions nor pipes of this kind")
def test_a_folder_a_pipe_and_a_link_to_nothing_stop_the_start_and_stay_as_they_are(tmp_path: Path) -> None:
    folder, pipe, link = tmp_path / "folder", tmp_path / "pipe", tmp_path / "link"
    folder.mkdir(0o755)
    os.mkfifo(pipe, 0o644)
    link.symlink_to(tmp_path / "nothing")
    before = [each.lstat().st_mode for each in (folder, pipe, link)]
    for each in (folder, pipe, link):
        with pytest.raises(ConfigError, match=r"^HUB_JOURNAL .* cannot be written: it is no file$"):
            opened(each)
    assert [each.lstat().st_mode for each in (folder, pipe, link)] == before
    assert sorted(tmp_path.iterdir()) == [folder, link, pipe]


def can_mount() -> bool:
    return sys.platform == "linux" and subprocess.run([*MOUNTED[:2], "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not can_mount(), reason="needs a file system of its own")
def test_a_full_disk_is_told_once_and_costs_nothing_once_it_has_room(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    with journal_process(disk / "calls", mount=disk) as hub:
        hub.tell(*(f"keep CA{call} 0" for call in range(100)))
        assert hub.ask("written") == "written"
        hub.tell("fill")
        hub.tell(*(f"keep CA{call} 500" for call in range(100, 200)), *(f"drop CA{call}" for call in range(50)))
        while not (trouble := hub.ask("trouble")):
            pass
        assert trouble == "database or disk is full"
        hub.tell("keep CA200 0", "free")
        assert hub.ask("written") == "written"
        assert hub.ask("trouble") == ""
        hub.tell("fill", "keep CA201 0")
        said = hub.kill()
    assert said.count("the journal cannot be written: database or disk is full. A restart will not find the newest calls") == 1


@pytest.mark.skipif(not can_mount(), reason="needs a file system of its own")
def test_a_hub_starts_on_a_full_disk_and_finds_what_is_there(tmp_path: Path) -> None:
    """The file system goes with the process that mounted it, so a second journal is opened in the same process tree."""
    disk = tmp_path / "disk"
    disk.mkdir()
    script = (
        "import subprocess, sys, time; from pathlib import Path\n"
        "from tests.calls.journal_process import journal_process\n"
        f"disk = Path({str(disk)!r})\n"
        "subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=256k', 'none', disk], check=True)\n"
        "with journal_process(disk / 'calls') as hub:\n"
        "    hub.tell(*(f'keep CA{call} 0' for call in range(100)))\n"
        "    hub.ask('written'); hub.tell('fill', 'keep CA100 0')\n"
        "    while not hub.ask('trouble'): pass\n"
        "    hub.kill()\n"
        "with journal_process(disk / 'calls') as hub:\n"
        "    print(len(hub.ask('left').split()))\n"
        "    while not hub.ask('trouble'): pass\n"
        "    hub.tell('free'); hub.ask('written'); hub.kill()\n"
        "with journal_process(disk / 'calls') as hub: print(len(hub.ask('left').split()))\n"
    )
    done = subprocess.run([*MOUNTED[:2], sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.stdout.split(), done.stderr) == (["100", "100"], "")


def until_written(journal: Journal) -> None:
    while journal.unwritten:
        time.sleep(0.005)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps a file that is open")
@pytest.mark.parametrize("lost", ["file", "folder"])
def test_a_file_that_is_deleted_meanwhile_is_made_again_with_every_live_call(
    tmp_path: Path, lost: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    folder = tmp_path / "state"
    folder.mkdir()
    journal = opened(folder / "calls")
    journal.keep(entry("CA1"))
    until_written(journal)
    if lost == "folder":
        shutil.rmtree(folder)
        journal.keep(entry("CA2"))
        while not journal.trouble:
            time.sleep(0.005)
        folder.mkdir()
    else:
        (folder / "calls").unlink()
        journal.keep(entry("CA2"))
    until_written(journal)
    journal.close()
    assert names(folder / "calls") == ["CA1", "CA2"]
    told = [record.message.partition(".")[0] for record in caplog.records]
    assert told == (
        ["the journal cannot be written: No such file or directory", "the journal is written again"] if lost == "folder" else []
    )


class Standstill(JournalFile):
    """A disk that does not answer until it is told to."""

    answers = threading.Event()

    def write(self, entries: Mapping[str, bytes | None], *, whole: bool) -> None:
        self.answers.wait()
        super().write(entries, whole=whole)


def test_a_disk_that_does_not_answer_delays_no_call_and_no_stop(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(journals, "JournalFile", Standstill)
    monkeypatch.setattr(journals, "STOP_SECONDS", 0.05)
    Standstill.answers = threading.Event()
    journal = opened(path)
    for number in range(10_000):  # each of them returns, with the disk still not answering
        journal.keep(entry("CA1", number))
        journal.keep(entry(f"CA{number + 2}"))
        journal.drop(f"CA{number + 2}")
    assert len(journal._live) == 1
    journal.close()
    assert "does not answer" in caplog.text
    Standstill.answers.set()
    journal._thread.join()
    assert [(each.call_sid, each.call_ms) for each in left(path, NOW)] == [("CA1", 9999)], "and nothing is lost once it answers"


# Files that are no journal, and rows that are no calls.


def test_a_file_that_is_no_journal_is_moved_aside_and_the_hub_starts(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    other = path.with_name("other")
    with sqlite3.connect(other) as database:
        database.execute("CREATE TABLE calls (id INTEGER)")
    database.close()
    for content in (
        b"[" * 100_000,
        b'{"callSid":"CA1"}\n' * 9,
        b"note to self",
        b"\0" * 5000,
        b"SQLite format 3\0" + b"\xff" * 5000,
        other.read_bytes(),
    ):
        path.write_bytes(content)
        assert left(path, NOW) == []
        assert path.with_name("calls.damaged").read_bytes() == content
        assert "is not a journal" in caplog.text
        caplog.clear()
        assert left(path, NOW) == []
        assert caplog.text == "", "the new file is a journal"


def test_a_journal_whose_middle_was_overwritten_does_not_stop_the_start(path: Path) -> None:
    journal = opened(path)
    for number in range(200):
        journal.keep(entry(f"CA{number}"))
    journal.close()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\0" * 8192)
    assert left(path, NOW) == []
    assert names(path) == []


def test_garbage_behind_a_journals_end_costs_nothing(path: Path) -> None:
    with journal_process(path) as hub:
        hub.tell("keep CA1 0")
        hub.ask("written")
        hub.tell("keep CA2 0")
        hub.ask("written")
        hub.kill()
    for name in ("calls", "calls-wal"):
        with path.with_name(name).open("ab") as file:
            file.write(b'{"callSid":"CA3","pa')
    assert names(path) == ["CA1", "CA2"]


@pytest.mark.parametrize(
    "row",
    [
        b"[" * 100_000,
        b'{"callSid":"CA9","later":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"callSid":"CA9","tracks":["left"]}',
        b"\xff",
        b"",
        7,
        "text",
    ],
)
def test_a_row_that_cannot_be_read_costs_its_own_call_only(path: Path, row: object, caplog: pytest.LogCaptureFixture) -> None:
    journal = opened(path)
    journal.keep(entry("CA1"))
    journal.close()
    with sqlite3.connect(path) as database:
        database.execute("REPLACE INTO calls VALUES ('CA9', ?)", (row,))
    database.close()
    assert names(path) == ["CA1"]
    assert "1 calls of the journal cannot be read" in caplog.text


def test_an_entry_of_a_newer_version_is_read_as_far_as_it_is_known(path: Path) -> None:
    opened(path).close()
    with sqlite3.connect(path) as database:
        database.execute("REPLACE INTO calls VALUES ('CA1', ?)", (b'{"callSid":"CA1","at":1.7e9,"callMs":5,"mood":{"is":["good"]}}',))
    database.close()
    assert [(found.call_sid, found.call_ms) for found in left(path, NOW)] == [("CA1", 5.0)]
