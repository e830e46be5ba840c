"""Turns of the event loop, for peers that have much to do: one of them in each turn, in the order in which they came.

A peer can have thousands of requests in the kernel's buffer. If they were all processed in one turn, everybody's audio would wait as long.
If each peer had a slice of each turn, a hundred such peers would make turns of a hundred slices. Here the audio waits for one slice,
however many peers are busy. What a peer asks for now and then is not queued, as long as all peers together ask for little in a turn.

Knows the event loop. Does not know what peers do.
"""

import asyncio

MESSAGES = 64
"""How many messages are processed in a turn without a place in the queue, and by a peer whose turn it is: one or two milliseconds. A dear
message counts as many."""


class LoopTurns:
    """The queue of busy peers."""

    def __init__(self) -> None:
        self._queue = asyncio.Lock()
        self._spent = 0.0
        """What was processed in this turn, in messages."""

    async def spend(self, cost: float) -> None:
        """Count what was processed for a peer, in messages. Return at once if the turn has room for more, otherwise in its own turn."""
        if not self._spent:
            asyncio.get_running_loop().call_soon(self._begin)
        self._spent += cost
        if self._spent >= MESSAGES:
            await self.next()

    async def next(self) -> None:
        """Return in a turn that is this peer's own. Safe to cancel."""
        async with self._queue:
            await asyncio.sleep(0)
        self._begin()

    def _begin(self) -> None:
        self._spent = 0.0
