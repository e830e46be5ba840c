"""The Broker seam: what the nodes of one cluster share, and what they can rely on.

A *node* is one hub process. Every call has one *owner* among the nodes. The owner numbers the call's events and appends them to the call's
log in the broker; every other node may keep a *replica* of that log. A node holds a *lease*, which it renews by `beat`. The calls of a node
whose lease has ended may be claimed by any other node.

**Generation.** Each change of a call's owner raises the call's generation by one. The broker refuses what an owner of an older generation
sends. So a process that was stopped for a minute and wakes up cannot write into a call that another node has taken over meanwhile.

**Offsets are the owner's.** The broker refuses events that do not follow the ones it has, and says which it has. An owner whose broker lost
everything sends all of it again, with the same offsets: positions that subscribers hold stay true.

**Messages are hints.** A message may be lost, and may come twice; `Receiver.subscribed` says when some may have been missed. What a reader
must not miss, it reads from the log or from the news.

Knows bytes and numbers. Does not know what an event means.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import msgspec

from hub.errors import HubError

LEASE_SECONDS = 8.0
"""How long a node that does not renew its lease keeps its calls. Take-over promises 15 s, and a machine may be busy for a few."""

BEAT_SECONDS = 1.0
"""How often a node renews its lease."""

STEADY_SECONDS = 3.0
"""A node believes that another one's lease has ended only after its own beats have succeeded for so long. When a broker wakes up that had
stopped for a minute, all leases have ended, and their nodes live: so they all have the time to renew them."""

KEEP_SECONDS = 3600.0
"""How long the broker keeps a call that has ended, unless it is opened with another number."""


@dataclass(frozen=True, slots=True)
class HoldTimes:
    """How long what is kept in a broker holds. The same for all nodes of a cluster."""

    lease_seconds: float = LEASE_SECONDS
    steady_seconds: float = STEADY_SECONDS
    keep_seconds: float = KEEP_SECONDS
    """Of an ended call: its row, and its log since the last append."""
    live_seconds: float = 3600.0
    """Of a live call's log, since the last append: after that its owner and all who could have claimed it are gone. An owner that comes
    back later sends all of it again."""


class BrokerError(HubError):
    """The broker cannot do what it is asked, for example since it cannot be reached. `problem` says why, in words without secrets."""

    code = "broker"

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


class Node(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One hub process, as the others know it."""

    id: str
    """Different for every process: a node that starts again is another one."""
    name: str
    """How people call it: HUB_NODE, or the machine's name."""
    version: str
    """The hub's version."""
    protocol: int
    """What it speaks to other nodes. Nodes understand each other if these are equal."""
    secret: str
    """A fingerprint of HUB_SECRET, which must be the same on all nodes."""
    at: float
    """The node's own clock when it last renewed its lease, in Unix seconds."""
    live: int = 0
    """How many calls it owns that are live."""
    answering: int = 0
    """How many of them agents answer."""
    viewers: int = 0
    """How many subscribers it serves."""
    leaving: bool = False
    """Whether it stops, and takes no calls any more."""
    behind: bool = False
    """Whether it has told subscribers events that are stored nowhere yet. A crash in this state starts new epochs."""


class Row(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One call of the cluster, as every node knows it without having its log."""

    call_sid: str
    owner: str
    """Id of the node that owns it."""
    generation: int
    epoch: str
    number: int
    """What orders calls; see `hub.topics.registry.CallNumbers`."""
    agent: bool = False
    """Whether an agent is on the line: such calls are limited in number."""
    summary: msgspec.Raw = msgspec.Raw(b"null")
    """`CallSummary` as JSON, as of the newest event that concerned the call as a whole. `null` before the first."""
    ended_at: float | None = None
    """Unix seconds of the end, by the broker's clock. None while the call is live."""


class News(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One change that every node hears of, in the order in which the broker took them."""

    number: int
    """1, 2, 3 …, without holes; begins again when the broker has lost its data (see `Snapshot.life`)."""
    row: Row
    event: msgspec.Raw = msgspec.Raw(b"null")
    """The event that concerned the call as a whole, as it stands in the log. `null` for a change of owner, and for an erased call."""
    erased: bool = False
    """Whether the call was erased: `row` says only which."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All calls of the cluster at one moment."""

    life: str
    """Changes when the broker has lost its data: numbers of news from before mean nothing then."""
    number: int
    """Of the newest news that the rows contain. Some rows may be newer."""
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Claimed:
    """The call is this node's now."""

    row: Row
    """As it is now, in the new generation."""
    previous: str = ""
    """Id of the node that owned it before. Empty where no node knew the call, or it was this node's already."""
    behind: bool = False
    """Whether that node had told events that were stored nowhere; see Node.behind."""
    broker_was_away: bool = False
    """Whether the broker was away after that node had renewed its lease last: it may have told events that the broker lacks."""


@dataclass(frozen=True, slots=True)
class Held:
    """The call lives, and is another node's whose lease holds."""

    row: Row


@dataclass(frozen=True, slots=True)
class AgentsFull:
    """So many calls are answered by agents, in the whole cluster, that no further one may be."""

    answering: int


Claim: TypeAlias = Claimed | Held | AgentsFull


@dataclass(frozen=True, slots=True)
class Append:
    """New events of one call."""

    call_sid: str
    generation: int
    epoch: str
    first: int
    """Offset of the first event. If there are none: the next offset."""
    payloads: Sequence[bytes] = ()
    note: bytes | None = None
    """What the next owner has to know, see `hub.calls.bookmark`. None: the note that is there holds."""
    ended: bool = False
    """Whether the call is over, so that the broker keeps its log for a limited time only."""
    oldest: int = 1
    """Offset of the oldest event that the owner still has: an owner forgets the oldest events of a very long call. A log that has lost
    more than that begins again here, and the broker forgets older events, too."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The events are in the broker, and sent to all nodes that listen to the call."""

    offset: int
    """Of the newest event that the broker has."""
    listeners: int
    """How many nodes were sent them."""


@dataclass(frozen=True, slots=True)
class Misplaced:
    """The events do not follow those that the broker has. It has lost some, or has them already."""

    offset: int
    """Of the newest event that the broker has; 0 for none. The owner sends what follows it, or else everything from its oldest event."""


@dataclass(frozen=True, slots=True)
class Fenced:
    """The call has an owner of a newer generation: nothing was taken."""

    generation: int


Appended: TypeAlias = Accepted | Misplaced | Fenced


@dataclass(frozen=True, slots=True)
class Logged:
    """A call's log, as the broker has it."""

    epoch: str
    generation: int
    first: int
    """Offset of the first payload."""
    payloads: list[bytes] = field(default_factory=list)
    note: bytes = b""


class Receiver(Protocol):
    """Who is told what comes from other nodes. No method may wait or raise; all are called in the event loop."""

    def received(self, topic: str, body: bytes) -> None:
        """Take a message that another node, or this one, sent to a topic. It is proved to come from a node with the same secret."""

    def subscribed(self, topic: str) -> None:
        """Take note that a topic is listened to from here on, for the first time or again: what was sent before may have been missed."""

    def told(self, news: News) -> None:
        """Take a change of the cluster's calls, in order, each once. After `missed` nothing is told until `Broker.snapshot` is read."""

    def missed(self) -> None:
        """Take note that changes may have been missed: the snapshot has to be read again."""


class Broker(Protocol):
    """What the nodes of one cluster share. Every coroutine may raise BrokerError, within a few seconds: none waits for ever."""

    @property
    def trouble(self) -> str:
        """Why the broker cannot be used now, in words. Empty while it can."""

    @property
    def about(self) -> str:
        """What the broker is and where, in words without secrets. Empty until it is opened."""

    @property
    def refused(self) -> int:
        """How many messages, events and rows were not believed, since no node with this secret wrote them."""

    def now(self) -> float:
        """Return the broker's clock in Unix seconds, as far as this node can tell: all nodes agree on it within some milliseconds."""

    async def open(self, receiver: Receiver, group: asyncio.TaskGroup) -> None:
        """Connect. What runs from then on runs in the group. Raises: BrokerError, also for a broker that must not be used: read-only,
        evicting, too old, or with a clock that is minutes away from this machine's."""

    async def close(self) -> None:
        """Let go of all connections. Safe to call twice."""

    # nodes

    async def beat(self, node: Node) -> list[Node]:
        """Renew this node's lease for LEASE_SECONDS. Returns all nodes whose leases hold, this one included.

        The first beat joins the cluster. Raises: BrokerError, also where living nodes have another secret or another protocol. A node
        that has joined stays: it does not see such nodes.
        """

    async def leave(self, node_id: str) -> None:
        """Give up this node's lease. Its calls, if there are any, may be claimed at once."""

    # who owns a call

    async def claim(
        self, call_sid: str, node_id: str, *, epoch: str, number: int, heard: int = 0, gone: bool = False, agents_at_most: int | None = None
    ) -> Claim:
        """Make a call this node's: one that no node knows, that is its own already, or whose owner's lease has ended.

        A call that has ended becomes this node's in any case: whoever had it has finished with it. `epoch` and `number` are for a new row;
        a row that is there keeps its own. `heard`: the generation in which this node knows the call as another node's. A broker that does
        not know it in that generation has lost it, and its owner tells it again soon: then BrokerError, and nothing changes. `gone`: that
        owner is gone and tells nothing any more. Then the call becomes this node's, as soon as its beats are steady; one that has ended
        stays as it is, and the answer is Held.
        `agents_at_most`: an agent is to answer the call, and so many may be answered in the cluster.

        The generation rises with each change of owner, and everyone is told news of it, as of a call that was unknown. From here on the
        broker refuses appends of older generations.
        """

    async def register(self, rows: Sequence[Row], events: Sequence[bytes | None]) -> list[bool]:
        """Make known what the owner says of its calls, with the event that concerned the call as a whole, or None for a refresh.

        Everyone is told news about each row that has an event, and about each that the broker did not have, or had with another owner.
        Other refreshes only change the snapshot. Returns which rows were taken: False for one of an older generation, for one of the same
        generation that another node owns, and for a call that was erased.
        """

    async def hand_over(self, call_sid: str, generation: int, to: str) -> Claim:
        """Make a call of this node another node's, in the next generation.

        Returns Claimed with the row as it is then. Held if the call is not in this generation any more. Appends of the old generation are
        refused from here on. Raises: BrokerError, also where the broker does not know the call: it has to be registered again first.
        """

    async def lost(self) -> list[Row]:
        """Return the live calls whose owners' leases have ended. None until this node's beats are steady; see STEADY_SECONDS."""

    async def snapshot(self) -> Snapshot:
        """Return all calls. News after it are told again.

        Await it directly, and take it in before anything else is awaited: the next news may come in the next turn of the event loop.
        """

    # a call's log

    async def append(self, appends: Sequence[Append]) -> list[Appended]:
        """Append to the logs of several calls, each at most once, and send each call's events to the nodes that listen to it.

        They receive, on the topic `call:<callSid>`, a body as `hub.broker.bodies` describes it. Each call's events are taken whole or not
        at all. An append with another epoch than the log's replaces that log, if its first event is its owner's oldest.
        """

    async def log(self, call_sid: str, after: int = 0) -> Logged | None:
        """Return the events of a call behind an offset, and its note. None if the broker does not have the call.

        `Logged.first` is larger than `after + 1` where the log has lost its oldest events. What no node wrote ends the log.
        """

    async def erase(self, call_sid: str) -> None:
        """Forget everything about a call that is over; everyone is told news with `erased`. Appends to it are fenced from here on.

        Raises: BrokerError, also if the call is live and its owner's lease holds.
        """

    # messages

    def listen(self, topic: str) -> None:
        """Receive what is sent to a topic from now on; `Receiver.subscribed` says from when. Never waits."""

    def unlisten(self, topic: str) -> None:
        """Receive it no longer. Never waits; safe to call twice."""

    async def send(self, messages: Sequence[tuple[str, bytes]]) -> list[int]:
        """Send messages, each to a topic, in order, signed, in one round trip. Returns how many nodes were sent each."""
