"""A registry whose events are stored by an archive that the test answers for, write by write."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hub.archive.access_log import AccessLog
from hub.archive.archive import Access, Change
from hub.archive.mark import BehindMark
from hub.calls.keeper import Keeper
from hub.events import Final, Interim
from hub.topics.outbox import Outbox, Rounds
from hub.topics.record import Record
from hub.topics.registry import Registry
from hub.topics.stores import Stores

CALL = "CA1"


@dataclass
class SlowWriter:
    """An archive whose writes the test finishes one by one. Implements `Writer`."""

    asked: list[tuple[Sequence[Change], Sequence[Access]]] = field(default_factory=list)
    pending: "list[Future[None]]" = field(default_factory=list)

    def write(self, changes: Sequence[Change], accesses: Sequence[Access] = ()) -> "Future[None]":
        self.asked.append((changes, accesses))
        self.pending.append(Future())
        return self.pending[-1]

    def offsets(self) -> list[dict[str, list[int]]]:
        """Which events each write had, by call."""
        return [{change.call_sid: [event.offset for event in change.events] for change in changes} for changes, _ in self.asked]


class Socket:
    """A subscriber's socket that takes everything."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.taken.append(data)

    def get_write_buffer_size(self) -> int:
        return 0


@dataclass
class KeeperDesk:
    """What stores, and what a test needs to look at it."""

    registry: Registry
    stores: Stores
    keeper: Keeper
    writer: SlowWriter
    access_log: AccessLog
    mark_path: Path

    def follow(self, record: Record) -> Socket:
        socket = Socket()
        loop = asyncio.get_running_loop()
        outbox = Outbox(socket, Rounds(loop.call_later, loop.time), lambda payload: payload + b"\n", lambda _: None)
        following, _ = record.topic.audience.follow(outbox)
        outbox.news(following)
        return socket

    def final(self, record: Record, text: str) -> None:
        self.registry.publish(
            record,
            Final(
                call_sid=record.call_sid, utterance=text, revision=1, track="inbound", speaker="caller", text=text, start=0, end=1, words=[]
            ),
        )  # fmt: skip

    def interim(self, record: Record, text: str) -> None:
        self.registry.revise(
            record,
            Interim(call_sid=record.call_sid, utterance=text, revision=1, track="inbound", speaker="caller", text=text, start=0, end=1),
        )

    def trusted(self) -> bool:
        """What the next process would read from the mark if this one died now."""
        mark = BehindMark(self.mark_path)
        return mark.trusted


@asynccontextmanager
async def opened(tmp_path: Path) -> AsyncIterator[KeeperDesk]:
    loop = asyncio.get_running_loop()
    registry = Registry(keep_seconds=0.0, clock=loop.time, wall=lambda: 1000.0, soon=loop.call_soon)
    registry.stored_first = True
    writer = SlowWriter()
    access_log = AccessLog(lambda: 1000.0, lambda: keeper.audit_soon())
    stores = Stores(registry, BehindMark(tmp_path / "mark"))
    keeper = Keeper(registry, stores, writer, access_log)
    stores.add(keeper)
    yield KeeperDesk(registry, stores, keeper, writer, access_log, tmp_path / "mark")


async def until_asked(desk: KeeperDesk, count: int) -> None:
    while len(desk.writer.asked) < count:
        await asyncio.sleep(0)


async def until(fact: object) -> None:
    assert callable(fact)
    while not fact():
        await asyncio.sleep(0.001)


def told(socket: Socket) -> list[str]:
    """The texts that a subscriber was told, in order. Interims in brackets."""
    lines = b"".join(socket.taken).splitlines()
    texts = [line.split(b'"text":"')[1].split(b'"')[0].decode() for line in lines]
    return [f"({text})" if b'"interim"' in line else text for line, text in zip(lines, texts, strict=True)]
