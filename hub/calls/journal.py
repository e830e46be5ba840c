"""Which calls are live, in a file that outlives the process: a hub that is started anew learns from it which calls to take up again.

A line of JSON for each change; the last line about a call counts. Appended to the page cache, which the death of a process leaves alone
(that of the machine does not: then the newest lines may be missing, and a gap begins earlier). It holds what calls were started with,
numbers included, for as long as they live; only its owner can read it. Knows files and no calls.
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
"""No call is longer: Twilio ends one after 4 hours, 24 with a special setting."""

NOTE_MS = 5000
"""In a pause the journal is told so often how far a call is: that bounds how much silence a restart counts as lost."""

MOST_BYTES = 1024 * 1024
"""Written beyond what the live calls need before the file is written anew: thousands of lines, milliseconds to write."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One live call."""

    call_sid: str
    account_sid: str = ""
    stream_sid: str = ""
    tracks: list[Track] = []
    parameters: dict[str, str] = {}
    """What its first stream brought, without secrets."""
    transcriber: TranscriberName = TranscriberName(provider="", model="")
    at: float = 0.0
    """Unix seconds at which this was written."""
    call_ms: float = 0.0
    """Call time then."""
    settled_ms: dict[Track, float] = {}
    """Call time up to which each track's words were told for good."""
    over: bool = False


class Journal:
    """The file. Writing never waits for anything but the page cache, and never raises: a full disk must not end a call."""

    def __init__(self, path: Path, wall: Callable[[], float]) -> None:
        """Open the file, or make it. `wall` is Unix seconds. Raises: ConfigError."""
        self._path = path
        self._wall = wall
        self._live: dict[str, bytes] = {}
        """The newest line about each live call."""
        self._written = 0
        """Bytes since the file was written anew."""
        self._file: int | None = None
        """None when it cannot be written to."""
        try:
            self.left = self._read()
            """The calls that a process before this one left behind."""
            self._rewrite()
        except OSError as error:
            raise ConfigError("HUB_JOURNAL", f"{path} cannot be written: {error.strerror or error}") from error

    def keep(self, entry: Entry) -> None:
        """Note the state of a live call. `at` is filled here."""
        line = msgspec.json.encode(msgspec.structs.replace(entry, at=self._wall())) + b"\n"
        self._live[entry.call_sid] = line
        self._append(line)

    def drop(self, call_sid: str) -> None:
        """Note that a call is over."""
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
            except (msgspec.DecodeError, UnicodeDecodeError):  # the last line of a process that was killed while it wrote
                continue
            entries.pop(entry.call_sid, None)
            if not entry.over:
                entries[entry.call_sid] = entry
        now = self._wall()
        left = [entry for entry in entries.values() if now - entry.at < OLDEST_SECONDS]
        self._live = {entry.call_sid: msgspec.json.encode(entry) + b"\n" for entry in left}
        return left

    def _rewrite(self) -> None:
        """Write a new file with the live calls only, and put it in place of the old one."""
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
    """How far one call is told. Without a journal it costs nothing and notes nothing."""

    def __init__(self, journal: Journal | None, call_ms: float) -> None:
        """`call_ms`: the call time at which the call begins, here."""
        self._journal = journal
        self._entry: Entry | None = None
        """As noted last; None before the first stream."""
        self._settled_ms: dict[Track, float] = dict.fromkeys(TRACKS, call_ms)

    def begin(self, entry: Entry) -> None:
        """Note what a call was started with, now or anew."""
        self._entry = entry
        self._note(entry.call_ms)

    def settle(self, track: Track, end_ms: float, call_ms: float, *, told: bool) -> None:
        """Take note that a track's words are told up to `end_ms`: at once when some were told, now and then in a pause."""
        self._settled_ms[track] = max(self._settled_ms[track], end_ms)
        if self._entry is not None and (told or call_ms - self._entry.call_ms >= NOTE_MS):
            self._note(call_ms)

    def leave(self, call_ms: float, told_ms: float | None) -> None:
        """Leave the call to the next hub. `told_ms`: up to where all words are told, where all are; else None."""
        if told_ms is not None:
            self._settled_ms = dict.fromkeys(TRACKS, told_ms)
        self._note(call_ms)

    def end(self) -> None:
        """Note that the call is over."""
        if self._journal is not None and self._entry is not None:
            self._journal.drop(self._entry.call_sid)

    def _note(self, call_ms: float) -> None:
        if self._journal is not None and self._entry is not None:
            self._entry = msgspec.structs.replace(self._entry, call_ms=call_ms, settled_ms=dict(self._settled_ms))
            self._journal.keep(self._entry)
