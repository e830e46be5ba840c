"""The mark beside an archive: whether a process that died had told events which it had not stored.

The archive cannot say that itself, because it is the archive that was too slow or away. The mark is a small file mapped into memory. What
is written there survives `kill -9`, and neither waits for a disk nor needs room on one. It also names the start of the machine: where the
machine itself died, the newest commits may be gone with it, so nothing of the mark holds then.

Knows one file. Does not know what is stored.
"""

import hashlib
import logging
import mmap
import os
import tempfile
from pathlib import Path
from typing import Literal

log = logging.getLogger(__name__)

_SIZE = 4096
_KIND = b"transcript-hub mark 1\n"
_STATES: dict[Literal["closed", "level", "behind"], bytes] = {"closed": b"closed\n", "level": b"level \n", "behind": b"behind\n"}


class BehindMark:
    """One archive's mark. `trusted` says what the process before left; the other methods say what holds now."""

    def __init__(self, path: Path) -> None:
        """Open the mark, or make it. A mark that cannot be made is no reason not to start: the next process then trusts nothing."""
        self._map: mmap.mmap | None = None
        self._boot = _boot()
        self.trusted = False
        """Whether everything that the process before told anybody is in the archive."""
        try:
            with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
                found = file.read(_SIZE)
                self.trusted = self._tells(found)
                if len(found) < _SIZE:
                    file.write(b"\0" * (_SIZE - len(found)))
                    file.flush()
                self._map = mmap.mmap(file.fileno(), _SIZE)
        except (OSError, ValueError) as error:
            log.warning("%s cannot be used: %s. After a crash, live calls get a new epoch", path, error)

    def level(self) -> None:
        """Everything that was told is stored. Never waits for a disk."""
        self._write("level")

    def behind(self) -> None:
        """Something is told that is not stored. Never waits for a disk."""
        self._write("behind")

    def close(self, *, level: bool) -> None:
        """The process ends. `level`: with everything stored."""
        if self._map is not None:
            self._write("closed" if level else "behind")
            self._map.flush()
            self._map.close()
            self._map = None

    def _write(self, state: Literal["closed", "level", "behind"]) -> None:
        if self._map is not None:
            content = _KIND + _STATES[state] + self._boot + b"\n"
            self._map[: len(content)] = content

    def _tells(self, found: bytes) -> bool:
        if not found.startswith(_KIND):
            return False
        state, _, rest = found[len(_KIND) :].partition(b"\n")
        return state == b"closed" or (state == b"level " and bool(self._boot) and rest.startswith(self._boot + b"\n"))


def mark_of(where: str) -> Path:
    """Return the mark's file of the archive that HUB_ARCHIVE names: beside a file, and in the machine's temporary folder for a database."""
    if "://" not in where:
        return Path(f"{where}-mark")
    name = hashlib.sha256(where.encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"transcript-hub-{name}-mark"


def _boot() -> bytes:
    """Return what names this start of the machine. Empty where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()
    except OSError:
        return b""
