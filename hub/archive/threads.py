"""The archive in threads of its own, so that the event loop never waits for a disk or a server.

One thread writes what is new, two read, and one does what takes long: packing calls that ended, erasing, rebuilding a file. Where there are
webhooks or notes, one more looks after what is still to be done about calls that are stored. The threads are daemons: a database that does
not answer any more cannot keep the process from ending.

Knows threads. Does not know what they do.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeAlias, TypeVar

from hub.archive.archive import Access, Archive, Change

log = logging.getLogger(__name__)

T = TypeVar("T")
P = ParamSpec("P")

READERS = 2
"""One long search leaves room for a page of the list."""

CLOSING_SECONDS = 5.0
"""How long what waits to be written may take when the hub stops. Docker kills it after a while."""

_Job: TypeAlias = tuple[Future[Any], Callable[..., Any], tuple[Any, ...], dict[str, Any]]


class ArchiveThreads:
    """The threads of one archive. Its methods are called in the event loop's thread."""

    def __init__(self, archive: Archive) -> None:
        """`archive` is open. The threads run from now on until `close`."""
        self.archive = archive
        self._writer, self._readers, self._upkeep = (
            _Workers("archive-write", 1),
            _Workers("archive-read", READERS),
            _Workers("archive-upkeep", 1),
        )
        self._undelivered: _Workers | None = None
        """None until somebody asks for the webhooks' outbox, or for calls without a note."""

    @classmethod
    async def opened(cls, open_archive: Callable[[], Archive]) -> "ArchiveThreads":
        """Open an archive in a thread, and return it with its threads. Raises what `open_archive` raises.

        Where it is cancelled, the archive is closed as soon as it has been opened: the next hub finds it free.
        """
        worker = _Workers("archive-open", 1)
        opening = worker.run(open_archive)
        worker.stop()
        try:
            return cls(await asyncio.wrap_future(opening))
        except asyncio.CancelledError:
            opening.add_done_callback(_close_unwanted)
            raise

    def write(self, changes: Sequence[Change], accesses: Sequence[Access] = ()) -> Future[None]:
        """Store what is new, after all that was handed over before. See `Archive.write`. It cannot be cancelled once it has begun."""
        return self._writer.run(self.archive.write, changes, accesses)

    async def read(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a method of the archive that takes some milliseconds, and return what it returns. Raises what it raises."""
        return await asyncio.wrap_future(self._readers.run(function, *args, **kwargs))

    async def upkeep(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a method of the archive that may take long, after all that was handed over before. Raises what it raises."""
        return await asyncio.wrap_future(self._upkeep.run(function, *args, **kwargs))

    async def undelivered(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a method of the webhooks' outbox or of the list of calls without a note, or what reads a call for them.

        Return what it returns. Raises what it raises.
        """
        if self._undelivered is None:
            self._undelivered = _Workers("archive-undelivered", 1)
        return await asyncio.wrap_future(self._undelivered.run(function, *args, **kwargs))

    async def close(self, within_seconds: float = CLOSING_SECONDS) -> None:
        """Do what was handed over, then close the archive. What takes longer is left behind, and the log says so."""
        ended = [each.stop() for each in (self._writer, self._readers, self._upkeep, self._undelivered) if each is not None]
        if await _finished([future for futures in ended for future in futures], within_seconds):
            closing = _Workers("archive-close", 1)
            closed = closing.run(self.archive.close)
            closing.stop()
            if await _finished([closed], within_seconds):
                return
        log.error("the archive did not finish within %.0f seconds: the newest events may be missing in it", within_seconds)


class _Workers:
    """Threads that do one job after the other."""

    def __init__(self, name: str, count: int) -> None:
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._ended: list[Future[None]] = []
        for _ in range(count):
            ended: Future[None] = Future()
            threading.Thread(target=self._work, args=(ended,), name=name, daemon=True).start()
            self._ended.append(ended)

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Let the next free thread call a function."""
        future: Future[T] = Future()
        self._jobs.put((future, function, args, kwargs))
        return future

    def stop(self) -> list[Future[None]]:
        """End the threads after what they have to do. Return a future for each, done when it has ended."""
        for _ in self._ended:
            self._jobs.put(None)
        return self._ended

    def _work(self, ended: Future[None]) -> None:
        while (job := self._jobs.get()) is not None:
            _do(*job)
            del job  # or a thread at rest would keep the last batch in memory
        ended.set_result(None)


def _do(future: Future[Any], function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = function(*args, **kwargs)
    except BaseException as error:  # noqa: BLE001  # whoever waits gets it
        future.set_exception(error)
    else:
        future.set_result(result)


def _close_unwanted(opening: Future[Archive]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


async def _finished(futures: Sequence[Future[Any]], within_seconds: float) -> bool:
    """Return whether all are done in time. None of them is cancelled."""
    _, late = await asyncio.wait([asyncio.wrap_future(each) for each in futures], timeout=within_seconds)
    return not late
