"""What all answers over HTTP have in common: headers, the one form of errors, compression, and what pages of other origins may read.

One middleware around every door. Knows requests and answers. Does not know what a door does.
"""

import asyncio
import gzip
import logging
from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web

from hub.web.access import allowed_origin
from hub.web.connections import connection_of
from hub.web.errors import allowed, error_body, refusal, told_by
from hub.web.proxies import client_address
from hub.web.state import STATE

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

TWILIOS = frozenset({"/twilio", "/agent", "/twiml", "/twiml/agent", "/twilio/status"})
"""Twilio's doors. They answer errors in plain text: Twilio's debugger shows the beginning of it to a person, and no program reads it."""

READ_BY_PAGES = ("/calls", "/events", "/asyncapi.json", "/openapi.json")
"""What pages of an allowed origin may read. Everything else belongs to the hub's own page, to Twilio, or to the operator."""

GZIP_BYTES = 1024
"""Shorter answers are not compressed: with its headers, the answer fits into one packet or two anyway."""

GZIP_LEVEL = 5
"""Transcripts shrink to about an eighth at this level, at a third of the time that the best level takes."""

GZIPPED = ("application/json", "text/")
"""The types of answers that are compressed."""

PREFLIGHT_SECONDS = 600
"""How long a browser may remember what a page of another origin is allowed."""


@web.middleware
async def answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what no door takes, and complete the answer of the door."""
    config = request.app[STATE].config
    forwarded_for = request.headers.getall(hdrs.X_FORWARDED_FOR, [])
    connection = connection_of(request)
    connection.request_came(client_address(request.remote or "", forwarded_for, config.trusted_proxies))
    try:
        if request.headers.get(hdrs.CONTENT_ENCODING, "identity").lower() != "identity":
            raise refusal(web.HTTPUnsupportedMediaType, "encoding", "send the body as it is: this hub unpacks nothing")
        answer = await handler(request)
    except web.HTTPMethodNotAllowed as error:
        answer = _options(request, error) if request.method == hdrs.METH_OPTIONS else _shaped(request, error)
    except web.HTTPRedirection as redirection:
        complete(request, redirection)
        raise
    except web.HTTPException as error:
        answer = _shaped(request, error)
    if answer.prepared:  # a WebSocket that is over, or a file that was sent
        return answer
    if isinstance(answer, web.Response):
        await _compress(request, answer)
    complete(request, answer)
    return answer


def _shaped(request: web.Request, error: web.HTTPException) -> web.Response:
    """Return an error as an answer: in JSON, or as text for Twilio."""
    headers = {name: value for name, value in error.headers.items() if name not in {hdrs.CONTENT_TYPE, hdrs.CONTENT_LENGTH}}
    if isinstance(error, web.HTTPMethodNotAllowed):
        headers[hdrs.ALLOW] = allowed(error)
    told = told_by(error)
    if request.path in TWILIOS:
        body, content_type = told.message.encode() + b"\n", "text/plain"
    else:
        body, content_type = error_body(told.code, told.message), "application/json"
    answer = web.Response(status=error.status, reason=error.reason, body=body, content_type=content_type, headers=headers)
    if error.status in {408, 413, 415}:  # the rest of the body is not wanted
        answer.force_close()
    return answer


def _options(request: web.Request, error: web.HTTPMethodNotAllowed) -> web.Response:
    """Answer what may be done at an address: to a program, and to a browser that asks for a page of another origin (CORS)."""
    methods = allowed(error)
    answer = web.Response(status=204, headers={hdrs.ALLOW: methods})
    if allowed_origin(request) and request.path.startswith(READ_BY_PAGES):
        answer.headers[hdrs.ACCESS_CONTROL_ALLOW_METHODS] = methods
        answer.headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = "Authorization, Content-Type, If-None-Match, If-Range, Last-Event-ID, Range"
        answer.headers[hdrs.ACCESS_CONTROL_MAX_AGE] = str(PREFLIGHT_SECONDS)
        if "Access-Control-Request-Private-Network" in request.headers:  # from the internet to a hub in the reader's own network
            answer.headers["Access-Control-Allow-Private-Network"] = "true"
    return answer


def complete(request: web.Request, answer: web.StreamResponse) -> None:
    """Add the headers that all answers have. Doors that send their answer themselves call it before they do."""
    headers = answer.headers
    headers.setdefault(hdrs.CACHE_CONTROL, "no-store")  # calls are private, and change all the time
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault(hdrs.SERVER, "transcript-hub")
    if request.path.startswith(READ_BY_PAGES):
        headers.add(hdrs.VARY, "Origin")
        if allowed_origin(request):
            headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = request.headers[hdrs.ORIGIN]
            headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = "Allow, Content-Disposition, Content-Range, ETag, Retry-After, WWW-Authenticate"


async def _compress(request: web.Request, answer: web.Response) -> None:
    """Compress an answer where that is worth it and the client takes it. In a thread: a long transcript takes half a second."""
    body = answer.body
    if not isinstance(body, bytes) or len(body) < GZIP_BYTES or not answer.content_type.startswith(GZIPPED):
        return
    answer.headers.add(hdrs.VARY, "Accept-Encoding")
    state = request.app[STATE]
    if answer.status != 200 or not takes_gzip(request.headers.get(hdrs.ACCEPT_ENCODING, "")) or state.compressing.locked():
        return
    async with state.compressing:
        answer.body = await asyncio.get_running_loop().run_in_executor(None, gzip.compress, body, GZIP_LEVEL)
    answer.headers[hdrs.CONTENT_ENCODING] = "gzip"


def takes_gzip(accepted: str) -> bool:
    """Return whether an `Accept-Encoding` has gzip (RFC 9110 section 12.5.3): `gzip;q=0` refuses it."""
    for each in accepted.lower().split(","):
        name, _, weight = (part.strip() for part in each.partition(";"))
        if name in {"gzip", "x-gzip", "*"}:
            return weight.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False
