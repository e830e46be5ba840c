"""What sharing calls costs the broker and the nodes: CPU for one event, one message, one change of a call, one lease.

    python -m tests.bench.broker_costs

A real Valkey that writes its append-only file once a second, and brokers of this process. CPU time is read from the system, so a busy
machine changes little. `tests/bench/model.py` has what came out.
"""

import asyncio
import os
import resource
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from hub.broker.bodies import call_topic
from hub.broker.broker import Append, Broker, Kept, Node, Row
from hub.broker.opening import open_broker
from hub.check.peers import Deaf
from tests.broker.servers import ServerInTest, running_server

CALLS = [f"CA{number:032x}" for number in range(1000)]
PAYLOAD = b'{"type":"final",' + b"x" * 390 + b"}"
SECRET = "a secret of at least thirty-two characters"


class Meter:
    """Counts CPU of the broker and of this process, in microseconds for each of `count` things."""

    def __init__(self, pid: int) -> None:
        self._stat = Path(f"/proc/{pid}/stat")
        self._broker, self._nodes = self._broker_seconds(), _own_seconds()

    def show(self, what: str, count: int) -> None:
        """Print the cost of one."""
        broker, nodes = self._broker_seconds() - self._broker, _own_seconds() - self._nodes
        print(f"| {what} | {broker / count * 1e6:.0f} | {nodes / count * 1e6:.0f} |", flush=True)

    def _broker_seconds(self) -> float:
        fields = self._stat.read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _own_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _node(name: str) -> Node:
    return Node(id=name, name=name, version="1", protocol=1, secret="s", at=time.time(), live=1000)


async def _appends(broker: Broker, pid: int) -> None:
    offsets = dict.fromkeys(CALLS, 1)
    for batch, rounds in ((1, 1500), (10, 300), (100, 40)):
        count = Meter(pid)
        for number in range(rounds):
            some = [CALLS[(number * batch + index) % len(CALLS)] for index in range(batch)]
            for sid, answer in zip(some, await broker.append([Append(sid, 1, "e", offsets[sid], [PAYLOAD]) for sid in some]), strict=True):
                assert isinstance(answer, Kept), answer
                offsets[sid] += 1
        count.show(f"append one event, {batch} calls at a time", rounds * batch)


@asynccontextmanager
async def _others(url: str, group: asyncio.TaskGroup, count: int) -> AsyncIterator[list[Broker]]:
    opened = []
    for _ in range(count):
        broker = open_broker(url, SECRET, 60.0)
        await broker.open(Deaf(), group)
        opened.append(broker)
    yield opened
    for broker in opened:
        await broker.close()


async def _messages(broker: Broker, url: str, group: asyncio.TaskGroup, pid: int) -> None:
    for listeners in (0, 1, 3):
        async with _others(url, group, listeners) as others:
            for each in others:
                each.listen(call_topic(CALLS[0]))
            while await broker.send([(call_topic(CALLS[0]), PAYLOAD)]) != [listeners]:
                await asyncio.sleep(0.02)
            count = Meter(pid)
            for _ in range(200):
                await broker.send([(call_topic(CALLS[0]), PAYLOAD)] * 10)
            await asyncio.sleep(0.3)
            count.show(f"one message to {listeners} nodes, 10 at a time", 2000)


async def _news(broker: Broker, url: str, group: asyncio.TaskGroup, pid: int) -> None:
    summary = msgspec.Raw(b'{"x":"' + b"y" * 400 + b'"}')
    rows = [Row(call_sid=sid, owner="a", generation=1, epoch="e", number=1, summary=summary) for sid in CALLS]
    for nodes in (1, 10):
        async with _others(url, group, nodes - 1):
            count = Meter(pid)
            for row in rows[:600]:
                await broker.register([row], [PAYLOAD])
            await asyncio.sleep(0.5)
            count.show(f"news of one call to {nodes} nodes", 600)


async def measure(server: ServerInTest) -> None:
    """Print a table."""
    pid = server.pid
    print("| what | µs of the broker's CPU | µs of the nodes' CPU |\n|---|---|---|")
    async with asyncio.TaskGroup() as group, _others(server.url, group, 1) as (broker,):
        await broker.beat(_node("a"))
        count = Meter(pid)
        for sid in CALLS:
            await broker.claim(sid, "a", epoch="e", number=1)
        count.show("claim one call", len(CALLS))
        await _appends(broker, pid)
        await _messages(broker, server.url, group, pid)
        await _news(broker, server.url, group, pid)
        for number in range(99):
            await broker.beat(_node(f"n{number}"))
        count = Meter(pid)
        for _ in range(300):
            await broker.beat(_node("a"))
        count.show("renew one lease, 100 nodes", 300)


if __name__ == "__main__":
    with running_server(appendonly="yes", appendfsync="everysec") as valkey:
        asyncio.run(measure(valkey))
