"""Puts a hub's calls into a cluster: who owns them, what becomes of those whose node has died, and where streams find theirs.

On a hub without a broker there is nothing of it but `Arrivals`. Knows which parts there are; does not know how they work.
"""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgspec

from hub.broker.broker import Broker, Node
from hub.calls.arrivals import Arrivals
from hub.calls.asking import Asking
from hub.calls.calls import Calls
from hub.calls.elsewhere import Elsewhere
from hub.calls.giving import Giving
from hub.calls.kept import KeptPast
from hub.calls.takeover import TakeOver
from hub.calls.taking import Reaper, Taking
from hub.cluster.cluster import Cluster, joined
from hub.cluster.membership import Membership
from hub.ops.counters import ClusterCounters, Counters
from hub.topics.registry import Registry
from hub.topics.stores import Stores

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Hub:
    """What of a hub takes part in a cluster."""

    registry: Registry
    calls: Calls
    take_over: TakeOver
    past: KeptPast
    stores: Stores | None
    counters: Counters


@dataclass(frozen=True, slots=True)
class Clustered:
    """A hub's place in its cluster."""

    arrivals: Arrivals
    cluster: Cluster | None = None
    """None on a hub that is its own."""
    elsewhere: Elsewhere | None = None
    """None on a hub that is its own cluster."""


def fingerprint(secret: str) -> str:
    """Return what tells two HUB_SECRETs apart and gives neither away."""
    return hashlib.scrypt(secret.encode(), salt=b"transcript-hub node", n=2**12, r=8, p=1, dklen=12).hex()


@asynccontextmanager
async def clustered(hub: Hub, broker: Broker | None, node_id: str, secret: str, group: asyncio.TaskGroup) -> AsyncIterator[Clustered]:
    """Join the cluster of a broker, if there is one; leave it at the end. `node_id`: see `new_node_id`. `secret`: HUB_SECRET.

    Raises: ConfigError if this hub cannot be a node of it.
    """
    if broker is None or hub.stores is None:
        yield Clustered(Arrivals(hub.registry, hub.past.recall, None, None))
        return

    stores = hub.stores

    def load(node: Node) -> Node:
        calls, viewers = hub.calls, hub.counters.subscribers
        return msgspec.structs.replace(node, live=calls.live, answering=calls.answering, viewers=viewers, behind=stores.behind)

    membership = Membership(broker, node_id, fingerprint(secret), load)
    counters = hub.counters.cluster = ClusterCounters(membership.name)
    async with joined(broker, membership, hub.registry, stores, counters, group) as cluster:
        taking = Taking(hub.registry, cluster, hub.past.archive)
        elsewhere = Elsewhere(hub.registry, hub.calls, cluster, taking, group)
        if hub.calls.recorder is not None:
            hub.calls.recorder.elsewhere = elsewhere
        hub.past.recall.replicas = cluster.replicas
        cluster.replicas.logs.archived = hub.past.recall.stored if hub.past.recall.reads_archive else None
        reaper = Reaper(cluster, taking, hub.take_over, hub.registry, counters)
        cluster.on_lost = lambda record, _generation: hub.calls.lose(record)
        if hub.past.keeper is not None:
            hub.past.keeper.on_fenced = cluster.fenced
        cluster.on_beat = reaper.look_soon
        reaper.leaves = hub.calls.expects
        hub.calls.answering_elsewhere = lambda: sum(node.answering for node in membership.others())
        Giving(hub.registry, hub.calls, cluster, hub.take_over, group)
        asking = Asking(hub.registry, hub.calls, cluster, taking, counters, group)
        hub.calls.hold = asking.hold
        arrivals = Arrivals(hub.registry, hub.past.recall, cluster, taking)
        arrivals.ask_for = asking.ask_for
        reaping = group.create_task(reaper.run())
        try:
            yield Clustered(arrivals, cluster, elsewhere)
        finally:
            reaping.cancel()
