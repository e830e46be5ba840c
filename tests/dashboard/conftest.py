"""The browser that every dashboard test gets. Starting one takes a second, so all share it, each in a profile of its own.

A browser lives on the event loop that started it; so these tests share one loop, and say so with `loop_scope="session"`.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.dashboard.browser import Visit, chromium
from tests.dashboard.browser import visit as visit_with
from tests.house import House


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One Chromium for all tests."""
    async with chromium() as running:
        yield running


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def no_task_left_behind(browser: Browser) -> AsyncIterator[None]:
    """As in every other test, on the loop that is used here; the browser's own tasks may stay."""
    before = asyncio.all_tasks()
    yield
    await asyncio.sleep(0)
    left = [task for task in asyncio.all_tasks() - before if task is not asyncio.current_task() and not task.done()]
    assert not left, f"left behind: {left}"


@pytest_asyncio.fixture(loop_scope="session")
async def visit(browser: Browser) -> Visit:
    """`async with visit(house, "#CA…") as page`: one page of a real browser, on a hub."""

    def visited(house: House | int, path: str = "", **options: Any) -> AbstractAsyncContextManager[Page]:
        port = house if isinstance(house, int) else house.port
        return visit_with(browser, f"http://127.0.0.1:{port}/{path}", **options)

    return visited
