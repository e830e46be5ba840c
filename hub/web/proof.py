"""Is it Twilio? `X-Twilio-Signature` on webhooks and on the WebSocket upgrade, against the address that Twilio was given.

That address is made of HUB_PUBLIC_URL and the path as it came, never of `Host` or `X-Forwarded-…`: anyone can write those. Sources:
twilio.com/docs/usage/webhooks/webhooks-security, …/webhook-shared-keys (for `X-Twilio-Webhooks-Signature-Settings`).
"""

import hashlib
import hmac
import logging
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

from hub.twilio.signature import addresses, signed
from hub.web.access import check_origin
from hub.web.state import STATE

log = logging.getLogger(__name__)

FORM = "application/x-www-form-urlencoded"

MAX_BODY_BYTES = 64 * 1024
"""Twilio's webhooks have about 2 KB."""


def check_upgrade(request: web.Request) -> None:
    """Refuse a WebSocket upgrade that Twilio did not sign, where signatures are wanted. Raises: HTTPForbidden."""
    check_origin(request)  # Twilio is no browser
    config = request.app[STATE].config
    if config.proof == "signature":
        _check(request, addresses(config.public_url, request.raw_path, upgrade=True), MultiDict())


async def webhook(request: web.Request) -> MultiMapping[str]:
    """Return what a webhook tells, once it is proved to be Twilio's.

    Without an auth token there is no proof: then webhooks are served only where streams need none either. Raises: HTTPException.
    """
    check_origin(request)
    config = request.app[STATE].config
    body = await _body(request)
    form = MultiDict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True)) if request.content_type == FORM else MultiDict()
    match config.proof:
        case "signature":
            if "bodySHA256" in request.query and not form:  # a JSON body: signed by its hash, which is in the URL
                if not hmac.compare_digest(hashlib.sha256(body).hexdigest(), request.query["bodySHA256"].lower()):
                    raise _refused(request, "its body is not the one that was signed")
            elif body and not form:
                raise _refused(request, "it has a body that nobody signed")
            _check(request, addresses(config.public_url, request.raw_path), form)
        case "token":
            raise _refused(request, "this hub cannot tell whether it is Twilio: set TWILIO_AUTH_TOKEN, or use a TwiML Bin")
    return form if request.method == "POST" and form else request.query


def _check(request: web.Request, urls: tuple[str, ...], parameters: MultiMapping[str]) -> None:
    signature = request.headers.get(SIGNATURE_HEADER)
    algorithm = get_signature_algorithm(request.headers.get(SIGNATURE_SETTINGS_HEADER))
    if not signature:
        raise _refused(request, "it has no X-Twilio-Signature")
    if algorithm not in {HMAC_SHA1, HMAC_SHA256}:
        raise _refused(request, "its signature is of a kind that this hub does not know")
    if not signed(request.app[STATE].config, urls, parameters, signature, algorithm):
        raise _refused(
            request,
            "its X-Twilio-Signature does not fit: TWILIO_AUTH_TOKEN is another account's, or HUB_PUBLIC_URL not what Twilio dialled",
        )


def _refused(request: web.Request, why: str) -> web.HTTPForbidden:
    state = request.app[STATE]
    state.counters.refused["twilio signature"] += 1
    log.warning("a request to %s was refused: %s", request.rel_url.path, why)  # one of three: others have no route here
    return web.HTTPForbidden(text=f"{why}\n")


async def _body(request: web.Request) -> bytes:
    if (request.content_length or 0) <= MAX_BODY_BYTES:
        body = await request.read()
        if len(body) <= MAX_BODY_BYTES:
            return body
    raise web.HTTPRequestEntityTooLarge(MAX_BODY_BYTES, request.content_length or 0)
