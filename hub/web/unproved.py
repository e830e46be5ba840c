"""Room for peers that have proved nothing yet: a bounded number, of which no address keeps more than its share when it is crowded.

**Why it is bounded apart.** Every connection costs a descriptor, and a process has a limited number of them. Anyone can open connections
and send nothing, or a byte from time to time. If such connections could take every descriptor, Twilio could bring no call and no viewer
could follow one. So they have a room of their own. A peer leaves it by proving what it is: Twilio by its signature or its stream's token, a
subscriber by its token.

**Who makes room.** A newcomer always gets in, because it may be Twilio. In a full room, the address that holds the most loses a connection.
It is one whose request has come and proved nothing, such as one whose body dribbles in, and of those the one that has waited longest. Only
where there is none, it is one that has yet to send a request. Twilio's upgrade is proved as soon as it has come, so it is not among those.

**Who is left in peace.** When a node dies, thousands of subscribers come to the others within a second, all by the balancer's address. They
prove themselves as soon as the hub gets to their requests. So nobody who came a moment ago makes room, and a crowd may fill the room twice.

Knows addresses and the order of arrival. Does not know what a peer is or how it proves itself.
"""

import ipaddress
import time
from collections.abc import Callable
from typing import Protocol

GRACE_SECONDS = 0.25
"""How long a newcomer is left in peace, unless the room is twice full."""


class UnprovedPeer(Protocol):
    """Something that holds a connection."""

    @property
    def has_spoken(self) -> bool:
        """Whether a request has come, so that it could have proved something."""

    def drop(self) -> None:
        """Let go of the connection at once. Must not raise."""


class Unproved:
    """The room. A peer is in it at most once."""

    def __init__(self, most: int, grace_seconds: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        """`most`: how many peers may stay. `grace_seconds`: how long a newcomer is left in peace. `clock`: monotonic seconds."""
        self.most = most
        self.grace_seconds = grace_seconds
        self._clock = clock
        self.dropped = 0
        """How many peers had to make room."""
        self._addresses: dict[UnprovedPeer, str] = {}
        """Who is in the room, oldest first, and from which address."""
        self._since: dict[UnprovedPeer, float] = {}
        """Since when, on the clock."""
        self._held: dict[str, dict[UnprovedPeer, None]] = {}
        """The same by address."""

    def __len__(self) -> int:
        return len(self._addresses)

    def __contains__(self, peer: UnprovedPeer) -> bool:
        return peer in self._addresses

    def enter(self, peer: UnprovedPeer, address: str) -> None:
        """Let a peer in, or move it to the end of the queue, and make room for it."""
        self.leave(peer)
        network = counted_as(address)
        self._addresses[peer], self._since[peer] = network, self._clock()
        self._held.setdefault(network, {})[peer] = None
        if len(self._addresses) > self.most:
            self._make_room(peer)

    def _make_room(self, newcomer: UnprovedPeer) -> None:
        """Drop one peer of the address that holds the most, if there is one that has had its time."""
        is_twice_full = len(self._addresses) > 2 * self.most
        before = self._since[newcomer] - (0.0 if is_twice_full else self.grace_seconds)
        if self._since[next(iter(self._addresses))] > before:
            return  # the oldest has just come: a crowd need not be looked through for each that joins it
        largest = max(map(len, self._held.values()))
        among = [
            each
            for each, network in self._addresses.items()
            if len(self._held[network]) == largest and each is not newcomer and self._since[each] <= before
        ]
        if among:
            self._drop(next((each for each in among if each.has_spoken), among[0]))

    def leave(self, peer: UnprovedPeer) -> None:
        """Take a peer out; safe to call twice."""
        network = self._addresses.pop(peer, None)
        if network is not None:
            del self._since[peer]
            held = self._held[network]
            del held[peer]
            if not held:
                del self._held[network]

    def _drop(self, peer: UnprovedPeer) -> None:
        self.leave(peer)
        self.dropped += 1
        peer.drop()


def counted_as(address: str) -> str:
    """Return what counts as one address: of IPv6 the network of 64 bits, because a single customer has all addresses in it."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        return str(ip.ipv4_mapped or ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)
