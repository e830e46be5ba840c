"""The calls of the archive that a list or a search goes through, newest first, read a portion at a time.

What a search reads of a call comes along with it, in the same threads: a hundred calls take a few milliseconds there. Knows rows. Does not
know how a search decides.
"""

from collections.abc import AsyncGenerator, Container
from typing import NamedTuple

from hub.archive.archive import CallFilter, StoredCall
from hub.archive.threads import ArchiveThreads
from hub.web.doors.call_query import CallQuery

PORTION = 64
"""Calls that are read at once for a search: more than most pages need, and a megabyte at most but for very long calls."""


class ArchivedCall(NamedTuple):
    """A call of the archive."""

    call: StoredCall
    spoken: list[bytes]
    """What a search reads of it: see `CallSearch.read_spoken`. Empty in a list."""

    @property
    def number(self) -> int:
        """What tells it from every other. Calls that began later have higher ones."""
        return self.call.facts.number


async def archived_calls(
    threads: ArchiveThreads, wanted: CallFilter, query: CallQuery, in_memory: Container[str]
) -> AsyncGenerator[ArchivedCall, None]:
    """Yield the calls that fit a filter, newest first, without those that are in memory. Raises: ArchiveError.

    With words, they are candidates: the index knows a word by its beginning, and nothing of what stands beside it.
    """
    portion = query.limit + 1  # one more shows whether there is another page
    if wanted.words:
        portion = min(PORTION, portion)
    before = query.after
    while True:
        rows = await threads.read(threads.archive.page, wanted, before, portion)
        others = [row for row in rows if row.call_sid not in in_memory]
        spoken = await threads.read(threads.archive.spoken, others) if wanted.words and others else [[] for _ in others]
        for row, parts in zip(others, spoken, strict=True):
            yield ArchivedCall(row, parts)
        if len(rows) < portion:
            return
        before = rows[-1].facts.number
