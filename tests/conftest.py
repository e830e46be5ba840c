"""What every test is held to: it leaves no task, no socket and no database connection behind. And which cannot run on this machine."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from hub.errors import ConfigError
from hub.vendors.moonshine.engine import LocalEngine
from tests.open_connections import all_open, watch

if sys.platform != "win32":
    import resource

    # A thousand sockets in one process need both ends' descriptors.
    _soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(_hard, 20_000), _hard))

# A shell that runs the tests in the background makes them ignore Ctrl-C, and so would every program that they start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

watch()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Run one worker more than there are processors: a third of the time a test waits, for a deadline or for a process to start."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what is marked `engine` where the speech engine has no wheel or does not run."""
    engines = [item for item in items if item.get_closest_marker("engine")]
    if not engines:
        return
    try:
        LocalEngine().check()
    except ConfigError as error:
        for item in engines:
            item.add_marker(pytest.mark.skip(reason=str(error)))


@pytest.fixture(autouse=True)
def no_connection_left_open() -> Iterator[None]:
    """Fail a test that leaves a connection to a database open."""
    before = all_open()
    yield
    left = [where for made, where in all_open().items() if made not in before]
    assert not left, "left open, and made at\n  " + "\nand at\n  ".join(left)


@pytest_asyncio.fixture(autouse=True)
async def client_sockets_are_broken_off(no_connection_left_open: None, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Close sockets that a test left open: an aiohttp socket that is only forgotten warns when it is collected, during some later test."""
    opened: list[aiohttp.ClientWebSocketResponse] = []
    begin = aiohttp.ClientWebSocketResponse.__init__

    def remembered(self: aiohttp.ClientWebSocketResponse, *arguments: Any, **named: Any) -> None:
        begin(self, *arguments, **named)
        opened[:] = [each for each in opened if not each.closed]
        opened.append(self)

    monkeypatch.setattr(aiohttp.ClientWebSocketResponse, "__init__", remembered)
    yield
    for socket in opened:
        socket._response.close()


@pytest_asyncio.fixture(autouse=True)
async def no_task_left_behind() -> AsyncIterator[None]:
    """Fail a test that leaves a task running on its event loop."""
    before = asyncio.all_tasks()
    yield
    await asyncio.sleep(0)
    left = [task for task in asyncio.all_tasks() - before if task is not asyncio.current_task() and not task.done()]
    assert not left, f"left behind: {left}"
