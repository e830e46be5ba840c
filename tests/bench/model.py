"""A model of clusters larger than any machine here: what each part of one has to do, and which part is full first.

    python -m tests.bench.model

Prints the two tables of hub/deploy/cluster.md. Nothing is run: measured costs of one thing are multiplied by how often it happens. Queues,
caches and bursts are not in it, so a real cluster is full earlier.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

# What one thing costs, in seconds of one core. Measured on the machine of the README's table.
FRAME = 13e-6
"""A Twilio frame into a node: `make bench`."""
DELIVERY = 14e-6
"""An event to a subscriber: the operator's page, Sizing."""
BALANCED_FRAME = 22e-6
"""A Twilio frame through HAProxy 2.6 without TLS, 50 streams: measured once, by hand."""
# Down to the claim, except the row: `python -m tests.bench.broker_costs`, from its quietest run.
APPEND_BROKER, APPEND_NODE = 52e-6, 65e-6
"""An event into a call's log, 100 calls at a time."""
MESSAGE_BROKER, MESSAGE_BROKER_EACH = 5e-6, 4e-6
"""A message, and what each node adds that is sent it."""
MESSAGE_NODE, RECEIVED_NODE = 46e-6, 20e-6
"""A message to the node that sends it, and to each that receives it."""
NEWS_BROKER, NEWS_BROKER_EACH, NEWS_NODE_EACH = 250e-6, 17e-6, 64e-6
"""News of a call to the broker, what each node adds there, and to each node."""
REFRESHED_NODE = 5e-6
"""A row of how a live call goes on, to each node: decoding it and its summary took 3.2 µs, the rest is what the registry does."""
CLAIM_BROKER, LEASE_BROKER = 530e-6, 430e-6
"""A claim of a call, and a lease with 100 nodes."""

# What happens on a call. Assumed, from recorded calls of two people.
FRAMES = 100.0
"""Per second: both tracks."""
FINALS = 0.67
"""Durable events per second."""
EVENTS = 5.0
"""Events per second that a subscriber receives, interims included."""
CALL_SECONDS = 300.0
NEWS = 4.0
"""Changes per call that every node is told: its start, its numbers, its end, and one more."""
REFRESH_SECONDS = 2.0
"""How often every node is told of each call that went on (hub/cluster/cluster.py)."""
EVENT_BYTES, ROW_BYTES, FRAME_BYTES = 520, 500, 330
"""On the wire, with TCP and IP."""

BUSY = 0.7
"""Share of a core that a node may use: it refuses calls at 0.8."""
NIC = 10e9 / 8
"""Bytes per second."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """What a cluster carries."""

    nodes: int
    calls: int
    subscribers: int

    @property
    def replicas(self) -> float:
        """How many other nodes keep a copy of a call, if its subscribers are spread by chance."""
        watchers = self.subscribers / self.calls
        return (self.nodes - 1) * (1 - (1 - 1 / self.nodes) ** watchers)

    @property
    def refreshed(self) -> float:
        """Rows per second that are sent to all nodes, since a call went on."""
        return self.calls * (1 - math.exp(-FINALS * REFRESH_SECONDS)) / REFRESH_SECONDS if self.nodes > 1 else 0.0

    def node_parts(self) -> dict[str, float]:
        """Return what a node's core does, in cores."""
        own, others = self.calls / self.nodes, self.nodes - 1
        shared = 1.0 if others else 0.0
        return {
            "audio of its own calls": own * FRAMES * FRAME,
            "events to its subscribers": self.subscribers / self.nodes * EVENTS * DELIVERY,
            "storing its events, sending its interims": shared * own * (FINALS * APPEND_NODE + (EVENTS - FINALS) * MESSAGE_NODE),
            "receiving other nodes' calls that are read here": own * self.replicas * EVENTS * RECEIVED_NODE,
            "news of all calls": shared * self.calls / CALL_SECONDS * NEWS * NEWS_NODE_EACH,
            "how all live calls go on": self.refreshed * REFRESHED_NODE,
        }

    def broker_parts(self) -> dict[str, float]:
        """Return what the broker's core does, in cores. Valkey runs commands in one."""
        interims = EVENTS - FINALS
        return {
            "events into logs": self.calls * FINALS * (APPEND_BROKER + self.replicas * MESSAGE_BROKER_EACH),
            "interims to the nodes that read a call": self.calls * interims * (MESSAGE_BROKER + self.replicas * MESSAGE_BROKER_EACH),
            "news and claims": self.calls / CALL_SECONDS * (NEWS * (NEWS_BROKER + self.nodes * NEWS_BROKER_EACH) + CLAIM_BROKER),
            "leases": self.nodes * LEASE_BROKER,
        }

    def node_cores(self) -> float:
        """Return how busy a node's core is."""
        return sum(self.node_parts().values())

    def broker_cores(self) -> float:
        """Return how busy the broker's core is."""
        return sum(self.broker_parts().values())


@dataclass(frozen=True, slots=True)
class Wall:
    """A part that can be full."""

    part: str
    used: float
    """Of what one of it has: 1.0 is full."""
    moves: str
    """What moves the wall."""


SELDOM = "telling it less often, or only to nodes where somebody watches the list"
SHARD = "a Valkey Cluster: each call's log and messages are in a slot of its own, so shards share this"
AFFINITY = "subscribers that connect to the owner's node, so that fewer nodes need a copy; slower interims"


def walls(cluster: Cluster) -> list[Wall]:
    """Return every part of a cluster, the fullest first."""
    told = cluster.replicas * cluster.calls * EVENTS * EVENT_BYTES
    found = [Wall(f"broker's core: {part}", used, _moves_broker(part)) for part, used in cluster.broker_parts().items()]
    found += [Wall(f"a node's core: {part}", used / BUSY, _moves_node(part)) for part, used in cluster.node_parts().items()]
    found += [
        Wall("broker's network: calls to the nodes that read them", told / NIC, SHARD),
        Wall(
            "broker's network: how live calls go on, to every node",
            cluster.refreshed * ROW_BYTES * cluster.nodes / NIC,
            SELDOM,
        ),
        Wall("balancer's cores (4): audio", cluster.calls * FRAMES * BALANCED_FRAME / 4, "more balancers, by DNS or in layer 4"),
        Wall(
            "a node's network",
            (cluster.calls * FRAMES * FRAME_BYTES + cluster.subscribers * EVENTS * EVENT_BYTES) / cluster.nodes / NIC,
            "nothing has to",
        ),
    ]
    return sorted(found, key=lambda wall: -wall.used)


def _moves_broker(part: str) -> str:
    return {
        "events into logs": SHARD,
        "interims to the nodes that read a call": f"{SHARD}; {AFFINITY}",
        "news and claims": "nothing yet: the list of all calls is in one slot; smaller clusters side by side",
        "leases": "nothing has to",
    }[part]


def _moves_node(part: str) -> str:
    return {
        "receiving other nodes' calls that are read here": AFFINITY,
        "news of all calls": "smaller clusters side by side",
        "how all live calls go on": SELDOM,
    }.get(part, "more nodes")


def nodes_for(calls: int, subscribers: int) -> int:
    """Return how many nodes carry so much: at least one more than is needed, as one may die."""
    nodes = 1
    while Cluster(nodes, calls, subscribers).node_cores() > BUSY:
        nodes += 1
    return nodes + 1


def sizing() -> Iterator[str]:
    """Yield the lines of the table of sizes."""
    yield "| calls | subscribers of each | nodes | a node's core | broker's core | broker's network |"
    yield "|---|---|---|---|---|---|"
    for calls in (200, 1000, 3000, 10_000):
        for watching in (1, 3, 10):
            cluster = Cluster(nodes_for(calls, calls * watching), calls, calls * watching)
            sent = cluster.replicas * calls * EVENTS * EVENT_BYTES + cluster.refreshed * ROW_BYTES * cluster.nodes
            yield (
                f"| {calls:,} | {watching} | {cluster.nodes} | {cluster.node_cores():.0%} | {cluster.broker_cores():.0%} "
                f"| {sent * 8 / 1e6:,.0f} Mbit/s |"
            )


def largest(cluster: Cluster) -> Iterator[str]:
    """Yield the lines of the table of walls."""
    yield "| what is full | how full | full at so many calls | what moves it |"
    yield "|---|---|---|---|"
    for wall in walls(cluster):
        full = f"{_rounded(cluster.calls / wall.used):,}" if wall.used > 0 else ""
        yield f"| {wall.part} | {wall.used:,.2f} | {full} | {wall.moves} |"


def _rounded(calls: float) -> int:
    """Return two digits of a number: the model knows no more."""
    step = 10 ** max(0, math.floor(math.log10(calls)) - 1)
    return round(calls / step) * step


LARGEST = Cluster(nodes=100, calls=100_000, subscribers=1_000_000)

if __name__ == "__main__":
    print(*sizing(), "", *largest(LARGEST), sep="\n")
