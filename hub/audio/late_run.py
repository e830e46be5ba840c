"""Late chunks of one track: tells a track whose clock is behind from one whose audio was delayed. Pure.

Audio that was delayed comes faster than speech, and catches up. A track whose clock is behind goes on at the pace of speech, and each of
its chunks comes after its place has left.
"""

from collections import deque

from hub.audio.g711 import BYTES_PER_MS

LATE_MS = 300
"""So much late audio in a row, in no less than half as much real time, shows that a track's clock is behind. A socket that rests brings
100 ms at once, and a network that was slow for a moment brings everything at once."""

APART_MS = 40
"""Chunks of one clock follow one another; as much may be missing between two."""

_LATE = LATE_MS * BYTES_PER_MS
_APART = APART_MS * BYTES_PER_MS


class LateRun:
    """Chunks that follow one another by their own clock. Positions are bytes of call time."""

    __slots__ = ("_chunks", "_size")

    def __init__(self) -> None:
        self._chunks: deque[tuple[int, bytes, float]] = deque()
        """Position, audio, and when it came, in ms of real time."""
        self._size = 0
        """The length of all of them, in bytes."""

    def __bool__(self) -> bool:
        return bool(self._chunks)

    def goes_on(self, start: int) -> bool:
        """Return whether a chunk at this position follows the newest one. Only if there is one."""
        newest, payload, _ = self._chunks[-1]
        return follows(newest, payload, start)

    def add(self, start: int, payload: bytes, now_ms: float) -> None:
        """Add the next chunk."""
        self._chunks.append((start, payload, now_ms))
        self._size += len(payload)

    @property
    def is_long(self) -> bool:
        """Whether it is long enough to be judged: by `is_steady`, or without its oldest chunk, once more."""
        return self._size >= _LATE

    @property
    def is_steady(self) -> bool:
        """Whether these chunks came at the pace of speech."""
        return (self._chunks[-1][2] - self._chunks[0][2]) * BYTES_PER_MS >= self._size / 2

    def take(self) -> list[tuple[int, bytes]]:
        """Remove and return all chunks, in order."""
        taken = [(start, payload) for start, payload, _ in self._chunks]
        self._chunks.clear()
        self._size = 0
        return taken

    def take_first(self) -> tuple[int, bytes]:
        """Remove and return the oldest chunk."""
        start, payload, _ = self._chunks.popleft()
        self._size -= len(payload)
        return start, payload


def follows(last: int, payload: bytes, start: int) -> bool:
    """Return whether a chunk comes right after the last one by its stream's own clock."""
    return -_APART // 8 <= start - last - len(payload) <= _APART
