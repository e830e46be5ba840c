"""`GET/POST /twiml`: what Twilio is to do with an incoming call."""

import logging

from aiohttp import web
from multidict import MultiMapping

from hub.errors import ConfigError
from hub.twilio import twiml
from hub.web.proof import webhook
from hub.web.state import STATE

log = logging.getLogger(__name__)

OURS = ("inboundTrackLabel", "outboundTrackLabel", "transcriber", "language", "keyterms")
"""What the query of the address in Twilio's console may set for the calls that come that way."""

routes = web.RouteTableDef()


@routes.post("/twiml")
@routes.get("/twiml", allow_head=False)
async def incoming(request: web.Request) -> web.Response:
    """Answer an incoming call with TwiML.

    A hub that is stopping has the call go on without a stream: an error here would end it, and nothing that fails here ends a call.
    """
    state = request.app[STATE]
    told = await webhook(request)
    try:
        invitation = twiml.invite(state.config, told.get("CallSid") or None, _parameters(request, told, state.config.transcriber))
    except ConfigError as error:
        raise web.HTTPServiceUnavailable(text=f"{error}\n") from error
    except twiml.OverlongParameter as error:
        raise web.HTTPBadRequest(text=f"{error}\n") from error
    if state.calls.draining:
        state.counters.refused["twiml stopping"] += 1
        log.warning("a call goes on without a stream: the hub is stopping")
        return _xml(twiml.answer(state.config, None))
    return _xml(twiml.answer(state.config, invitation))


def _parameters(request: web.Request, told: MultiMapping[str], provider: str) -> dict[str, str]:
    direction = told.get("Direction", "")
    parameters = {"from": told.get("From", ""), "to": told.get("To", ""), "direction": direction}
    parameters |= twiml.labels(direction) | {"transcriber": provider}
    return parameters | {name: request.query[name] for name in OURS if request.query.get(name)}


def _xml(text: str) -> web.Response:
    return web.Response(text=text, content_type="text/xml", charset="utf-8")
