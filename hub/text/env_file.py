"""Reads a .env file: names and values, and a sentence with the line's number for a line that cannot be understood.

A line that was skipped could be the one that protects the hub. So nothing is skipped here: `HUB_SECRET="abc` without the second quote
would otherwise be no secret at all, and everyone could read every call. Values are taken as they are: `${x}` in a secret is part of it.

Knows the file's form, by python-dotenv. Does not know which settings there are.
"""

import io
import os
import re
from collections.abc import Collection
from pathlib import Path

from dotenv.parser import Binding, parse_stream

from hub.errors import ConfigError
from hub.text.text_file import read_text

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_CUT = re.compile(r"\s#")
"""What begins a comment behind a value that has no quotes."""

MOST_CHARACTERS = 256 * 1024
"""The longest file. A longer one is no file of settings, and it would be read for minutes."""

_LINE_BREAK = re.compile(r"\r\n|\r|\n")


def read(path: Path, whole: Collection[str] = ()) -> dict[str, str]:
    """Return what a .env file sets; nothing if there is no such file.

    `whole`: names whose values must not be cut. Such a value without quotes, and with ` #` in it, could be a comment's beginning or a part
    of a password. Raises: ConfigError, which quotes no value.
    """
    if path.is_dir() or not os.path.lexists(path):  # a folder of this name is some people's virtual environment
        return {}
    text = read_text(path)
    if len(text) > MOST_CHARACTERS:
        raise ConfigError(str(path), "cannot be read: it is too long for a file of settings")
    given: dict[str, str] = {}
    for binding in parse_stream(io.StringIO(text, newline="")):
        number = binding.original.line + len(_LINE_BREAK.findall(_before(binding)))
        problem = _problem(binding, whole)
        if binding.key is not None and binding.value is not None:
            if binding.key in whole and given.get(binding.key, binding.value) != binding.value:
                problem = f"sets {binding.key}, which an earlier line sets to another value: keep one of them"
            given[binding.key] = binding.value
        if problem is not None:
            raise ConfigError(f"{path}, line {number},", problem)
    return given


def _before(binding: Binding) -> str:
    """Return the blank lines that the parser counts to a binding, though they are before it."""
    written = binding.original.string
    return written[: len(written) - len(written.lstrip())]


def _problem(binding: Binding, whole: Collection[str]) -> str | None:
    """Return what is wrong with a line, without what stands in it; None if it is understood."""
    name, value, written = binding.key, binding.value, binding.original.string.strip()
    if binding.error:
        return "cannot be understood: write NAME=value, and close each quote that you open"
    if name is None:
        return None
    if value is None and not _NAME.fullmatch(name):
        return "has no = in it: write NAME=value"
    if name in whole and value is None:
        return f"has no value for {name}: write {name}=value"
    if _LINE_BREAK.search(written) and (name in whole or re.search(r"^\s*(export\s+)?[A-Z_]+=", written.partition("\n")[2], re.MULTILINE)):
        return f"begins a value of {name} that goes on over the next lines: close the quote"
    right = written.partition("=")[2]
    if name in whole and right.lstrip()[:1] not in {"'", '"'} and _CUT.search(right):
        return f"has ` #` in the value of {name}: put the value between '…', or the comment on a line of its own"
    return None
