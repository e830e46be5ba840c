"""A hub's address as people give it, made into the address of one of its doors. Pure.

People paste what they have: the dashboard's `http://127.0.0.1:5000/`, a bare `hub.example.com`, or the address of another door. All of
them name the same hub. Does not know whether there is a hub.
"""

import ipaddress
import re
from typing import Literal, TypeAlias
from urllib.parse import urlsplit, urlunsplit

from hub.text.addresses import loopback

Door: TypeAlias = Literal["/client", "/twilio", "/agent"]

_DOORS = ("/client", "/twilio", "/agent")
_SCHEMES = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}


def door_address(address: str, door: Door) -> str:
    """Return the WebSocket address of a hub's door.

    Without a scheme, a host that can be reached in this network only is asked by `ws`, and any other by `wss`, so that no token goes out
    in the open. A path is the prefix below which a proxy serves the hub, unless it is a door's. Raises: ValueError, with one sentence.
    """
    given = address.strip().strip("\ufeff").strip()
    scheme, separator, _ = given.partition("://")
    try:
        parts = urlsplit(given if separator else f"//{given}")
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"{address!r} is not a hub's address: {error}") from error
    if separator and scheme.lower() not in _SCHEMES:
        raise ValueError(f"{address!r} is not a hub's address: it must begin with ws://, wss://, http:// or https://")
    if not host or re.search(r"[\s\x00-\x1f]", given):
        raise ValueError(f"{address!r} is not a hub's address: it should look like ws://127.0.0.1:5000{door}")
    wire = _SCHEMES[scheme.lower()] if separator else "ws" if _near(host) else "wss"
    path = re.sub(r"/+$", "", parts.path)
    for other in _DOORS:
        path = path.removesuffix(other)
    return urlunsplit((wire, parts.netloc, f"{path}{door}", parts.query, ""))


def page_address(address: str, path: str = "/") -> str:
    """Return the HTTP address of a page of a hub, such as `/calls`. `address` is read as in `door_address`. Raises: ValueError."""
    parts = urlsplit(door_address(address, "/client"))
    below = parts.path.removesuffix("/client")
    return urlunsplit(("https" if parts.scheme == "wss" else "http", parts.netloc, f"{below}{path}", "", ""))


def _near(host: str) -> bool:
    """Return whether a host is on this machine, or has an address or a name that holds in a private network only."""
    if loopback(host) or ("." not in host and ":" not in host) or host.lower().endswith((".local", ".internal", ".lan")):
        return True
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False
