"""Whatever happens to the broker, to messages and to the owner of a call: what its subscribers got, on whichever nodes, is its log."""

import asyncio
import random
from typing import Any

import pytest

from hub.events import Position
from hub.topics.record import Record
from tests.cluster.nodes import CallInTest, NodeInTest, Reader, nodes, until

STEPS = 60


class Subscriber:
    """Somebody who follows a call on one node after the other, from where they were, and what they got in all."""

    def __init__(self) -> None:
        self.reader: Reader | None = None
        self.got: dict[int, dict[str, Any]] = {}
        self.begun = 0
        """Offset behind which they began."""

    async def join(self, node: NodeInTest, call_sid: str, after: Position | None) -> None:
        if after is not None and not self.got:
            self.begun = after.offset
        self.reader = await node.follow(call_sid, after)
        assert self.reader.whole

    def leave(self) -> Position | None:
        """Break off, and return the position."""
        if self.reader is None:
            return None
        self.reader.leave()
        self._take(self.reader)
        epoch = self.reader.record.topic.log.epoch
        self.reader = None
        return Position(epoch=epoch, offset=max([self.begun, *self.got]))

    def _take(self, reader: Reader) -> None:
        expected = max([self.begun, *self.got]) + 1
        closed: set[str] = set()
        for message in reader.messages:
            if "offset" not in message:
                assert message["utterance"] not in closed, "an interim behind its final"
                continue
            assert message["offset"] == expected, "a hole, or a repeat"
            self.got[message["offset"]] = message
            expected += 1
            if message["type"] == "final":
                closed.add(message["utterance"])


class Town:
    """Three nodes, one call, and what can happen to them."""

    def __init__(self, chance: random.Random, shared: Any, members: list[NodeInTest]) -> None:
        self.chance = chance
        self.shared = shared
        self.nodes = members
        self.owner = members[0]
        self.call: CallInTest = members[0].call("CA1")
        self.subscribers = [Subscriber() for _ in range(6)]
        self.utterance = 0
        self.deaf: dict[NodeInTest, Any] = {}
        """Nodes that messages do not reach now, and how they would."""

    @property
    def record(self) -> Record:
        return self.call.record

    async def step(self) -> None:
        happens = self.chance.choices(
            [self.publish, self.interim, self.join, self.drop, self.lose_messages, self.cut, self.restart_empty, self.change_owner],
            [30, 15, 15, 10, 5, 4, 3, 5],
        )[0]
        await happens()
        for _ in range(self.chance.randrange(4)):
            await asyncio.sleep(0)

    async def publish(self) -> None:
        for _ in range(self.chance.randrange(1, 5)):
            if self.chance.random() < 0.5:
                self.call.key(self.chance.choice("0123456789"))
            else:
                self.utterance += 1
                self.call.interim("some", f"u{self.utterance}")
                self.call.final(f"some words {self.utterance}", f"u{self.utterance}")

    async def interim(self) -> None:
        self.call.interim("something", f"u{self.utterance + 1}")

    async def join(self) -> None:
        subscriber = self.chance.choice(self.subscribers)
        if subscriber.reader is not None:
            return
        offset = self.chance.randrange(self.record.topic.log.offset + 1)
        cursor = None if self.chance.random() < 0.3 else Position(epoch=self.record.topic.log.epoch, offset=offset)
        await self._join(subscriber, cursor)

    async def drop(self) -> None:
        """Let a subscriber come back, with the position, to another node."""
        subscriber = self.chance.choice(self.subscribers)
        position = subscriber.leave()
        if position is not None:
            await self._join(subscriber, position)

    async def _join(self, subscriber: Subscriber, after: Position | None) -> None:
        node = self.chance.choice(self.nodes)
        await self.settle()
        if subscriber.got:
            after = Position(epoch=self.record.topic.log.epoch, offset=max(subscriber.got))
        await subscriber.join(node, "CA1", after)

    async def lose_messages(self) -> None:
        """Let messages to a node be lost, for a while."""
        node = self.chance.choice(self.nodes)
        if node not in self.deaf:
            self.deaf[node], node.broker.deliver = node.broker.deliver, lambda topic, body: True  # type: ignore[method-assign]

    async def cut(self) -> None:
        """Break a node's connection to the broker. Interims and events go on meanwhile."""
        node = self.chance.choice(self.nodes)
        node.broker.cut()
        await self.publish()
        await asyncio.sleep(0.001)
        node.broker.mend()

    async def restart_empty(self) -> None:
        for node in self.nodes:
            node.broker.cut()
        self.shared.lose()
        await self.publish()
        for node in self.nodes:
            node.broker.mend()

    async def change_owner(self) -> None:
        """Let another node go on with the call, as after a hand-over."""
        await self.settle()
        to = self.chance.choice([node for node in self.nodes if node is not self.owner])
        record = await to.loaded("CA1")
        await until(lambda: record.topic.log.offset == self.record.topic.log.offset)
        old, old_owner = self.record, self.owner
        await until(lambda: "CA1" in self.shared.rows)
        claim = await old_owner.broker.hand_over("CA1", old.generation, to.cluster.node_id)
        assert claim.row.owner == to.cluster.node_id, claim
        old.owner, old.generation = to.cluster.node_id, claim.row.generation
        old_owner.cluster.gave(old)
        to.registry.own(record, claim.row.generation)
        to.cluster.keeper.adopted(record, record.topic.log.offset)
        self.owner, self.call = to, self.call.at(to, record)

    async def settle(self) -> None:
        """Let messages come again, and wait until the broker has everything and every node knows the call."""
        for node, deliver in self.deaf.items():
            node.broker.deliver = deliver
            node.broker.mend()
        self.deaf.clear()
        await self.owner.cluster.keeper.settled()
        for node in self.nodes:
            await until(lambda node=node: (record := node.registry.known("CA1")) and record.generation == self.record.generation)

    async def check(self) -> None:
        await self.settle()
        self.call.end()
        await self.settle()
        payloads = self.record.topic.log.after(0)
        wanted = {offset: payload for offset, payload in enumerate(payloads, 1)}
        for subscriber in self.subscribers:
            if subscriber.reader is None:
                continue
            reader = subscriber.reader
            await until(lambda reader=reader: reader.completed)
            subscriber.leave()
            assert sorted(subscriber.got) == list(range(subscriber.begun + 1, len(payloads) + 1))
        for node in self.nodes:
            record = await node.loaded("CA1")
            await until(lambda record=record: record.topic.log.offset == len(payloads))
            assert dict(enumerate(record.topic.log.after(0), 1)) == wanted
            assert record.summary_json() == self.record.summary_json()


@pytest.mark.parametrize("seed", range(12))
async def test_what_subscribers_got_is_the_log(seed: int) -> None:
    async with nodes("a", "b", "c") as (shared, members):
        town = Town(random.Random(seed), shared, members)
        await town.settle()
        for _ in range(STEPS):
            await town.step()
        await town.check()
