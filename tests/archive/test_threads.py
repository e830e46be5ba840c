"""The threads of the archive: nobody waits for a disk who must not."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from queue import Queue

import pytest
import pytest_asyncio

from hub.archive.archive import Archive, ArchiveError, ArchiveInUse, CallFilter
from hub.archive.opening import open_archive
from hub.archive.threads import READERS, ArchiveThreads
from tests.archive.made import change, sids, texts_of


@pytest_asyncio.fixture
async def threads(tmp_path: Path) -> AsyncIterator[ArchiveThreads]:
    """Threads with an archive in a file."""
    made = ArchiveThreads(open_archive(str(tmp_path / "calls.db")))
    yield made
    await made.close()


async def test_what_is_written_is_stored_in_order_and_read(threads: ArchiveThreads) -> None:
    threads.write([change("CA1", "a", at=1.0)])
    threads.write([change("CA1", "b", after=1)])
    await asyncio.wrap_future(threads.write([change("CA1", "c", after=2)]))
    assert texts_of(await threads.read(threads.archive.log, "CA1")) == ["a", "b", "c"]
    assert sids(await threads.read(threads.archive.page, CallFilter(), None, limit=5)) == ["CA1"]


async def test_errors_reach_whoever_asked_and_the_thread_goes_on(threads: ArchiveThreads) -> None:
    with pytest.raises(ArchiveError, match="does not know"):
        await asyncio.wrap_future(threads.write([change("CA1", "a")]))
    with pytest.raises(ZeroDivisionError):
        await threads.read(lambda: 1 // 0)
    await asyncio.wrap_future(threads.write([change("CA1", "a", at=1.0)]))
    assert texts_of(await threads.read(threads.archive.log, "CA1")) == ["a"]


async def test_neither_long_upkeep_nor_a_long_search_keeps_events_or_a_page_waiting(threads: ArchiveThreads) -> None:
    gate = threading.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(threads.upkeep(gate.wait))
        for _ in range(READERS - 1):
            group.create_task(threads.read(gate.wait))
        await asyncio.wrap_future(threads.write([change("CA1", "a", at=1.0)]))
        assert texts_of(await threads.read(threads.archive.log, "CA1")) == ["a"]
        gate.set()


async def test_what_nobody_waits_for_any_more_is_not_begun(threads: ArchiveThreads) -> None:
    gate, begun = threading.Event(), threading.Event()
    async with asyncio.TaskGroup() as group:
        for _ in range(READERS):
            group.create_task(threads.read(gate.wait))
        await asyncio.sleep(0)
        left = group.create_task(threads.read(begun.set))
        await asyncio.sleep(0)
        left.cancel()
        await asyncio.wait([left])
        gate.set()
    await threads.read(gate.wait)
    await threads.read(gate.wait)
    assert not begun.is_set()


async def test_closing_does_what_was_handed_over_and_lets_the_next_hub_in(tmp_path: Path) -> None:
    place = str(tmp_path / "calls.db")
    threads = ArchiveThreads(open_archive(place))
    for offset in range(50):
        threads.write([change("CA1", f"{offset}", at=1.0, after=offset)])
    await threads.close()
    archive = open_archive(place)
    assert texts_of(archive.log("CA1")) == [f"{offset}" for offset in range(50)]
    archive.close()


async def test_closing_does_not_wait_for_a_database_that_does_not_answer(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    threads, gate = ArchiveThreads(open_archive(str(tmp_path / "calls.db"))), threading.Event()
    stuck = asyncio.ensure_future(threads.upkeep(gate.wait))
    await asyncio.sleep(0)
    await threads.close(within_seconds=0.01)
    assert "did not finish" in caplog.text
    assert {thread.daemon for thread in threading.enumerate() if thread.name.startswith("archive-")} == {True}
    gate.set()
    await stuck
    threads.archive.close()


async def test_an_archive_that_is_opened_for_nobody_any_more_is_closed(tmp_path: Path) -> None:
    place, begun, gate = str(tmp_path / "calls.db"), threading.Event(), threading.Event()
    opened: Queue[Archive] = Queue()

    def open_late() -> Archive:
        begun.set()
        gate.wait()
        opened.put(archive := open_archive(place))
        return archive

    async with asyncio.TaskGroup() as group:
        starting = group.create_task(ArchiveThreads.opened(open_late))
        await asyncio.to_thread(begun.wait)
        starting.cancel()
    gate.set()
    kept = opened.get()
    while True:  # by then its lock is free
        try:
            open_archive(place).close()
        except ArchiveInUse:
            await asyncio.sleep(0.005)
        else:
            break
    del kept
