"""Reads a log from inside the process, at the reader's own pace: for an archive, a webhook, another node.

A reader pulls. While it is busy with a batch nothing is collected for it, so a slow reader costs the hub nothing; one that is slower than
the log forgets is told so. Knows the event loop. Does not know what a reader does with events.
"""

import asyncio
from collections.abc import AsyncIterator

from hub.errors import Lagged
from hub.topics.log import Log

BATCH_BYTES = 256 * 1024
"""Hundreds of events: a reader that stores them has one transaction for each batch."""


async def read(log: Log, after: int = 0, batch_bytes: int = BATCH_BYTES) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Yield the log's payloads behind an offset in batches, each with the offset of its first payload; then wait for more, for ever.

    The next batch is collected when the reader asks for it. Close the iterator (`aclosing`) when done; safe to cancel. Raises: Lagged when
    the log has forgotten events that the reader has not had.
    """
    news = asyncio.Event()
    log.watch(news.set)
    try:
        while True:
            news.clear()
            while after < log.offset:
                if after < log.first - 1:
                    raise Lagged(log.total_bytes - log.bytes_up_to(after), 0.0)
                batch = log.after(after, batch_bytes)
                yield after + 1, batch
                after += len(batch)
            await news.wait()
    finally:
        log.unwatch(news.set)
