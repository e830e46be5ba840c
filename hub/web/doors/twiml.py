"""`GET/POST /twiml`: the TwiML for an incoming call that people answer.

Knows Twilio's request and the address in its console. Does not know how TwiML is composed (`hub/twilio/twiml.py`).
"""

import logging

from aiohttp import web
from multidict import MultiMapping

from hub.errors import ConfigError
from hub.twilio import twiml
from hub.web.proof import webhook
from hub.web.state import STATE

log = logging.getLogger(__name__)

FROM_QUERY = ("inboundTrackLabel", "outboundTrackLabel", "transcriber", "language", "keyterms")
"""<Parameter>s that the query of the webhook's address may set: so one hub can serve two numbers in two languages."""

routes = web.RouteTableDef()


@routes.post("/twiml")
@routes.get("/twiml", allow_head=False)
async def incoming(request: web.Request) -> web.Response:
    """Answer an incoming call with TwiML.

    While the hub takes no new call, the TwiML has no stream and the call goes on without one: an error here would make Twilio end the call.
    """
    state = request.app[STATE]
    webhook_parameters = await webhook(request)
    try:
        parameters = _parameters(request, webhook_parameters, state.config.transcriber)
        invitation = twiml.invite(state.config, webhook_parameters.get("CallSid") or None, parameters)
    except ConfigError as error:
        raise web.HTTPServiceUnavailable(text=f"{error}\n") from error
    if (refusal := state.calls.refusal) is not None:
        state.calls.refused(refusal, "twiml")
        log.info("a call goes on without a stream: %s", refusal)
        return _xml(twiml.answer(state.config, None))
    return _xml(twiml.answer(state.config, invitation))


def _parameters(request: web.Request, call: MultiMapping[str], provider: str) -> dict[str, str]:
    direction = call.get("Direction", "")
    parameters = {"from": call.get("From", ""), "to": call.get("To", ""), "direction": direction}
    parameters |= twiml.labels(direction) | {"transcriber": provider}
    return parameters | {name: request.query[name] for name in FROM_QUERY if request.query.get(name)}


def _xml(text: str) -> web.Response:
    return web.Response(text=text, content_type="text/xml", charset="utf-8")
