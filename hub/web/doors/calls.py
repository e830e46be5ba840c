"""`GET /calls`: the list of calls, and the search in it; and one call. Knows requests. Does not know where calls are kept."""

from contextlib import nullcontext

from aiohttp import web

from hub.archive.archive import ArchiveError
from hub.broker.broker import BrokerError
from hub.web.access import granted
from hub.web.doors.allowed_call import allowed_call
from hub.web.doors.call_list import call_page
from hub.web.doors.call_query import PARAMETERS, CallQuery
from hub.web.doors.paging import read_query
from hub.web.errors import refusal
from hub.web.noting import noted
from hub.web.state import STATE

routes = web.RouteTableDef()


@routes.get("/calls")
async def calls(request: web.Request) -> web.Response:
    """List the calls that the token allows, newest first, a page at a time; with `q`, those in which its words were said.

    `from`, `to`, `number`, `agent`, `state` and `live` say which calls. `limit` and `after` ask for a page. Every word of `q` must begin a
    word of the call: one of its numbers, names, its callSid, or what was said. Each call that is found has `hits`, and in `found` the first
    utterances with the most of the words.
    """
    grant = granted(request)
    wanted = CallQuery.of(request)
    await noted(request, grant, "list" if wanted.query is None else "search", detail=_named(request))
    state = request.app[STATE]
    async with nullcontext() if wanted.query is None else state.searches:
        if request.transport is None:
            raise ConnectionResetError(
                "the peer is gone"
            )  # a page asks again with each letter, and no longer waits for what it asked before
        try:
            page = await call_page(state, grant, wanted)
        except (ArchiveError, BrokerError) as error:
            raise refusal(web.HTTPServiceUnavailable, error.code, str(error)) from error
    return web.Response(body=page.json(), content_type="application/json")


def _named(request: web.Request) -> str:
    """Return the names of the parameters that were used, without their values: what was searched for must not outlive the calls."""
    return ", ".join(name for name in PARAMETERS if name in request.query)


@routes.get("/calls/{sid}")
async def call(request: web.Request) -> web.Response:
    """Describe one call."""
    record = await allowed_call(request)
    read_query(request)
    await noted(request, granted(request), "list", record.call_sid)
    return web.Response(body=record.summary_json(), content_type="application/json")
