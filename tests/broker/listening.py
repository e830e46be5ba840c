"""A receiver that notes what it is told, so that a test can wait for it. And rows, nodes and appends as tests need them."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any

from hub.broker.broker import Append, Broker, Claimed, News, Node, Row

CALL = "CA" + "0" * 31 + "1"
OTHER_CALL = "CA" + "0" * 31 + "2"


class Listener:
    """Notes everything in order. `snapshot_of`: reads the snapshot again whenever news were missed, as a node does."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, bytes]] = []
        self.topics: list[str] = []
        """As they were subscribed to, again each time."""
        self.news: list[News] = []
        self.misses = 0
        self._changed = asyncio.Event()

    def received(self, topic: str, body: bytes) -> None:
        self.messages.append((topic, body))
        self._changed.set()

    def subscribed(self, topic: str) -> None:
        self.topics.append(topic)
        self._changed.set()

    def told(self, news: News) -> None:
        self.news.append(news)
        self._changed.set()

    def missed(self) -> None:
        self.misses += 1
        self._changed.set()

    async def until(self, fact: Callable[[], Any]) -> None:
        """Wait for a fact about what was noted."""
        async with asyncio.timeout(30):
            while not fact():
                self._changed.clear()
                await self._changed.wait()

    async def hears(self, broker: Broker, topic: str) -> None:
        """Listen to a topic, and wait until that is so."""
        times = self.topics.count(topic)
        broker.listen(topic)
        await self.until(lambda: self.topics.count(topic) > times)


async def happens(fact: Callable[[], Awaitable[Any]], *, within_seconds: float = 30.0) -> Any:
    """Ask again and again until the answer is not empty, and return it."""
    async with asyncio.timeout(within_seconds):
        while not (answer := await fact()):
            await asyncio.sleep(0.01)
    return answer


async def sent(broker: Broker, topic: str, body: bytes) -> int:
    """Send one message, and return how many nodes were sent it."""
    (listeners,) = await broker.send([(topic, body)])
    return listeners


def node(node_id: str = "node-1", **facts: Any) -> Node:
    known = {"id": node_id, "name": node_id, "version": "1", "protocol": 1, "secret": "fingerprint", "at": time.time()}
    return Node(**(known | facts))


def new_call() -> str:
    return "CA" + secrets.token_hex(16)


def append(call_sid: str, *payloads: bytes, first: int = 1, **rest: Any) -> Append:
    return Append(**({"call_sid": call_sid, "generation": 1, "epoch": "e1", "first": first, "payloads": payloads} | rest))


async def claimed(broker: Broker, call_sid: str = CALL, node_id: str = "node-1", *, epoch: str = "e1", number: int = 7) -> Row:
    """Claim a call that can be claimed."""
    answer = await broker.claim(call_sid, node_id, epoch=epoch, number=number)
    assert isinstance(answer, Claimed), answer
    return answer.row
