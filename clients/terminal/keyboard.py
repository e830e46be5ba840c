"""Keys as they are pressed, without Enter, on a terminal.

Knows terminals of Unix and of Windows. Does not know what the keys do. Where input is no terminal there are no keys, and nothing fails.
"""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

NAMES = {
    "\x1b[A": "up", "\x1bOA": "up", "\x1b[B": "down", "\x1bOB": "down", "\x1b[5~": "page up", "\x1b[6~": "page down",
    "\x1b[H": "home", "\x1bOH": "home", "\x1b[1~": "home", "\x1b[F": "end", "\x1bOF": "end", "\x1b[4~": "end",
    "\x1b": "escape", "\r": "enter", "\n": "enter", "\x7f": "backspace", "\b": "backspace",
}  # fmt: skip
"""How terminals write the keys that have a name (ECMA-48, and xterm's application mode)."""

WINDOWS = {"H": "up", "P": "down", "I": "page up", "Q": "page down", "G": "home", "O": "end"}
"""The second character of such keys on Windows (learn.microsoft.com, _getch)."""

SEQUENCE = re.compile(r"\x1b(?:\[[0-9;]*[A-Za-z~]|O[A-Za-z])|.", re.DOTALL)

MOST_BYTES = 1024


class Keyboard:
    """The keys of this terminal."""

    def __init__(self, *, there: bool) -> None:
        """`there`: whether input is a terminal."""
        self.there = there

    def pressed(self) -> list[str]:
        """Return the keys that were pressed since the last time: characters, and names of keys. Never waits."""
        if not self.there:
            return []
        return _pressed_on_windows() if sys.platform == "win32" else keys(_waiting())


def keys(text: str) -> list[str]:
    """Return the keys that a terminal has written. A sequence that has no name here is no key."""
    found = [NAMES.get(each, each) for each in SEQUENCE.findall(text)]
    return [key for key in found if not key.startswith("\x1b") and (len(key) > 1 or key.isprintable())]


@contextmanager
def keyboard() -> Iterator[Keyboard]:
    """Read keys without Enter, and without showing them, until the block is left."""
    there = sys.stdin is not None and sys.stdin.isatty()
    if not there or sys.platform == "win32":
        yield Keyboard(there=there)
        return
    import termios
    import tty

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)  # Ctrl-C still interrupts
    try:
        yield Keyboard(there=True)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _waiting() -> str:
    import select

    descriptor = sys.stdin.fileno()
    if not select.select([descriptor], [], [], 0)[0]:
        return ""
    return os.read(descriptor, MOST_BYTES).decode(errors="ignore")


def _pressed_on_windows() -> list[str]:
    found: list[str] = []
    if sys.platform == "win32":
        import msvcrt

        while msvcrt.kbhit():
            character = msvcrt.getwch()
            if character in {"\x00", "\xe0"}:
                if name := WINDOWS.get(msvcrt.getwch()):
                    found.append(name)
            else:
                found += keys(character)
    return found
