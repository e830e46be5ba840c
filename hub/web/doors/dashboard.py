"""`GET /`: the dashboard, a web page for watching calls, and the files it is made of.

Knows where the files are and how a browser may treat them. The page itself is `clients/dashboard`, which the hub may not import: it is
found as a folder, and a hub that was installed without it says so in a sentence.
"""

import importlib.util
import re
from base64 import b64encode
from functools import cache
from hashlib import sha256
from pathlib import Path

import msgspec
from aiohttp import web

from hub.config import Config, Proof
from hub.web.doors.allowed_call import not_found
from hub.web.state import STATE

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""The endings that are served, with their types. The machine's own table may lack JavaScript, which `nosniff` would then block."""

PAGE_HEADERS = {
    # Everything comes from the hub, and nothing is inline but one line that is named by its hash: words of a call can neither run nor fetch
    # anything.
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    # The page's address may carry a token.
    "Referrer-Policy": "no-referrer",
    # File names carry no version, so a browser must ask each time; usually the answer is that nothing changed.
    "Cache-Control": "no-cache",
}

routes = web.RouteTableDef()


class PageSettings(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the page needs to know of this hub. `keep_minutes`: for how long ended calls are kept where there is no archive. `origins`: the
    web origins whose pages may embed it and give it tokens. `proof`: how a stream proves that Twilio sends it."""

    listen: bool
    archive: bool
    keep_minutes: float
    origins: tuple[str, ...]
    proof: Proof


@cache
def folder() -> Path | None:
    """Return the folder of the page; None if only the hub is installed."""
    spec = importlib.util.find_spec("clients")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        if (page := Path(place) / "dashboard" / "index.html").is_file():
            return page.parent
    return None


@routes.get("/")
async def dashboard(request: web.Request) -> web.StreamResponse:
    """Return the page."""
    page = _file("index.html")
    if page.status == 200:
        page.headers["Content-Security-Policy"] += f"; script-src 'self' {_inline()}{_embedders(request.app[STATE].config)}"
    return page


def _embedders(config: Config) -> str:
    """Return which pages may show this one in a frame, as a Content-Security-Policy names them.

    Those that HUB_ORIGINS names, if it does; else every page, if the hub wants a token: the token is the permission, and there is no cookie
    that a frame could abuse. On a hub without tokens, a page of strangers could make its reader press buttons unseen. A page without an
    origin (`null`), or an app's, has no name that a policy could have: where those are allowed, every page is.
    """
    named = config.allowed_origins
    if config.secret and (not config.origins or not all(each.startswith(("https://", "http://")) for each in named)):
        return ""
    return "; " + " ".join(("frame-ancestors", "'self'", *named))


@cache
def _inline() -> str:
    """Return the hashes of the scripts that stand in the page itself, as a Content-Security-Policy names them."""
    place = folder()
    scripts = re.findall(r"<script>(.*?)</script>", (place / "index.html").read_text(encoding="utf-8") if place else "", re.DOTALL)
    return " ".join(f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in scripts)


@routes.get("/dashboard/settings.json")
async def settings(request: web.Request) -> web.StreamResponse:
    """Return what the page needs to know of this hub: if people may listen in, if it has an archive, how long ended calls are kept else."""
    config = request.app[STATE].config
    known = PageSettings(
        listen=config.listen,
        archive=bool(config.archive),
        keep_minutes=config.keep_minutes,
        origins=config.allowed_origins,
        proof=config.proof,
    )
    return web.Response(body=msgspec.json.encode(known), content_type="application/json", headers=PAGE_HEADERS)


@routes.get(r"/dashboard/{name:[\w-]+\.\w+}")
async def file(request: web.Request) -> web.StreamResponse:
    """Return one of the page's files."""
    return _file(request.match_info["name"])


def _file(name: str) -> web.StreamResponse:
    place = folder()
    if place is None:
        raise not_found("the dashboard is not installed here; the hub works without it: GET /calls lists calls, WS /client follows them")
    path = place / name
    if path.suffix not in _TYPES or not path.is_file():
        raise not_found("the dashboard has no such file")
    return web.FileResponse(path, headers=PAGE_HEADERS | {"Content-Type": _TYPES[path.suffix]})
