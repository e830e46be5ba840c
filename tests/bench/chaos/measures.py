"""What a second node costs and brings: how late a subscriber of another node is told, and how much more two processes carry than one.

Processor time is that of each hub process, from the operating system. On a machine with two cores those who make the load compete with the
hubs for them, so that the load at which a hub is full cannot be reached. What a call and its deliveries cost can be measured.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import msgspec

from tests.bench.chaos.evidence import Evidence, Limit
from tests.bench.chaos.lane import HUB, Lane, Size, lane, surrounded
from tests.bench.chaos.lean_socket import LeanSocket, Refused
from tests.bench.chaos.nodes import ClusterNode
from tests.bench.chaos.watchers import Told, age_of
from tests.media import CONNECTED, start

BEGINNING = 150
"""Calls that begin in a second, and get their subscribers. All has to be over before a call without sound is given up, after 60 s."""

_decoder = msgspec.json.Decoder(Told)


# ------------------------------------------------------------------------------------------------------ remote delivery


async def remote_delivery(evidence: Evidence, size: Size) -> None:
    """Let all subscribers be on the node that does not have their call, and events come at the pace of speech: one per call and second.

    The events are pressed keys, which need no sound, so that nearly all that is measured is the way of an event.
    """
    async with surrounded() as around, lane(replace(size, nodes=2, calls=0), 0, evidence, around) as cluster:
        streams = [await _quiet_call(cluster, number, cluster.nodes[number % 2]) for number in range(size.calls)]
        ages: list[float] = []
        subscribers = []
        for number in range(size.calls):
            for _ in range(size.subscribers):
                subscribers.append(await _subscriber(cluster.nodes[(number + 1) % 2], _sid(number), ages))
            await asyncio.sleep(1 / BEGINNING)
        await asyncio.sleep(3)
        ages.clear()
        before = [node.cpu_seconds() for node in cluster.nodes]
        sent = await _press(streams, evidence.wanted)
        await cluster.until(lambda: len(ages) >= sent * size.subscribers, "all events are delivered")
        used = [node.cpu_seconds() - was for node, was in zip(cluster.nodes, before, strict=True)]
        evidence.times["remote delivery"] = ages
        evidence.rounds = evidence.wanted
        evidence.counts.update({"events": sent, "deliveries": len(ages), "CPU us per event": round(sum(used) / sent * 1e6)})
        for socket in (*streams, *subscribers):
            socket.abort()
        _keep_logs(cluster)


def _sid(number: int) -> str:
    return f"CA{number:032x}"


async def _quiet_call(cluster: Lane, number: int, node: ClusterNode) -> LeanSocket:
    """Begin a call on a node, without sound."""
    headers = {"X-Twilio-Signature": cluster.twilio.sign(f"ws://{HUB}/twilio", {}), "Host": HUB}
    while True:
        await asyncio.sleep(1 / BEGINNING)
        try:
            socket = await LeanSocket.dial(node.port, "/twilio", lambda _: None, headers)
        except Refused:  # the node has no time for another call yet
            continue
        socket.send(CONNECTED.encode(), start(_sid(number), f"MZ{number:032x}").encode())
        return socket


async def _subscriber(node: ClusterNode, call_sid: str, ages: list[float]) -> LeanSocket:
    def receive(payload: bytes) -> None:
        if b'"dtmf"' in payload:
            ages.append(age_of(_decoder.decode(payload).at))

    socket = await LeanSocket.dial(node.port, "/client", receive)
    socket.send(json.dumps({"action": "subscribe", "callSid": call_sid}).encode())
    return socket


async def _press(streams: list[LeanSocket], seconds: int) -> int:
    """Press a key on each call, each second, spread evenly. Returns how many were pressed."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number in range(len(streams) * seconds):
        at = number % len(streams)
        pressed = {"event": "dtmf", "streamSid": f"MZ{at:032x}", "sequenceNumber": str(number + 2),
                   "dtmf": {"track": "inbound_track", "digit": "5"}}  # fmt: skip
        if (wait := began + number / len(streams) - loop.time()) > 0:
            await asyncio.sleep(wait)
        streams[at].send(json.dumps(pressed).encode())
    return len(streams) * seconds


# -------------------------------------------------------------------------------------------------------- two processes


@dataclass(frozen=True, slots=True)
class Cost:
    """What some nodes used."""

    cpu_seconds: float
    call_seconds: float
    deliveries: int


async def two_processes(evidence: Evidence, size: Size) -> None:
    """Compare what a call with its subscribers costs one hub without a broker, and each of two that share one.

    Half of the subscribers are then on the other node. If a call costs a process of two `x` times what it costs one that is alone, two
    processes carry `2 / x` times as much as one.
    """
    one = await _cost(evidence, replace(size, nodes=1, broker="none"))
    two = await _cost(evidence, replace(size, nodes=2, calls=size.calls * 2))
    each, both = one.cpu_seconds / one.call_seconds, two.cpu_seconds / two.call_seconds
    evidence.rounds = evidence.wanted
    evidence.figures |= {
        "CPU ms per call and second, one process": round(each * 1000, 3),
        "CPU ms per call and second, two processes": round(both * 1000, 3),
        "deliveries per call and second, one process": round(one.deliveries / one.call_seconds, 2),
        "deliveries per call and second, two processes": round(two.deliveries / two.call_seconds, 2),
        "two processes carry as much as one, times": round(2 * each / both, 2),
    }
    if 2 * each / both < 1.8:
        evidence.fault("too dear", f"two processes carry {2 * each / both:.2f} times what one does, not 1.8")


async def _cost(evidence: Evidence, size: Size) -> Cost:
    async with surrounded() as around, lane(size, 0, evidence, around) as cluster:
        await cluster.steady()
        cluster.watched.ages.clear()
        before, began = sum(node.cpu_seconds() for node in cluster.nodes), time.monotonic()
        await asyncio.sleep(evidence.wanted)
        used, seconds = sum(node.cpu_seconds() for node in cluster.nodes) - before, time.monotonic() - began
        evidence.happened("measured", nodes=size.nodes, calls=size.calls, cpu=round(used, 2), seconds=round(seconds, 2))
        _keep_logs(cluster)
        return Cost(used, size.calls * seconds, len(cluster.watched.ages))


def _keep_logs(cluster: Lane) -> None:
    """Put what the nodes said into the evidence."""
    for node in cluster.nodes:
        node.look()
        cluster.evidence.log += node.log


@dataclass(frozen=True, slots=True)
class Measure:
    """Something that is measured for as many seconds as the count says."""

    run: Callable[[Evidence, Size], Awaitable[None]]
    size: Size
    limits: dict[str, Limit]


MEASURES: dict[str, Measure] = {
    "remote-delivery": Measure(remote_delivery, Size(calls=1000, subscribers=3), {"remote delivery": Limit("p99", 0.005)}),
    "two-processes": Measure(two_processes, Size(calls=90, subscribers=3), {}),
}
