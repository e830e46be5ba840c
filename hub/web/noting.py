"""Who asked for what over HTTP, for the audit log: the answer waits until it is noted.

Knows requests and tokens. Does not know how rows are stored (`hub/archive/access_log.py`).
"""

from aiohttp import web

from hub.archive.archive import Action, ArchiveError
from hub.tokens import Grant
from hub.web.errors import refusal
from hub.web.state import STATE


async def noted(request: web.Request, grant: Grant, action: Action, call_sid: str = "", detail: str = "") -> None:
    """Note what the holder of a token is about to get, and return once that is stored.

    `detail`: see Access; it names parameters, not their values. Raises: HTTPServiceUnavailable when it cannot be stored now: what cannot be
    noted is not shown.
    """
    access_log = request.app[STATE].access_log
    access_log.note(grant.subject, action, call_sid, detail)
    try:
        await access_log.stored()
    except ArchiveError as error:
        raise refusal(web.HTTPServiceUnavailable, error.code, str(error)) from error
