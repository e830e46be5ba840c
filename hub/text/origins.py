"""Web origins (RFC 6454): the one form in which two of them can be compared. Knows how browsers write them, and no settings."""

import re
from urllib.parse import urlsplit

OPAQUE = "null"
"""What a browser sends for a page that has no origin of its own: a file, a sandboxed frame, a data: address."""

DEFAULT_PORTS = {"http": 80, "https": 443}

NO_ORIGINS = frozenset({"ws", "wss", "ftp", "data", "blob", "about", "javascript"})
"""Schemes that no browser puts into an Origin: of a page's address, or of the page that opened it, it sends another one."""

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")


def normal(text: str) -> str | None:
    """Return an origin as browsers send it; None for what no browser sends: an address with a path, a wildcard, a name without a scheme.

    Schemes and host names are in small letters, names in other alphabets in their ASCII form, and the usual port is left out. An app's own
    scheme may have no host: `file://`, `app://`.
    """
    text = text.strip()
    if text.lower() == OPAQUE:
        return OPAQUE
    try:
        parts = urlsplit(text)
        port = parts.port
        name = (parts.hostname or "").encode("idna").decode() if not (parts.hostname or "").isascii() else (parts.hostname or "")
    except (ValueError, UnicodeError):
        return None
    scheme = parts.scheme.lower()
    bare = "://" in text and parts.path in {"", "/"} and not (parts.query or parts.fragment or parts.username or parts.password)
    if (
        scheme in NO_ORIGINS
        or not bare
        or not _SCHEME.fullmatch(scheme)
        or text.endswith(("?", "#"))
        or "*" in name
        or " " in name
        or "@" in parts.netloc
    ):
        return None
    if not name and scheme in DEFAULT_PORTS:
        return None
    host = f"[{name}]" if ":" in name else name
    return f"{scheme}://{host}" + (f":{port}" if port is not None and port != DEFAULT_PORTS.get(scheme) else "")


def origin_of(url: str) -> str:
    """Return the origin of an address with a path, as it is written there."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
