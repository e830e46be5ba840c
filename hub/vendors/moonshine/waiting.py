"""One track's audio around the engine: what waits for it, and what another transcriber may have to recognize again.

Pure, and without a lock of its own: whoever uses it from two threads holds theirs.
"""

from collections import deque

from hub.audio import g711

Piece = tuple[float, bytes]
"""Call time in ms, and the mu-law bytes of one track from there on."""

KEPT_SHARE = 0.25
"""How much of the bound is kept when more audio waits than it allows.

A machine that is too slow stays too slow, so something has to go. If only the excess went, 100 ms would go at each put: a siege with audio
at twelve times its pace lost 325 pieces of 100 ms, each with a gap of its own, and left islands of a second in which no sentence is whole.
So one long stretch goes, and the newest quarter stays: one gap is published, and the words after it are 30 s late instead of two minutes.
"""


class WaitingAudio:
    """Filled by the event loop and emptied by the engine's thread."""

    def __init__(self, bound_bytes: int) -> None:
        self.pieces: deque[Piece] = deque()
        """What waits, in order."""
        self.unsettled: deque[Piece] = deque()
        """What was taken and may still be needed: the open utterance, or the last half second."""
        self._bound_bytes = bound_bytes
        self._size_bytes = 0
        """Of what waits."""
        self._dropped_ms: tuple[float, float] | None = None
        """Start and end of what was dropped before the first piece; None when nothing was."""

    def put(self, start_ms: float, mulaw: bytes) -> None:
        """Append a piece. When that is more than the bound, drop the oldest three quarters."""
        self.pieces.append((start_ms, mulaw))
        self._size_bytes += len(mulaw)
        if self._size_bytes <= self._bound_bytes:
            return
        while len(self.pieces) > 1 and self._size_bytes > self._bound_bytes * KEPT_SHARE:
            old_ms, old = self.pieces.popleft()
            self._size_bytes -= len(old)
            self._dropped_ms = (self._dropped_ms[0] if self._dropped_ms else old_ms, old_ms + g711.ms(len(old)))

    def take(self) -> tuple[tuple[float, float] | None, Piece | None]:
        """Return start and end of what was dropped, in ms, and the piece after that; each is None when there is none."""
        dropped_ms, self._dropped_ms = self._dropped_ms, None
        piece = self.pieces.popleft() if self.pieces else None
        if piece:
            self._size_bytes -= len(piece[1])
            self.unsettled.append(piece)
        return dropped_ms, piece

    def settle(self, before_ms: float) -> None:
        """Forget what was taken and ends before this call time."""
        while self.unsettled and self.unsettled[0][0] + g711.ms(len(self.unsettled[0][1])) <= before_ms:
            self.unsettled.popleft()
