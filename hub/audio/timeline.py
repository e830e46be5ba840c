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
one bad timestamp would fill minutes with silence; never trusting any would discard the rest of the call. So a chunk that is too far ahead
is held, and counts only if five such chunks in a row agree with each other. Then the timeline jumps to them without emitting what lies
between, and notes the leap, so that the call can publish a gap. A chunk at the old time in between shows that the call's clock did not
jump: the held chunks of the same track are counted as dropped. If half a second of one track agrees while the other goes on as before,
one stream's own clock jumped: from there on, that track is shifted to where the call is.

**Too far ahead** is more than 10 s ahead, or so far that more silence would have to be filled in than real time has passed: media time
cannot run ahead of real time, and silence costs money at a provider.

**A leap back.** A track whose timestamps go back by more than a second, and go on from there, belongs to a stream that began to count
again. Its audio is new audio. For example, call time is 61.2 s and the next chunks are stamped 0, 20, 40, 60, 80 ms: the track is shifted
by 61.3 s and goes on there, and the leap is noted as a gap from 61.2 to 61.3 s. A single stamp of 0 stays a glitch.

**A clock that is behind.** A track may come in order, at the pace of speech, and always late, for example because each track counts from
its own first audio. So late chunks are held while blocks wait, and after 300 ms in which the track has not caught up, it is shifted to
where the call is. Audio that was delayed comes faster than speech and catches up, so it stays late.

**Time that stands still.** Repeated audio is no duplicate where call time falls behind real time: it counts as lost.

Does not know clocks (how much real time has passed is a function that it is given), providers or Twilio's messages.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import msgspec

from hub.audio import g711
from hub.audio.g711 import BYTES_PER_MS, TRACKS, Track
from hub.audio.late_run import LATE_MS, follows
from hub.audio.lost import Share, percent
from hub.audio.track_lane import TrackLane

BLOCK_MS = 100
"""The length of a block. Providers ask for 50-250 ms per message (Deepgram about 100, AssemblyAI at least 50). It means fewer messages than
Twilio's 20 ms, and adds little delay."""

PATIENCE_MS = 200
"""How far the further track may be past the end of a block before the block leaves without the other track. Bursts from Twilio were seen up
to 233 ms apart without loss, but on both tracks at once. A track that stays behind for longer is silent, ringing or lost."""

LEAP_MS = 10_000
"""A chunk further ahead of all audio so far is held, not placed: filling the space before it would cost memory for one bad timestamp. All
silence together may be as much longer than the real time that has passed."""

LEAP_CHUNKS = 5
"""How many held chunks in a row must agree before the clock leaps: 50-100 ms of audio, more than a glitch and less than anyone misses."""

BACK_MS = 1000
"""A chunk so far behind its own track's last audio is not late: the messages of a stream come in order. The stream's clock is wrong."""

SHIFT_CHUNKS = 25
"""How many held chunks of one track must agree before it is shifted while the other goes on at the old time: half a second of audio."""

CALL_MS = 24 * 3600 * 1000
"""The longest call: Twilio ends a call after 4 hours, or after 24 by a special setting. Chunks with later timestamps are dropped."""

_BLOCK = BLOCK_MS * BYTES_PER_MS
_PATIENCE = PATIENCE_MS * BYTES_PER_MS
_LATE_PATIENCE = _PATIENCE + 2 * LATE_MS * BYTES_PER_MS
_LEAP = LEAP_MS * BYTES_PER_MS
_BACK = BACK_MS * BYTES_PER_MS
_CALL = CALL_MS * BYTES_PER_MS


class Leap(NamedTuple):
    """A stretch of call time that a stream's clock leapt over, on these tracks."""

    tracks: tuple[Track, ...]
    start_ms: float
    end_ms: float


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


class StereoTimeline:
    """Aligns the two tracks of a call. `add()` chunks in any order, take `blocks()` when it returns True, `finish()` at the end."""

    # Slots, as in every class that each frame passes: the less memory a frame touches, the less it waits for memory.
    __slots__ = (
        "_began", "_calm", "_due", "_elapsed_ms", "_filled", "_follows_late", "_holding", "_left", "_patience", "_ready", "_right",
        "_start",
        "lanes", "leaps",
    )  # fmt: skip

    def __init__(self, elapsed_ms: Callable[[], float] | None = None, *, follows_late: bool = True, patience_ms: int = PATIENCE_MS) -> None:
        """`elapsed_ms` returns how much real time has passed since this was made. A function, because only chunks that leap need it.

        None: silence is not bounded by real time, and no track is shifted for being behind, nor is it without `follows_late`.
        """
        self.lanes: dict[Track, TrackLane] = {track: TrackLane(track) for track in TRACKS}
        self._left, self._right = self.lanes["inbound"], self.lanes["outbound"]
        self._start = 0
        """Position of the first byte that has not left. The same for both tracks."""
        self._due = _BLOCK
        """Position at which the next block ends."""
        self._ready: list[Block] = []
        """Blocks that have left the lanes and were not taken by `blocks()` yet."""
        self._holding = False
        """Whether a lane holds chunks."""
        self._calm = False
        """Whether the call went on at the old time since the oldest held chunk came."""
        self._elapsed_ms = elapsed_ms
        self._patience = patience_ms * BYTES_PER_MS
        self._follows_late = follows_late and elapsed_ms is not None
        self._began = 0
        """Position at which the call's audio began."""
        self._filled = 0
        """Time that was skipped ahead without audio on either track, in bytes."""
        self.leaps: list[Leap] = []
        """What the clock leapt over. The reader clears the list."""

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
        """Announce the tracks that a stream carries, by a clock of its own. A block does not wait for a track that nobody announced."""
        for track in tracks:
            lane = self.lanes[track]
            self._drop_held(lane)
            self._put_late(lane)
            lane.expected, lane.shift = True, 0

    def add(self, track: Track, at_ms: int, payload: bytes) -> bool:
        """Place one chunk of mu-law that begins at `at_ms` of call time. Return whether blocks are ready to be taken."""
        lane = self.lanes[track]
        start = at_ms * BYTES_PER_MS + lane.shift
        if start == lane.end and not self._holding and lane.expected:  # in sequence: nearly every chunk
            lane.fresh.append(payload)
            lane.end = start + len(payload)
        elif payload:
            self._place(lane, start if at_ms >= 0 else -1, payload)
        if lane.end >= self._due:
            self._emit()
        return bool(self._ready)

    def blocks(self) -> list[Block]:
        """Take the blocks that have become ready, in order."""
        ready, self._ready = self._ready, []
        return ready

    def finish(self) -> list[Block]:
        """Pad both tracks to equal length, and take everything to the last byte. Chunks may still be added afterwards."""
        for lane in self.lanes.values():
            self._drop_held(lane)
            self._put_late(lane)
        self._flush()
        return self.blocks()

    def skip_to(self, at_ms: float) -> None:
        """Continue at a later call time, with no blocks for the time between. Earlier audio becomes ready as blocks. Never goes back."""
        self._flush()
        self._jump(max(self._start, round(at_ms * BYTES_PER_MS)))
        if self._left.silent and self._right.silent:
            self._began = self._start

    def told(self, track: Track, start_ms: float, end_ms: float) -> None:
        """Take note that a gap tells of this stretch, which left as silence: it does not count as lost once more."""
        self.lanes[track].told_bytes += round((end_ms - start_ms) * BYTES_PER_MS)

    def go_on(self, earlier: Mapping[Track, Share]) -> None:
        """Count what was lost in an earlier part of the call, too."""
        for track, share in earlier.items():
            self.lanes[track].earlier = share

    def share(self, track: Track) -> Share:
        """Return how much of a track was lost in this part of the call."""
        passed = max(self._left.end, self._right.end) - self._began
        return self.lanes[track].share(round(self._elapsed_ms() * BYTES_PER_MS) - passed if self._elapsed_ms is not None else 0)

    def lost(self, tracks: Iterable[Track] = TRACKS) -> dict[Track, Share]:
        """Return how much of these tracks was lost in all parts of the call so far."""
        return {track: self.lanes[track].earlier.plus(self.share(track)) for track in tracks}

    def lost_percent(self, tracks: Iterable[Track] = TRACKS, *, least_ms: float = 0.0) -> float:
        """Return how much of the audio that should have come was lost, on the worse one of these tracks; see `percent`."""
        return percent(self.lost(tracks).values(), least_ms)

    def _jump(self, position: int) -> None:
        self._start = position
        self._due = position + _BLOCK
        for lane in self.lanes.values():
            lane.jump(position)

    def _place(self, lane: TrackLane, start: int, payload: bytes) -> None:
        furthest = max(self._left.end, self._right.end)
        if start < 0 or start > _CALL:
            lane.dropped_bytes += len(payload)
            return
        if self._too_far_ahead(start, furthest):
            self._hold(lane, start, payload, ahead=True)
            return
        goes_on = bool(lane.held) and follows(*lane.held[-1], start)
        if start + len(payload) <= (self._start if goes_on else min(self._start, lane.audio_end - _BACK)):
            self._hold(lane, start, payload, ahead=False)
            return
        if self._holding:
            self._calm = True
            self._drop_held(lane)
        if not self._follows_late or not self._is_late(lane, start, payload, furthest):
            self._put(lane, start, payload)

    def _put(self, lane: TrackLane, start: int, payload: bytes) -> None:
        """Put a chunk where it belongs. What has left already is late, or a duplicate."""
        self._filled += max(0, start - max(self._left.end, self._right.end))
        lane.expected = True
        if start < self._start:
            left = min(start + len(payload), self._start)
            lane.repeated_bytes += left - start - lane.count_late(start, left)
            payload = payload[self._start - start :]
            start = self._start
        if start < lane.end and payload:
            if lane.holes:
                lane.fill(self._start, start, payload[: lane.end - start])
            else:
                lane.repeated_bytes += min(len(payload), lane.end - start)
            payload = payload[lane.end - start :]
            start = lane.end
        if payload:
            lane.append(start, payload)

    def _too_far_ahead(self, start: int, furthest: int) -> bool:
        hole = start - furthest
        if hole <= 0 or self._elapsed_ms is None:
            return hole > _LEAP
        return hole > _LEAP or self._filled + hole > self._elapsed_ms() * BYTES_PER_MS + _LEAP

    def _is_late(self, lane: TrackLane, start: int, payload: bytes, furthest: int) -> bool:
        """Take a chunk whose place has left, or which follows such chunks, while blocks wait. Return False for one that has its place."""
        assert self._elapsed_ms is not None
        late = lane.late
        if late and (start >= furthest - _PATIENCE // 2 or not late.goes_on(start)):
            self._put_late(lane)
        if not late and start + len(payload) > self._start:
            return False
        late.add(start, payload, self._elapsed_ms())
        self._holding = True
        # Of a track without audio so far nothing says where it belongs, and no network delays it by so much.
        if late.is_long and (late.is_steady or (lane.silent and furthest - start > 2 * _BACK)):
            self._shift(lane, late.take(), late=True)
        elif late.is_long:
            self._put(lane, *late.take_first())
        return True

    def _put_late(self, lane: TrackLane) -> None:
        """Put late chunks where they belong, and hold them no longer: the track has caught up, or its clock is another one now."""
        for start, payload in lane.late.take():
            self._put(lane, start, payload)
        self._holding = self._holds()

    def _hold(self, lane: TrackLane, start: int, payload: bytes, *, ahead: bool) -> None:
        """Hold a chunk whose position cannot be believed, until enough others agree with it."""
        if lane.held and not _agree(lane.held, start, ahead=ahead):
            self._drop_held(lane)
        lane.held.append((start, payload))
        self._holding = True
        if not ahead:
            if len(lane.held) >= LEAP_CHUNKS:
                self._shift(lane, self._released(lane))
        elif not self._calm and sum(len(each.held) for each in self.lanes.values()) >= LEAP_CHUNKS:
            self._leap()
        elif len(lane.held) >= SHIFT_CHUNKS:
            self._shift(lane, self._released(lane))

    def _leap(self) -> None:
        """Go on at the held chunks of all tracks, with no blocks for the time between."""
        self._flush()
        before = self._start
        agreed = [(lane, start, payload) for lane in self.lanes.values() for start, payload in self._released(lane)]
        self._jump(min(start for _, start, _ in agreed))
        tracks = tuple(track for track, lane in self.lanes.items() if lane.expected)
        self.leaps.append(Leap(tracks, before / BYTES_PER_MS, self._start / BYTES_PER_MS))
        for lane, start, payload in sorted(agreed, key=lambda each: each[1]):
            self._put(lane, start, payload)

    def _shift(self, lane: TrackLane, held: list[tuple[int, bytes]], *, late: bool = False) -> None:
        """Go on with one track's held chunks where the call is: its stream's clock leapt, the call's did not.

        `late`: its clock is behind. If no audio of it came before, nothing is missing: it counts from its own first audio.
        """
        self._holding = self._holds()
        furthest, first = max(self._left.end, self._right.end), held[0][0]
        other = self._right if lane is self._left else self._left
        # The other track of the same stream leapt by as much a moment ago: both stay in step.
        position = first - lane.shift + other.shift
        lowest = max(lane.audio_end, self._start if late else 0)
        if not other.shift or position < lowest or abs(position - furthest) > _BACK:
            after = lane.audio_end + (0 if lane.silent else _BLOCK)
            position = max(furthest - sum(len(payload) for _, payload in held), after, lowest)
        resumes = max(position, self._start)
        if not (late and lane.silent):
            self.leaps.append(Leap((lane.track,), lane.audio_end / BYTES_PER_MS, resumes / BYTES_PER_MS))
        if not lane.silent:
            lane.told_bytes += resumes - lane.audio_end
        lane.shift += position - first
        for start, payload in held:
            self._put(lane, start + position - first, payload)

    def _drop_held(self, lane: TrackLane) -> None:
        """Count a track's held chunks as dropped: something showed that the clock has not leapt to them."""
        lane.dropped_bytes += sum(len(payload) for _, payload in self._released(lane))

    def _released(self, lane: TrackLane) -> list[tuple[int, bytes]]:
        """Return what a lane holds, and hold it no longer."""
        held, lane.held = lane.held, []
        self._holding = self._holds()
        self._calm = self._calm and self._holding
        return held

    def _holds(self) -> bool:
        return any(lane.held or lane.late for lane in self.lanes.values())

    def _emit(self) -> None:
        """Let every block leave that is covered by both tracks, or for which the patience is used up."""
        left, right = self._left, self._right
        patience = _LATE_PATIENCE if self._holding and (left.late or right.late) else self._patience
        while True:
            further = max(left.end, right.end)
            if further < self._due:
                return
            for lane, other in ((left, right), (right, left)):
                if other.end - lane.end > lane.max_skew_bytes and lane.expected:
                    lane.max_skew_bytes = other.end - lane.end
                if further < self._due + patience and lane.expected and (lane.end < self._due or self._has_hole(lane)):
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


def _agree(held: list[tuple[int, bytes]], start: int, *, ahead: bool) -> bool:
    """Return whether a chunk is of the clock that those that are held before it tell of."""
    if ahead:
        return abs(start - held[0][0]) <= _LEAP
    return follows(*held[-1], start)
