"""`GET /docs`: the pages about the hub, made from the Markdown files that lie beside the code.

Knows where the pages are and how Markdown becomes HTML. Does not know what the pages say.

The address of a page below /docs is the path of its file in the repository. `../deploy/README.md#sizing` in a page therefore leads to the
same place here as on a code host, and no link has to be rewritten. Beside the pages, exactly those files are served that a page links to:
pictures, and samples to copy.
"""

import asyncio
import html
import importlib.metadata
import importlib.util
import itertools
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template
from urllib.parse import unquote, urlsplit

from aiohttp import web
from markdown_it import MarkdownIt
from markdown_it.token import Token

import hub
from hub.web.doors.allowed_call import not_found
from hub.web.doors.dashboard import PAGE_HEADERS

TITLES = {
    "README.md": "Start here",
    "clients/README.md": "Watch calls",
    "hub/web/README.md": "Build on it",
    "hub/agents/README.md": "Voice agents",
    "hub/insight/README.md": "Watchwords",
    "hub/delivery/README.md": "Webhooks",
    "hub/deploy/README.md": "Operate it",
    "hub/deploy/cluster.md": "Several nodes",
    "hub/archive/README.md": "Keep calls",
    "hub/README.md": "How it works",
    "tests/README.md": "Tests and benches",
    "CHANGELOG.md": "What changed",
}
"""Every page, in the order of the menu, and its name there."""

DISTRIBUTION = "transcript-hub"
"""The name under which the hub is installed. The metadata of an installed hub hold its README.md, which belongs to no package."""

TYPES = {
    ".png": "image/png",
    ".svg": "image/svg+xml",
    **dict.fromkeys(("", ".toml", ".yml", ".json", ".txt", ".ini", ".cfg", ".yaml", ".py", ".js", ".css"), "text/plain; charset=utf-8"),
}
"""Which files a page may link to besides pages, and as what they are served. Code is text here, so that no browser runs it."""

NAME_CHARACTERS = 32
"""Code of up to this length and without a blank is a name, such as `call-started`, and is not broken at its hyphen."""

_STYLE = Path(__file__).with_name("docs.css")

_FRAME = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>$title</title>
<link rel="icon" href="${top}../dashboard/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="${top}style.css">
</head>
<body>
<a class="skip" href="#text">Skip to the text</a>
<header class="bar"><a href="${top}README.md">Transcript Hub</a> <a class="back" href="${top}../">Dashboard</a></header>
<nav aria-label="Pages">
<ul>
$menu</ul>
</nav>
<main id="text">
$body</main>
</body>
</html>
""")

routes = web.RouteTableDef()


@dataclass(frozen=True, slots=True)
class Page:
    """One page as it is served."""

    path: str
    """Path in the repository."""
    html: str
    links: frozenset[str]
    """Paths in the repository that the page links to, pages and files."""


@routes.get("/docs")
async def without_slash(_: web.Request) -> web.StreamResponse:
    """Lead to the first page. The address is a relative one, so that it fits behind a proxy that serves the hub below a prefix."""
    raise web.HTTPFound("docs/README.md")


@routes.get("/docs/")
async def with_slash(_: web.Request) -> web.StreamResponse:
    """Lead to the first page."""
    raise web.HTTPFound("README.md")


@routes.get("/docs/style.css")
async def style(_: web.Request) -> web.StreamResponse:
    """Serve the style sheet of the pages."""
    return web.FileResponse(_STYLE, headers=PAGE_HEADERS | {"Content-Type": "text/css; charset=utf-8"})


@routes.get("/docs/{path:.+}")
async def page(request: web.Request) -> web.StreamResponse:
    """Serve a page, or a file that a page links to."""
    path = request.match_info["path"]
    # In a thread: it takes some hundred milliseconds once, and no call may wait for that.
    pages = await asyncio.to_thread(installed)
    if path in pages:
        return web.Response(text=pages[path].html, content_type="text/html", charset="utf-8", headers=PAGE_HEADERS)
    if any(path in each.links for each in pages.values()):
        place, kind = find(path), TYPES.get(Path(path).suffix)
        if place is not None and kind is not None:
            return web.FileResponse(place, headers=PAGE_HEADERS | {"Content-Type": kind})
    if path in TITLES or not pages:
        raise not_found(f"this page is not installed here; it lies in the hub's source, at {path if path in TITLES else 'README.md'}")
    raise not_found("the documentation has no such page; it begins at /docs/README.md")


@cache
def installed() -> dict[str, Page]:
    """Return every page that is installed here, by its path."""
    texts = {path: text for path in TITLES if (text := _text(path)) is not None}
    return {path: render(path, text, list(texts)) for path, text in texts.items()}


def render(path: str, text: str, present: list[str]) -> Page:
    """Return a page made of Markdown. `present` are the paths of the pages that the menu can name."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    # What is too wide scrolls by itself, also by keyboard, and not the page with it.
    markdown.add_render_rule("table_open", lambda *_: '<div class="table" tabindex="0">\n<table>\n')
    markdown.add_render_rule("table_close", lambda *_: "</table>\n</div>\n")
    tokens = markdown.parse(text)
    for token in tokens:
        if token.type in {"fence", "code_block"}:
            token.attrSet("tabindex", "0")
        for child in token.children or ():
            if child.type == "code_inline" and " " not in child.content and len(child.content) <= NAME_CHARACTERS:
                child.attrSet("class", "name")
    headings = _anchor(tokens)
    links = frozenset(_links(path, tokens))
    title = next((name for level, name, _ in headings if level == 1), TITLES.get(path, path))
    chapters = [(name, slug) for level, name, slug in headings if level == 2]
    return Page(
        path,
        _FRAME.substitute(
            title=html.escape(title if title == "Transcript Hub" else f"{title} · Transcript Hub"),
            top="../" * path.count("/"),
            menu="".join(_menu(path, present, chapters)),
            body=markdown.renderer.render(tokens, markdown.options, {}),
        ),
        links,
    )


def _menu(path: str, present: list[str], chapters: list[tuple[str, str]]) -> Iterator[str]:
    """Yield the menu's lines: every page, and below the present one its chapters."""
    top = "../" * path.count("/")
    for each in present:
        if each != path:
            yield f'<li><a href="{top}{each}">{html.escape(TITLES[each])}</a></li>\n'
            continue
        yield f'<li><a href="{top}{each}" aria-current="page">{html.escape(TITLES[each])}</a>\n<ul>\n'
        for name, slug in chapters:
            yield f'<li><a href="#{slug}">{html.escape(name)}</a></li>\n'
        yield "</ul></li>\n"


def _anchor(tokens: list[Token]) -> list[tuple[int, str, str]]:
    """Give each heading the id that a code host gives it; return level, text and id of each."""
    found: list[tuple[int, str, str]] = []
    taken: dict[str, int] = {}
    for token, inline in itertools.pairwise(tokens):
        if token.type != "heading_open":
            continue
        name = "".join(child.content for child in inline.children or () if child.type in {"text", "code_inline"})
        slug = re.sub(r"[^\w\- ]", "", name.lower()).replace(" ", "-")
        taken[slug] = count = taken.get(slug, -1) + 1
        slug = f"{slug}-{count}" if count else slug
        token.attrSet("id", slug)
        found.append((int(token.tag[1:]), name, slug))
    return found


def _links(path: str, tokens: list[Token]) -> Iterator[str]:
    """Yield which paths in the repository a page's links and pictures lead to."""
    for token in tokens:
        for child in token.children or ():
            target = child.attrGet("href" if child.type == "link_open" else "src")
            if isinstance(target, str) and (found := resolve(path, target)) is not None:
                yield found


def resolve(path: str, target: str) -> str | None:
    """Return which path in the repository a link on a page leads to; None for another site, a place on the same page, or no path of it."""
    parts = urlsplit(target)
    if parts.scheme or parts.netloc or not parts.path or parts.path.startswith("/"):
        return None
    found = posixpath.normpath(posixpath.join(posixpath.dirname(path), unquote(parts.path)))
    return None if found.startswith("..") else found


def find(path: str) -> Path | None:
    """Return where a file of the repository lies on this machine; None where it is not installed."""
    top = Path(hub.__file__).parents[1]
    room, _, rest = path.partition("/")
    if (top / "pyproject.toml").is_file():
        place = top / path
    elif room in {"hub", "clients"} and rest:
        spec = importlib.util.find_spec(room)  # by name: the hub imports nothing of its clients
        folders = (spec.submodule_search_locations or ()) if spec else ()
        place = next((Path(folder) / rest for folder in folders), top / path)
    else:
        return None  # beside an installed package lie files of others
    return place if place.is_file() else None


def _text(path: str) -> str | None:
    place = find(path)
    if place is not None:
        return place.read_text(encoding="utf-8")
    if path != "README.md":
        return None
    try:
        described = importlib.metadata.metadata(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return None
    text = described.get_payload()  # type: ignore[attr-defined]  # an email.message.Message: the description is its body
    return text if isinstance(text, str) and text.strip() else None
