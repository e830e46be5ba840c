"""The address of a client behind proxies that the operator has named in HUB_PROXIES.

Anyone can send `X-Forwarded-For`, so it is believed only as far as proxies of ours wrote it. Each proxy appends the address that it was
called from. Read from the right, the first address that is no proxy of ours is the client's: what stands left of it, the client may have
invented (developer.mozilla.org/docs/Web/HTTP/Reference/Headers/X-Forwarded-For).

Knows addresses and this header. Does not know what an address is used for.
"""

import ipaddress
from collections.abc import Collection, Sequence
from itertools import islice

from hub.config import Network

HOPS = 32
"""How many entries of the header are read: more proxies than anyone puts in a row. A client can send thousands, and each is compared."""


def client_address(peer: str, forwarded_for: Sequence[str], proxies: Collection[Network]) -> str:
    """Return the client's address. `peer` is who has connected to the hub, `forwarded_for` the values of the header, in order."""
    if not proxies or not _among(peer, proxies):
        return peer
    address = peer
    for hop in islice((hop for value in reversed(forwarded_for) for hop in reversed(value.split(","))), HOPS):
        named = _address(hop)
        if named is None:
            break  # a proxy of ours does not know who called it
        address = named
        if not _among(address, proxies):
            break
    return address


def _address(hop: str) -> str | None:
    """Return the address in one entry of the header, which some proxies write with a port: `192.0.2.1:50000`, `[2001:db8::1]:50000`."""
    hop = hop.strip().strip('"')
    if hop.startswith("["):
        hop = hop[1:].partition("]")[0]
    elif hop.count(":") == 1:
        hop = hop.partition(":")[0]
    try:
        return str(ipaddress.ip_address(hop))
    except ValueError:
        return None


def _among(address: str, proxies: Collection[Network]) -> bool:
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return any((mapped or ip) in network or ip in network for network in proxies)
