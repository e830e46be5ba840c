"""Reads files that people write with any editor. Knows encodings. Does not know what the text means."""

import codecs
from pathlib import Path

from hub.errors import ConfigError

_MARKED_ENCODINGS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
"""The encodings that say in their first bytes what they are. Notepad and PowerShell on Windows write all of them."""


def read_text(path: Path) -> str:
    """Return the text of a file in UTF-8, or in UTF-16 that says so, with line breaks as they are.

    Raises: ConfigError, which names the file and, for another encoding, the line.
    """
    try:
        written = path.read_bytes()
    except OSError as error:
        raise ConfigError(str(path), f"cannot be read: {error.strerror or error}") from error
    encoding = next((name for mark, name in _MARKED_ENCODINGS if written.startswith(mark)), "utf-8")
    try:
        text = written.decode(encoding)
    except UnicodeDecodeError as error:
        line = written[: error.start].decode(encoding, "replace").count("\n") + 1
        raise ConfigError(str(path), f"cannot be read: line {line} is not text in UTF-8; save the file in this encoding") from error
    if "\0" in text:
        raise ConfigError(str(path), "cannot be read: it is not text in UTF-8; save the file in this encoding")
    return text
