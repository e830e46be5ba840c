"""One page of the list of calls, newest first, with what a search found in each call.

**A search** goes through the calls in order and reads each one's events, until the page is full. It reads so much for one page and no more:
a page may be short, and still have a next one. Searches run one at a time, and each slice of one has a turn of the event loop to itself, so
nothing that is live waits.

Knows which calls are asked for. Does not know HTTP.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing, nullcontext
from dataclasses import dataclass

import msgspec

from hub.archive.archive import CallFilter
from hub.tokens import Grant
from hub.topics.record import Record
from hub.topics.registry import Registry
from hub.transcript.search import CallSearch
from hub.web.doors.call_query import CallQuery, fits
from hub.web.doors.log_parts import log_parts
from hub.web.doors.subscriptions import CALLS_PER_TURN
from hub.web.state import State
from hub.web.turns import LoopTurns

SEARCHED_BYTES = 32 * 1024 * 1024
"""Events that are read for one page of a search: about a tenth of a second of work, spread over hundreds of turns of the event loop."""

COMPARED_PER_TURN = 512
"""Calls that are compared with a filter in one turn of the event loop: about a millisecond."""


@dataclass(frozen=True, slots=True)
class CallPage:
    """A page of the list."""

    calls: list[bytes]
    """Summaries in JSON. In a search each also has `hits` and `found`; see CallSearch."""
    next: int | None
    """The number of the last call that was looked at. None where the list ends."""

    def json(self) -> bytes:
        """Return the page as it is answered."""
        following = b"null" if self.next is None else b'"%d"' % self.next
        return b'{"calls":[%b],"next":%b}' % (b",".join(self.calls), following)


async def call_page(state: State, grant: Grant, wanted: CallQuery) -> CallPage:
    """Return the page that a request asks for, of the calls that the token allows."""
    async with nullcontext() if wanted.query is None else state.searches:
        page = _Page(state, wanted)
        async with aclosing(_newest_first(state, grant, wanted)) as records:
            async for record in records:
                if page.is_full:
                    return CallPage(page.calls, page.last)
                await page.look_at(record)
        return CallPage(page.calls, None)


class _Page:
    """A page that is being filled."""

    def __init__(self, state: State, wanted: CallQuery) -> None:
        self._wanted = wanted
        self._turns = state.turns
        self.calls: list[bytes] = []
        self.last: int | None = None
        """The number of the call that was looked at last."""
        self._searched_bytes = 0
        self._looked_at = 0

    @property
    def is_full(self) -> bool:
        """Whether no more calls are to be looked at."""
        return len(self.calls) >= self._wanted.limit or self._searched_bytes >= SEARCHED_BYTES

    async def look_at(self, record: Record) -> None:
        """Put a call on the page if it is what is searched for."""
        self.last = record.number
        self._looked_at += 1
        if self._looked_at % CALLS_PER_TURN == 0:
            await self._turns.next()
        if self._wanted.query is None:
            self.calls.append(record.summary_json())
            return
        search = self._wanted.query.of(record.summary())
        async for payloads in log_parts(record.topic.log, self._turns):
            search.read(payloads)
            self._searched_bytes += sum(map(len, payloads))
        if search.fits:
            self.calls.append(_with_hits(record.summary_json(), search))


def _with_hits(summary: bytes, search: CallSearch) -> bytes:
    return b'%b,"hits":%d,"found":%b}' % (summary[:-1], search.hits, msgspec.json.encode(search.found))


async def _newest_first(state: State, grant: Grant, wanted: CallQuery) -> AsyncGenerator[Record, None]:
    """Yield the calls that fit the filter, whatever was said in them."""
    async for record in _in_memory(state.registry, state.turns, grant, wanted.filter, wanted.after):
        yield record


async def _in_memory(
    registry: Registry, turns: LoopTurns, grant: Grant, wanted: CallFilter, after: int | None
) -> AsyncGenerator[Record, None]:
    await turns.next()  # to find thousands of calls, and to sort them, takes milliseconds
    if wanted.number is not None:
        records = [record for record in registry.with_number(wanted.number) if grant.allows(record.call_sid, *record.numbers)]
    else:
        records = registry.allowed(grant)
    records = [record for record in records if after is None or record.number < after]
    records.sort(key=lambda record: record.number, reverse=True)
    for at, record in enumerate(records, 1):
        if fits(record, wanted):
            yield record
        if at % COMPARED_PER_TURN == 0:
            await turns.next()
