"""A process that is killed, and a disk that is full: what was stored is stored wholly, and nothing else is."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.archive.archive import Archive
from hub.archive.opening import open_archive
from tests.archive.made import texts_of

pytestmark = pytest.mark.one_python

WRITER = """
import sys
from hub.archive.opening import open_archive
from tests.archive.made import change

archive = open_archive(sys.argv[1])
first = int(sys.argv[2])
for batch in range(first, first + 100_000):
    texts = [f"{batch}.{part}" for part in range(3)]
    archive.write([change(sid, *texts, after=batch * 3, at=1.0, ended_at=None if batch % 5 else 2.0) for sid in ("CA1", "CA2")])
    if batch % 7 == 0:
        archive.seal()
    print(batch, flush=True)
"""
"""Writes batches of three events for each of two calls, and says which are stored. Now and then it packs what is there."""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_writer_that_is_killed_leaves_whole_batches_and_all_that_it_said(place: str) -> None:
    chance = random.Random(3)
    batches = 0
    for _ in range(6):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, place, str(batches)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        last = batches - 1
        for _ in range(chance.randrange(1, 40)):
            last = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        said = [last, *(int(line) for line in writer.stdout if line.endswith("\n"))][-1]
        writer.wait()
        writer.stdout.close()
        archive = opened_after_a_kill(place)
        logs = [texts_of(archive.log(sid)) for sid in ("CA1", "CA2")]
        archive.close()
        batches = len(logs[0]) // 3
        expected = [f"{batch}.{part}" for batch in range(batches) for part in range(3)]
        assert logs == [expected, expected]
        assert batches in (said + 1, said + 2), "one batch may be stored and not said"


def opened_after_a_kill(place: str) -> Archive:
    """Open an archive. PostgreSQL needs a moment to notice that a client was killed, and to release its lock."""
    import time

    from hub.archive.archive import ArchiveError

    until = time.monotonic() + 60
    while True:
        try:
            return open_archive(place)
        except ArchiveError as error:
            if "another hub" not in error.problem or time.monotonic() > until:
                raise
            time.sleep(0.02)


FILLER = """
import sys
from pathlib import Path
from hub.archive.archive import ArchiveError
from hub.archive.opening import open_archive
from tests.archive.made import change, texts_of

def fill(archive, stored):
    while True:
        try:
            archive.write([change("CA1", "x" * 2000, after=len(stored), at=1.0)])
        except ArchiveError as error:
            return error
        stored.append("x" * 2000)

archive, stored = open_archive(sys.argv[1]), []
for _ in range(2):
    full = fill(archive, stored)
    assert full.passing and "disk" in full.problem, full
assert len(stored) > 10
assert texts_of(archive.log("CA1")) == stored
ROOM
archive.write([change("CA1", "there is room again", after=len(stored), at=1.0)])
assert texts_of(archive.log("CA1")) == [*stored, "there is room again"]
archive.close()
"""


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if sys.platform != "linux" or os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root can mount a small disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_is_said_and_writing_goes_on_when_there_is_room(tiny_disk: Path) -> None:
    (tiny_disk / "other").write_bytes(b"x" * 60_000)
    code = FILLER.replace("ROOM", "Path(sys.argv[1]).with_name('other').unlink()")
    ran = subprocess.run([sys.executable, "-c", code, str(tiny_disk / "calls.db")], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of a file's size")
def test_a_file_that_may_not_grow_is_as_a_full_disk(tmp_path: Path) -> None:
    limited = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (1024 * 1024, resource.RLIM_INFINITY))\n" + FILLER
    code = limited.replace("ROOM", "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))")
    ran = subprocess.run([sys.executable, "-c", code, str(tmp_path / "calls.db")], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


def test_a_disk_without_any_room_is_said_at_the_start(tiny_disk: Path) -> None:
    (tiny_disk / "other").write_bytes(b"x" * 1024 * 1024)
    code = f"from hub.archive.opening import open_archive\nopen_archive({str(tiny_disk / 'calls.db')!r})"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "the disk is full" in ran.stderr.splitlines()[-1]
