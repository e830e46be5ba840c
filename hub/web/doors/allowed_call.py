"""The call that an HTTP request is about, if its token allows that call.

Knows paths with a callSid, and tokens. Does not know what is done with the call.
"""

from aiohttp import web

from hub.topics.record import Record
from hub.web.access import granted
from hub.web.errors import refusal
from hub.web.state import STATE


async def allowed_call(request: web.Request) -> Record:
    """Return the call whose callSid is `sid` in the path. Raises: HTTPNotFound, HTTPUnauthorized, HTTPForbidden."""
    call_sid = request.match_info["sid"]
    grant = granted(request)
    record = request.app[STATE].registry.find(call_sid)
    # A call that the token does not allow gets the same answer as an unknown one, so that nobody learns callSids by asking.
    if not grant.allows(call_sid, *(record.numbers if record is not None else ())) or record is None:
        raise not_found("no such call: it has not begun, or ended too long ago")
    return record


def not_found(message: str) -> web.HTTPError:
    """Return the answer that there is no such thing, to be raised."""
    return refusal(web.HTTPNotFound, "not-found", message)
