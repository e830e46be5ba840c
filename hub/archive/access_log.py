"""Who did what with calls, on its way into the archive: rows are noted at once, and stored with the next commit.

To note a row never waits, so it can stand where a socket is served. Whoever must not get an answer before their row is on the disk (a
search, an export, an erasure) waits for `stored`. All of it runs in the event loop's thread.

Knows rows that are not stored yet. Does not know when or how they are stored: see `take`.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

from hub.archive.archive import Access, Action, ArchiveError

log = logging.getLogger(__name__)

MOST_ROWS = 100_000
"""Rows that may wait while the archive cannot be written: about 30 MB, and a day of a busy desk. What comes on top is counted, and lost."""

STORED_SECONDS = 5.0
"""How long an answer waits for its row. Then it is refused: what cannot be noted is not shown."""

LIST_SECONDS = 60.0
"""A program may ask for the list every second. One row a minute says so for each subject."""

HUB = "hub"
"""The subject of what the hub does by itself: to erase what was kept for long enough."""


class AccessLog:
    """The rows of the audit log that are not stored yet."""

    def __init__(self, wall: Callable[[], float], wake: Callable[[], object] | None = None) -> None:
        """`wall`: Unix seconds. `wake` is called when a row is there to be taken. None on a hub without an archive: nothing is noted."""
        self._wall = wall
        self._wake = wake
        self._rows: list[Access] = []
        """Noted, and not taken."""
        self._taken = 0
        """How many are taken, and not known to be stored."""
        self._noted = 0
        """Rows that were ever noted, without those that were lost."""
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        """Those who wait until so many of the noted rows are stored."""
        self._lost = 0
        """Rows that were lost since rows were last taken, because too many wait."""
        self._listed: set[tuple[str, str]] = set()
        """The subjects and calls whose list was noted since `_listed_since`."""
        self._listed_since = float("-inf")
        """Unix seconds."""

    def note(self, subject: str, action: Action, call_sid: str = "", detail: str = "") -> None:
        """Note that somebody did something with a call, or with calls. Never waits and never raises.

        `detail` must hold no words of a call, no numbers, and nothing that was searched for: it would outlive the call.
        """
        now = self._wall()
        if self._wake is None or (action == "list" and self._listed_just_now(subject, call_sid, now)):
            return
        if self.waiting >= MOST_ROWS:
            if not self._lost:
                log.error("the archive cannot be written, and %d rows of the audit log wait: further ones are lost", MOST_ROWS)
            self._lost += 1
            return
        self._rows.append(Access(at=now, subject=subject, action=action, call_sid=call_sid, detail=detail))
        self._noted += 1
        self._wake()

    async def stored(self) -> None:
        """Return once all rows noted so far are stored. Raises: ArchiveError when that takes longer than STORED_SECONDS."""
        if self._lost:
            raise ArchiveError("it has not noted for a while who did what", passing=True)
        if not self.waiting:
            return
        waiter = (self._noted, asyncio.get_running_loop().create_future())
        self._waiting.append(waiter)
        try:
            async with asyncio.timeout(STORED_SECONDS):
                await waiter[1]
        except TimeoutError:
            raise ArchiveError("who asks for this could not be noted in time", passing=True) from None
        finally:
            if waiter in self._waiting:
                self._waiting.remove(waiter)

    @property
    def waiting(self) -> int:
        """How many rows are not stored yet."""
        return len(self._rows) + self._taken

    def take(self) -> list[Access]:
        """Return the rows to be stored now, in order. `stored_all` or `put_back` must follow before rows are taken again."""
        taken, self._rows = self._rows, []
        if self._lost:
            detail = f"{self._lost} rows are missing here: the archive could not be written"
            taken.append(Access(at=self._wall(), subject=HUB, action="audit", detail=detail))
            self._noted, self._lost = self._noted + 1, 0
        self._taken = len(taken)
        return taken

    def stored_all(self, accesses: Sequence[Access]) -> None:
        """Take note that the rows which were taken are stored."""
        self._taken -= len(accesses)
        stored = self._noted - self.waiting
        for due, waiter in self._waiting:
            if due <= stored and not waiter.done():
                waiter.set_result(None)
        self._waiting = [each for each in self._waiting if each[0] > stored]

    def put_back(self, accesses: Sequence[Access]) -> None:
        """Take rows back that could not be stored, so that they are taken again."""
        self._taken -= len(accesses)
        self._rows[:0] = accesses

    def _listed_just_now(self, subject: str, call_sid: str, now: float) -> bool:
        if not 0 <= now - self._listed_since < LIST_SECONDS:
            self._listed_since, self._listed = now, set()
        known = (subject, call_sid) in self._listed
        self._listed.add((subject, call_sid))
        return known
