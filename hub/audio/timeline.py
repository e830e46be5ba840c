"""Takes the chunks of two tracks and returns aligned stereo blocks. Pure, and knows media time only.

A chunk is placed by its timestamp (8 bytes per millisecond). What is missing becomes mu-law silence, and both tracks of a block have the
same length, so the tracks cannot drift apart: a second that was lost on one side does not move what that side says later before the other
side's question. Knows no clock, no provider and no Twilio message.
"""

from collections import Counter, deque

import msgspec

from hub.audio import g711
from hub.audio.g711 import BYTES_PER_MS, Track

BLOCK_MS = 100
"""Providers ask for 50-250 ms per message (Deepgram about 100, AssemblyAI at least 50). This wakes the loop less often than Twilio's
20 ms do, and delays little."""

PATIENCE_MS = 200
"""How far one track may be ahead before a block leaves without the other's audio. Twilio's bursts were seen up to 233 ms apart without
loss, but on both tracks at once. A track that stays behind longer is silent, ringing or lost, and the other must not wait for it."""

LEAP_MS = 10_000
"""A chunk that is further ahead of all audio so far is not believed at once: to fill up to it would cost memory for one bad timestamp."""

LEAP_CHUNKS = 5
"""How many chunks in a row must agree before the clock leaps: 50-100 ms of audio, more than a glitch and less than anyone would miss."""

CALL_MS = 24 * 3600 * 1000
"""No call is longer: Twilio ends a call after 4 hours, or 24 with a special setting. A later timestamp is never believed."""

REMEMBERED_HOLES = 256
"""How many silences that left in blocks are remembered, to distinguish late audio from duplicates. Minutes in practice."""

_BLOCK = BLOCK_MS * BYTES_PER_MS
_PATIENCE = PATIENCE_MS * BYTES_PER_MS
_LEAP = LEAP_MS * BYTES_PER_MS
_CALL = CALL_MS * BYTES_PER_MS


class Block(msgspec.Struct, frozen=True, gc=False):
    """Both tracks between `start_ms` and `start_ms + len/8`, mu-law 8 kHz, always of the same length.

    `start_ms` is call time. Blocks follow one another without a hole, except after a leap of the stream's own clock. The last block of a
    call, or before a leap, may be shorter than BLOCK_MS. A struct, because ten are made per second and call.
    """

    start_ms: float
    inbound: bytes
    outbound: bytes

    @property
    def end_ms(self) -> float:
        """Call time at which this block ends."""
        return self.start_ms + len(self.inbound) / BYTES_PER_MS

    def track(self, name: Track) -> bytes:
        """Return one track's mu-law bytes."""
        return self.inbound if name == "inbound" else self.outbound

    def stereo(self) -> bytes:
        """Return both tracks interleaved, inbound left."""
        return g711.interleaved(self.inbound, self.outbound)


class TrackTimeline:
    """The audio of one track that has not left in a block, and what was counted on the way. Positions are bytes of call time."""

    __slots__ = ("data", "dropped_bytes", "end", "expected", "filled_bytes", "fresh", "holes", "late_bytes", "left_holes", "max_skew_bytes")

    def __init__(self) -> None:
        self.data = bytearray()
        """From the timeline's start, with silence where a hole is."""
        self.fresh: list[bytes] = []
        """Chunks that follow `data` in sequence. Nearly all of them leave together: joined once, and never copied before."""
        self.end = 0
        """Position after the last byte."""
        self.expected = False
        """Whether the stream said, or showed, that it carries this track. Silence of a track that nobody promised is not counted."""
        self.holes: list[tuple[int, int]] = []
        """Spans of `data` for which no audio has come, in order."""
        self.left_holes: deque[tuple[int, int]] = deque(maxlen=REMEMBERED_HOLES)
        """Spans that left in blocks as silence: audio for them is late."""
        self.filled_bytes = 0
        self.late_bytes = 0
        self.dropped_bytes = 0
        self.max_skew_bytes = 0

    def left_as_silence(self, start: int, end: int) -> None:
        """Remember and count a span that left without audio."""
        if self.expected:
            self.filled_bytes += end - start
        if self.left_holes and self.left_holes[-1][1] == start:
            start = self.left_holes.pop()[0]
        self.left_holes.append((start, end))

    def count_late(self, start: int, end: int) -> None:
        """Count as late the part of a span that left as silence. The rest had audio, so it is a duplicate and changes nothing."""
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

    def fill(self, origin: int, start: int, payload: bytes) -> None:
        """Put audio where holes are. Audio that came first stays. `origin` is the position of `data[0]`."""
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
        """Add audio at or after the end. Leave a hole where it does not follow."""
        if start > self.end:
            self.holes.append((self.end, start))
            self.fresh.append(g711.silence(start - self.end))
        self.fresh.append(payload)
        self.end = start + len(payload)

    def take(self, start: int, size: int) -> bytes:
        """Remove and return the `size` bytes that begin at position `start`, padded with silence."""
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


class StereoTimeline:
    """Aligns the two tracks of a call. `add` chunks in any order, fetch `blocks`, and `finish` at the end."""

    # Slots here, and wherever else every frame passes: the less memory a frame touches, the less time it waits for memory.
    __slots__ = ("_due", "_leap", "_left", "_ready", "_right", "_start", "lanes", "leaps")

    def __init__(self) -> None:
        self.lanes: dict[Track, TrackTimeline] = {"inbound": TrackTimeline(), "outbound": TrackTimeline()}
        self._left, self._right = self.lanes["inbound"], self.lanes["outbound"]
        self._start = 0
        """Position of the first byte, of both tracks, that has not left."""
        self._due = _BLOCK
        """Position at which the next block ends."""
        self._ready: list[Block] = []
        """Blocks that were not fetched yet."""
        self._leap: list[tuple[TrackTimeline, int, bytes]] = []
        """Chunks that are too far ahead to be believed alone. Empty while the clock is calm."""
        self.leaps: list[tuple[float, float]] = []
        """Spans of call time, in ms, that the stream's clock leapt over. The reader clears them."""

    @property
    def end_ms(self) -> float:
        """Call time up to which there is audio of any track."""
        return max(self._left.end, self._right.end) / BYTES_PER_MS

    def amiss_bytes(self) -> Counter[tuple[Track, str]]:
        """Return how many bytes of each track were `filled`, `late` or `dropped` so far."""
        counted: Counter[tuple[Track, str]] = Counter()
        for track, lane in self.lanes.items():
            counted[track, "filled"] = lane.filled_bytes
            counted[track, "late"] = lane.late_bytes
            counted[track, "dropped"] = lane.dropped_bytes
        return counted

    def expect(self, tracks: list[Track]) -> None:
        """Say which tracks a stream carries. A block does not wait for a track that nobody promised."""
        for track in tracks:
            self.lanes[track].expected = True

    def add(self, track: Track, at_ms: int, payload: bytes) -> bool:
        """Place one chunk of mu-law that begins at `at_ms` of call time. Return whether blocks are ready to be fetched."""
        lane = self.lanes[track]
        start = at_ms * BYTES_PER_MS
        if start == lane.end and not self._leap and lane.expected:  # in sequence, as nearly all chunks are
            lane.fresh.append(payload)
            lane.end = start + len(payload)
        elif payload:
            self._place(lane, start, payload)
        if lane.end >= self._due:
            self._emit()
        return bool(self._ready)

    def blocks(self) -> list[Block]:
        """Return the blocks that became ready since the last time, in order."""
        ready, self._ready = self._ready, []
        return ready

    def finish(self) -> list[Block]:
        """Pad both tracks to the same length and return the rest, to the last byte. More chunks may follow."""
        for lane, _, payload in self._leap:
            lane.dropped_bytes += len(payload)
        self._leap.clear()
        self._flush()
        return self.blocks()

    def skip_to(self, at_ms: float) -> None:
        """Go on at a later call time, with no audio for the time between. Audio from before is ready as blocks. Never goes back."""
        self._flush()
        self._jump(max(self._start, round(at_ms * BYTES_PER_MS)))

    def _jump(self, position: int) -> None:
        self._start = position
        self._due = position + _BLOCK
        for lane in self.lanes.values():
            lane.end = position

    def _place(self, lane: TrackTimeline, start: int, payload: bytes) -> None:
        furthest = max(self._left.end, self._right.end)
        if start < 0 or start > _CALL:
            lane.dropped_bytes += len(payload)
            return
        if start > furthest + _LEAP:
            self._consider_leap(lane, start, payload)
            return
        if self._leap:
            for other, _, kept in self._leap:
                other.dropped_bytes += len(kept)
            self._leap.clear()
        lane.expected = True
        if start < self._start:
            lane.count_late(start, min(start + len(payload), self._start))
            payload = payload[self._start - start :]
            start = self._start
        if start < lane.end and payload:
            if lane.holes:
                lane.fill(self._start, start, payload[: lane.end - start])
            payload = payload[lane.end - start :]
            start = lane.end
        if payload:
            lane.append(start, payload)

    def _consider_leap(self, lane: TrackTimeline, start: int, payload: bytes) -> None:
        """Believe a timestamp far ahead when several chunks in a row agree. Then go on there, without blocks for the time between."""
        if self._leap and abs(start - self._leap[0][1]) > _LEAP:
            for other, _, kept in self._leap:
                other.dropped_bytes += len(kept)
            self._leap.clear()
        self._leap.append((lane, start, payload))
        if len(self._leap) < LEAP_CHUNKS:
            return
        believed, self._leap = self._leap, []
        self._flush()
        before = self._start
        self._jump(min(at for _, at, _ in believed))
        self.leaps.append((before / BYTES_PER_MS, self._start / BYTES_PER_MS))
        for each, at, kept in believed:
            self._place(each, at, kept)

    def _emit(self) -> None:
        left, right = self._left, self._right
        while True:
            further = max(left.end, right.end)
            if further < self._due:
                return
            for lane, other in ((left, right), (right, left)):
                if other.end - lane.end > lane.max_skew_bytes and lane.expected:
                    lane.max_skew_bytes = other.end - lane.end
                if further < self._due + _PATIENCE and lane.expected and (lane.end < self._due or self._has_hole(lane)):
                    return
            self._leave(_BLOCK)

    def _has_hole(self, lane: TrackTimeline) -> bool:
        return bool(lane.holes) and lane.holes[0][0] < self._due

    def _flush(self) -> None:
        end = max(self._left.end, self._right.end)
        while self._start < end:
            self._leave(min(_BLOCK, end - self._start))

    def _leave(self, size: int) -> None:
        start = self._start
        self._ready.append(Block(start / BYTES_PER_MS, self._left.take(start, size), self._right.take(start, size)))
        self._start += size
        self._due = self._start + _BLOCK
