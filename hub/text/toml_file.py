"""Reads TOML that people write, and finds the line that is wrong in it. Pure. Does not know what the values mean."""

import re
import tomllib
from collections.abc import Iterator
from typing import Any

MOST_CHARACTERS = 1_000_000
"""A larger file is not one that somebody wrote."""

_LINE = re.compile(r" \(at line (\d+), column \d+\)$")


class TomlError(ValueError):
    """A file is no TOML, or says what it may not. The text is one sentence that begins with the line, to stand after the file's name."""

    def __init__(self, line: int | None, problem: str) -> None:
        """`line`: counted from 1. None where it is not about one line."""
        super().__init__(problem if line is None else f"line {line}: {problem}")


def read_toml(text: str) -> dict[str, Any]:
    """Return what stands in a TOML file. Raises: TomlError."""
    if len(text) > MOST_CHARACTERS:
        raise TomlError(None, f"has more than {MOST_CHARACTERS} characters")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _LINE.search(str(error))
        line = int(found[1]) if found else text.count("\n") + 1
        raise TomlError(line, f"this is not TOML: {_LINE.sub('', str(error)).removesuffix(' (at end of document)')}") from error
    except RecursionError as error:
        raise TomlError(None, "has too many brackets inside each other") from error
    except ValueError as error:  # a number of thousands of digits
        raise TomlError(None, f"is not TOML: {error}") from error


class Places:
    """Finds the line in which something stands. For people: a line inside a multi-line string can be taken for another one."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()

    def of(self, table: str, field: str = "", value: str = "") -> int | None:
        """Return the line of a table's header, or of one of its fields, or of a value in that field. None where it is not found.

        `table`: the last name in the header.
        """
        at = next((at for at, line in enumerate(self._lines) if _header(line)[-1:] == (table,)), None)
        if at is None:
            return next((at for at, line in enumerate(self._lines, 1) if table in line), None)
        if field:
            at = next((further for further in self._inside(at) if _is_key(self._lines[further], field)), at)
        if value:
            at = next((further for further in (at, *self._inside(at)) if value in self._lines[further]), at)
        return at + 1

    def of_key(self, key: str) -> int | None:
        """Return the line of a key or a table of the file itself."""
        found = (at for at, line in enumerate(self._lines, 1) if _is_key(line, key) or _header(line)[:1] == (key,))
        return next(found, None)

    def _inside(self, header: int) -> Iterator[int]:
        for at in range(header + 1, len(self._lines)):
            if _header(self._lines[at]):
                return
            yield at


def _is_key(line: str, key: str) -> bool:
    """Return whether a line gives a key its value."""
    return re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[.=]", line) is not None


def _header(line: str) -> tuple[str, ...]:
    """Return the names in the header of a table, such as `rules` and `cancel` of `[rules.cancel]`. Empty if a line is no header."""
    if not line.lstrip().startswith("["):
        return ()
    try:
        table: Any = tomllib.loads(line)
    except (ValueError, RecursionError):
        return ()
    names = []
    while isinstance(table, dict) and table:
        name, table = next(iter(table.items()))
        names.append(name)
    return tuple(names)
