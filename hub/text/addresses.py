"""Which addresses are this machine's own. Pure: asks no name server. Knows hosts and URLs. Does not know who is at them."""

import ipaddress
from typing import Literal
from urllib.parse import unquote, urlsplit


def loopback(host: str) -> bool:
    """Return whether only this machine can reach an address or host name."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):  # RFC 6761 section 6.3
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def proxy(url: str) -> Literal[True] | None:
    """Return what `websockets.connect` takes as its `proxy`: True for the one that the environment names, None for none.

    A proxy of the environment (HTTPS_PROXY and its kin) leads to other machines. It cannot reach this one: it would look for 127.0.0.1 on
    its own. Elsewhere NO_PROXY is respected, by websockets itself.
    """
    try:
        return None if loopback(urlsplit(url).hostname or "") else True
    except ValueError:  # no URL: whoever dials it says so
        return True


def password_of(url: str) -> str:
    """Return the password in a database's address. Empty where there is none."""
    try:
        return unquote(urlsplit(url).password or "") if "://" in url else ""
    except ValueError:
        return ""
