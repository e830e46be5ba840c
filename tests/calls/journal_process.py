"""A journal in a process of its own, that a test can kill.

    python -m tests.calls.journal_process FILE [MOUNT]

Reads one command per line from stdin: `keep CA1 500`, `drop CA1`, `trouble`, `written`, `fill`, `free`, `churn`. Answers `trouble` with a
line, and `written` with one as soon as the file holds everything. With MOUNT, a file system of 256 KiB is mounted there first, which `fill`
fills up. `churn` begins and ends calls without end, and notes how far one call that stays, CA0, has come.
"""

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hub.calls.journal import Entry, Journal

MOUNTED = ("unshare", "-rm", sys.executable, "-m", "tests.calls.journal_process")
"""Runs it with the right to mount, where Linux allows everyone that."""


def entry(call_sid: str, call_ms: float = 0.0) -> Entry:
    """Return the entry of a call, with a phone number that no other call has."""
    number = f"+1415{int(call_sid.removeprefix('CA')):07d}"
    return Entry(call_sid=call_sid, account_sid="AC1", tracks=["inbound"], parameters={"from": number}, call_ms=call_ms)


def left(path: Path, now: float | None = None) -> list[Entry]:
    """Return the calls that a hub finds which starts now, or at `now`."""
    journal = Journal(path, time.time if now is None else lambda: now)
    journal.close()
    return journal.left


class JournalProcess:
    """The process, from the test's side."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def tell(self, *commands: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("".join(f"{command}\n" for command in commands))
        self._process.stdin.flush()

    def read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def ask(self, command: str) -> str:
        self.tell(command)
        return self.read()

    def kill(self) -> str:
        """End it as `kill -9` does; return what it logged."""
        self._process.kill()
        _, said = self._process.communicate()
        return said


@contextmanager
def journal_process(path: Path, *, mount: Path | None = None) -> Iterator[JournalProcess]:
    """Run the process until this is left."""
    command = [*MOUNTED, str(path), str(mount)] if mount is not None else [*MOUNTED[2:], str(path)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        started = JournalProcess(process)
        assert started.read() == "open"
        yield started
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def churn(journal: Journal) -> None:
    """Begin and end calls until killed; tell what was noted of CA0, and when."""
    for number in itertools.count(1):
        journal.keep(entry("CA0", number))
        journal.keep(entry(f"CA{number}"))
        journal.drop(f"CA{number - 20}")
        print(number, time.monotonic(), flush=True)
        time.sleep(0.001)


def main() -> None:
    """Run from the command line."""
    path = Path(sys.argv[1])
    mount = Path(sys.argv[2]) if len(sys.argv) > 2 else path.parent
    if len(sys.argv) > 2:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", mount], check=True)
    ballast = mount / "ballast"
    journal = Journal(path, time.time)
    print("open", flush=True)
    for line in sys.stdin:
        match line.split():
            case ["keep", call_sid, call_ms]:
                journal.keep(entry(call_sid, float(call_ms)))
            case ["drop", call_sid]:
                journal.drop(call_sid)
            case ["trouble"]:
                print(journal.trouble, flush=True)
            case ["written"]:
                while journal.unwritten:
                    time.sleep(0.005)
                print("written", flush=True)
            case ["left"]:
                print(*(found.call_sid for found in journal.left), flush=True)
            case ["fill"]:
                with ballast.open("wb", buffering=0) as file:
                    for size in (4096, 1):
                        try:
                            while file.write(b"x" * size) == size:
                                pass
                        except OSError:
                            pass
            case ["free"]:
                os.unlink(ballast)
            case ["churn"]:
                churn(journal)


if __name__ == "__main__":
    main()
