"""`POST /calls/{sid}/steer`: what `say`, `transfer`, `hang-up` and `take-over` do at `/client`, for programs that speak HTTP.

Knows requests. How an order is taken is `ordering.py`'s.
"""

from typing import Any, Final

import msgspec
from aiohttp import web

from hub.calls.order import NotTaken
from hub.events import encode
from hub.web.access import granted
from hub.web.doors import protocol as wire
from hub.web.doors.ordering import ordered
from hub.web.doors.paging import read_query
from hub.web.errors import refusal
from hub.web.state import STATE

routes = web.RouteTableDef()

STATUSES: Final[dict[str, type[web.HTTPError]]] = {
    "bad-order": web.HTTPBadRequest,
    "not-allowed": web.HTTPForbidden,
    "unknown-call": web.HTTPNotFound,
    "call-over": web.HTTPConflict,
    "no-agent": web.HTTPConflict,
    "too-many": web.HTTPTooManyRequests,
}
"""By the code of an order that is not taken. Others may be taken a little later: 503."""


@routes.post("/calls/{sid}/steer")
async def steer(request: web.Request) -> web.Response:
    """Have the agent of a call say something, or end the call or pass it on. The body is the message of `/client`, without `callSid`.

    The answer comes when the order is taken, not when it is done: the call's `steered` events tell what became of it, and so does the same
    request once more.
    """
    grant = granted(request, "steer")
    read_query(request)
    message = await _message(request)
    try:
        answer = await ordered(request.app[STATE], grant, message)
    except NotTaken as error:
        code = "not-found" if error.refusal_code == "unknown-call" else error.refusal_code
        raise refusal(STATUSES.get(error.refusal_code, web.HTTPServiceUnavailable), code, str(error)) from error
    if answer.state == "refused":
        raise refusal(web.HTTPConflict, "refused", answer.reason or "the order was refused")
    return web.Response(status=202 if answer.state == "asked" else 200, body=encode(answer), content_type="application/json")


async def _message(request: web.Request) -> wire.SteeringRequest:
    """Read the order. Raises: HTTPBadRequest, HTTPRequestEntityTooLarge."""
    body = await request.read()
    if len(body) > wire.MAX_MESSAGE_BYTES:
        raise refusal(web.HTTPBadRequest, "bad-request", f"an order has at most {wire.MAX_MESSAGE_BYTES} bytes")
    try:
        told: dict[str, Any] = msgspec.json.decode(body, type=dict[str, Any])
        if "callSid" in told:
            raise refusal(web.HTTPBadRequest, "bad-request", "leave callSid out: the call is in the path")
        message: wire.SteeringRequest = msgspec.convert(told | {"callSid": request.match_info["sid"]}, wire.SteeringRequest)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeError, RecursionError) as error:
        what = "an order is a JSON object with an action: say, transfer, hang-up or take-over"
        raise refusal(web.HTTPBadRequest, "bad-request", f"{what} ({error})") from error
    return message
