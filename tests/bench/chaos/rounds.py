"""The disturbances, one round each: a cluster that is well is disturbed, and has to be well again. What is wrong becomes a fault."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests.bench.chaos.evidence import Limit
from tests.bench.chaos.lane import Lane, Size
from tests.bench.chaos.nodes import ClusterNode, figures

AWAY_SECONDS = (0.2, 3.0)
"""How long a killed node or broker is away until it is started again."""

STOPPED_SECONDS = 20.0
"""How long a node or the broker is stopped by SIGSTOP."""

HELD_UP_SECONDS = (1.0, 5.0)
"""How long a node is held up: for less than a lease, so that nobody takes its calls over."""

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
    await (_stop_broker(lane) if turn == 2 else _stop_node(lane, owner=turn == 0))


async def _stop_broker(lane: Lane) -> None:
    """Stop the broker. Its connections stay open, and every node has to notice all the same that nothing comes any more."""
    assert lane.broker is not None
    lane.evidence.happened("broker stopped")
    lane.broker.signal(signal.SIGSTOP)
    began = time.time()
    async with asyncio.TaskGroup() as group:
        for node in lane.nodes:
            group.create_task(_notice(lane, node, began))
        await asyncio.sleep(STOPPED_SECONDS)
        lane.broker.signal(signal.SIGCONT)
    await lane.speaks(lane.calls, time.time())


async def _notice(lane: Lane, node: ClusterNode, began: float) -> None:
    """Measure when a node knows that the broker does not answer."""
    while (await figures(lane.session, node.port)).get("hub_broker_up", 1.0):
        if time.time() - began > STOPPED_SECONDS / 2:
            lane.fault("not noticed", f"{node.name}: the broker does not answer for {STOPPED_SECONDS / 2:g} s")
            return
        await asyncio.sleep(0.05)
    lane.evidence.measured("stopped broker noticed", time.time() - began)


async def _stop_node(lane: Lane, *, owner: bool, seconds: float = STOPPED_SECONDS) -> None:
    """Stop a node. The others take over its calls, and nothing that it does when it goes on is accepted."""
    node = (max if owner else min)(lane.nodes, key=lambda each: len(lane.owned(each)))
    hit = lane.hit(node)
    lane.evidence.happened("stopped", node=node.name, calls=len(hit.calls), role="owner" if owner else "replica")
    node.process.signal(signal.SIGSTOP)
    for watcher in lane.watchers:
        if watcher.node == node.name and not watcher.patient:
            watcher.leave()
    async with asyncio.TaskGroup() as group:
        group.create_task(lane.words_again(hit, "stop"))
        await asyncio.sleep(seconds)
        node.process.signal(signal.SIGCONT)
        hit.went_on_at = time.time()
        lane.way.up.add(node.name)


async def hold_up(lane: Lane) -> None:
    """Stop the node that has most calls for less than a lease. It goes on where it was, and nothing is lost."""
    await _stop_node(lane, owner=True, seconds=lane.chance.uniform(*HELD_UP_SECONDS))


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


async def node_death(lane: Lane) -> None:
    """Kill the node to which all subscribers connect, and measure when each has everything again, on the others."""
    node = lane.nodes[0]
    for watcher in lane.watchers:
        if watcher.node != node.name:
            lane.way.disturbed.add(watcher.node)
            watcher.leave()
    await lane.until(lambda: all(watcher.node == node.name for watcher in lane.watchers), "all subscribers are on one node")
    if not await lane.steady():
        return
    lane.watched.back.clear()
    hit = lane.hit(node)
    await node.kill(lane.way)
    lane.evidence.happened("kill -9", node=node.name, calls=len(hit.calls), subscribers=len(lane.watchers))
    await lane.until(lambda: len(lane.watched.back) >= len(lane.watchers), "each subscriber has all")
    for at in lane.watched.back:
        lane.evidence.measured("subscribers whole again", at - hit.at)
    async with asyncio.TaskGroup() as group:
        group.create_task(_start_later(lane, node))
        group.create_task(lane.words_again(hit, "kill"))


_SIZE = Size()


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of disturbance, and what must hold."""

    round: Callable[[Lane], Awaitable[None]]
    size: Size = _SIZE
    limits: dict[str, Limit] = field(default_factory=dict)


_AGAIN = {"words again after the kill": Limit("max", 20.0), "words again after detection": Limit("max", 5.0)}
_NO_DELAY = {"delay on the owner, broker away": Limit("p99", 0.005, twice="delay on the owner, before")}

KINDS: dict[str, Kind] = {
    "undisturbed": Kind(undisturbed),
    "owner-kill": Kind(owner_kill, limits=_AGAIN),
    "broker-kill": Kind(broker_kill, limits=_NO_DELAY),
    "broker-kill-aof": Kind(broker_kill, Size(broker="aof"), _NO_DELAY),
    "stop": Kind(stop, limits={"stopped broker noticed": Limit("max", 3.0), "words again after detection": Limit("max", 5.0)}),
    "hold-up": Kind(hold_up),
    "rolling": Kind(rolling),
    "node-death": Kind(node_death, Size(calls=20, subscribers=250, crowded=True), {"subscribers whole again": Limit("p99", 3.0), **_AGAIN}),
}
