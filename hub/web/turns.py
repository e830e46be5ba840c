"""Turns of the event loop, for peers that have much to do: one of them in each turn, in the order in which they came.

A peer can have thousands of requests in the kernel's buffer. If they were all processed in one turn, everybody's audio would wait as long.
If each peer had a slice of each turn, a hundred such peers would make turns of a hundred slices. Here the audio waits for one slice,
however many peers are busy. Knows the event loop. Does not know what peers do.
"""

import asyncio

MESSAGES = 64
"""How many of one peer's messages are processed before others have their turn: one or two milliseconds, and a dear one counts as many."""


class Turns:
    """The queue of busy peers."""

    def __init__(self) -> None:
        self._queue = asyncio.Lock()

    async def next(self) -> None:
        """Return in a turn that is this peer's own. Safe to cancel."""
        async with self._queue:
            await asyncio.sleep(0)
