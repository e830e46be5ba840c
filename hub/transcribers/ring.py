"""A call's audio that a provider may have to hear again. Pure: no socket, no clock of its own.

Audio is kept from the first block on, also while nobody is connected, until the provider has settled it or the ring is full. What is
replayed after a break has silence where a track was settled already, so nothing can be heard twice.
"""

from bisect import bisect_left, bisect_right
from collections import deque
from itertools import islice

from hub import audio
from hub.audio import BYTES_PER_MS, Track
from hub.stereo import Block

RING_MS = 60_000.0
"""What a provider's outage may last without losing a word: 1 MB a call, and only while a provider settles nothing."""


class Kept:
    """One block in the ring."""

    __slots__ = ("block", "sent_at")

    def __init__(self, block: Block) -> None:
        self.block = block
        self.sent_at: float | None = None
        """When it was sent on the present connection, on the session's clock; None when it was not."""


class Ring:
    """Blocks in order: those sent and not settled, then those to send. All times are ms of call time."""

    def __init__(self, tracks: tuple[Track, ...], bound_ms: float = RING_MS) -> None:
        self._bound_ms = bound_ms
        self._kept: deque[Kept] = deque()
        self._unsent = 0
        """Index of the first block that was not sent on the present connection."""
        self.settled_ms: dict[Track, float] = dict.fromkeys(tracks, 0.0)
        """Up to where each track needs no hearing again."""
        self.end_ms = 0.0
        """Up to where audio was pushed."""
        self._out_of_reach: dict[Track, tuple[float, float]] = {}
        """Per track what was sent, dropped from the ring and not settled: lost if the connection breaks before it is."""
        self._lost: dict[Track, tuple[float, float]] = {}

    def push(self, block: Block) -> None:
        """Keep one block; forget the oldest when that is too much."""
        if not self._kept and not self.end_ms:
            for track in self.settled_ms:
                self.settled_ms[track] = max(self.settled_ms[track], block.start_ms)
        self._kept.append(Kept(block))
        self.end_ms = block.end_ms
        while self.end_ms - self._kept[0].block.start_ms > self._bound_ms:
            self._drop(self._kept.popleft())

    def next(self, now: float) -> Block | None:
        """Return the next block to send and take it for sent; None when all were."""
        if self._unsent == len(self._kept):
            return None
        kept = self._kept[self._unsent]
        self._unsent += 1
        kept.sent_at = now
        return self._masked(kept.block)

    def settle(self, track: Track, until_ms: float) -> None:
        """Say that a track is transcribed up to there, and forget what every track has behind it."""
        if until_ms <= self.settled_ms[track]:
            return
        self.settled_ms[track] = until_ms
        span = self._out_of_reach.get(track)
        if span is not None:
            self._out_of_reach[track] = (max(span[0], until_ms), span[1])
            if span[1] <= until_ms:
                del self._out_of_reach[track]
        settled = min(self.settled_ms.values())
        while self._unsent and self._kept[0].block.end_ms <= settled:
            self._kept.popleft()
            self._unsent -= 1

    def rewind(self) -> None:
        """The connection broke: everything that is not settled has to be sent again."""
        self._unsent = 0
        for kept in self._kept:
            kept.sent_at = None
        for track, (start, end) in self._out_of_reach.items():
            self._lose(track, start, end)
        self._out_of_reach.clear()

    def take_lost(self) -> dict[Track, tuple[float, float]]:
        """Return, once, what was dropped before anyone heard it: a span per track."""
        lost, self._lost = self._lost, {}
        return lost

    def unsettled(self) -> list[Block]:
        """Return what nobody has settled, with silence where one track was, for another transcriber to hear."""
        return [self._masked(kept.block) for kept in self._kept]

    def sent_at(self, at_ms: float) -> float | None:
        """Return when the audio at a call time was sent on the present connection; None when it is not in the ring any more."""
        if not self._kept:
            return None
        # Blocks are nearly all of one length, so the index can be guessed and corrected.
        guess = int((at_ms - self._kept[0].block.start_ms) / max(1.0, self._kept[0].block.end_ms - self._kept[0].block.start_ms))
        for kept in islice(self._kept, max(0, min(guess, len(self._kept)) - 2), guess + 3):
            if kept.block.start_ms <= at_ms <= kept.block.end_ms:
                return kept.sent_at
        return None

    def _drop(self, kept: Kept) -> None:
        sent = self._unsent > 0
        if sent:
            self._unsent -= 1
        for track, settled in self.settled_ms.items():
            start = max(kept.block.start_ms, settled)
            if start >= kept.block.end_ms:
                continue
            if sent:
                span = self._out_of_reach.get(track)
                self._out_of_reach[track] = (span[0] if span else start, kept.block.end_ms)
            else:
                self._lose(track, start, kept.block.end_ms)

    def _lose(self, track: Track, start: float, end: float) -> None:
        span = self._lost.get(track)
        self._lost[track] = (min(span[0], start), max(span[1], end)) if span else (start, end)
        self.settled_ms[track] = max(self.settled_ms[track], end)

    def _masked(self, block: Block) -> Block:
        if all(settled <= block.start_ms for settled in self.settled_ms.values()):
            return block
        return Block(block.start_ms, self._mask(block, "inbound"), self._mask(block, "outbound"))

    def _mask(self, block: Block, track: Track) -> bytes:
        data = block.track(track)
        settled = min(len(data), max(0, round((self.settled_ms.get(track, 0.0) - block.start_ms) * BYTES_PER_MS)))
        return audio.silence(settled) + data[settled:] if settled else data


class AudioClock:
    """Maps a connection's own time, which counts the audio sent on it, to call time."""

    def __init__(self) -> None:
        self._sent_ms: list[float] = []
        self._call_ms: list[float] = []
        self.total_ms = 0.0
        """Audio sent on this connection."""

    def sent(self, block: Block, padding_ms: float = 0.0) -> None:
        """Note one block as sent, with silence after it that is no part of the call."""
        if not self._call_ms or self._call_ms[-1] + (self.total_ms - self._sent_ms[-1]) != block.start_ms:
            self._sent_ms.append(self.total_ms)
            self._call_ms.append(block.start_ms)
        self.total_ms += block.end_ms - block.start_ms + padding_ms

    def call_ms(self, sent_ms: float, *, end: bool = False) -> float:
        """Return the call time of a moment on the connection. `end`: a moment at a leap belongs to what lies before it."""
        if not self._sent_ms:
            return sent_ms
        index = max(0, (bisect_left if end else bisect_right)(self._sent_ms, sent_ms) - 1)
        return self._call_ms[index] + sent_ms - self._sent_ms[index]
