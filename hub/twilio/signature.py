"""Twilio's request signature: which addresses Twilio may have signed, and whether one of our auth tokens made a signature.

Pure. Source: twilio.com/docs/usage/webhooks/webhooks-security. Knows addresses and form parameters. Does not know HTTP requests.
"""

import hmac
from urllib.parse import urlsplit

from multidict import MultiMapping
from twilio.request_validator import HMAC_SHA1, RequestValidator

from hub.config import Config

DEFAULT_PORTS = {"https": 443, "wss": 443, "http": 80, "ws": 80}
"""The port that an address without one means, by scheme."""


def addresses(public_url: str, raw_path: str, *, upgrade: bool = False) -> tuple[str, ...]:
    """Return the forms in which Twilio may have signed the address of a request: as configured, without a port, and with a port.

    Twilio's servers differ in whether they sign the port (twilio-python's validator also tries both). All forms name this very host, so
    accepting each of them lets nobody else in. `upgrade`: the request opens a WebSocket, so its scheme is ws or wss.
    """
    parts = urlsplit(public_url.rstrip("/"))
    scheme = {"https": "wss", "http": "ws"}.get(parts.scheme, parts.scheme) if upgrade else parts.scheme
    name = parts.netloc.removesuffix(f":{parts.port}") if parts.port else parts.netloc
    hosts = (parts.netloc, name, f"{name}:{DEFAULT_PORTS[scheme]}")
    return tuple(dict.fromkeys(f"{scheme}://{host}{parts.path}{raw_path}" for host in hosts))


def signed(config: Config, urls: tuple[str, ...], parameters: MultiMapping[str], signature: str, algorithm: str = HMAC_SHA1) -> bool:
    """Return whether one of our auth tokens made this signature for one of these addresses. Each comparison takes constant time."""
    given = signature.encode(errors="surrogateescape")
    return any(
        hmac.compare_digest(RequestValidator(token).compute_signature(url, parameters, algorithm).encode(), given)
        for token in config.auth_tokens
        for url in urls
    )
