"""The query of an HTTP request: what it may name, and which page of a long list it asks for.

A name that is not known is refused: a program that asks for `limt=10` must not take a hundred calls for ten. Knows queries. Does not know
what a list holds.
"""

from aiohttp import web
from multidict import MultiMapping

from hub.web.errors import refusal

USUAL = 100
"""The length of a page unless another one is asked for."""

MOST = 1000
"""The longest page: about 450 KB, and 5 ms to make."""


def read_query(request: web.Request, *known: str) -> MultiMapping[str]:
    """Return the query, in which only these names and `token` may be, each once. Raises: HTTPBadRequest."""
    for name in request.query:
        if name not in {*known, "token"}:
            takes = f"only {', '.join(known)}" if known else "none here"
            raise bad_query(f"{name[:40]!r} is not a parameter of this address: it takes {takes}")
        if len(request.query.getall(name)) > 1:
            raise bad_query(f"{name} comes twice")
    return request.query


def read_limit(query: MultiMapping[str]) -> int:
    """Return how many members the page has at most. Raises: HTTPBadRequest."""
    limit = query.get("limit", str(USUAL))
    if not (limit.isascii() and limit.isdigit() and len(limit) < 5 and 1 <= int(limit) <= MOST):
        raise bad_query(f"limit must be a number from 1 to {MOST}")
    return int(limit)


def read_after(query: MultiMapping[str]) -> int | None:
    """Return the number after which the page begins: the `next` of the page before. None for the first page. Raises: HTTPBadRequest."""
    after = query.get("after")
    if after is None:
        return None
    if not (after.isascii() and after.isdigit() and len(after) < 19):
        raise bad_query("after must be the next of the page before")
    return int(after)


def bad_query(message: str) -> web.HTTPError:
    """Return the refusal of a query, to be raised."""
    return refusal(web.HTTPBadRequest, "bad-request", message)
