"""Which calls are live, in a file that outlives the process: the next hub process learns from it which calls to take up.

An entry holds what a call was started with, numbers included, and how far it is published. It is written when that changes, and it is gone
from the file when the call ends. A thread of its own writes, so a slow disk delays no call. It writes the newest state of whatever has
changed, so it never falls behind by more than that.

**What is promised after `kill -9`:** what was noted 50 ms before is in the file, if the disk is healthy. A word that a subscriber received
in these last milliseconds can also be covered by the gap that the next process publishes. When the machine itself dies, the newest seconds
may be missing, and the gap begins earlier.

**When the file cannot be written,** calls go on. The log says so once, `/readyz` and the metrics say it for as long as it lasts, and the
thread tries again every second, with everything that is live.

Knows entries. The file is `journal_file`'s.
"""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from hub.audio.g711 import TRACKS, Track
from hub.calls.journal_file import JournalDamaged, JournalError, JournalFile, JournalInUse
from hub.errors import ConfigError
from hub.events import TranscriberName

log = logging.getLogger(__name__)

OLDEST_SECONDS = 24 * 3600.0
"""No call is longer: Twilio ends a call after 4 hours, or after 24 with a special setting."""

NOTE_MS = 5000
"""How often a call is noted while nobody speaks. That bounds how much silence a restart counts as lost."""

REST_SECONDS = 0.01
"""How long the thread rests after each write, at least: what changes meanwhile is written together. It also rests for as long as the write
took, so it never takes more than half of a core."""

RETRY_SECONDS = 1.0
"""How often a file that cannot be written is tried again."""

STOP_SECONDS = 5.0
"""How long a stopping hub waits for a disk that does not answer."""


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


class Journal:
    """The live calls of this process, and the thread that writes them. No method raises or waits for the disk, unless it says so."""

    def __init__(self, path: Path, wall: Callable[[], float]) -> None:
        """Open the file and read it. `wall` is Unix seconds. Raises: ConfigError if another hub holds it or it cannot be written.

        A disk that is full or fails is no reason not to start. The journal is written as soon as it can be.
        """
        self._wall = wall
        self._file = JournalFile(path)
        self.trouble = ""
        """Why the file cannot be written now, in words. Empty while it can."""
        try:
            entries = self._opened()
        except JournalInUse as error:
            problem = f"{path} is used by another hub that is running: stop that one, or give this hub a file of its own"
            raise ConfigError("HUB_JOURNAL", problem) from error
        except JournalError as error:
            self._file.close()
            if not error.disk:
                raise ConfigError("HUB_JOURNAL", f"{path} cannot be written: {error.problem}") from error
            entries = []
        self.left = self._read(entries)
        """The calls that an earlier process left behind."""
        self._live = {entry.call_sid: msgspec.json.encode(entry) for entry in self.left}
        """The newest entry of each live call."""
        self._changed: set[str] = set()
        """Calls whose newest state the thread has yet to write."""
        self._writing: set[str] = set()
        """Calls whose state the thread is writing."""
        self._lock = threading.Lock()
        """Guards the three above that the thread shares with the event loop. Nobody holds it for longer than a copy takes."""
        self._whole = True
        """Whether the file may hold anything, so that all of it must be written anew. Only the thread uses it."""
        self._due = threading.Event()
        self._stopping = threading.Event()
        self._due.set()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    @property
    def unwritten(self) -> int:
        """How many calls' newest state is not in the file yet. It grows while the disk is slow, or cannot be written."""
        with self._lock:
            return len(self._changed | self._writing)

    def keep(self, entry: Entry) -> None:
        """Note the state of a live call. `at` is filled in here."""
        line = msgspec.json.encode(msgspec.structs.replace(entry, at=self._wall()))
        with self._lock:
            self._live[entry.call_sid] = line
            self._changed.add(entry.call_sid)
        self._due.set()

    def drop(self, call_sid: str) -> None:
        """Note that a call is over."""
        with self._lock:
            if self._live.pop(call_sid, None) is None:
                return
            self._changed.add(call_sid)
        self._due.set()

    def age_seconds(self, entry: Entry) -> float:
        """Return how long ago an entry was written. A clock that was put back since makes it 0."""
        return max(0.0, self._wall() - entry.at)

    def close(self) -> None:
        """Write what is not in the file yet, and close it. Waits for the disk, but not for ever."""
        self._stopping.set()
        self._due.set()
        self._thread.join(STOP_SECONDS)
        if self._thread.is_alive():
            log.error("the disk under the journal does not answer, so a restart may not find the newest calls")

    def _opened(self) -> list[object]:
        """Open the file and return its entries. A file that is no journal is out of the way by then. Raises: JournalError."""
        try:
            self._file.open()
            return self._file.read()
        except JournalDamaged:
            self._file.open()
            return []

    def _read(self, entries: list[object]) -> list[Entry]:
        """Return the entries of calls that may still be live, the oldest first."""
        left, unread, now = [], 0, self._wall()
        for line in entries:
            try:
                entry = msgspec.json.decode(line if isinstance(line, bytes) else b"", type=Entry)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                unread += 1
                continue
            if now - entry.at < OLDEST_SECONDS:
                left.append(entry)
        if unread:
            log.warning("%d calls of the journal cannot be read: they are not taken up", unread)
        return sorted(left, key=lambda entry: entry.at)

    def _run(self) -> None:
        """Write what changes, in the journal's own thread, until the journal is closed."""
        while not self._stopping.is_set():
            self._due.wait()
            began = time.monotonic()
            written = self._write()
            self._stopping.wait(max(REST_SECONDS, time.monotonic() - began) if written else RETRY_SECONDS)
        self._write()
        self._file.close()

    def _write(self) -> bool:
        """Write what has changed, or everything after a failure. Return whether it is in the file."""
        try:
            if not self._file.held:  # it, or its folder, was deleted; or it could not be opened yet
                self._whole = True
                self._file.open()
            entries = self._take()
            if entries or self._whole:
                self._file.write(entries, whole=self._whole)
        except JournalError as error:
            if not self.trouble:
                log.error("%s. A restart will not find the newest calls, until it can be written again", error)
            self.trouble, self._whole = error.problem, True
            with self._lock:
                self._changed, self._writing = set(self._live), set()
            self._due.set()
            return False
        if self.trouble:
            log.info("the journal is written again")
        self.trouble, self._whole = "", False
        with self._lock:
            self._writing = set()
        return True

    def _take(self) -> dict[str, bytes | None]:
        """Return the newest entry of each call that changed, or of all live calls. None: the call is over."""
        with self._lock:
            self._due.clear()
            self._writing, self._changed = self._changed, set()
            return {call_sid: self._live.get(call_sid) for call_sid in (self._live if self._whole else self._writing)}


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
