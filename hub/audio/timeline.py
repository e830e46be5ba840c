"""The stereo timeline: chunks of two tracks in, aligned stereo blocks out. Pure; the only time it knows is media time.

A chunk is placed by its timestamp, at 8 bytes per millisecond. What is missing becomes mu-law silence, and both tracks of a block have the
same length. So the tracks cannot drift apart, whatever the network does: audio that arrives early, late or twice changes when a block
leaves, never where a sample lies.

**Patience: how long a block waits.** A block leaves as soon as both tracks cover it. If one track stays behind, the block leaves when the
other one is 200 ms past its end, with silence in place of what is missing. Waiting without a bound is the mistake to avoid. On a call that
rings, goes to voicemail or is on hold only one side has audio, so nothing would reach the provider, and Deepgram ends a session after 10 s
without audio. Patience counts audio, not clock time: if nothing at all arrives, nothing is padded, and what was only delayed is whole.

**Late or duplicate.** Audio for a place that has already left is one of two things. If the place left as silence, the audio is *late*: it
is lost to the transcript and counted. If the place left with audio, it is a *duplicate* (a network sends a packet twice, or two streams of
a call overlap), and it changes nothing. So the timeline remembers which spans left as silence. Example: 40-60 ms is missing, the block
leaves, then 40-60 ms arrives: 20 ms late. It arrives once more: a duplicate now, since its span was taken off the list.

**A leap of the clock.** A timestamp far ahead of all audio so far may be a glitch, or the stream's clock may really have jumped. Trusting
one bad timestamp would fill minutes with silence; never trusting any would discard the rest of the call. So a chunk more than 10 s ahead is
held, and counts only if five such chunks in a row agree with each other. Then the timeline jumps to them without emitting what lies
between, and notes the span in `leaps`, so that the call can publish a gap. One chunk at the old time in between shows that the clock did
not jump: the held chunks are counted as dropped.

Does not know clocks, providers or Twilio's messages.
"""

from collections import Counter, deque

import msgspec

from hub.audio import g711
from hub.audio.g711 import BYTES_PER_MS, Track

BLOCK_MS = 100
"""The length of a block. Providers ask for 50-250 ms per message (Deepgram about 100, AssemblyAI at least 50). It means fewer messages than
Twilio's 20 ms, and adds little delay."""

PATIENCE_MS = 200
"""How far the further track may be past the end of a block before the block leaves without the other track. Bursts from Twilio were seen up
to 233 ms apart without loss, but on both tracks at once. A track that stays behind for longer is silent, ringing or lost."""

LEAP_MS = 10_000
"""A chunk further ahead of all audio so far is held, not placed: filling the space before it would cost memory for one bad timestamp."""

LEAP_CHUNKS = 5
"""How many held chunks in a row must agree before the clock leaps: 50-100 ms of audio, more than a glitch and less than anyone misses."""

CALL_MS = 24 * 3600 * 1000
"""The longest call: Twilio ends a call after 4 hours, or after 24 by a special setting. Chunks with later timestamps are dropped."""

REMEMBERED_HOLES = 256
"""Spans that left as silence and are remembered, per track, to tell late audio from duplicates. Enough for minutes of a bad connection."""

_BLOCK = BLOCK_MS * BYTES_PER_MS
_PATIENCE = PATIENCE_MS * BYTES_PER_MS
_LEAP = LEAP_MS * BYTES_PER_MS
_CALL = CALL_MS * BYTES_PER_MS


class Block(msgspec.Struct, frozen=True, gc=False):
    """Both tracks from `start_ms` of call time on, mu-law at 8 kHz, of equal length.

    Blocks follow one another without a hole, except after a leap. The last block of a call, and the last one before a leap, may be shorter
    than BLOCK_MS. A msgspec struct, because ten are made per second and call.
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
        """Return both tracks interleaved, inbound on the left."""
        return g711.interleaved(self.inbound, self.outbound)


class TrackLane:
    """One track's audio that has not left yet, and its counts. Positions are bytes of call time: milliseconds times 8."""

    __slots__ = ("data", "dropped_bytes", "end", "expected", "filled_bytes", "fresh", "holes", "late_bytes", "left_holes", "max_skew_bytes")

    def __init__(self) -> None:
        self.data = bytearray()
        """Audio from the timeline's start on. Holds silence where a hole is."""
        self.fresh: list[bytes] = []
        """Chunks that follow `data` in sequence. Nearly all chunks leave from here, joined once and never copied before."""
        self.end = 0
        """Position after the last byte of this track."""
        self.expected = False
        """Whether a stream announced this track, or brought audio of it. Silence is not counted for a track that nobody announced."""
        self.holes: list[tuple[int, int]] = []
        """Spans of `data` for which no audio has arrived yet, in order."""
        self.left_holes: deque[tuple[int, int]] = deque(maxlen=REMEMBERED_HOLES)
        """Spans that left as silence, in order: audio for them is late."""
        self.filled_bytes = 0
        """Silence that left in place of missing audio."""
        self.late_bytes = 0
        """Audio that arrived after its place had left as silence."""
        self.dropped_bytes = 0
        """Audio whose timestamp could not be true."""
        self.max_skew_bytes = 0
        """The furthest that this track was ever behind the other one, when a block was due."""

    def left_as_silence(self, start: int, end: int) -> None:
        """Remember and count a span that left without audio."""
        if self.expected:
            self.filled_bytes += end - start
        if self.left_holes and self.left_holes[-1][1] == start:
            start = self.left_holes.pop()[0]
        self.left_holes.append((start, end))

    def count_late(self, start: int, end: int) -> None:
        """Count the part of a span that left as silence, once. The rest left with audio, so it is a duplicate and changes nothing."""
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


class StereoTimeline:
    """Aligns the two tracks of a call. `add()` chunks in any order, take `blocks()` when it returns True, `finish()` at the end."""

    # Slots, as in every class that each frame passes: the less memory a frame touches, the less it waits for memory.
    __slots__ = ("_due", "_held", "_left", "_ready", "_right", "_start", "lanes", "leaps")

    def __init__(self) -> None:
        self.lanes: dict[Track, TrackLane] = {"inbound": TrackLane(), "outbound": TrackLane()}
        self._left, self._right = self.lanes["inbound"], self.lanes["outbound"]
        self._start = 0
        """Position of the first byte that has not left. The same for both tracks."""
        self._due = _BLOCK
        """Position at which the next block ends."""
        self._ready: list[Block] = []
        """Blocks that have left the lanes and were not taken by `blocks()` yet."""
        self._held: list[tuple[TrackLane, int, bytes]] = []
        """Held chunks: too far ahead to be placed, as lane, position and audio. Empty while the clock is steady."""
        self.leaps: list[tuple[float, float]] = []
        """Spans of call time in ms that the stream's clock leapt over. The reader clears the list."""

    @property
    def end_ms(self) -> float:
        """Call time of the end of the furthest track."""
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
        """Announce the tracks that a stream carries. A block does not wait for a track that nobody announced."""
        for track in tracks:
            self.lanes[track].expected = True

    def add(self, track: Track, at_ms: int, payload: bytes) -> bool:
        """Place one chunk of mu-law that begins at `at_ms` of call time. Return whether blocks are ready to be taken."""
        lane = self.lanes[track]
        start = at_ms * BYTES_PER_MS
        if start == lane.end and not self._held and lane.expected:  # in sequence: nearly every chunk
            lane.fresh.append(payload)
            lane.end = start + len(payload)
        elif payload:
            self._place(lane, start, payload)
        if lane.end >= self._due:
            self._emit()
        return bool(self._ready)

    def blocks(self) -> list[Block]:
        """Take the blocks that have become ready, in order."""
        ready, self._ready = self._ready, []
        return ready

    def finish(self) -> list[Block]:
        """Pad both tracks to equal length, and take everything to the last byte. Chunks may still be added afterwards."""
        self._drop_held()
        self._flush()
        return self.blocks()

    def skip_to(self, at_ms: float) -> None:
        """Continue at a later call time, with no blocks for the time between. Earlier audio becomes ready as blocks. Never goes back."""
        self._flush()
        self._jump(max(self._start, round(at_ms * BYTES_PER_MS)))

    def _jump(self, position: int) -> None:
        self._start = position
        self._due = position + _BLOCK
        for lane in self.lanes.values():
            lane.end = position

    def _place(self, lane: TrackLane, start: int, payload: bytes) -> None:
        furthest = max(self._left.end, self._right.end)
        if start < 0 or start > _CALL:
            lane.dropped_bytes += len(payload)
            return
        if start > furthest + _LEAP:
            self._hold(lane, start, payload)
            return
        self._drop_held()
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

    def _hold(self, lane: TrackLane, start: int, payload: bytes) -> None:
        """Hold a chunk far ahead. Once LEAP_CHUNKS in a row agree, leap to them, with no blocks for the time between."""
        if self._held and abs(start - self._held[0][1]) > _LEAP:
            self._drop_held()
        self._held.append((lane, start, payload))
        if len(self._held) < LEAP_CHUNKS:
            return
        agreed, self._held = self._held, []
        self._flush()
        before = self._start
        self._jump(min(at for _, at, _ in agreed))
        self.leaps.append((before / BYTES_PER_MS, self._start / BYTES_PER_MS))
        for each, at, kept in agreed:
            self._place(each, at, kept)

    def _drop_held(self) -> None:
        """Count the held chunks as dropped: something showed that the clock has not leapt to them."""
        for lane, _, payload in self._held:
            lane.dropped_bytes += len(payload)
        self._held.clear()

    def _emit(self) -> None:
        """Let every block leave that is covered by both tracks, or for which the patience is used up."""
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

    def _has_hole(self, lane: TrackLane) -> bool:
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
