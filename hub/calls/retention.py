"""Erases calls and recordings when their time is over: a sweep a minute, of what HUB_KEEP_DAYS and HUB_KEEP_RECORDING_DAYS say.

A sweep asks the archive for what is due, in its threads, and erases it in portions. A call under a legal hold is never due. The bytes that
the database's files still have of it are removed by a scrub. That rebuilds the files, and nothing can be stored meanwhile, so it waits for
a moment without live calls: once a day, or after two days all the same. Of the nodes of a cluster, one does all this.

Knows terms and the clock. How a call is erased is `erasure.py`'s.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from hub.archive.access_log import HUB
from hub.archive.archive import ArchiveError, Expiry, StoredCall, StoredRecording
from hub.archive.threads import ArchiveThreads
from hub.calls.erasure import Erasure
from hub.text.terms import Terms

log = logging.getLogger(__name__)

SWEEP_SECONDS = 60.0
"""How often it is looked for what is due: nothing is kept for longer than its time and this."""

PORTION = 100
"""Calls or recordings that are looked for, and erased, at once."""

DAY_SECONDS = 86400.0

SCRUB_SECONDS, SCRUB_AT_LAST_SECONDS = DAY_SECONDS, 2 * DAY_SECONDS
"""How long after the last scrub the next one comes: while no call is live, and in any case."""

JUMP_SECONDS = 3600.0
"""A clock that moves so far against the time that really passed was set, rightly or wrongly. What it says to be due may be due in years."""

TRUST_SECONDS = DAY_SECONDS
"""For how long nothing is erased after the clock was set, so that somebody can see the warning and set it right."""


@dataclass(frozen=True, slots=True)
class KeepTerms:
    """For how long calls and recordings are kept."""

    calls: Terms
    recordings: Terms

    @property
    def endless(self) -> bool:
        """Whether nothing is ever due."""
        return self.calls.endless and self.recordings.endless


class Retention:
    """Erases what is due."""

    def __init__(
        self, archive: ArchiveThreads, erasure: Erasure, terms: KeepTerms, wall: Callable[[], float], clock: Callable[[], float]
    ) -> None:
        """`wall`: Unix seconds, by which calls are due. `clock`: monotonic seconds, by which a wall clock that was set is noticed."""
        self._archive = archive
        self._erasure = erasure
        self._terms = terms
        self._wall = wall
        self._clock = clock
        self._ahead = wall() - clock()
        """How far the wall clock was ahead of the other one at the last sweep."""
        self._trusted_from = float("-inf")
        """When the wall clock is trusted again, on the other clock."""
        self._remembers = False
        """Whether it is known what an earlier process has left to be scrubbed."""
        self._scrubbed_at = float("-inf")
        """When the last scrub began, on the monotonic clock."""

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            await self.try_to_sweep()
            await asyncio.sleep(SWEEP_SECONDS)

    async def try_to_sweep(self) -> None:
        """Sweep, unless the archive cannot be used now."""
        try:
            await self.sweep()
        except ArchiveError as error:
            log.warning("what is due is not erased yet: %s", error.problem)

    async def sweep(self) -> int:
        """Erase what is due now. Return how many calls and recordings were. Raises: ArchiveError."""
        if not await self._archive.read(self._archive.archive.leads, "retention"):
            self._remembers = False  # should that node die, what it has left to be scrubbed is this one's
            return 0
        if not self._remembers:
            await self._erasure.remember()
            self._remembers = True
        erased = 0
        if self._clock_is_trusted():
            erased = await self._sweep_recordings() + await self._sweep_calls()
        if self._erasure.unscrubbed and self._may_scrub():
            self._scrubbed_at = self._clock()
            await self._erasure.scrub()
        return erased

    async def _sweep_calls(self) -> int:
        expiry, gone = _expiry(self._terms.calls, self._wall()), 0
        while not self._terms.calls.endless:
            due: list[StoredCall] = await self._archive.read(self._archive.archive.due, expiry, PORTION)
            before = gone
            for reason, call_sids in self._by_reason(due).items():
                gone += len((await self._erasure.due(call_sids, reason, HUB)).call_sids)
            if len(due) < PORTION or gone == before:
                break
        return gone

    def _by_reason(self, due: list[StoredCall]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for call in due:
            days = self._terms.calls.of_call(call.facts.agent, call.facts.from_, call.facts.to)
            found.setdefault(f"kept for {days:g} days", []).append(call.call_sid)
        return found

    async def _sweep_recordings(self) -> int:
        """Erase recordings that are due, and those whose calls are gone already."""
        expiry, gone = _expiry(self._terms.recordings, self._wall()), 0
        while True:
            due: list[StoredRecording] = await self._archive.read(self._archive.archive.recordings_due, expiry, PORTION)
            before = gone
            for recording in due:
                gone += await self._erasure.due_recording(recording.call_sid, HUB)
            if len(due) < PORTION or gone == before:
                return gone

    def _clock_is_trusted(self) -> bool:
        now = self._clock()
        ahead = self._wall() - now
        jumped, self._ahead = ahead - self._ahead, ahead
        if abs(jumped) > JUMP_SECONDS:
            log.warning("the clock was set by %.0f seconds: nothing is erased for %.0f hours", jumped, TRUST_SECONDS / 3600)
            self._trusted_from = now + TRUST_SECONDS
        return now >= self._trusted_from

    def _may_scrub(self) -> bool:
        since = self._clock() - self._scrubbed_at
        return since >= (SCRUB_SECONDS if self._erasure.quiet else SCRUB_AT_LAST_SECONDS)


def _expiry(terms: Terms, now: float) -> Expiry:
    """Return before which moments calls must have ended to be due. None: they are never due."""

    def before(days: float) -> float | None:
        return now - days * DAY_SECONDS if days else None

    return Expiry(
        ended_before=before(terms.days),
        numbers={number: before(days) for number, days in terms.numbers.items()},
        agents={agent: before(days) for agent, days in terms.agents.items()},
    )
