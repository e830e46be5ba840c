"""Which addresses a webhook may lead to: those of the internet, and the private networks that the operator names.

A URL in a file can lead to the hub's own machine or to a database beside it: by its address, by a name that resolves to such an address, or
by a name that resolves to another address the second time. So the address is looked at where the connection is made, and not the URL.

Pure: asks no name server.
"""

import ipaddress
from collections.abc import Iterable

from hub.config import Network

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
"""IPv4 addresses as hosts with IPv6 only reach them (RFC 6052)."""


def meant(address: Address) -> list[Address]:
    """Return the addresses that a packet to this one may reach: the address, and the IPv4 address that is hidden in it."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if address in _NAT64:
        return [ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)]
    hidden = (address.sixtofour, *(address.teredo or ()))
    return [address, *(each for each in hidden if each is not None)]


def allowed(host: str, networks: Iterable[Network]) -> bool:
    """Return whether a connection to this address may be made. `networks`: private ones that are allowed."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    if any((mapped or address) in network for network in networks):
        return True
    return all(each.is_global and not each.is_multicast and not each.is_reserved for each in meant(mapped or address))
