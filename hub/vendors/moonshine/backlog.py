"""One track's audio on its way to the engine on this machine: what waits, and what may have to be heard again by another transcriber.

Pure and without a lock of its own: whoever uses it from two threads holds theirs.
"""

from collections import deque
from dataclasses import dataclass, field

from hub.audio import g711


@dataclass(slots=True)
class Backlog:
    """Filled by the event loop and emptied by the engine's worker."""

    bound_bytes: int
    pieces: deque[tuple[float, bytes]] = field(default_factory=deque)
    """Call time in ms, mu-law."""
    size_bytes: int = 0
    lost_ms: tuple[float, float] | None = None
    """What was dropped before the first piece; None when nothing was."""
    unsettled: deque[tuple[float, bytes]] = field(default_factory=deque)
    """What was taken and may still be needed: a second, or what the open utterance spans."""

    def put(self, start_ms: float, mulaw: bytes) -> None:
        """Append; drop the oldest while it is too much."""
        self.pieces.append((start_ms, mulaw))
        self.size_bytes += len(mulaw)
        while self.size_bytes > self.bound_bytes:
            old_ms, old = self.pieces.popleft()
            self.size_bytes -= len(old)
            self.lost_ms = (self.lost_ms[0] if self.lost_ms else old_ms, old_ms + g711.ms(len(old)))

    def take(self) -> tuple[tuple[float, float] | None, tuple[float, bytes] | None]:
        """Return what was lost, and the piece after that; each is None when there is none."""
        lost_ms, self.lost_ms = self.lost_ms, None
        piece = self.pieces.popleft() if self.pieces else None
        if piece:
            self.size_bytes -= len(piece[1])
            self.unsettled.append(piece)
        return lost_ms, piece

    def settle(self, before_ms: float) -> None:
        """Forget what was taken and ends before this."""
        while self.unsettled and self.unsettled[0][0] + g711.ms(len(self.unsettled[0][1])) <= before_ms:
            self.unsettled.popleft()
