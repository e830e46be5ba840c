"""The replay buffer: a call's audio that may have to be sent to a provider again. Pure: no socket, no clock of its own.

Why: a provider that loses its connection forgets the audio whose words it had not settled yet. Example: the connection breaks at second
20. The inbound track is settled up to second 19, the outbound track up to second 12, because somebody there speaks without a pause. The
next connection gets the audio from second 12 on, with the inbound track silent until second 19. So no word is lost, and none comes twice.

Audio is kept from the first block on, also while no connection is open, until the provider has settled it or the buffer is full.
"""

from bisect import bisect_left, bisect_right
from collections import deque
from typing import TypeAlias

from hub.audio import g711
from hub.audio.g711 import BYTES_PER_MS, Track
from hub.audio.timeline import Block

Span: TypeAlias = tuple[float, float]
"""A stretch of call time in ms."""


class Kept:
    """One block in the buffer."""

    __slots__ = ("block", "end_ms", "sent_at")

    def __init__(self, block: Block) -> None:
        self.block = block
        self.end_ms = block.end_ms
        """Read several times per block, so computed once."""
        self.sent_at: float | None = None
        """When the block was sent on the present connection, on the session's clock; None if it was not."""


class ReplayBuffer:
    """Blocks in order: first those that were sent and are not settled, then those to send. All times are ms of call time."""

    def __init__(self, tracks: tuple[Track, ...], bound_ms: float) -> None:
        """`bound_ms` limits audio, not call time: a leap of the stream's clock costs no memory."""
        self._bound_ms = bound_ms
        self._kept: deque[Kept] = deque()
        self._held_ms = 0.0
        """How much audio is in the buffer."""
        self._unsent = 0
        """Index of the first block that was not sent on the present connection."""
        self._sent_ms = 0.0
        """End of the newest block that was sent on the present connection; 0 if none was."""
        self.settled_ms: dict[Track, float] = dict.fromkeys(tracks, 0.0)
        """Per track, up to where no audio has to be sent again."""
        self._masked_ms = 0.0
        """The furthest of `settled_ms`: a block that starts behind it is sent as it came."""
        self.end_ms = 0.0
        """Up to where audio was pushed."""
        self._out_of_reach: dict[Track, list[Span]] = {track: [] for track in tracks}
        """Audio that was sent and dropped from the buffer unsettled: lost if the connection breaks before the provider settles it."""
        self._lost: dict[Track, list[Span]] = {track: [] for track in tracks}

    @property
    def held_ms(self) -> float:
        """How much audio is kept; never more than the bound."""
        return self._held_ms

    @property
    def lost_ms(self) -> float:
        """How much audio of a track was dropped before it was transcribed, and not taken by `take_lost` yet."""
        return max((sum(end - start for start, end in spans) for spans in self._lost.values()), default=0.0)

    @property
    def has_more(self) -> bool:
        """Whether there are blocks to send."""
        return self._unsent < len(self._kept)

    @property
    def is_settled(self) -> bool:
        """Whether no audio waits for its words: all that was pushed is settled, or reported as lost."""
        return not self._kept and not any(self._out_of_reach.values()) and not any(self._lost.values())

    def push(self, block: Block) -> None:
        """Keep one block; drop the oldest ones if that is more than the bound."""
        kept = Kept(block)
        self._kept.append(kept)
        self.end_ms = kept.end_ms
        self._held_ms += kept.end_ms - block.start_ms
        while self._held_ms > self._bound_ms:
            self._drop()

    def next(self, now: float) -> Block:
        """Return the next block to send, and count it as sent. Only if `has_more`."""
        kept = self._kept[self._unsent]
        self._unsent += 1
        kept.sent_at = now
        self._sent_ms = kept.end_ms
        return self._masked(kept.block)

    def settle(self, track: Track, until_ms: float) -> None:
        """Mark a track as transcribed up to there, and forget the blocks that are settled on every track.

        Nothing is settled beyond the audio that was sent: a provider that reports on audio it never received must not silence that audio.
        """
        until_ms = min(until_ms, self._sent_ms)
        if until_ms <= self.settled_ms[track]:
            return
        self.settled_ms[track] = until_ms
        self._masked_ms = max(self._masked_ms, until_ms)
        if self._out_of_reach[track]:
            self._out_of_reach[track] = [(max(start, until_ms), end) for start, end in self._out_of_reach[track] if end > until_ms]
        settled = min(self.settled_ms.values())
        while self._unsent and self._kept[0].end_ms <= settled:
            self._forget()

    def rewind(self) -> None:
        """Prepare for another connection: everything that is not settled has to be sent again."""
        self._unsent = 0
        self._sent_ms = 0.0
        for kept in self._kept:
            kept.sent_at = None
        for track, spans in self._out_of_reach.items():
            for start, end in spans:
                _join(self._lost[track], start, end)
            spans.clear()

    def take_lost(self) -> list[tuple[Track, Span]]:
        """Return the audio that was dropped before it was transcribed, once."""
        lost = [(track, span) for track, spans in self._lost.items() for span in spans]
        for spans in self._lost.values():
            spans.clear()
        return lost

    def abandon(self) -> None:
        """Count everything that is not settled as lost: no other connection will follow."""
        self.rewind()
        while self._kept:
            self._drop()

    def unsettled(self) -> list[Block]:
        """Return the blocks that are not settled, with silence where one track is, for another transcriber."""
        return [self._masked(kept.block) for kept in self._kept]

    def audio(self, track: Track, start_ms: float, end_ms: float) -> list[tuple[float, bytes]]:
        """Return the audio of a track between two call times, as far as it is kept, in pieces with the call time of each."""
        found = []
        for kept in self._kept:
            block = kept.block
            if block.start_ms < end_ms and kept.end_ms > start_ms:
                first_ms, last_ms = max(start_ms, block.start_ms), min(end_ms, kept.end_ms)
                part = slice(round((first_ms - block.start_ms) * BYTES_PER_MS), round((last_ms - block.start_ms) * BYTES_PER_MS))
                found.append((first_ms, block.track(track)[part]))
        return found

    def sent_at(self, at_ms: float) -> float | None:
        """Return when the audio at a call time was sent on the present connection; None if it is no longer in the buffer."""
        if not self._kept or not self._kept[0].block.start_ms <= at_ms <= self.end_ms:
            return None
        # Nearly all blocks have one length, so the index can be guessed and corrected.
        first = self._kept[0].block
        guess = int((at_ms - first.start_ms) / max(1.0, first.end_ms - first.start_ms))
        for index in range(max(0, guess - 1), min(len(self._kept), guess + 2)):
            kept = self._kept[index]
            if kept.block.start_ms <= at_ms <= kept.end_ms:
                return kept.sent_at
        return None

    def _forget(self) -> Block:
        """Remove the oldest block and return it."""
        block = self._kept.popleft().block
        self._held_ms -= block.end_ms - block.start_ms
        self._unsent = max(0, self._unsent - 1)
        return block

    def _drop(self) -> None:
        sent = self._unsent > 0
        block = self._forget()
        for track, settled in self.settled_ms.items():
            start = max(block.start_ms, settled)
            if start >= block.end_ms:
                continue
            _join(self._out_of_reach[track] if sent else self._lost[track], start, block.end_ms)

    def _masked(self, block: Block) -> Block:
        if block.start_ms >= self._masked_ms:
            return block
        return Block(block.start_ms, self._mask(block, "inbound"), self._mask(block, "outbound"))

    def _mask(self, block: Block, track: Track) -> bytes:
        data = block.track(track)
        settled = min(len(data), max(0, round((self.settled_ms.get(track, 0.0) - block.start_ms) * BYTES_PER_MS)))
        return g711.silence(settled) + data[settled:] if settled else data


def _join(spans: list[Span], start: float, end: float) -> None:
    """Add a span to spans that are in order; spans without a hole between them become one.

    Nearly always the new span comes last. It does not if audio was dropped before it was sent, while earlier audio, which was sent, still
    waited for its words.
    """
    if spans and spans[-1][1] == start:
        spans[-1] = (spans[-1][0], end)
        return
    ordered = sorted([*spans, (start, end)])
    spans.clear()
    for start, end in ordered:
        if spans and spans[-1][1] >= start:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))


class AudioClock:
    """Translates a connection's own time, which counts the audio sent on it, into call time."""

    def __init__(self) -> None:
        self._sent_ms: list[float] = []
        """Where each stretch without a leap begins, in the connection's time."""
        self._call_ms: list[float] = []
        """Where each stretch without a leap begins, in call time."""
        self.total_ms = 0.0
        """How much audio was sent on this connection."""

    def sent(self, block: Block, padding_ms: float = 0.0) -> None:
        """Count one block as sent, with silence after it that is no part of the call."""
        if not self._call_ms or self._call_ms[-1] + (self.total_ms - self._sent_ms[-1]) != block.start_ms:
            self._sent_ms.append(self.total_ms)
            self._call_ms.append(block.start_ms)
        self.total_ms += block.end_ms - block.start_ms + padding_ms

    def call_ms(self, sent_ms: float, *, end: bool = False) -> float:
        """Return the call time of a moment on the connection. `end`: a moment at a leap is the end of the audio before the leap.

        Providers are known to report a time below zero. One that is not within the audio sent counts as the nearest moment that is.
        """
        if not self._sent_ms:
            return sent_ms
        sent_ms = min(max(sent_ms, 0.0), self.total_ms)
        index = max(0, (bisect_left if end else bisect_right)(self._sent_ms, sent_ms) - 1)
        return self._call_ms[index] + sent_ms - self._sent_ms[index]
