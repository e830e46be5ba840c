"""One page of the list of calls, newest first: calls in memory and calls in the archive as one sequence, each call once.

Calls that are live or ended a short while ago are in memory, and what memory says of them holds: also those of other nodes, whose words are
read from the broker when they are searched. All others come from the archive. The
number of a call is the key of both. So the two are merged as they are read, and a page begins where the one before ended, whatever has
begun or been forgotten since.

**A search** goes through the same sequence. A call in memory is read as it is. Of the archive come only calls whose words can fit, by its
index. `CallSearch` then decides over what was said in each. A search reads so much for one page and no more: a page may be short, and still
have a next one. Each slice of it has a turn of the event loop to itself, so nothing that is live waits.

Knows which calls are asked for. Does not know HTTP.
"""

from collections.abc import AsyncGenerator, Container
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from hub.cluster.call_logs import CallLogs
from hub.events import CallSummary
from hub.tokens import Grant
from hub.topics.record import Record
from hub.transcript.search import CallSearch, Query
from hub.web.doors.archived_calls import ArchivedCall, archived_calls
from hub.web.doors.call_query import CallQuery, fits
from hub.web.doors.log_parts import log_parts
from hub.web.doors.subscriptions import CALLS_PER_TURN
from hub.web.state import State
from hub.web.turns import LoopTurns

SEARCHED_UTTERANCES = 5_000
"""Utterances that are read for one page of a search: a hundred calls or two, and 30 to 60 ms of work."""

UTTERANCES_PER_TURN = 256
"""Utterances that are read in one turn of the event loop: about a millisecond."""

SEALED_SECONDS = 30.0
"""The words of a call that ended longer ago are in the archive's index."""

COMPARED_PER_TURN = 512
"""Calls that are compared with a filter in one turn of the event loop: about a millisecond."""

Listed: TypeAlias = Record | ArchivedCall

_summaries = msgspec.json.Decoder(CallSummary)


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
    """Return the page that a request asks for, of the calls that the token allows. Raises: ArchiveError, BrokerError.

    A search is begun with `State.searches` held.
    """
    page = _Page(wanted, state.turns, state.cluster.replicas.logs if state.cluster is not None else None)
    async with aclosing(_newest_first(state, grant, wanted)) as listed:
        async for each in listed:
            if page.is_full:
                return CallPage(page.calls, page.last)
            await page.look_at(each)
    return CallPage(page.calls, None)


class _Page:
    """A page that is being filled."""

    def __init__(self, wanted: CallQuery, turns: LoopTurns, logs: CallLogs | None) -> None:
        """`logs`: those of other nodes' calls. None on a hub that is its own cluster."""
        self._wanted = wanted
        self._turns = turns
        self._logs = logs
        self.calls: list[bytes] = []
        self.last: int | None = None
        """The number of the call that was looked at last. None before the first."""
        self._looked_at = 0
        self._utterances = 0
        """How many were read for a search."""
        self._in_turn = 0
        """How many of them in this turn of the event loop."""

    @property
    def is_full(self) -> bool:
        """Whether no more calls are to be looked at."""
        return len(self.calls) >= self._wanted.limit or self._utterances >= SEARCHED_UTTERANCES

    async def look_at(self, listed: Listed) -> None:
        """Put a call on the page if it is what is searched for."""
        self.last = listed.number
        self._looked_at += 1
        if self._wanted.query is None:
            self.calls.append(_summary(listed))
            if self._looked_at % CALLS_PER_TURN == 0:
                await self._turns.next()
            return
        search = await self._searched(listed, self._wanted.query)
        self._utterances += search.utterances
        if search.fits:
            self.calls.append(b'%b,"hits":%d,"found":%b}' % (_summary(listed)[:-1], search.hits, msgspec.json.encode(search.found)))

    async def _searched(self, listed: Listed, query: Query) -> CallSearch:
        if isinstance(listed, Record) and not listed.loaded:
            return await self._searched_elsewhere(listed, query)
        if isinstance(listed, Record):
            search = query.of(listed.summary())
            async for payloads in log_parts(listed.topic.log, self._turns):
                search.read(payloads)
            return search
        search = query.of(_summaries.decode(listed.call.facts.summary))
        for part in listed.spoken:
            before = search.utterances
            search.read_spoken(part)
            self._in_turn += search.utterances - before
            if self._in_turn >= UTTERANCES_PER_TURN:
                self._in_turn = 0
                await self._turns.next()
        return search

    async def _searched_elsewhere(self, record: Record, query: Query) -> CallSearch:
        """Read a call of another node for this search, and keep nothing of it. Raises: BrokerError."""
        assert self._logs is not None, "without a cluster, all events are here"
        search, found = query.of(record.summary()), await self._logs.read(record)
        for at in range(0, len(found.payloads), UTTERANCES_PER_TURN):
            search.read(found.payloads[at : at + UTTERANCES_PER_TURN])
            await self._turns.next()
        return search


def _summary(listed: Listed) -> bytes:
    return listed.summary_json() if isinstance(listed, Record) else listed.call.facts.summary


async def _newest_first(state: State, grant: Grant, wanted: CallQuery) -> AsyncGenerator[Listed, None]:
    """Yield the calls that fit the filter, each once. Of those in the archive, only the ones whose words can fit."""
    await state.turns.next()  # to find thousands of calls, and to sort them, takes milliseconds
    records = [record for record in state.registry.allowed(grant) if not _is_left_to_the_archive(state, wanted, record)]
    in_memory = {record.call_sid for record in records}
    async with (
        aclosing(_fitting(records, wanted, state.turns)) as remembered,
        aclosing(_archived(state, grant, wanted, in_memory)) as archived,
    ):
        record = await anext(remembered, None)
        async for call in archived:
            while record is not None and record.number > call.number:
                yield record
                record = await anext(remembered, None)
            yield call
        while record is not None:
            yield record
            record = await anext(remembered, None)


def _is_left_to_the_archive(state: State, wanted: CallQuery, record: Record) -> bool:
    """Return whether a call that is known here is searched in the archive, by its index: its events would have to be brought first."""
    if wanted.query is None or state.archive is None or record.loaded or record.live:
        return False
    return record.ended_at < state.registry.clock() - SEALED_SECONDS


async def _archived(state: State, grant: Grant, wanted: CallQuery, in_memory: Container[str]) -> AsyncGenerator[ArchivedCall, None]:
    """Yield the calls of the archive that can fit, newest first, without those in memory."""
    if state.archive is None or wanted.filter.live:  # live calls are in memory
        return
    allowed = wanted.within(grant, state.registry.wall() - state.config.keep_minutes * 60)
    async with aclosing(archived_calls(state.archive, allowed, wanted, in_memory)) as archived:
        async for call in archived:
            yield call


async def _fitting(records: list[Record], wanted: CallQuery, turns: LoopTurns) -> AsyncGenerator[Record, None]:
    """Yield the calls in memory that fit the filter, newest first."""
    after = wanted.after
    behind = [record for record in records if after is None or record.number < after]
    behind.sort(key=lambda record: record.number, reverse=True)
    for at, record in enumerate(behind, 1):
        if fits(record, wanted.filter):
            yield record
        if at % COMPARED_PER_TURN == 0:
            await turns.next()
