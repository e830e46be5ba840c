"""A transcriber outside any hub: the call that is pushed to it, and what it reports."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import TypeVar

import pytest

from hub.audio.timeline import Block
from hub.transcribers.transcriber import Report, Transcriber
from hub.transcribers.utterances import Recognized
from tests.providers.script import Word, said
from tests.providers.vendors import DEEPGRAM, MIXED, SEPARATE, call_of

VENDORS = pytest.mark.parametrize("vendor", [pytest.param(each, id=each.name) for each in (DEEPGRAM, SEPARATE, MIXED)])
CALLER, CALLEE = said("hello I would like some flowers", 0.5), said("of course which ones", 3.0)
CALL = call_of(CALLER, CALLEE, 5.0)
R = TypeVar("R")


def told(reports: Iterable[Report], kind: type[R]) -> list[R]:
    return [report for report in reports if isinstance(report, kind)]


def words(reports: Iterable[Report], track: str = "inbound") -> list[str]:
    return [word.text for heard in told(reports, Recognized) if heard.settled and heard.track == track for word in heard.words]


def texts(script: Iterable[Word]) -> list[str]:
    return [word.text for word in script]


async def until(fact: Callable[[], bool]) -> None:
    """Wait for what another thread, or the other end of a socket, does soon."""
    async with asyncio.timeout(10):
        while not fact():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def running(transcriber: Transcriber) -> AsyncIterator[tuple[list[Report], asyncio.Task[bool]]]:
    """Run a transcriber until it ends by itself; give what it reports so far, and its task."""
    reports: list[Report] = []
    async with asyncio.TaskGroup() as group:
        run = group.create_task(transcriber.run(reports.append))
        yield reports, run


def push(transcriber: Transcriber, blocks: Iterable[Block]) -> None:
    for block in blocks:
        transcriber.push(block)


async def transcribed(transcriber: Transcriber, call: Iterable[Block]) -> tuple[list[Report], bool]:
    """Push a call at once and finish it; return what was reported, and whether that is all."""
    async with running(transcriber) as (reports, run):
        push(transcriber, call)
        transcriber.finish()
    return reports, run.result()
