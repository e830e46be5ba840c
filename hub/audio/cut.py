"""Finds where a call can be cut in two so that no word is: in the middle of a pause of both sides. Pure.

Who transcribes the call gets what lies before the cut, and somebody else what lies behind it. Audio in which the cut may lie is held back
until that is known: a fifth of a second in a pause, and the last second of the search if nobody pauses. For example, both sides are silent
from 12.40 s on: at 12.70 s the pause is long enough, and the call is cut at 12.55 s.
"""

from hub.audio import g711
from hub.audio.g711 import BYTES_PER_MS, TRACKS
from hub.audio.timeline import Block

PAUSE_MS = 300
"""Both sides are quiet for so long: pauses inside a sentence are mostly shorter. The two halves may differ by half of it without harm."""

STEP_MS = 20
"""How exact a pause is: a frame of Twilio's."""

SEARCH_MS = 5000
"""How long a pause is looked for. In five seconds nearly every conversation has one; music and noise have none."""

CHOICE_MS = 1000
"""So much audio is held back at the end of the search, to cut where it is quietest."""

QUIET_LEVEL = 100
"""A quieter step is silence: 50 dB below full scale, as in `hub.calls.condition`."""

_STEP = STEP_MS * BYTES_PER_MS


class CutSearch:
    """Looks for the cut of one call. `take` each block; once `cut_ms` is set, the blocks behind the cut are in `behind`."""

    def __init__(self, from_ms: float) -> None:
        """`from_ms`: call time before which the call must not be cut."""
        self.cut_ms: float | None = None
        """Call time of the cut. None until it is found."""
        self.behind: list[Block] = []
        """Blocks behind the cut, in order."""
        self._from_ms = from_ms
        self._until_ms: float | None = None
        """Call time at which the search ends. None before it has begun."""
        self._held: list[Block] = []
        """Blocks in which the cut may lie."""
        self._steps: list[tuple[float, int]] = []
        """When each step of them begins, and the level of its louder side."""
        self._quiet_from_ms: float | None = None
        """Since when both sides are quiet. None while one is not."""

    def take(self, block: Block) -> list[Block]:
        """Take the next block. Returns the blocks that lie before the cut, wherever it will be."""
        if self.cut_ms is not None:
            self.behind.append(block)
            return []
        if block.end_ms <= self._from_ms:
            return [block]
        if self._until_ms is None:
            self._until_ms = max(self._from_ms, block.start_ms) + SEARCH_MS
        self._held.append(block)
        self._look(block)
        if self._quiet_from_ms is not None and block.end_ms - self._quiet_from_ms >= PAUSE_MS:
            return self._cut_at(self._quiet_from_ms + PAUSE_MS / 2)
        if block.end_ms >= self._until_ms:
            return self._cut_at(self._quietest_ms())
        return self._release(block.end_ms)

    def end(self, at_ms: float) -> list[Block]:
        """Cut behind everything so far, at this call time: no more audio comes. Returns the blocks that were held back."""
        if self.cut_ms is not None:
            return []
        held, self._held = self._held, []
        self.cut_ms = at_ms
        return held

    def release(self) -> list[Block]:
        """Take all blocks that are held, before the cut or behind it."""
        released = [*self._held, *self.behind]
        self._held, self.behind, self._steps = [], [], []
        return released

    def _look(self, block: Block) -> None:
        for at in range(0, len(block.inbound), _STEP):
            start_ms = block.start_ms + g711.ms(at)
            level = max(g711.level(block.track(track)[at : at + _STEP]) for track in TRACKS)
            if start_ms >= self._from_ms:
                self._steps.append((start_ms, level))
            if level >= QUIET_LEVEL or start_ms < self._from_ms:
                self._quiet_from_ms = None
            elif self._quiet_from_ms is None:
                self._quiet_from_ms = start_ms

    def _quietest_ms(self) -> float:
        """Return the middle of the quietest step of those that are held."""
        return min(self._steps, key=lambda step: (step[1], step[0]))[0] + STEP_MS / 2

    def _release(self, now_ms: float) -> list[Block]:
        """Return the held blocks in which the cut cannot lie any more, and hold them no longer."""
        assert self._until_ms is not None
        keep_from_ms = self._quiet_from_ms if self._quiet_from_ms is not None else now_ms
        if now_ms > self._until_ms - CHOICE_MS:
            keep_from_ms = min(keep_from_ms, self._until_ms - CHOICE_MS)
        released = [block for block in self._held if block.end_ms <= keep_from_ms]
        self._held = self._held[len(released) :]
        first_ms = self._held[0].start_ms if self._held else now_ms
        self._steps = [step for step in self._steps if step[0] >= first_ms]
        return released

    def _cut_at(self, cut_ms: float) -> list[Block]:
        self.cut_ms = cut_ms
        before, self.behind = split(self._held, cut_ms)
        self._held, self._steps = [], []
        return before


def split(blocks: list[Block], at_ms: float) -> tuple[list[Block], list[Block]]:
    """Return what lies before a moment of call time, and what lies behind it. Every byte is in one of them."""
    before: list[Block] = []
    behind: list[Block] = []
    for block in blocks:
        size = round((at_ms - block.start_ms) * BYTES_PER_MS)
        if size >= len(block.inbound):
            before.append(block)
        elif size <= 0:
            behind.append(block)
        else:
            before.append(Block(block.start_ms, block.inbound[:size], block.outbound[:size]))
            behind.append(Block(block.start_ms + g711.ms(size), block.inbound[size:], block.outbound[size:]))
    return before, behind
