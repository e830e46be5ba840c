"""A lock that one process holds at a time: on a file that lies beside the one that is meant.

The operating system releases it with the process, however that ends. The file stays where it is: deleting it would let two processes hold
locks on two files of one name. The database itself stays unlocked, so that a backup or another reader can use it while a hub runs.

Knows files. Does not know what they protect.
"""

import os
import sys
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    try:
        import fcntl
    except ImportError:  # where there is none, there is no lock either
        fcntl = None  # type: ignore[assignment]


class FileLock:
    """A lock, held from `take` to `release`."""

    def __init__(self, path: Path) -> None:
        """`path` is the lock's own file. It is made when it is needed, readable by its owner only."""
        self._path = path
        self._file: int | None = None
        """The open file. None while the lock is not held."""

    def take(self) -> bool:
        """Take the lock without waiting. Return False if another process, or another FileLock, holds it. Raises: OSError."""
        if self._file is not None:
            return True
        file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(file)
        except (BlockingIOError, PermissionError):  # Windows says "permission denied"
            os.close(file)
            return False
        except OSError:
            os.close(file)
            raise
        self._file = file
        return True

    def release(self) -> None:
        """Let another process take it. Safe to call twice."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)  # which releases it


def _lock(file: int) -> None:
    if sys.platform == "win32":
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
    elif fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
