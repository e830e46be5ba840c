"""Who may come in: tokens, browsers' origins, host names. Shared by the doors that people and their programs use.

Knows which requests to refuse and how a refusal looks. Does not know Twilio's signature (`proof.py`), or what a token may contain
(`hub/tokens.py`).
"""

import ipaddress
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from hub.errors import TokenError
from hub.text.addresses import loopback
from hub.text.origins import normal
from hub.tokens import EXPOSED, OPEN, Grant, Right, verify
from hub.web.errors import refusal
from hub.web.state import STATE, State


def carried(request: web.Request) -> str | None:
    """Return the token of a request: from its `Authorization: Bearer` header, or from `?token=`; None if it has none."""
    scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    return request.query.get("token")


def grant(state: State, token: str | None) -> Grant:
    """Return what a token allows on this hub. Without HUB_SECRET, everyone may see every call. Raises: TokenError."""
    if not state.config.secret:
        # HUB_OPEN on a loopback address: a proxy may bring strangers there, and any host name is believed.
        return EXPOSED if state.config.exposed or state.config.open else OPEN
    if not token:
        raise TokenError("this hub wants a token")
    return verify(state.config.secret, token)


def granted(request: web.Request, right: Right | None = None) -> Grant:
    """Return which calls an HTTP request may see. `right`: what it needs besides. Raises: HTTPUnauthorized, HTTPForbidden."""
    check_origin(request)
    check_host(request)
    state = request.app[STATE]
    try:
        found = grant(state, carried(request))
    except TokenError as error:
        raise refusal(web.HTTPUnauthorized, "token", str(error), {"WWW-Authenticate": "Bearer"}) from error
    if found is OPEN and hdrs.ORIGIN in request.headers and not _own_origin(request):
        found = EXPOSED  # HUB_ORIGINS lets a page of another site read this hub; without a token, it shall not erase calls
    if right is not None and not found.may(right):
        missing = (
            f"the token lacks the right {right!r}" if state.config.secret else f"without HUB_SECRET, nobody has the right {right!r} here"
        )
        raise refusal(web.HTTPForbidden, "not-allowed", missing)
    return found


def check_origin(request: web.Request) -> None:
    """Refuse web pages of other sites. Raises: HTTPForbidden.

    A browser lets any page open a WebSocket to any address, and connects from the user's own network: a page on the internet could read a
    hub that listens on the user's machine. Programs send no Origin and are not affected. RFC 6455 section 10.2 leaves the check to the
    server, and aiohttp does not make it.
    """
    if hdrs.ORIGIN in request.headers and not allowed_origin(request):
        raise refusal(web.HTTPForbidden, "origin", "pages of this origin may not connect; HUB_ORIGINS can allow it")


def allowed_origin(request: web.Request) -> bool:
    """Return whether the request comes from a page that may use this hub: the hub's own, or one that the settings name."""
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is None:
        return False
    return _own_origin(request) or normal(origin) in request.app[STATE].config.allowed_origins


def _own_origin(request: web.Request) -> bool:
    """Return whether the request comes from a page of the hub itself."""
    origin = normal(request.headers.get(hdrs.ORIGIN, ""))
    own = {normal(f"{scheme}://{request.host}") for scheme in ("http", "https")}
    return origin is not None and origin in own and _is_ours(request)


def check_websocket(request: web.Request, instead: str = "") -> None:
    """Refuse a request that does not ask for a WebSocket. `instead`: where else to go. Raises: HTTPUpgradeRequired."""
    if request.headers.get(hdrs.UPGRADE, "").lower() != "websocket":
        headers = {"Upgrade": "websocket", "Connection": "Upgrade"}
        raise refusal(web.HTTPUpgradeRequired, "upgrade", f"this address is for WebSockets{instead}", headers)


def check_host(request: web.Request) -> None:
    """Refuse a host name that is not this hub's: a browser sends no Origin with a GET to the page's own host. Raises: HTTPForbidden."""
    if not _is_ours(request):
        raise refusal(web.HTTPForbidden, "host", "this hub is not known by that host name; HUB_PUBLIC_URL can name it")


def _is_ours(request: web.Request) -> bool:
    """Return whether the request's host name is one of this hub's.

    Without tokens, a page of any site could make its own host name point to our address (DNS rebinding). To the browser, the page and the
    hub then have the same origin. An IP address cannot be made to point elsewhere, so it is always accepted.
    """
    config = request.app[STATE].config
    if config.secret or config.open:
        return True
    name = _hostname(request.host)
    return (
        _is_address(name)
        or loopback(name)
        or name in {_hostname(urlsplit(url).netloc) for url in (config.public_url, *config.allowed_origins)}
    )


def _hostname(netloc: str) -> str:
    """Return the host of `name:port`, `[::1]:port` and the like; empty if there is none."""
    try:
        return urlsplit(f"//{netloc}").hostname or ""
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
