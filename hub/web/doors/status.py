"""`POST /twilio/status`: Twilio's callbacks about a stream: started, stopped, failed.

Source: twilio.com/docs/voice/twiml/stream, statusCallback. Knows the callback's parameters. Does not know the stream itself.
"""

import logging
import re

from aiohttp import web

from hub.ops.logs import CallLog
from hub.web.proof import webhook
from hub.web.state import STATE

log = logging.getLogger(__name__)

REASON_CHARACTERS = 300
"""The longest error text that is published: Twilio's own have about 100, and a forged one must not fill a call's history."""

routes = web.RouteTableDef()

_SID = re.compile(r"[A-Za-z0-9_\-]{1,64}")


@routes.post("/twilio/status")
@routes.get("/twilio/status", allow_head=False)
async def status(request: web.Request) -> web.Response:
    """Log the callback under its call, and publish an error to the call's subscribers.

    TwiML that is not ours may set statusCallbackMethod to GET. A GET is taken only where Twilio's signature proves it: any web page can
    make its reader's browser send one.
    """
    if request.method == "GET" and request.app[STATE].config.proof != "signature":
        raise web.HTTPMethodNotAllowed("GET", ["POST"], text="without TWILIO_AUTH_TOKEN, callbacks are taken by POST only\n")
    parameters = await webhook(request)
    call_sid, stream_sid, event = parameters.get("CallSid", ""), parameters.get("StreamSid", ""), parameters.get("StreamEvent", "")
    if not (_SID.fullmatch(call_sid) and _SID.fullmatch(stream_sid) and _SID.fullmatch(event)):
        raise web.HTTPBadRequest(text="this is not a stream callback: CallSid, StreamSid or StreamEvent is missing or malformed\n")
    call_log = CallLog(log, {"call": call_sid, "stream": stream_sid})
    if event != "stream-error":
        call_log.info("Twilio reports %s", event)
        return web.Response(status=204)
    reason = parameters.get("StreamError", "")[:REASON_CHARACTERS] or "Twilio gives no reason"
    code = re.search(r"\b\d{5}\b", reason)  # only the code is logged: the text may repeat a phone number
    call_log.warning("Twilio reports stream-error%s", f" {code[0]}" if code else "")
    state = request.app[STATE]
    record = state.registry.find(call_sid)
    if record is not None and record.owner and state.elsewhere is not None:
        await state.elsewhere.stream_failed(record, stream_sid, reason)
    else:
        state.calls.stream_failed(call_sid, stream_sid, reason)
    return web.Response(status=204)
