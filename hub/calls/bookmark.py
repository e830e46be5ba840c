"""How far a live call is published, for the process that may have to go on with it.

The call's events are in the archive. What they do not say is noted beside them: the account, up to where each track's words are final, and
the call time. A note is stored in the same transaction as the events that were published with it.

Knows one call. Does not know the archive.
"""

from typing import Protocol

import msgspec

from hub.audio.g711 import TRACKS, Track
from hub.events import TranscriberName
from hub.topics.past import Past
from hub.topics.record import Record

NOTE_MS = 5000
"""How often a call is noted while nobody speaks. That bounds how much silence a restart counts as lost."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What the next process has to know of one live call."""

    account_sid: str = ""
    stream_sid: str = ""
    tracks: list[Track] = []
    parameters: dict[str, str] = {}
    """What the first stream brought, without secrets."""
    transcriber: TranscriberName = TranscriberName(provider="", model="")
    at: float = 0.0
    """Unix seconds of the note."""
    call_ms: float = 0.0
    """Call time at that moment."""
    settled_ms: dict[Track, float] = {}
    """Call time up to which each track's words were published as finals."""

    @classmethod
    def read(cls, note: bytes, past: Past, at: float) -> "Entry":
        """Return a note that an earlier process left. Where there is none, the call's events say what can be known.

        `at`: Unix seconds of the newest event.
        """
        try:
            return msgspec.json.decode(note, type=cls)
        except msgspec.DecodeError:
            newest = past.outline.newest
        reached_ms = past.reached_seconds * 1000
        if newest is None:
            return cls(at=at, call_ms=reached_ms)
        return cls(
            stream_sid=newest.stream_sid, tracks=newest.tracks, parameters=newest.parameters, transcriber=newest.transcriber, at=at,
            call_ms=reached_ms, settled_ms=dict.fromkeys(newest.tracks, reached_ms),
        )  # fmt: skip


class Notes(Protocol):
    """Where notes are stored."""

    def note(self, record: Record, note: bytes) -> None:
        """Store how far a live call is published. Never waits."""


class Bookmark:
    """How far one call is published. Without an archive it costs nothing and writes nothing."""

    def __init__(self, notes: Notes | None, record: Record, call_ms: float) -> None:
        """`call_ms`: the call time at which the call begins in this process."""
        self._notes = notes
        self._record = record
        self._entry: Entry | None = None
        """What was last written. None before the first stream."""
        self._settled_ms: dict[Track, float] = dict.fromkeys(TRACKS, call_ms)

    def begin(self, entry: Entry) -> None:
        """Note what a call, or its newest stream, was started with."""
        self._entry = entry
        self._note(entry.call_ms, entry.at)

    def settle(self, track: Track, end_ms: float, call_ms: float, *, published: bool, at: float) -> None:
        """Take note that a track's words are final up to `end_ms`. Stored at once if a final is published, now and then in a pause.

        `at`: Unix seconds.
        """
        self._settled_ms[track] = max(self._settled_ms[track], end_ms)
        if self._entry is not None and (published or call_ms - self._entry.call_ms >= NOTE_MS):
            self._note(call_ms, at)

    def skip(self, track: Track, start_ms: float, end_ms: float) -> None:
        """Take note that a gap is published, so that a restart does not publish the same time as lost once more.

        Where words before the gap are still owed, what is settled stays where it is.
        """
        if self._settled_ms[track] >= start_ms - 1:  # gaps are reported in seconds: 16.109 s are not quite 16,109 ms
            self._settled_ms[track] = max(self._settled_ms[track], end_ms)

    def cut(self, call_ms: float, at: float) -> None:
        """Note that everything before this call time is published, and nothing behind it: there another node goes on."""
        self._settled_ms = dict.fromkeys(TRACKS, call_ms)
        self._note(call_ms, at)

    def leave(self, call_ms: float, published_ms: float | None, at: float) -> None:
        """Leave the call to the next process. `published_ms`: up to where all words are published; None if some are missing."""
        if published_ms is not None:
            self._settled_ms = dict.fromkeys(TRACKS, published_ms)
        self._record.goes_on = self._record.row_due = True
        self._note(call_ms, at)

    def _note(self, call_ms: float, at: float) -> None:
        if self._notes is not None and self._entry is not None:
            self._entry = msgspec.structs.replace(self._entry, call_ms=call_ms, settled_ms=dict(self._settled_ms), at=at)
            self._notes.note(self._record, msgspec.json.encode(self._entry))
