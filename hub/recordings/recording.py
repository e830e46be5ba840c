"""The recording of one live call, as the call sees it: it takes blocks, and never waits.

Blocks lie here until the thread of the spool takes them, some of them at once. If it does not come, because the disk stands still, the
recording loses blocks, and the call goes on. Knows blocks and pauses. Does not know files.
"""

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from hub.audio.g711 import BYTES_PER_MS, TRACKS, Track, silence
from hub.audio.timeline import Block

MOST_WAITING = 300
"""Blocks that wait for the disk: 30 seconds, 480 KB. A disk that stands still for longer costs the recording sound."""

HURRY_BLOCKS = 20
"""So many blocks wait only if they come faster than people speak, after a hiccup of the line: then the thread comes at once."""

TOO_SLOW = "the disk is too slow"

FOREVER = float("inf")


class Silenced(NamedTuple):
    """A stretch of call time that is recorded as silence, in ms."""

    start_ms: float
    end_ms: float


class Muted(NamedTuple):
    """A stretch of one side's sound that is taken out of a recording after it was written, in ms of call time: a number was said there."""

    track: Track
    start_ms: float
    end_ms: float


class SoundLost(NamedTuple):
    """Sound of a recording could not be written, from and to these moments of call time."""

    recording: "Recording"
    start_ms: float
    end_ms: float
    reason: str


class Recording:
    """One live call's recording. The event loop calls the methods."""

    __slots__ = ("_hurry", "_silenced", "_tell", "call_sid", "end_ms", "lost_to_ms", "muted", "path", "problem", "waiting")

    def __init__(self, call_sid: str, path: Path, tell: Callable[[SoundLost], None], hurry: Callable[[], None] | None = None) -> None:
        """`tell` is called for a block that is lost because the disk is too slow, `hurry` if the thread is to come at once."""
        self._tell = tell
        self._hurry = hurry
        self.call_sid = call_sid
        self.path = path
        """Of the file in the spool. It is there once a block was written."""
        self.waiting: deque[Block] = deque()
        """Blocks for the spool's thread, oldest first. It takes them from the left."""
        self.muted: deque[Muted] = deque()
        """What the spool's thread is to take out once it is written."""
        self.end_ms: float | None = None
        """Call time at which the recording ends. None while it goes on."""
        self.problem: str | None = None
        """Why sound is being lost. None while all is well. Only the event loop sets it."""
        self.lost_to_ms = 0.0
        """Call time up to which sound was lost, as far as is known."""
        self._silenced: list[Silenced] = []
        """What is recorded as silence, in order. The last one has no end while the recording is paused."""

    def take(self, block: Block) -> None:
        """Take a block. Never waits."""
        if len(self.waiting) >= MOST_WAITING:
            self._tell(SoundLost(self, block.start_ms, block.end_ms, TOO_SLOW))
        else:
            self.waiting.append(block if not self._silenced else self._without(block))
            if len(self.waiting) == HURRY_BLOCKS and self._hurry is not None:
                self._hurry()

    def mute(self, track: Track, start_ms: float, end_ms: float) -> None:
        """Take a stretch of one side's sound out, also where it is written already. Never waits."""
        self.muted.append(Muted(track, start_ms, end_ms))

    @property
    def paused(self) -> bool:
        """Whether silence is recorded now."""
        return bool(self._silenced) and self._silenced[-1].end_ms == FOREVER

    def pause(self, call_ms: float) -> None:
        """Record silence from this call time on. Only while not `paused`."""
        self._silenced.append(Silenced(call_ms, FOREVER))

    def resume(self, call_ms: float) -> None:
        """Record sound from this call time on. Only while `paused`."""
        self._silenced[-1] = self._silenced[-1]._replace(end_ms=call_ms)

    def _without(self, block: Block) -> Block:
        """Return the block without what is to be silent. Blocks come in order, so pauses before this one are forgotten."""
        self._silenced = [each for each in self._silenced if each.end_ms > block.start_ms]
        for each in self._silenced:
            block = _with_silence(block, each)
        return block


def _with_silence(block: Block, silenced: Silenced) -> Block:
    """Return a block in which this stretch of call time is silent on both tracks."""
    length = len(block.inbound)
    first = max(0, round((silenced.start_ms - block.start_ms) * BYTES_PER_MS))
    last = length if silenced.end_ms >= block.end_ms else round((silenced.end_ms - block.start_ms) * BYTES_PER_MS)
    if first >= last:
        return block
    quiet = {track: block.track(track)[:first] + silence(last - first) + block.track(track)[last:] for track in TRACKS}
    return msgspec.structs.replace(block, **quiet)
