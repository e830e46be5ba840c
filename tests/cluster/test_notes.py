"""Notes in a cluster over one archive: one node has them written, and whoever owns the call publishes them."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from hub.broker.broker import HoldTimes
from hub.broker.memory import MemoryBroker, MemoryCluster
from tests.archive.conftest import postgres
from tests.archive.postgres_server import PostgresServer
from tests.cluster.pairs import until
from tests.house import House, house
from tests.media import CALL
from tests.providers.fake_chat import FakeChat, serving, settings
from tests.publishing import ScriptedCall

__all__ = ["postgres"]  # the fixture

TIMES = HoldTimes(lease_seconds=2.0, steady_seconds=0.5)


@pytest.fixture
async def chat() -> AsyncIterator[FakeChat]:
    async with serving(FakeChat()) as chat:
        yield chat


class Nodes:
    """Two nodes, each of which can be stopped."""

    def __init__(self, chat: FakeChat, archive: str) -> None:
        self._shared = MemoryCluster()
        self._settings = settings(chat, archive=archive)
        self.homes: dict[str, House] = {}
        self.stacks = {name: AsyncExitStack() for name in "ab"}

    async def start(self) -> None:
        for name, stack in self.stacks.items():
            joins = MemoryBroker(self._shared, TIMES)
            self.homes[name] = await stack.enter_async_context(house(joins=joins, node=name, **self._settings))

    async def stop(self, name: str) -> None:
        await self.stacks[name].aclose()

    def stored(self, name: str) -> list[Any]:
        """The events of the call in the archive."""
        found = self.homes[name].state.archive.archive.log(CALL)  # type: ignore[union-attr]
        return [json.loads(payload) for payload in found.payloads] if found is not None else []

    def listed(self, name: str) -> int:
        """How many calls wait for a note."""
        count: int = self.homes[name].state.archive.archive.unnoted.due(0)[1]  # type: ignore[union-attr]
        return count


@pytest.fixture
async def nodes(chat: FakeChat, postgres: PostgresServer) -> AsyncIterator[Nodes]:
    made = Nodes(chat, postgres.schema())
    await made.start()
    yield made
    for name in "ab":
        await made.stop(name)


def talked(home: House) -> None:
    script = ScriptedCall(home.state)
    script.final("good morning")
    script.end()


@pytest.mark.parametrize("owner", ["a", "b"])
async def test_a_call_of_any_node_gets_one_note_that_every_node_has(chat: FakeChat, nodes: Nodes, owner: str) -> None:
    other = nodes.homes["b" if owner == "a" else "a"]
    talked(nodes.homes[owner])
    await until(lambda: nodes.stored("a") and not nodes.listed("a"))
    kinds = [event["type"] for event in nodes.stored("a")]
    assert kinds == ["call-started", "final", "call-ended", "note"]
    await until(lambda: (record := other.state.registry.known(CALL)) is not None and record.outline.note)
    assert (await other.json(f"/calls/{CALL}/transcript.json"))["events"] == nodes.stored("a")
    assert len(chat.requests) == 1


@pytest.mark.parametrize("dies", ["a", "b"])
async def test_the_note_of_a_node_that_died_after_the_end_is_written_by_another(chat: FakeChat, nodes: Nodes, dies: str) -> None:
    chat.holds = asyncio.Event()
    left = "b" if dies == "a" else "a"
    talked(nodes.homes[dies])
    await chat.until(1)
    await nodes.stop(dies)
    chat.holds.set()
    await until(lambda: not nodes.listed(left))
    assert [event["type"] for event in nodes.stored(left)] == ["call-started", "final", "call-ended", "note"]
    assert (await nodes.homes[left].json(f"/calls/{CALL}"))["note"] == "They talked."
    assert 1 <= len(chat.requests) <= 2
