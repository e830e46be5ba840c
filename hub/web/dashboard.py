"""`GET /`: the page that people watch calls with, and the files it is made of.

Knows where the files are and how a browser may treat them. The page itself is `clients/dashboard`, which this floor may not import:
it is found as a folder, and a hub that was installed without it says so.
"""

import importlib.util
from functools import cache
from pathlib import Path

from aiohttp import web

from hub.web.state import STATE

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""What is served, and as what: a machine's own table of types may lack JavaScript, and `nosniff` would then forbid it."""

PAGE_HEADERS = {
    # Everything comes from here, and nothing is inline: a call's words can neither run nor fetch anything. It may be framed by other
    # tools on purpose; it holds no cookie that a frame could abuse.
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    # The page may be opened with a token in its address.
    "Referrer-Policy": "no-referrer",
    # File names carry no version, so a browser asks each time, and is mostly told that nothing changed.
    "Cache-Control": "no-cache",
}

routes = web.RouteTableDef()


@cache
def folder() -> Path | None:
    """Return the folder with the page, or None where only the hub was installed."""
    spec = importlib.util.find_spec("clients")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        if (page := Path(place) / "dashboard" / "index.html").is_file():
            return page.parent
    return None


@routes.get("/")
async def dashboard(_: web.Request) -> web.StreamResponse:
    """Give the page."""
    return _file("index.html")


@routes.get("/dashboard/settings.json")
async def settings(request: web.Request) -> web.StreamResponse:
    """Tell the page what this hub can do: whether calls may be listened to, and for how many minutes ended ones are kept."""
    config = request.app[STATE].config
    return web.json_response({"listen": config.listen, "keepMinutes": config.keep_minutes}, headers=PAGE_HEADERS)


@routes.get(r"/dashboard/{name:[\w-]+\.\w+}")
async def file(request: web.Request) -> web.StreamResponse:
    """Give one of the page's files."""
    return _file(request.match_info["name"])


def _file(name: str) -> web.StreamResponse:
    place = folder()
    if place is None:
        return _sentence("The dashboard is not installed here. The hub works without it: GET /calls lists calls, WS /client follows them.")
    path = place / name
    if path.suffix not in _TYPES or not path.is_file():
        return _sentence("The dashboard has no such file.")
    return web.FileResponse(path, headers=PAGE_HEADERS | {"Content-Type": _TYPES[path.suffix]})


def _sentence(text: str) -> web.Response:
    return web.Response(status=404, text=text + "\n", headers=PAGE_HEADERS)
