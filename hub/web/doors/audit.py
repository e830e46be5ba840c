"""`GET /audit`: who did what with calls, oldest first. It needs the right `audit`, and is itself in the audit log.

A program that keeps the rows elsewhere asks for what came `after` the last that it has. With `previous` and `digest` of each row it can
check the chain by itself (`hub/archive/chain.py`). Knows requests. Does not know how rows are stored.
"""

from typing import get_args

import msgspec
from aiohttp import web
from multidict import MultiMapping

from hub.archive.archive import AccessFilter, Action, ArchiveError, AuditRow
from hub.events import stamped
from hub.web.access import granted
from hub.web.doors.call_query import read_moment
from hub.web.doors.paging import bad_query, read_after, read_limit, read_query
from hub.web.errors import refusal
from hub.web.noting import noted
from hub.web.state import STATE

ACTIONS: tuple[Action, ...] = get_args(Action)

FILTERS = ("from", "to", "subject", "action", "call")

routes = web.RouteTableDef()


class Noted(msgspec.Struct, frozen=True, rename="camel"):
    """A row of the audit log. `digest` is that of the JSON list of id, at, subject, action, callSid, detail and previous, by SHA-256."""

    id: int
    time: str
    subject: str
    action: str
    call_sid: str
    detail: str
    at: float
    previous: str
    digest: str


class AuditPage(msgspec.Struct, frozen=True):
    """A page of the audit log, oldest row first. `next`: what to ask for as `after`. Null where the log ends."""

    rows: list[Noted]
    next: str | None


@routes.get("/audit")
async def audit(request: web.Request) -> web.Response:
    """Return a page of rows that fit, in their order, and `next`: the `after` of the page behind it, or null."""
    grant = granted(request, "audit")
    query = read_query(request, "after", "limit", *FILTERS)
    after, limit, wanted = read_after(query) or 0, read_limit(query), _filter(query)
    state = request.app[STATE]
    if state.archive is None:
        raise refusal(web.HTTPConflict, "no-archive", "this hub has no archive, so it does not note who did what: see HUB_ARCHIVE")
    await noted(request, grant, "audit", detail=", ".join(name for name in FILTERS if name in query))
    try:
        rows: list[AuditRow] = await state.archive.read(state.archive.archive.audit, after, limit + 1, wanted)
    except ArchiveError as error:
        raise refusal(web.HTTPServiceUnavailable, error.code, str(error)) from error
    following = str(rows[limit - 1].id) if len(rows) > limit else None
    body = msgspec.json.encode(AuditPage([_shown(row) for row in rows[:limit]], following))
    return web.Response(body=body, content_type="application/json")


def _shown(row: AuditRow) -> Noted:
    access = row.access
    return Noted(
        row.id, _time(access.at), access.subject, access.action, access.call_sid, access.detail, access.at, row.previous, row.digest
    )


def _time(at: float) -> str:
    try:
        return stamped(at)
    except (TypeError, ValueError, OverflowError, OSError):  # somebody changed this row; whoever checks the chain finds it
        return "?"


def _filter(query: MultiMapping[str]) -> AccessFilter:
    action = next((each for each in ACTIONS if each == query.get("action")), None)
    if action is None and "action" in query:
        raise bad_query(f"action must be one of {', '.join(ACTIONS)}")
    return AccessFilter(
        since=read_moment(query, "from"), until=read_moment(query, "to"), subject=query.get("subject"), action=action,
        call_sid=query.get("call"),
    )  # fmt: skip
