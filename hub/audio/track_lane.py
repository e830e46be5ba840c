"""One track's part of the stereo timeline: audio that has not left yet, the holes in it, and what was counted.

Positions are bytes of call time: milliseconds times 8. Does not know the other track, nor when a block is due.
"""

from collections import deque

from hub.audio import g711
from hub.audio.g711 import BYTES_PER_MS, Track
from hub.audio.late_run import LateRun
from hub.audio.lost import Share

REMEMBERED_HOLES = 256
"""Spans that left as silence and are remembered, per track, to tell late audio from duplicates. Enough for minutes of a bad connection."""

ENDING_MS = 5000
"""A track may end so much earlier than the other one without having lost anything: at the end of a call, one side hangs up first."""

GLITCHES_MS = 1000
"""So much audio with timestamps that cannot be true is a glitch. More of it is lost audio."""

_ENDING, _GLITCHES = ENDING_MS * BYTES_PER_MS, GLITCHES_MS * BYTES_PER_MS


class TrackLane:
    """One track's audio that has not left yet, and its counts. Positions are bytes of call time: milliseconds times 8."""

    __slots__ = (
        "_lead_end", "_run", "_run_end", "data", "dropped_bytes", "earlier", "end", "expected", "filled_bytes", "fresh", "held", "holes",
        "late", "late_bytes", "lead_bytes", "left_holes", "max_skew_bytes", "repeated_bytes", "shift", "told_bytes", "track",
    )  # fmt: skip

    def __init__(self, track: Track) -> None:
        self.track: Track = track
        self.data = bytearray()
        """Audio from the timeline's start on. Holds silence where a hole is."""
        self.fresh: list[bytes] = []
        """Chunks that follow `data` in sequence. Nearly all chunks leave from here, joined once and never copied before."""
        self.end = 0
        """Position after the last byte of this track."""
        self.shift = 0
        """Added to every position of this track: the stream's clock leapt, and the call's did not. 0 while no clock leapt back."""
        self.held: list[tuple[int, bytes]] = []
        """Chunks whose position cannot be believed yet. Empty while the clock is steady."""
        self.late = LateRun()
        """Chunks whose place has left: the track's clock may be behind. Mostly empty."""
        self.expected = False
        """Whether a stream announced this track, or brought audio of it. Silence is not counted for a track that nobody announced."""
        self.holes: list[tuple[int, int]] = []
        """Spans of `data` for which no audio has arrived yet, in order."""
        self.left_holes: deque[tuple[int, int]] = deque(maxlen=REMEMBERED_HOLES)
        """Spans that left as silence, in order: audio for them is late."""
        self.filled_bytes = 0
        """Silence that left in place of missing audio."""
        self.lead_bytes = 0
        """The part of `filled_bytes` before this track's first audio: the other side had not answered, nothing was lost."""
        self.told_bytes = 0
        """The part of `filled_bytes` that a gap tells."""
        self.earlier = Share()
        """What was lost in an earlier part of the call."""
        self.late_bytes = 0
        """Audio that arrived after its place had left as silence."""
        self.repeated_bytes = 0
        """Audio for places that had audio."""
        self.dropped_bytes = 0
        """Audio whose timestamp could not be true."""
        self.max_skew_bytes = 0
        """The furthest that this track was ever behind the other one, when a block was due."""
        self._lead_end = 0
        """Position of the first audio, as far as it is known."""
        self._run = self._run_end = 0
        """Length and end of the newest stretch of silence that left in place of missing audio."""

    @property
    def audio_end(self) -> int:
        """Position after the last audio of this track: `end`, without the silence that was put after it."""
        return self.end - self._run if self._run_end == self.end else self.end

    @property
    def silent(self) -> bool:
        """Whether no audio of this track ever came."""
        return self._lead_end >= self.end

    @property
    def lost_bytes(self) -> int:
        """How much audio was lost: silence between the first audio and the last, or at the end if it is long, or audio that was not used.

        What a gap tells is not counted twice. A track that ends a little before the other one has lost nothing, nor has one of which a few
        chunks had a wrong timestamp: if they were missed elsewhere, there is a hole.
        """
        trailing = self.end - self.audio_end if not self.silent else 0
        ending = trailing if trailing < _ENDING else 0
        dropped = self.dropped_bytes if self.dropped_bytes >= _GLITCHES else 0
        return max(0, self.filled_bytes - self.lead_bytes - ending - self.told_bytes, dropped, self.late_bytes - self.told_bytes)

    @property
    def due_bytes(self) -> int:
        """How much audio there should be, from this track's first audio on, or how much came of a track that has none."""
        return max(self.end - self._lead_end, self.dropped_bytes, self.late_bytes)

    def share(self, behind_bytes: int) -> Share:
        """Return what was lost. `behind_bytes`: how far call time fell behind real time, so that audio was discarded as repeated."""
        if not self.expected or not self.due_bytes:
            return Share()
        discarded = max(0, min(self.repeated_bytes, behind_bytes))
        return Share(self.lost_bytes + discarded, self.due_bytes + discarded)

    def jump(self, position: int) -> None:
        """Go on at a later position, where neither audio nor silence is missing before it."""
        if self._lead_end == self.end:
            self._lead_end = position
        self.end = position

    def left_as_silence(self, start: int, end: int) -> None:
        """Remember and count a span that left without audio."""
        if self.expected:
            self.filled_bytes += end - start
            if start == self._lead_end:
                self.lead_bytes += end - start
        if start == self._lead_end:
            self._lead_end = end
        self._run = end - start + (self._run if start == self._run_end else 0)
        self._run_end = end
        if self.left_holes and self.left_holes[-1][1] == start:
            start = self.left_holes.pop()[0]
        self.left_holes.append((start, end))

    def count_late(self, start: int, end: int) -> int:
        """Count the part of a span that left as silence, once, and return its length.

        The rest left with audio, so it is a duplicate and changes nothing.
        """
        before = self.late_bytes
        kept: list[tuple[int, int]] = []
        for hole_start, hole_end in self.left_holes:
            overlap_start, overlap_end = max(start, hole_start), min(end, hole_end)
            if overlap_start >= overlap_end:
                kept.append((hole_start, hole_end))
                continue
            self.late_bytes += overlap_end - overlap_start
            if hole_start < overlap_start:
                kept.append((hole_start, overlap_start))
            if overlap_end < hole_end:
                kept.append((overlap_end, hole_end))
        self.left_holes = deque(kept, maxlen=REMEMBERED_HOLES)
        return self.late_bytes - before

    def fill(self, origin: int, start: int, payload: bytes) -> None:
        """Put audio into holes. Where there is audio already, the first to arrive stays. `origin`: the position of `data[0]`."""
        self._gather()
        end = start + len(payload)
        kept: list[tuple[int, int]] = []
        for hole_start, hole_end in self.holes:
            overlap_start, overlap_end = max(start, hole_start), min(end, hole_end)
            if overlap_start >= overlap_end:
                kept.append((hole_start, hole_end))
                continue
            self.data[overlap_start - origin : overlap_end - origin] = payload[overlap_start - start : overlap_end - start]
            if hole_start < overlap_start:
                kept.append((hole_start, overlap_start))
            if overlap_end < hole_end:
                kept.append((overlap_end, hole_end))
        self.holes = kept

    def append(self, start: int, payload: bytes) -> None:
        """Add audio at the end or after it. In the second case, a hole lies before it."""
        if start > self.end:
            self.holes.append((self.end, start))
            self.fresh.append(g711.silence(start - self.end))
        self.fresh.append(payload)
        self.end = start + len(payload)

    def take(self, start: int, size: int) -> bytes:
        """Remove and return `size` bytes that begin at position `start`. Missing audio is silence."""
        end = start + size
        if self.end == end and not self.data and not self.holes:
            taken = b"".join(self.fresh)
            self.fresh.clear()
            return taken
        self._gather()
        while self.holes and self.holes[0][0] < end:
            hole_start, hole_end = self.holes.pop(0)
            self.left_as_silence(hole_start, min(hole_end, end))
            if hole_end > end:
                self.holes.insert(0, (end, hole_end))
        if self.end >= end:
            taken = bytes(self.data[:size])
            del self.data[:size]
            return taken
        taken = bytes(self.data) + g711.silence(end - max(self.end, start))
        self.left_as_silence(max(self.end, start), end)
        self.data.clear()
        self.end = end
        return taken

    def _gather(self) -> None:
        self.data += b"".join(self.fresh)
        self.fresh.clear()
