"""`WS /agent` and `GET/POST /twiml/agent`: calls that a voice agent answers, over Twilio's bidirectional Media Streams.

Knows HTTP, TwiML and the door's refusals. Which agent answers, and what it does, is `hub.calls`' to know.
"""

import logging
from collections.abc import Coroutine, Mapping
from typing import Any, ClassVar

from aiohttp import web

from hub.agents import Agent
from hub.calls.agent_context import AGENT_PARAMETER
from hub.calls.arrivals import Arrival
from hub.calls.call import Stream
from hub.calls.routing import NoAgent
from hub.errors import ConfigError, HubError
from hub.twilio import twiml
from hub.twilio.media import StartBody
from hub.web.connections import connection_of
from hub.web.doors.twilio import MediaDoor
from hub.web.proof import check_upgrade, webhook
from hub.web.state import STATE, State

log = logging.getLogger(__name__)

routes = web.RouteTableDef()

TALKED = frozenset({"completed", "answered"})
"""How a <Dial> ended in which the caller and the person have talked (twilio.com/docs/voice/twiml/dial)."""

PASSED_ON = ("From", "To", "Direction")
"""What Twilio says of an incoming call that the stream must carry as <Parameter>s: the stream has no other way to know."""


class AgentDoor(MediaDoor):
    """One bidirectional stream: frames in, and the agent's voice out."""

    name: ClassVar = "agent"

    def _look_up(self, call_sid: str) -> Coroutine[Any, Any, Arrival | None] | None:
        return self._state.arrivals.look_up(call_sid, agents_at_most=self._state.routing.limits.calls)

    def _join(self, start: StartBody) -> Stream:
        return self._state.routing.answer(start, self)


@routes.get("/agent", allow_head=False)
async def agent(request: web.Request) -> web.StreamResponse:
    """Serve one call. A refusal comes before the upgrade, so that Twilio goes on in its TwiML and its debugger shows why.

    403 for a request that is not Twilio's, where the hub can know by now: a call to an agent costs the owner money. 503 when no agent can
    answer.
    """
    await check_upgrade(request)
    state = request.app[STATE]
    try:
        _agent(state, {})
    except HubError as error:
        _refused(state, error)
        raise web.HTTPServiceUnavailable(text=f"{error}\n") from error
    door = AgentDoor(state, connection_of(request))
    await door.serve(request)
    return door.socket


@routes.post("/twiml/agent")
@routes.get("/twiml/agent", allow_head=False)
async def incoming(request: web.Request) -> web.Response:
    """Answer an incoming call: connect it to an agent. The TwiML after that is for when the agent cannot go on, or begin.

    `?agent=…` names the agent. Without it our number in the call decides. Twilio also asks here when a person who was to take the call over
    has hung up, which ends the call, or did not answer, so that the agent goes on.
    """
    state = request.app[STATE]
    told = await webhook(request)
    if told.get("DialCallStatus") in TALKED:
        return web.Response(text=twiml.hang_up(), content_type="text/xml", charset="utf-8")
    call_sid, parameters = told.get("CallSid") or None, {name.lower(): told.get(name, "") for name in PASSED_ON}
    if parameters["direction"].startswith("outbound"):
        parameters["inboundTrackLabel"] = "callee"
    invitation, apology, dial = None, state.config.apology, state.config.dial
    try:
        chosen = _agent(state, {AGENT_PARAMETER: request.query.get("agent", "")} | parameters)
        invitation = twiml.invite(state.config, call_sid, {AGENT_PARAMETER: chosen.name} | parameters, door=twiml.AGENT_DOOR)
        apology, dial = chosen.apology, chosen.dial
    except ConfigError as error:
        raise web.HTTPServiceUnavailable(text=f"{error}\n") from error
    except HubError as error:
        _refused(state, error)
    text = twiml.answer_by_agent(invitation, apology, dial, _further_stream(state, call_sid, parameters))
    return web.Response(text=text, content_type="text/xml", charset="utf-8")


def _further_stream(state: State, call_sid: str | None, parameters: dict[str, str]) -> twiml.Invitation | None:
    """Return the stream by which the hub hears the call on when the agent cannot go on and a person takes over. None if it cannot."""
    if state.calls.refusal is not None:
        return None
    try:
        return twiml.invite(state.config, call_sid, parameters | twiml.COLLEAGUE)
    except ConfigError:
        return None


def _agent(state: State, told: Mapping[str, str]) -> Agent:
    """Return the agent that answers. Raises: NoAgent, and what `Calls.refusal` has."""
    if (refusal := state.calls.refusal) is not None:
        raise refusal
    return state.routing.pick(told)


def _refused(state: State, why: HubError) -> None:
    if isinstance(why, NoAgent):
        state.counters.refused[f"agent {why.code}"] += 1
        log.warning("a call was not put through to an agent: %s", why)
    else:
        state.calls.refused(why, "agent")
        log.info("a call goes on without an agent: %s", why)
