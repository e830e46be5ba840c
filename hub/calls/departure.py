"""One call on its way to another node: where it is cut, its last words here, and whether it has moved in the end.

What lies before the cut is this node's to transcribe. What lies behind it is kept until the other node has the call. If that does not come
about, this node transcribes it, too: nothing is lost, and its streams are still there.

Knows blocks. Does not know the other node, nor the broker.
"""

import asyncio
from collections import deque

from hub.audio.alignment import SAMPLE_MS
from hub.audio.cut import SEARCH_MS, CutSearch
from hub.audio.g711 import BYTES_PER_MS, TRACKS, Track
from hub.audio.timeline import Block

SEARCH_SECONDS = SEARCH_MS / 1000 + 1.0
"""How long a cut is looked for by the clock: audio that should be searched may not come any more."""

LAST_WORDS_SECONDS = 5.0
"""How long the last words may take. Meanwhile nobody sees new words of the call, so open utterances then end as they are."""


class Departure:
    """One call's way to another node. The call takes its blocks through it; whoever moves the call awaits `said`, and decides then."""

    def __init__(self, from_ms: float, *, at_once: bool = False) -> None:
        """`from_ms`: call time before which the other node has no audio. `at_once`: no pause is waited for."""
        self._search = CutSearch(from_ms)
        self._at_once = at_once
        self._ends_at = asyncio.get_running_loop().time() + SEARCH_SECONDS
        self._recent: deque[Block] = deque()
        """The newest blocks before the cut."""
        self._decided = asyncio.Event()
        self.said = asyncio.Event()
        """Set when all that is said before the cut is published, or when the call stays here."""
        self.words_over = False
        """Whether the transcriber was told that no audio follows."""
        self.moved = False
        """Whether the other node has the call."""
        self.changed = asyncio.Event()
        """Set when the cut is found, and when it is decided. The call puts its own here."""

    @property
    def cut_ms(self) -> float | None:
        """Call time of the cut. None while it is looked for."""
        return self._search.cut_ms

    @property
    def stays(self) -> bool:
        """Whether it is decided that the call stays here."""
        return self._decided.is_set() and not self.moved

    @property
    def seconds_left(self) -> float:
        """For how long a cut is still looked for. 0 once it is found, or not needed any more."""
        if self._at_once or self.cut_ms is not None or self._decided.is_set():
            return 0.0
        return max(0.0, self._ends_at - asyncio.get_running_loop().time())

    def take(self, block: Block) -> list[Block]:
        """Take the call's next block. Returns what lies before the cut, wherever it will be."""
        before = self._passed(self._search.take(block))
        if self.cut_ms is not None:
            self.changed.set()
        return before

    def cut(self, at_ms: float) -> list[Block]:
        """Cut the call behind all audio that came: there is no more, or no pause. Returns what lies before the cut."""
        return self._passed(self._search.end(at_ms))

    def kept(self) -> list[Block]:
        """Take all that was kept: this node has to transcribe it, since the call stays here."""
        return self._search.release()

    def sample(self) -> dict[Track, bytes]:
        """Return the newest second of each track before the cut, by which the other node finds the same place in its own audio."""
        return {track: b"".join(block.track(track) for block in self._recent)[-SAMPLE_MS * BYTES_PER_MS :] for track in TRACKS}

    def decide(self, *, moved: bool) -> None:
        """Say whether the other node has the call. Only the first decision counts."""
        if not self._decided.is_set():
            self.moved = moved
            self._decided.set()
            self.said.set()
            self.changed.set()

    async def decided(self) -> bool:
        """Wait for the decision; return whether the call has moved."""
        await self._decided.wait()
        return self.moved

    def _passed(self, blocks: list[Block]) -> list[Block]:
        for block in blocks:
            self._recent.append(block)
            while self._recent[-1].end_ms - self._recent[0].end_ms >= SAMPLE_MS:
                self._recent.popleft()
        return blocks
