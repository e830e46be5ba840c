"""Which calls are live, in a file that outlives the process: the next hub process learns from it which calls to take up.

Each change is one line of JSON; the last line about a call counts. Lines are appended to the page cache, which survives the death of a
process. It does not survive the death of the machine: then the newest lines may be missing, and a gap begins earlier. The file holds what
calls were started with, numbers included, for as long as the calls live, and only its owner can read it. Knows files and no calls.
"""

import logging
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from hub.audio.g711 import TRACKS, Track
from hub.errors import ConfigError
from hub.events import TranscriberName

log = logging.getLogger(__name__)

OLDEST_SECONDS = 24 * 3600.0
"""No call is longer: Twilio ends a call after 4 hours, or after 24 with a special setting."""

NOTE_MS = 5000
"""How often a call is noted while nobody speaks. That bounds how much silence a restart counts as lost."""

MOST_BYTES = 1024 * 1024
"""How much is appended before the file is rewritten with the live calls only: thousands of lines, which take milliseconds to write."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One live call."""

    call_sid: str
    account_sid: str = ""
    stream_sid: str = ""
    tracks: list[Track] = []
    parameters: dict[str, str] = {}
    """What the first stream brought, without secrets."""
    transcriber: TranscriberName = TranscriberName(provider="", model="")
    at: float = 0.0
    """Unix seconds at which the entry was written."""
    call_ms: float = 0.0
    """Call time at that moment."""
    settled_ms: dict[Track, float] = {}
    """Call time up to which each track's words were published as finals."""
    over: bool = False


class Journal:
    """The file. Writing waits for nothing but the page cache, and never raises: a full disk must not end a call."""

    def __init__(self, path: Path, wall: Callable[[], float]) -> None:
        """Open the file, or create it. `wall` is Unix seconds. Raises: ConfigError if the file cannot be written."""
        self._path = path
        self._wall = wall
        self._live: dict[str, bytes] = {}
        """The newest line about each live call."""
        self._written = 0
        """Bytes appended since the file was last rewritten."""
        self._file: int | None = None
        """File descriptor. None when the file cannot be written."""
        try:
            self.left = self._read()
            """The calls that an earlier process left behind."""
            self._rewrite()
        except OSError as error:
            raise ConfigError("HUB_JOURNAL", f"{path} cannot be written: {error.strerror or error}") from error

    def keep(self, entry: Entry) -> None:
        """Write down the state of a live call. `at` is filled in here."""
        line = msgspec.json.encode(msgspec.structs.replace(entry, at=self._wall())) + b"\n"
        self._live[entry.call_sid] = line
        self._append(line)

    def drop(self, call_sid: str) -> None:
        """Write down that a call is over."""
        if self._live.pop(call_sid, None) is not None:
            self._append(msgspec.json.encode(Entry(call_sid=call_sid, over=True)) + b"\n")

    def age_seconds(self, entry: Entry) -> float:
        """Return how long ago an entry was written."""
        return max(0.0, self._wall() - entry.at)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _read(self) -> list[Entry]:
        entries: dict[str, Entry] = {}
        for line in self._path.read_bytes().splitlines() if self._path.exists() else ():
            try:
                entry = msgspec.json.decode(line, type=Entry)
            except (msgspec.DecodeError, UnicodeDecodeError):  # the last line of a process that was killed while it was writing
                continue
            entries.pop(entry.call_sid, None)
            if not entry.over:
                entries[entry.call_sid] = entry
        now = self._wall()
        left = [entry for entry in entries.values() if now - entry.at < OLDEST_SECONDS]
        self._live = {entry.call_sid: msgspec.json.encode(entry) + b"\n" for entry in left}
        return left

    def _rewrite(self) -> None:
        """Write a new file with the live calls only, and put it in the place of the old one."""
        beside = self._path.with_name(self._path.name + ".new")
        file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        try:
            os.write(file, b"".join(self._live.values()))
            os.replace(beside, self._path)
        except OSError:
            os.close(file)
            raise
        self.close()
        self._file, self._written = file, 0

    def _append(self, line: bytes) -> None:
        if self._file is None:
            return
        try:
            os.write(self._file, line)
            self._written += len(line)
            if self._written > MOST_BYTES:
                self._rewrite()
        except OSError as error:
            log.error("the journal cannot be written, so a restart will not find these calls: %s", error.strerror or error)
            self.close()


class Bookmark:
    """How far one call is published. Without a journal it costs nothing and writes nothing."""

    def __init__(self, journal: Journal | None, call_ms: float) -> None:
        """`call_ms`: the call time at which the call begins in this process."""
        self._journal = journal
        self._entry: Entry | None = None
        """What was last written. None before the first stream."""
        self._settled_ms: dict[Track, float] = dict.fromkeys(TRACKS, call_ms)

    def begin(self, entry: Entry) -> None:
        """Write down what a call, or its newest stream, was started with."""
        self._entry = entry
        self._note(entry.call_ms)

    def settle(self, track: Track, end_ms: float, call_ms: float, *, published: bool) -> None:
        """Take note that a track's words are final up to `end_ms`. Written at once if a final is published, now and then in a pause."""
        self._settled_ms[track] = max(self._settled_ms[track], end_ms)
        if self._entry is not None and (published or call_ms - self._entry.call_ms >= NOTE_MS):
            self._note(call_ms)

    def leave(self, call_ms: float, published_ms: float | None) -> None:
        """Leave the call to the next process. `published_ms`: up to where all words are published; None if some are missing."""
        if published_ms is not None:
            self._settled_ms = dict.fromkeys(TRACKS, published_ms)
        self._note(call_ms)

    def end(self) -> None:
        """Write down that the call is over."""
        if self._journal is not None and self._entry is not None:
            self._journal.drop(self._entry.call_sid)

    def _note(self, call_ms: float) -> None:
        if self._journal is not None and self._entry is not None:
            self._entry = msgspec.structs.replace(self._entry, call_ms=call_ms, settled_ms=dict(self._settled_ms))
            self._journal.keep(self._entry)
