"""`WS /agent` and `GET/POST /twiml/agent`: calls that a voice agent answers, over Twilio's bidirectional Media Streams."""

import logging
from urllib.parse import urlsplit

from aiohttp import web
from twilio.twiml.voice_response import Connect, VoiceResponse

from hub.agent import AgentCall
from hub.switchboard import AGENT_PARAMETER, NoAgent
from hub.web.state import STATE, State
from hub.web.twilio import MediaDoor
from hub.wire.client import text_frame
from hub.wire.twilio import StartBody

log = logging.getLogger(__name__)

routes = web.RouteTableDef()

PASSED_ON = ("From", "To", "Direction")
"""What Twilio says of an incoming call that the stream is to carry: it has no other way to know."""


class AgentDoor(MediaDoor):
    """One bidirectional stream: frames in, and what the agent says out. Never rests: an agent that hears late answers late."""

    def _join(self, start: StartBody) -> AgentCall:
        return self._state.switchboard.answer(start, self._say, lambda reason: self._end(1000, reason))

    def _say(self, message: bytes, another: bytes | None) -> None:
        """Write to Twilio, at once. What a stalled peer does not take is bounded by what an agent may say ahead."""
        request = self.socket._req
        transport = request.transport if request is not None else None
        if self._over or transport is None or transport.is_closing():
            return
        try:
            transport.write(text_frame(message) + text_frame(another) if another is not None else text_frame(message))
        except RuntimeError:  # uvloop, between losing a connection and telling whoever waits on it
            self._over = True


def _admit(request: web.Request) -> State:
    """Refuse who is not Twilio, before the upgrade: who gets in spends the owner's money. Raises: HTTPException.

    The one place for the check of X-Twilio-Signature, for both doors of this file.
    """
    return request.app[STATE]


@routes.get("/agent")
async def agent(request: web.Request) -> web.StreamResponse:
    """Serve one call; 503 before the upgrade when nobody can answer, so that Twilio goes on in its TwiML and its debugger shows why."""
    state = _admit(request)
    try:
        if state.exchange.draining:
            raise NoAgent("the hub is stopping")
        state.switchboard.pick("", "")
    except NoAgent as error:
        state.counters.refused["agent no agent"] += 1
        log.warning("a call was refused: %s", error)
        raise web.HTTPServiceUnavailable(text=f"{error}\n") from error
    door = AgentDoor(state)
    await door.serve(request)
    return door.socket


@routes.get("/twiml/agent")
@routes.post("/twiml/agent")
async def twiml(request: web.Request) -> web.Response:
    """Answer an incoming call: connect it to an agent; what comes after that is heard when the agent cannot go on, or begin.

    `?agent=…` names the agent; without it the called number decides.
    """
    state = _admit(request)
    told = {**request.query, **(await request.post() if request.method == "POST" else {})}
    asked = {name: str(told.get(name, "")) for name in PASSED_ON}
    answer = VoiceResponse()
    try:
        if state.exchange.draining:
            raise NoAgent("the hub is stopping")
        chosen = state.switchboard.pick(request.query.get("agent", ""), asked["To"])
        connect = Connect()
        stream = connect.stream(url=_socket_url(request))
        stream.parameter(name=AGENT_PARAMETER, value=chosen.name)
        for name, value in asked.items():
            if value:
                stream.parameter(name=name.lower(), value=value)
        answer.append(connect)
        apology, dial = chosen.apology, chosen.dial
    except NoAgent as error:
        state.counters.refused["agent no agent"] += 1
        log.warning("a call was not put through: %s", error)
        apology, dial = state.config.apology, state.config.dial
    answer.say(apology)
    if dial:
        answer.dial(dial)
    else:
        answer.hangup()
    return web.Response(text=str(answer), content_type="text/xml")


def _socket_url(request: web.Request) -> str:
    """Return the address of the stream: Twilio takes wss only, so a proxy is believed to speak TLS where nothing says otherwise."""
    public = urlsplit(request.app[STATE].config.public_url)
    if public.netloc:
        return f"{'wss' if public.scheme == 'https' else 'ws'}://{public.netloc}{public.path.rstrip('/')}/agent"
    return f"wss://{request.host}/agent"
