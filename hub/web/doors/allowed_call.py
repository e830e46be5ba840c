"""The call that an HTTP request is about, if its token allows that call.

Knows paths with a callSid, and tokens. Does not know what is done with the call.
"""

from aiohttp import web

from hub.archive.archive import ArchiveError, Tombstone
from hub.broker.broker import BrokerError
from hub.tokens import Grant
from hub.topics.record import Record
from hub.web.access import granted
from hub.web.errors import refusal
from hub.web.state import STATE


async def allowed_call(request: web.Request, grant: Grant | None = None) -> Record:
    """Return the call whose callSid is `sid` in the path. Live, or kept after its end.

    `grant`: what is allowed, where that is not exactly what the request's token allows.
    Raises: HTTPNotFound, HTTPGone for a call that was erased, HTTPServiceUnavailable while the archive is away, or where a call of another
    node cannot be read now, and as `granted`.
    """
    try:
        found = await request.app[STATE].recall.find(grant or granted(request), request.match_info["sid"])
    except (ArchiveError, BrokerError) as error:
        raise refusal(web.HTTPServiceUnavailable, error.code, str(error)) from error
    # A call that the token does not allow gets the same answer as an unknown one, so that nobody learns callSids by asking.
    if found is None:
        raise not_found("no such call: it has not begun, or ended too long ago")
    if isinstance(found, Tombstone):
        raise refusal(web.HTTPGone, "erased", f"this call was erased: {found.reason}")
    return found


def not_found(message: str) -> web.HTTPError:
    """Return the answer that there is no such thing, to be raised."""
    return refusal(web.HTTPNotFound, "not-found", message)
