"""One live call's sound, for those who listen in. Knows who hears it, not how they are reached.

Whoever runs a call asks `if sound.ears:` once a block and then calls `play`; so a call that nobody hears pays for one look. Each block
is made one frame for all who hear it.
"""

from collections.abc import Callable
from typing import TypeAlias

from hub.audio.timeline import Block
from hub.web.protocol import sound_frame

MOST_EARS = 100
"""A block is handed to all of them in one go, which takes about a millisecond: no other call may wait longer for it."""

Hear: TypeAlias = Callable[[bytes], None]
"""Takes a whole WebSocket message, or lets it go. Must not wait and must not raise."""

Over: TypeAlias = Callable[[str], None]
"""Is told, in a few words, why nothing follows. Must not wait and must not raise."""


class Sound:
    """What can be heard of one call, while it lives."""

    __slots__ = ("ears", "id")

    def __init__(self, number: int) -> None:
        """`number` tells this sound from every other of this hub, in 32 bits."""
        self.id = number
        self.ears: dict[Hear, Over] = {}
        """Who listens, in the order they came."""

    @property
    def full(self) -> bool:
        """Whether nobody more may listen."""
        return len(self.ears) >= MOST_EARS

    def play(self, block: Block) -> None:
        """Hand a block to everyone who listens. Never waits."""
        frame = sound_frame(self.id, int(block.start_ms), block.stereo())
        for hear in list(self.ears):
            hear(frame)

    def end(self, reason: str) -> None:
        """Tell everyone who listens that the call is over."""
        ears, self.ears = self.ears, {}
        for over in ears.values():
            over(reason)
