"""The spool: the directory in which recordings lie until the store has them.

A call has several files where it came back after its end, or after the hub was started again. Each is a *part*: it begins at the call
time of its first block, and where parts overlap, the one that begins later counts. Their names have the callSid and the moment at which
they were begun.

Knows names and files. Does not know who writes them (`spool_thread.py`), nor the store.
"""

import itertools
import os
import re
import time
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from hub.audio.g711 import silence
from hub.recordings.wav import FRAME_BYTES, HEADER_BYTES, WavSpan, span

STEP_BYTES = 160 * 1024
"""Sound that is read at once: ten seconds of both tracks."""

_FILE = re.compile(r"(?P<name>[\w%-]+)\.(?P<number>\d{13,})\.wav")


class SpoolPart(NamedTuple):
    """A file of the spool."""

    path: Path
    span: WavSpan


class Piece(NamedTuple):
    """Frames of a call that lie in one file, or that are silence, where `part` is None. Behind `end` is the next piece."""

    part: SpoolPart | None
    start: int
    end: int


class Spool:
    """A directory of recordings. It is there. Methods block, except `new_path`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._last = 0
        """The number of the file that was begun last."""

    def new_path(self, call_sid: str) -> Path:
        """Return the path of a new part of a call."""
        self._last = max(self._last + 1, time.time_ns() // 1_000_000)
        return self.directory / f"{file_name(call_sid)}.{self._last:013d}.wav"

    def calls(self) -> list[str]:
        """Return the callSids that have parts here."""
        found = (_FILE.fullmatch(path.name) for path in sorted(self.directory.iterdir()))
        return list(dict.fromkeys(call_sid_of(each["name"]) for each in found if each))

    def parts(self, call_sid: str) -> list[SpoolPart]:
        """Return a call's parts, in the order of call time. A file that holds no frame is none."""
        found = []
        for path in sorted(self.directory.glob(f"{file_name(call_sid)}.*.wav")):
            with suppress(FileNotFoundError), open(path, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                held = span(file.read(HEADER_BYTES), size)
                if held is not None and held.start < held.end:
                    found.append(SpoolPart(path, held))
        return sorted(found, key=lambda part: part.span.start)

    def beside(self, call_sid: str, ending: str) -> Path:
        """Return the path of a file about a call that is no part of it."""
        return self.directory / f"{file_name(call_sid)}.{ending}"

    def remove(self, call_sid: str) -> None:
        """Remove every file of a call."""
        for path in self.directory.glob(f"{file_name(call_sid)}.*"):
            path.unlink(missing_ok=True)


def newest(parts: list[SpoolPart]) -> str:
    """Return what tells these parts of a call from fewer or more of them: the number of the part that was begun last."""
    return max(part.path.stem.rpartition(".")[2] for part in parts)


def pieces(parts: list[SpoolPart]) -> list[Piece]:
    """Return what makes up a call from its first frame on: parts, which are given in order, and silence where there is none. Pure."""
    cuts = sorted({0, *(cut for part in parts for cut in part.span)})
    made: list[Piece] = []
    for start, end in itertools.pairwise(cuts):
        newest = next((part for part in reversed(parts) if part.span.start <= start and end <= part.span.end), None)
        if made and made[-1].part is newest:
            made[-1] = made[-1]._replace(end=end)
        else:
            made.append(Piece(newest, start, end))
    return made


def sound(piece: Piece, file: BinaryIO | None = None) -> Iterator[bytes]:
    """Yield a piece's mu-law, both tracks in turn, with silence where its file ends too early. Raises: OSError.

    `file`: its part, if that is open already.
    """
    left = (piece.end - piece.start) * FRAME_BYTES
    if piece.part is not None:
        with open(piece.part.path, "rb") if file is None else nullcontext(file) as opened:
            opened.seek(HEADER_BYTES + (piece.start - piece.part.span.start) * FRAME_BYTES)
            while left and (mulaw := opened.read(min(left, STEP_BYTES))):
                left -= len(mulaw)
                yield mulaw
    while left > 0:
        size = min(left, STEP_BYTES)
        left -= size
        yield silence(size)


def file_name(call_sid: str) -> str:
    """Return a callSid as the beginning of a file's name, which is never a path: all but letters, digits, `_` and `-` becomes %XX."""
    return "".join(
        chr(byte) if chr(byte).isascii() and (chr(byte).isalnum() or byte in b"_-") else f"%{byte:02X}" for byte in call_sid.encode()
    )


def call_sid_of(name: str) -> str:
    """Return the callSid that `file_name` made this of."""
    return re.sub(r"(?:%[0-9A-F]{2})+", lambda run: bytes.fromhex(run[0].replace("%", "")).decode(errors="replace"), name)
