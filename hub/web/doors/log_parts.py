"""A call's log, read a part in each turn of the event loop: the log of a day must not make anybody's audio wait. Knows no events."""

from collections.abc import AsyncIterator

from hub.topics.log import Log
from hub.web.turns import LoopTurns

PART_BYTES = 128 * 1024
"""Events read in one turn of the event loop: a millisecond or two."""


async def log_parts(log: Log, turns: LoopTurns) -> AsyncIterator[list[bytes]]:
    """Yield the payloads of a log in order."""
    offset = 0
    while (offset := max(offset, log.first - 1)) < log.offset:
        payloads = log.after(offset, PART_BYTES)
        offset += len(payloads)
        yield payloads
        await turns.next()
