"""`POST /twilio/status`: how Twilio says a stream fares. Source: twilio.com/docs/voice/twiml/stream, statusCallback."""

import logging
import re

from aiohttp import web

from hub.ops.logs import CallLog
from hub.web.proof import webhook
from hub.web.state import STATE

log = logging.getLogger(__name__)

REASON_CHARACTERS = 300
"""Of Twilio's words for what went wrong."""

routes = web.RouteTableDef()

_SID = re.compile(r"[A-Za-z0-9_\-]{1,64}")


@routes.post("/twilio/status")
@routes.get("/twilio/status", allow_head=False)  # a statusCallbackMethod of GET, in TwiML that is not ours
async def status(request: web.Request) -> web.Response:
    """Note it in the call's log; tell subscribers of an error."""
    told = await webhook(request)
    call_sid, stream_sid, event = told.get("CallSid", ""), told.get("StreamSid", ""), told.get("StreamEvent", "")
    if not (_SID.fullmatch(call_sid) and _SID.fullmatch(stream_sid) and _SID.fullmatch(event)):
        raise web.HTTPBadRequest(text="this is no stream callback: CallSid, StreamSid or StreamEvent is missing\n")
    lines = CallLog(log, {"call": call_sid, "stream": stream_sid})
    if event != "stream-error":
        lines.info("Twilio says %s", event)
        return web.Response(status=204)
    reason = told.get("StreamError", "")[:REASON_CHARACTERS] or "Twilio does not say why"
    code = re.search(r"\b\d{5}\b", reason)  # not all of it: a log holds nobody's words or numbers
    lines.warning("Twilio says stream-error%s", f" {code[0]}" if code else "")
    request.app[STATE].calls.stream_failed(call_sid, stream_sid, reason)
    return web.Response(status=204)
