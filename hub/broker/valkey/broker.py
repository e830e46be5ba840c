"""The broker on Valkey or Redis: puts its parts together. See `Broker` for what each method promises."""

import asyncio
import time
from collections.abc import Sequence

from msgspec.structs import replace

from hub.broker.broker import (
    AgentsFull,
    Append,
    Appended,
    BrokerError,
    Claim,
    Claimed,
    Held,
    HoldTimes,
    Logged,
    Node,
    Receiver,
    Row,
    Snapshot,
)
from hub.broker.ownership import Steadiness, claimed_row, is_moved, may_claim
from hub.broker.valkey.address import BrokerAddress
from hub.broker.valkey.clock import ServerClock
from hub.broker.valkey.examination import examine
from hub.broker.valkey.listening import TopicListener
from hub.broker.valkey.logs import StreamLogs
from hub.broker.valkey.news import NewsReading
from hub.broker.valkey.rows import Rows, Seen
from hub.broker.valkey.server import BrokerServer
from hub.broker.valkey.signing import Signature

NEWS_TOPIC = "news:reg"

TRIES = 20
"""So many times a row is read again that somebody else has changed meanwhile."""


class ValkeyBroker:
    """One node's access to a cluster."""

    def __init__(self, address: BrokerAddress, secret: str, times: HoldTimes | None = None) -> None:
        times = times or HoldTimes()
        self._address = address
        self._server = BrokerServer(address)
        self._signature = Signature(secret)
        self._rows = Rows(self._server, self._signature, times)
        self._logs = StreamLogs(self._server, self._signature, times)
        self._listening = TopicListener(self._server.link, self._server.keys, self)
        self._clock = ServerClock()
        self._steadiness = Steadiness(times.steady_seconds)
        self._life = ""
        """The broker's, as of the newest beat; see Snapshot."""
        self._joined = False
        """Whether this node has beaten, so that others know it."""
        self._about = ""
        self._topics: dict[bytes, str] = {}
        """What is listened to, by channel."""
        self._receiver: Receiver | None = None
        """None before it is opened, and after it is closed."""
        self._news: NewsReading | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def trouble(self) -> str:
        return self._server.trouble

    @property
    def about(self) -> str:
        return self._about

    @property
    def refused(self) -> int:
        return self._server.refused

    def now(self) -> float:
        return self._clock.now()

    async def open(self, receiver: Receiver, group: asyncio.TaskGroup) -> None:
        try:
            self._about = await examine(self._server, self._address, self._clock)
        except BaseException:
            await self.close()
            raise
        self._receiver = receiver
        self._news = NewsReading(receiver, self._rows.chapter)
        self._listening.want(self._server.keys.channel(NEWS_TOPIC))
        self._tasks = [group.create_task(self._listening.run()), group.create_task(self._news.run())]

    async def close(self) -> None:
        self._receiver, tasks, self._tasks = None, self._tasks, []
        while tasks:
            # More than once: a TaskGroup of which a task fails at the same time loses a cancellation, and so may `asyncio.wait_for` of
            # Python 3.11, by which redis-py asks Sentinels.
            for task in tasks:
                task.cancel()
            _, still = await asyncio.wait(tasks, timeout=1.0)
            tasks = list(still)
        await self._server.link.close()

    # nodes

    async def beat(self, node: Node) -> list[Node]:
        asked_at = time.monotonic()
        try:
            beaten = await self._rows.beat(node, joining=not self._joined)
        except BrokerError:
            self._steadiness.failed()
            raise
        now = time.monotonic()
        self._joined = True
        if beaten.life != self._life:  # it knows no lease yet of nodes that live
            self._life = beaten.life
            self._steadiness.failed()
        self._logs.writer = node.id
        self._clock.note(asked_at, now, beaten.at)
        self._steadiness.beaten(now)
        self._news_reading.seen(beaten.life, beaten.number)
        return beaten.living

    async def leave(self, node_id: str) -> None:
        await self._rows.leave(node_id)

    # who owns a call

    async def claim(
        self, call_sid: str, node_id: str, *, epoch: str, number: int, heard: int = 0, gone: bool = False, agents_at_most: int | None = None
    ) -> Claim:
        self._logs.writer = node_id
        at_least, steady, agent = 1, self._is_steady, agents_at_most is not None
        previous: Seen | None = None
        """Whose it was before this node's first attempt: a later one sees this node's own row."""
        for _ in range(TRIES):
            seen = await self._rows.look(call_sid)
            row = seen.row
            if heard > (row.generation if row is not None else 0):
                if not (gone and steady):
                    raise BrokerError(f"the broker has lost call {call_sid}: its owner tells it again soon")
                at_least = max(at_least, heard + 1)
            if row is not None and not may_claim(row, node_id, holds=seen.holds or not steady, live_only=gone):
                return Held(row)
            previous = previous or seen
            if row is None:
                mine = Row(call_sid=call_sid, owner=node_id, generation=at_least, epoch=epoch, number=number, agent=agent)
            else:
                mine = claimed_row(row, node_id, agent=agent)
                mine = replace(mine, generation=max(mine.generation, at_least))
            taken = await self._rows.take(seen, mine, told=is_moved(row, mine), agents_at_most=agents_at_most, steady=steady)
            if isinstance(taken, AgentsFull):
                return taken
            if taken:
                fenced_by = await self._logs.fence(call_sid, mine.generation, node_id)
                if not fenced_by:
                    return _claimed(mine, previous)
                at_least = fenced_by + 1
            else:
                previous = None
        raise BrokerError(f"call {call_sid} changes its owner all the time")

    async def register(self, rows: Sequence[Row], events: Sequence[bytes | None]) -> list[bool]:
        return await self._rows.register(rows, events)

    async def hand_over(self, call_sid: str, generation: int, to: str) -> Claim:
        for _ in range(TRIES):
            seen = await self._rows.look(call_sid)
            row = seen.row
            if row is None:
                raise BrokerError(f"the broker does not know call {call_sid}")
            if row.generation != generation:
                return Held(row)
            moved = replace(row, owner=to, generation=generation + 1)
            if await self._rows.take(seen, moved, told=True):
                await self._logs.fence(call_sid, moved.generation, to)
                return Claimed(moved, row.owner)
        raise BrokerError(f"call {call_sid} changes its owner all the time")

    async def lost(self) -> list[Row]:
        return await self._rows.lost() if self._is_steady else []

    async def snapshot(self) -> Snapshot:
        with self._news_reading.snapshot():
            snapshot = await self._rows.snapshot()
            self._news_reading.begin(snapshot.life, snapshot.number)
        return snapshot

    # a call's log

    async def append(self, appends: Sequence[Append]) -> list[Appended]:
        return await self._logs.append(appends)

    async def log(self, call_sid: str, after: int = 0) -> Logged | None:
        return await self._logs.read(call_sid, after)

    async def erase(self, call_sid: str) -> None:
        for _ in range(TRIES):
            seen = await self._rows.look(call_sid)
            row = seen.row
            if row is not None and row.ended_at is None and (seen.holds or not self._is_steady):
                raise BrokerError(f"call {call_sid} is live: only a call that is over can be erased")
            generation = row.generation if row is not None else 0
            # The words go first: whatever fails after that, they are gone.
            await self._logs.forget(call_sid, generation)
            if await self._rows.erase(call_sid, seen, generation + 1):
                return
        raise BrokerError(f"call {call_sid} changes all the time")

    # messages

    def listen(self, topic: str) -> None:
        channel = self._server.keys.channel(topic)
        self._topics[channel.encode()] = topic
        self._listening.want(channel)

    def unlisten(self, topic: str) -> None:
        channel = self._server.keys.channel(topic)
        self._topics.pop(channel.encode(), None)
        self._listening.leave(channel)

    async def send(self, messages: Sequence[tuple[str, bytes]]) -> list[int]:
        if not messages:
            return []
        publish, channel, sign = self._server.scripts.publish, self._server.keys.channel, self._signature.sign
        return await self._server.commands([(publish, channel(topic), sign(topic, body)) for topic, body in messages])

    # Hearing

    def heard(self, channel: bytes, body: bytes) -> None:
        """Take a message. What no node of this cluster sent is refused."""
        topic, receiver = self._topics.get(channel), self._receiver
        if receiver is None:
            return
        if topic is not None:
            proved = self._signature.proved(topic, body)
            if proved is None:
                self._server.refuse("a message")
            else:
                receiver.received(topic, proved)
        elif channel == self._server.keys.channel(NEWS_TOPIC).encode() and (told := self._rows.message(body)) is not None:
            self._news_reading.take(*told)

    def begun(self, channel: bytes) -> None:
        """Take note that a channel is listened to."""
        topic, receiver = self._topics.get(channel), self._receiver
        if receiver is None:
            return
        if topic is not None:
            receiver.subscribed(topic)
        elif channel == self._server.keys.channel(NEWS_TOPIC).encode():
            self._news_reading.begun()

    def deaf(self, problem: str) -> None:
        """Take note that nothing is heard, or that something is again."""
        if problem:  # the broker may have lost everything before the next beat
            self._steadiness.failed()
        self._server.silent(problem)

    @property
    def _news_reading(self) -> NewsReading:
        if self._news is None:
            raise BrokerError("the broker is not open")
        return self._news

    @property
    def _is_steady(self) -> bool:
        return self._steadiness.is_steady(time.monotonic())


def _claimed(mine: Row, previous: Seen) -> Claimed:
    row, owner = previous.row, previous.owner
    if row is None or row.owner == mine.owner:
        return Claimed(mine)
    return Claimed(mine, row.owner, owner is not None and owner.behind, previous.broker_was_away)
