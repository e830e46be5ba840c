"""Proof that a request is Twilio's: the header `X-Twilio-Signature` of webhooks and of WebSocket upgrades.

Twilio signs the address it was given, with the form of a webhook. The hub checks the signature against HUB_PUBLIC_URL and the path and
query exactly as they arrived. It never uses `Host` or `X-Forwarded-…`: anyone can write those, and a signature that Twilio made for
another server would then fit.

**Why stream tokens exist beside signatures.** A signature needs the account's auth token, and proves every request of that account. A hub
without the auth token, for instance one that a TwiML Bin sends calls to, can only check what it signed itself: a token in the stream's
`<Parameter>`s, see `hub/web/doors/twilio.py`. Webhooks cannot carry one. So such a hub refuses webhooks, and a hub with the auth token
ignores stream tokens.

Sources: twilio.com/docs/usage/webhooks/webhooks-security, …/webhook-shared-keys (for `X-Twilio-Webhooks-Signature-Settings`). Knows HTTP
requests; the arithmetic is in `hub/twilio/signature.py`.
"""

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Iterator
from itertools import islice
from urllib.parse import parse_qsl

from aiohttp import web
from multidict import MultiDict, MultiMapping
from twilio.request_validator import (
    HMAC_SHA1,
    HMAC_SHA256,
    SIGNATURE_HEADER,
    SIGNATURE_SETTINGS_HEADER,
    get_signature_algorithm,
)

from hub.twilio.signature import LIKELY, addresses, signed
from hub.web.access import check_host, check_origin, check_websocket
from hub.web.connections import TOO_SLOW, connection_of
from hub.web.state import STATE

log = logging.getLogger(__name__)

NO_SIGNATURE = f"it has no {SIGNATURE_HEADER}"

FORM = "application/x-www-form-urlencoded"

MAX_BODY_BYTES = 64 * 1024
"""The longest accepted webhook body: Twilio's have about 2 KB."""

MAX_FIELDS = 1000
"""The most fields of a form. Twilio's have about 30, and one more for each header that a SIP caller sends. Sorting them takes a
millisecond, and anyone can make the hub do it."""

QUICK_BYTES = 2048
"""A longer request waits for a turn of the event loop before it is checked. Twilio's upgrades and webhooks are shorter, or a little longer.
A hundred forged ones of 60 KB would otherwise be checked in one turn, for seconds."""

LONGEST_REORDERED = 8192
"""For a longer request, other orders of the query are not tried: each of them is hashed together with the whole form."""


async def check_upgrade(request: web.Request) -> None:
    """Refuse a WebSocket upgrade of a web page, and one that Twilio did not sign on a hub that can check it. Raises: HTTPForbidden."""
    check_origin(request)  # a web page's browser sends an Origin, Twilio does not
    check_websocket(request)
    config = request.app[STATE].config
    if config.proof == "signature":
        size = len(request.raw_path)
        if size > QUICK_BYTES:
            await request.app[STATE].turns.next()
        await _check(request, addresses(config.public_url, request.raw_path, upgrade=True), MultiDict(), size)


async def webhook(request: web.Request) -> MultiMapping[str]:
    """Return the parameters of a webhook, once it is proved to be Twilio's.

    Without an auth token there is no proof. Webhooks are then served only on a hub whose streams need no proof either, and never to a web
    page. Raises: HTTPException.
    """
    check_origin(request)
    config = request.app[STATE].config
    if config.proof == "token":
        raise _refused(request, "this hub cannot check that it is Twilio's: set TWILIO_AUTH_TOKEN, or use a TwiML Bin")
    if config.proof == "none":
        _check_no_page(request)
    elif not request.headers.get(SIGNATURE_HEADER):
        raise _refused(request, NO_SIGNATURE)  # before its body is waited for
    body = await _body(request)
    size = len(request.raw_path) + len(body)
    if size > QUICK_BYTES:
        await request.app[STATE].turns.next()
    form = _form(body) if request.content_type == FORM else MultiDict()
    if config.proof == "signature":
        if "bodySHA256" in request.query and not form:  # a JSON body: the signature covers its hash, which is in the URL
            if not hmac.compare_digest(hashlib.sha256(body).hexdigest().encode(), request.query["bodySHA256"].lower().encode()):
                raise _refused(request, "its body is not the one that Twilio signed")
        elif body and not form:
            raise _refused(request, "it has a body that the signature does not cover")
        await _check(request, addresses(config.public_url, request.raw_path), form, size)
    return form if request.method == "POST" and form else request.query


def _check_no_page(request: web.Request) -> None:
    """Refuse what a web page makes its reader's browser send to a hub that asks for no proof. Raises: HTTPForbidden.

    A link or a picture brings no Origin, but every browser says whether it comes from another site (w3.org/TR/fetch-metadata).
    """
    if request.headers.get("Sec-Fetch-Site", "none") not in {"none", "same-origin"}:
        raise _refused(request, "it comes from a web page of another site")
    check_host(request)


def _form(body: bytes) -> MultiDict[str]:
    try:
        return MultiDict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError as error:
        raise web.HTTPRequestEntityTooLarge(MAX_FIELDS, text=f"a form may have {MAX_FIELDS} fields\n") from error


async def _check(request: web.Request, urls: Iterator[str], form: MultiMapping[str], size: int) -> None:
    """Refuse a request of this size, in bytes, unless Twilio signed it in one of these forms. Raises: HTTPForbidden."""
    state = request.app[STATE]
    signature = request.headers.get(SIGNATURE_HEADER)
    algorithm = get_signature_algorithm(request.headers.get(SIGNATURE_SETTINGS_HEADER))
    if not signature:
        raise _refused(request, NO_SIGNATURE)
    if algorithm not in {HMAC_SHA1, HMAC_SHA256}:
        raise _refused(request, "its signature has an algorithm that this hub does not know")
    if signed(state.config, islice(urls, LIKELY), form, signature, algorithm):
        return
    if size <= LONGEST_REORDERED:
        await state.turns.next()  # many more forms follow
        if signed(state.config, urls, form, signature, algorithm):
            return
    raise _refused(
        request,
        "its X-Twilio-Signature does not fit: TWILIO_AUTH_TOKEN is another account's, or HUB_PUBLIC_URL is not the address Twilio used",
    )


def _refused(request: web.Request, why: str) -> web.HTTPForbidden:
    state = request.app[STATE]
    state.counters.refused["twilio signature"] += 1
    log.warning("a request to %s was refused: %s", request.rel_url.path, why)  # a path of ours: other paths have no route to here
    return web.HTTPForbidden(text=f"{why}\n")


async def _body(request: web.Request) -> bytes:
    """Read the body. Raises: HTTPRequestEntityTooLarge, HTTPRequestTimeout."""
    if (request.content_length or 0) <= MAX_BODY_BYTES:
        try:
            async with asyncio.timeout(connection_of(request).left_seconds):
                body = await request.read()
        except TimeoutError as error:
            raise web.HTTPRequestTimeout(text=f"{TOO_SLOW}\n") from error
        except RuntimeError as error:  # aiohttp's, for a connection that was lost meanwhile
            raise ConnectionResetError("the peer is gone") from error
        if len(body) <= MAX_BODY_BYTES:
            return body
    raise web.HTTPRequestEntityTooLarge(MAX_BODY_BYTES, request.content_length or 0)
