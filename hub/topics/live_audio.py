"""One live call's audio, for those who listen in. Knows who listens, not how they are reached.

A call asks `if live_audio.listeners:` once a block and only then calls `play`, so a call that nobody listens to pays for one look. Each
block is encoded once for all listeners.
"""

import struct
from typing import Protocol

from hub.audio.g711 import BYTES_PER_MS
from hub.audio.timeline import Block

MAX_LISTENERS = 100
"""A block is handed to all of them in one go, which takes about a millisecond: no other call may wait longer for it."""

REPEATED_MS = 30_000
"""A block that was played longer ago than this is none that comes twice: call time has begun anew."""

_HEAD = struct.Struct(">II")
_NUMBER = struct.Struct(">I")  # of either of the two

HEAD_BYTES = _NUMBER.size
"""What stands before a block and is this hub's own: the number of the live audio."""


class Listener(Protocol):
    """Somebody who listens to one call."""

    def receive(self, payload: bytes) -> None:
        """Take a stretch of audio, or let it go. Must not wait and must not raise.

        4 bytes of the live audio's number and 4 bytes of call time in ms, both unsigned and big-endian; then mu-law at 8000 Hz, one byte
        of inbound and one of outbound in turn.
        """

    def ended(self, reason: str) -> None:
        """Nothing follows, for this reason. Must not wait and must not raise."""


class LiveAudio:
    """What can be listened to of one call, while it lives."""

    __slots__ = ("_reached_ms", "listeners", "number")

    def __init__(self, number: int) -> None:
        """`number` tells this call's audio from every other's on this hub, in 32 bits."""
        self.number = number
        self.listeners: dict[Listener, None] = {}
        """Who listens, in the order in which they came."""
        self._reached_ms = 0
        """Call time up to which it was played."""

    @property
    def full(self) -> bool:
        """Whether nobody more may listen."""
        return len(self.listeners) >= MAX_LISTENERS

    def play(self, block: Block) -> None:
        """Hand a block to everyone who listens. Never waits."""
        start_ms = int(block.start_ms)
        self._hand_out(start_ms, _HEAD.pack(self.number, start_ms) + block.stereo())

    def play_again(self, payload: bytes) -> None:
        """Hand a block that another hub has played to everyone who listens. `payload`: all but its HEAD_BYTES. Never waits."""
        if self.listeners:
            (start_ms,) = _NUMBER.unpack_from(payload)
            self._hand_out(start_ms, _NUMBER.pack(self.number) + payload)

    def _hand_out(self, start_ms: int, payload: bytes) -> None:
        if 0 < self._reached_ms - start_ms < REPEATED_MS:
            return  # the call has moved to another node, which begins with what is played already
        self._reached_ms = start_ms + (len(payload) - _HEAD.size) // (2 * BYTES_PER_MS)
        for listener in list(self.listeners):
            listener.receive(payload)

    def end(self, reason: str) -> None:
        """Tell everyone who listens that the call is over."""
        listeners, self.listeners = self.listeners, {}
        for listener in listeners:
            listener.ended(reason)
