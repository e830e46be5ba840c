"""The query of an HTTP request for calls: what it may name, and one page of a long list.

A name that is not known is refused: a program that asks for `limt=10` must not take the whole list for ten calls. Knows queries. Does not
know what a list holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from aiohttp import web
from multidict import MultiMapping

from hub.web.errors import refusal

MOST = 1000
"""The longest page: about 450 KB, and 5 ms to make."""


class Numbered(Protocol):
    """A member of a list in which each has a higher number than those before it."""

    call_sid: str

    @property
    def number(self) -> int:
        """Its number."""


N = TypeVar("N", bound=Numbered)


def read_query(request: web.Request, *known: str) -> MultiMapping[str]:
    """Return the query, in which only these names and `token` may be, each once. Raises: HTTPBadRequest."""
    for name in request.query:
        if name not in {*known, "token"}:
            takes = f"only {', '.join(known)}" if known else "none here"
            raise _bad(f"{name[:40]!r} is not a parameter of this address: it takes {takes}")
        if len(request.query.getall(name)) > 1:
            raise _bad(f"{name} comes twice")
    return request.query


@dataclass(frozen=True, slots=True)
class Paging:
    """Which part of a list is asked for."""

    limit: int | None
    """How many members at most; None for all."""
    after: str | None
    """What the page before gave as `next`, or a callSid of the list; None for the first page."""

    @classmethod
    def of(cls, query: MultiMapping[str]) -> "Paging":
        """Return the page that a query asks for. Raises: HTTPBadRequest."""
        limit = query.get("limit")
        if limit is not None and not (limit.isascii() and limit.isdigit() and len(limit) < 5 and 1 <= int(limit) <= MOST):
            raise _bad(f"limit must be a number from 1 to {MOST}")
        return cls(int(limit) if limit is not None else None, query.get("after"))

    def behind(self, members: Sequence[N]) -> Sequence[N]:
        """Return the members from which the page is taken. Raises: HTTPBadRequest."""
        if self.after is None:
            return members
        number = _number(members, self.after)
        return [member for member in members if member.number > number]

    def beginning(self, members: Sequence[N]) -> Sequence[N]:
        """Return the page, and one member more if there is one."""
        return members if self.limit is None else members[: self.limit + 1]

    def full(self, found: Sequence[object]) -> bool:
        """Return whether so many are enough for the page, and show that another one follows."""
        return self.limit is not None and len(found) > self.limit


def _number(members: Sequence[N], after: str) -> int:
    if after.isascii() and after.isdigit() and len(after) < 19:
        return int(after)
    number = next((member.number for member in members if member.call_sid == after), None)
    if number is None:
        raise _bad("after must be the next of the page before, or the callSid of a call in this list")
    return number


def _bad(message: str) -> web.HTTPError:
    return refusal(web.HTTPBadRequest, "bad-request", message)
