"""Who may come in: tokens, browsers' origins, and how many sockets an address may have. Shared by the doors for people."""

import ipaddress
from urllib.parse import urlsplit

import msgspec
from aiohttp import hdrs, web

from hub.config import loopback
from hub.tokens import OPEN, Grant, TokenError, verify
from hub.web.state import STATE, State


def carried(request: web.Request) -> str | None:
    """Return the token a request carries, in its `Authorization: Bearer` header or as `?token=`; None when it carries none."""
    scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    return request.query.get("token")


def grant(state: State, token: str | None) -> Grant:
    """Return what a token allows on this hub; without a secret, everything. Raises: TokenError."""
    if not state.config.secret:
        return OPEN
    if not token:
        raise TokenError("this hub wants a token")
    return verify(state.config.secret, token)


def granted(request: web.Request) -> Grant:
    """Return what an HTTP request may see. Raises: HTTPUnauthorized, HTTPForbidden."""
    check_origin(request)
    if not _is_ours(request):  # a browser sends no Origin when a page reads from what it takes for its own
        raise refusal(web.HTTPForbidden, "host", "this hub does not go by that name; HUB_PUBLIC_URL can say that it does")
    try:
        return grant(request.app[STATE], carried(request))
    except TokenError as error:
        raise refusal(web.HTTPUnauthorized, "token", str(error), {"WWW-Authenticate": "Bearer"}) from error


def check_origin(request: web.Request) -> None:
    """Refuse pages of other sites: a browser would connect for them with the user's own network. Raises: HTTPForbidden.

    Programs send no Origin and are not concerned. RFC 6455 section 10.2; aiohttp itself checks nothing.
    """
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is None:
        return
    config = request.app[STATE].config
    own = origin.lower() in {f"http://{request.host.lower()}", f"https://{request.host.lower()}"} and _is_ours(request)
    public = urlsplit(config.public_url)
    if own or origin in config.allowed_origins or (config.public_url and origin == f"{public.scheme}://{public.netloc}".lower()):
        return
    raise refusal(web.HTTPForbidden, "origin", "pages of this origin may not connect; HUB_ORIGINS can allow it")


def _is_ours(request: web.Request) -> bool:
    """Return whether the name under which a request reached us is one of ours.

    Without tokens, a page of any site could have its own name point to our address (DNS rebinding) and would then be of our origin. An
    address in place of a name cannot be made to point elsewhere.
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
    """Return the name or address of `name:port`, `[::1]:port` and the like; empty when it is none."""
    try:
        return urlsplit(f"//{netloc}").hostname or ""
    except ValueError:
        return ""


def refusal(
    kind: type[web.HTTPForbidden | web.HTTPUnauthorized | web.HTTPTooManyRequests],
    code: str,
    message: str,
    headers: dict[str, str] | None = None,
) -> web.HTTPException:
    """Return an HTTP error with the same `code` and `message` that sockets send."""
    text = msgspec.json.encode({"error": {"code": code, "message": message}}).decode()
    return kind(text=text, content_type="application/json", headers=headers)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
