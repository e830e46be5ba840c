"""TwiML: what the hub asks Twilio to do with a call, above all to stream it here.

Source: twilio.com/docs/voice/twiml/stream. Twilio strips the query from a Stream URL, so everything that a stream must carry travels in
<Parameter>s. Composes text. Does not know HTTP or live calls.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree import ElementTree

from twilio.twiml.voice_response import Connect, Dial, Start, VoiceResponse

from hub.config import Config
from hub.errors import ConfigError
from hub.text.foreign_text import line
from hub.tokens import mint_stream

log = logging.getLogger(__name__)

TOKEN_SECONDS = 300.0
"""How long a stream's token in TwiML is valid: Twilio dials within a second of reading the TwiML, or later over a bad network."""

PARAMETER_CHARACTERS = 499
"""The longest <Parameter>: Twilio accepts fewer than 500 characters, name and value together."""

CALL_SECONDS = 4 * 3600
"""The pause that keeps a call without HUB_DIAL alive: a call without a next verb ends at once, and Twilio ends every call after 4 hours."""

DOOR, AGENT_DOOR = "/twilio", "/agent"
"""Paths of the two doors for streams: of calls between people, and of calls that an agent answers."""

TRANSCRIBED = "This call is being transcribed."
"""Said on a call with neither HUB_GREETING nor HUB_DIAL. Twilio picks a call whose first verb is <Pause> up only after the pause, so
something must be said before it (twilio.com/docs/voice/twiml/pause)."""

NOT_TRANSCRIBED = "This call is not being transcribed."
"""Said instead when the call goes on without a stream."""

FILLED_BY_TWILIO = {"from": "{{From}}", "to": "{{To}}", "direction": "{{Direction}}"}
"""<Parameter>s of a TwiML Bin: Twilio replaces what is in braces."""

COLLEAGUE = {"outboundTrackLabel": "colleague"}
"""The <Parameter> that labels the person to whom a call goes when its agent cannot go on."""

TOKEN = "token"  # noqa: S105
"""The <Parameter> that carries a stream's token. Subscribers do not see it."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """A stream that the hub asks Twilio for. Which tracks it has is said where it is used."""

    url: str
    status_url: str
    """Address for callbacks about the stream; empty on a hub that could not check that they are Twilio's."""
    parameters: dict[str, str]


def invite(
    config: Config, call_sid: str | None, parameters: Mapping[str, str], token_seconds: float = TOKEN_SECONDS, *, door: str = DOOR
) -> Invitation:
    """Return the invitation for a call's stream. With None as `call_sid`, it fits any call, as a TwiML Bin needs.

    `door`: the path to which Twilio connects. A parameter that is longer than Twilio accepts is left out, because Twilio would end the
    call and a caller can choose it: it may be a SIP caller's name. Raises: ConfigError without HUB_PUBLIC_URL.
    """
    public_url = config.public_url.rstrip("/")
    if not public_url:
        raise ConfigError("HUB_PUBLIC_URL", "is not set, so there is no address that Twilio could send a stream to")
    # XML cannot hold control characters, and a SIP caller's name may contain any.
    carried = {name: line(value) for name, value in parameters.items() if value and name != TOKEN}
    for name in [name for name, value in carried.items() if len(name) + len(value) > PARAMETER_CHARACTERS]:
        log.warning("a stream comes without its <Parameter> %s: Twilio takes less than 500 characters, name and value together", name[:40])
        del carried[name]
    # A hub that checks signatures ignores the token. It is added all the same: while TWILIO_AUTH_TOKEN is being introduced or removed on
    # several hubs behind one address, the hub that gets the stream may be one without it.
    if config.secret and (call_sid is not None or config.proof == "token"):
        carried[TOKEN] = mint_stream(config.secret, call_sid, token_seconds)
    return Invitation(
        url=f"ws{public_url.removeprefix('http')}{door}",
        status_url="" if config.proof == "token" else f"{public_url}/twilio/status",
        parameters=carried,
    )


def answer(config: Config, invitation: Invitation | None) -> str:
    """Return the TwiML for an incoming call: start the stream if there is one, say the greeting, connect the caller with HUB_DIAL."""
    return str(_response(config, invitation))


def answer_by_agent(invitation: Invitation | None, apology: str, dial: str, afterwards: Invitation | None) -> str:
    """Return the TwiML for a call that an agent answers: connect the agent's stream, then apologise, then dial.

    Twilio goes on to the apology and to `dial` when the stream ends before the call, also if it could not be opened. `invitation` is None
    if no agent can answer. `afterwards` is the stream of what is said then, or None.
    """
    return str(_by_agent(invitation, apology, dial, afterwards))


def transfer(invitation: Invitation | None, whom: str, action: str = "") -> str:
    """Return the TwiML that connects a call with a person and, if there is an invitation, streams what is said.

    `action`: address that Twilio asks how to go on when the person has hung up, or does not answer. Empty: the call ends.
    """
    response = VoiceResponse()
    _start(response, invitation)
    _dial(response, whom, action)
    return str(response)


def hang_up() -> str:
    """Return the TwiML that ends a call."""
    response = VoiceResponse()
    response.hangup()
    return str(response)


def bin_text(config: Config, token_seconds: float) -> str:
    """Return the text of a TwiML Bin that does the same as `answer`: Twilio replaces what is in braces. Raises: ConfigError."""
    return _as_bin(_response(config, invite(config, None, FILLED_BY_TWILIO | labels(""), token_seconds)))


def bin_text_by_agent(config: Config, token_seconds: float, chosen: Mapping[str, str], apology: str, dial: str) -> str:
    """Return the text of a TwiML Bin for calls that an agent answers. `chosen`: <Parameter>s that name the agent. Raises: ConfigError."""
    invitation = invite(config, None, {**chosen, **FILLED_BY_TWILIO}, token_seconds, door=AGENT_DOOR)
    return _as_bin(_by_agent(invitation, apology, dial, invite(config, None, FILLED_BY_TWILIO | COLLEAGUE, token_seconds)))


def _as_bin(response: VoiceResponse) -> str:
    element = response.xml()
    ElementTree.indent(element)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(element, encoding="unicode")


def labels(direction: str) -> dict[str, str]:
    """Return the <Parameter>s that label who speaks on which track. `inbound` is the far end: the caller, or the person Twilio called."""
    return {"inboundTrackLabel": "callee" if direction.startswith("outbound") else "caller", "outboundTrackLabel": "agent"}


def _response(config: Config, invitation: Invitation | None) -> VoiceResponse:
    response = VoiceResponse()
    _start(response, invitation)
    if config.greeting or not config.dial:
        response.say(config.greeting or (TRANSCRIBED if invitation is not None else NOT_TRANSCRIBED))
    if config.dial:
        _dial(response, config.dial)
    else:
        response.pause(length=CALL_SECONDS)
    return response


def _by_agent(invitation: Invitation | None, apology: str, dial: str, afterwards: Invitation | None) -> VoiceResponse:
    response = VoiceResponse()
    if invitation is not None:
        connect = Connect()
        _stream(connect, invitation)
        response.append(connect)
    response.say(apology)
    if dial:
        _start(response, afterwards)
        _dial(response, dial)
    else:
        response.hangup()
    return response


def _start(response: VoiceResponse, invitation: Invitation | None) -> None:
    """Start a stream, if there is an invitation. This must come before <Dial>: nothing can be started during one."""
    if invitation is not None:
        start = Start()
        _stream(start, invitation, track="both_tracks")
        response.append(start)


def _stream(verb: Start | Connect, invitation: Invitation, **more: str) -> None:
    stream = verb.stream(
        url=invitation.url,
        status_callback=invitation.status_url or None,
        status_callback_method="POST" if invitation.status_url else None,
        **more,
    )
    for name, value in invitation.parameters.items():
        stream.parameter(name=name, value=value)


def _dial(response: VoiceResponse, whom: str, action: str = "") -> None:
    kind, colon, name = whom.partition(":")
    dial = Dial(action=action) if action else Dial()
    if not colon:
        if action:
            dial.number(whom)
            response.append(dial)
        else:
            response.dial(whom)
        return
    if kind == "client":
        dial.client(name)
    else:
        dial.sip(whom)
    response.append(dial)
