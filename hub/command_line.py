"""What every command of the hub and its clients does at its ends: Ctrl-C, a reader that went away, and a terminal that lacks letters.

Knows the standard streams. Does not know what a command prints.
"""

import errno
import io
import os
import sys
from collections.abc import Callable

INTERRUPTED = 130
"""The exit code that a shell reports for a program that Ctrl-C ended."""


def run(program: str, command: Callable[[], int]) -> int:
    """Run a command to its end; return its exit code.

    A reader that has seen enough, as in `transcript-hub check | head -3`, ends it quietly. A letter that the terminal's encoding does not
    have is no error: it is shown as a question mark, or written into a pipe as its escape, so that nothing is lost.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace" if stream.isatty() else "backslashreplace")
    try:
        try:
            return command()
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()  # here, as Python itself would print a traceback
    except BrokenPipeError:
        _write_nowhere()
        return 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        if not _full(error):
            raise
        _write_nowhere()
        print(f"{program}: the output cannot be written: {error.strerror}", file=sys.stderr)
        return 1


def _full(error: OSError) -> bool:
    """Return whether the output is a file on a full disk. What the failed write left in the buffer would fail again when Python ends."""
    return error.errno == errno.ENOSPC and error.filename is None


def _write_nowhere() -> None:
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
