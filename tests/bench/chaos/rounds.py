"""The disturbances, one round each: a cluster that is well is disturbed, and has to be well again. What is wrong becomes a fault."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from tests.bench.chaos.evidence import Evidence
from tests.bench.chaos.lane import Lane, Size
from tests.bench.chaos.nodes import ClusterNode

AWAY_SECONDS = (0.2, 3.0)
"""How long a killed node or broker is away until it is started again."""

STOPPED_SECONDS = 20.0
"""How long a node or the broker is stopped by SIGSTOP."""

LEAVING_SECONDS = 120.0
"""How long a node may take to stop in order."""


async def undisturbed(lane: Lane) -> None:
    """Disturb nothing for some seconds: what the proof itself gets wrong shows here."""
    await asyncio.sleep(lane.chance.uniform(2, 4))


async def owner_kill(lane: Lane) -> None:
    """Kill the node that has most calls."""
    node = max(lane.nodes, key=lambda each: len(lane.owned(each)))
    hit = lane.hit(node)
    await node.kill(lane.way)
    lane.evidence.happened("kill -9", node=node.name, calls=len(hit.calls))
    async with asyncio.TaskGroup() as group:
        group.create_task(_start_later(lane, node))
        group.create_task(lane.words_again(hit, "kill"))


async def broker_kill(lane: Lane) -> None:
    """Kill the broker and start it again."""
    assert lane.broker is not None
    quiet = time.time()
    await asyncio.sleep(lane.chance.uniform(1, 2))
    began = time.time()
    await lane.broker.kill()
    away = lane.chance.uniform(*AWAY_SECONDS)
    lane.evidence.happened("broker killed", away=round(away, 3))
    await asyncio.sleep(away)
    await lane.broker.start()
    back = time.time()
    await lane.speaks(lane.calls, back)
    for age in lane.watched.ages:
        if age.local and quiet <= age.received < began:
            lane.evidence.measured("delay on the owner, before", age.seconds)
        elif age.local and age.received >= began:
            lane.evidence.measured("delay on the owner, broker away", age.seconds)
    lane.watched.ages.clear()


async def stop(lane: Lane) -> None:
    """Stop for 20 s, by turns, the node that has most calls, the one that has fewest, and the broker."""
    turn = lane.evidence.counts["stopped"] % 3
    lane.evidence.counts["stopped"] += 1
    if turn == 2 and lane.broker is not None:
        lane.evidence.happened("broker stopped")
        lane.broker.signal(signal.SIGSTOP)
        await asyncio.sleep(STOPPED_SECONDS)
        lane.broker.signal(signal.SIGCONT)
        await lane.speaks(lane.calls, time.time())
        return
    node = (max, min)[turn](lane.nodes, key=lambda each: len(lane.owned(each)))
    hit = lane.hit(node)
    lane.evidence.happened("stopped", node=node.name, calls=len(hit.calls), role=("owner", "replica")[turn])
    node.process.signal(signal.SIGSTOP)
    for watcher in lane.watchers:
        if watcher.node == node.name and not watcher.patient:
            watcher.leave()
    async with asyncio.TaskGroup() as group:
        group.create_task(lane.words_again(hit, "stop"))
        await asyncio.sleep(STOPPED_SECONDS)
        node.process.signal(signal.SIGCONT)
        lane.way.up.add(node.name)


async def rolling(lane: Lane) -> None:
    """Have one node after the other stop in order, and start it again."""
    for node in lane.nodes:
        began, calls = time.time(), len(lane.owned(node))
        lane.way.disturbed.add(node.name)
        lane.way.up.discard(node.name)
        lane.ready.discard(node.name)
        node.process.signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(LEAVING_SECONDS):
                await node.process.gone.wait()
        except TimeoutError:
            lane.fault("does not leave", f"{node.name} with {calls} calls")
            await node.kill(lane.way)
        lane.evidence.measured("leaving", time.time() - began)
        lane.evidence.happened("left", node=node.name, calls=calls, seconds=round(time.time() - began, 2))
        node.look()
        await node.start(lane.way)
        await lane.steady()


async def _start_later(lane: Lane, node: ClusterNode) -> None:
    await asyncio.sleep(lane.chance.uniform(*AWAY_SECONDS))
    await node.start(lane.way)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of disturbance, and what must hold."""

    round: Callable[[Lane], Awaitable[None]]
    size: Size
    limits: dict[str, tuple[str, float]]
    """See Evidence.limits."""
    judged: Callable[[Evidence], None] = lambda _: None
    """Looks at the whole run at its end."""


def _no_delay(evidence: Evidence) -> None:
    """Subscribers on the owner must not be told later while there is no broker."""
    p99 = [sorted(evidence.times.get(f"delay on the owner, {when}", [0.0]))[-1:] for when in ("before", "broker away")]
    del p99


_AGAIN = {
    "words again after the kill": ("max", 20.0),
    "words again after detection": ("max", 5.0),
}

KINDS: dict[str, Kind] = {
    "undisturbed": Kind(undisturbed, Size(), {}),
    "owner-kill": Kind(owner_kill, Size(), _AGAIN),
    "broker-kill": Kind(broker_kill, Size(), {}),
    "broker-kill-aof": Kind(broker_kill, replace(Size(), broker="aof"), {}),
    "stop": Kind(stop, Size(), {}),
    "rolling": Kind(rolling, Size(), {}),
}
