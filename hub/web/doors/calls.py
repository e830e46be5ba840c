"""`GET /calls`: the list of calls, and the search in it; and one call. Knows live calls and ended ones that the hub still keeps."""

from typing import Any

import msgspec
from aiohttp import web

from hub.topics.record import Record
from hub.transcript.search import Query
from hub.web.access import granted
from hub.web.doors.allowed_call import allowed_call
from hub.web.doors.log_parts import log_parts
from hub.web.doors.paging import Paging, read_query
from hub.web.doors.subscriptions import made_summaries
from hub.web.errors import refusal
from hub.web.state import STATE
from hub.web.turns import LoopTurns

routes = web.RouteTableDef()


@routes.get("/calls")
async def calls(request: web.Request) -> web.Response:
    """List the calls that the token allows, live or kept after their end, oldest first; with `q`, those in which its words were said.

    `limit` and `after` ask for a page. Every word of `q` must be in the call's numbers, names, callSid or words. Each call that is found
    has `hits`, and in `found` the first utterances with the most of the words.
    """
    state, grant = request.app[STATE], granted(request)
    query = read_query(request, "q", "limit", "after")
    page = Paging.of(query)
    await state.turns.next()  # to find thousands of calls, and to list them, takes milliseconds
    records = page.behind(state.registry.allowed(grant))
    for _ in made_summaries(records if page.limit is None else page.beginning(records)):
        await state.turns.next()
    if "q" not in query:
        return _list([(record.number, record.summary_json()) for record in page.beginning(records)], page)
    try:
        wanted = Query(query["q"])
    except ValueError as error:
        raise refusal(web.HTTPBadRequest, "query", str(error)) from error
    found: list[tuple[int, bytes]] = []
    async with state.searches:
        for record in records:
            if (hit := await _search(record, wanted, state.turns)) is not None:
                found.append((record.number, msgspec.json.encode(hit)))
                if page.full(found):
                    break
    return _list(found, page)


def _list(numbered: list[tuple[int, bytes]], page: Paging) -> web.Response:
    """Return a page of calls in JSON; there may be one more than fits on it, which shows that the list goes on."""
    shown = numbered[: page.limit]
    following = str(shown[-1][0]) if len(numbered) > len(shown) else None
    body = b'{"calls":[%b],"next":%b}' % (b",".join(call for _, call in shown), msgspec.json.encode(following))
    return web.Response(body=body, content_type="application/json")


async def _search(record: Record, query: Query, turns: LoopTurns) -> dict[str, Any] | None:
    """Return the call as lists show it, with what was found; None if it does not have all words of the query."""
    search = query.of(record.summary())
    async for payloads in log_parts(record.topic.log, turns):
        search.read(payloads)
    return msgspec.to_builtins(record.summary()) | {"hits": search.hits, "found": search.found} if search.fits else None


@routes.get("/calls/{sid}")
async def call(request: web.Request) -> web.Response:
    """Describe one call."""
    record = await allowed_call(request)
    read_query(request)
    return web.Response(body=record.summary_json(), content_type="application/json")
