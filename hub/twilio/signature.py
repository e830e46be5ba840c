"""Twilio's signature: which addresses Twilio may have signed, and whether one of our auth tokens made a signature. Pure; knows no request.

Source: twilio.com/docs/usage/webhooks/webhooks-security.
"""

import hmac
from urllib.parse import urlsplit

from multidict import MultiMapping
from twilio.request_validator import HMAC_SHA1, RequestValidator

from hub.config import Config

DEFAULT_PORTS = {"https": 443, "wss": 443, "http": 80, "ws": 80}


def addresses(public_url: str, raw_path: str, *, upgrade: bool = False) -> tuple[str, ...]:
    """Return how Twilio may have written the address of a request when it signed it: as configured, without a port, with one.

    Twilio's own servers differ in whether the port is part of it (see twilio-python's validator). All three are this very host.
    """
    parts = urlsplit(public_url.rstrip("/"))
    scheme = {"https": "wss", "http": "ws"}.get(parts.scheme, parts.scheme) if upgrade else parts.scheme
    name = parts.netloc.removesuffix(f":{parts.port}") if parts.port else parts.netloc
    hosts = (parts.netloc, name, f"{name}:{DEFAULT_PORTS[scheme]}")
    return tuple(dict.fromkeys(f"{scheme}://{host}{parts.path}{raw_path}" for host in hosts))


def signed(config: Config, urls: tuple[str, ...], parameters: MultiMapping[str], signature: str, algorithm: str = HMAC_SHA1) -> bool:
    """Return whether one of our secrets made this signature of one of these addresses. In constant time for each."""
    given = signature.encode(errors="surrogateescape")
    return any(
        hmac.compare_digest(RequestValidator(token).compute_signature(url, parameters, algorithm).encode(), given)
        for token in config.auth_tokens
        for url in urls
    )
