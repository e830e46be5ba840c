"""What Twilio is asked for: the stream of a call, and the TwiML around it. Composes text; knows no HTTP and no call that lives.

Source: twilio.com/docs/voice/twiml/stream. A Stream URL has no query; what is to come along travels as <Parameter>s.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree import ElementTree

from twilio.twiml.voice_response import Connect, Dial, Start, VoiceResponse

from hub.config import Config
from hub.errors import ConfigError, HubError
from hub.tokens import mint_stream

TOKEN_SECONDS = 300.0
"""Twilio dials within a second of reading the TwiML, later only when the greeting comes first or the line to us is bad."""

PARAMETER_CHARACTERS = 499
"""Twilio takes fewer than 500 of a <Parameter>, name and value together."""

CALL_SECONDS = 4 * 3600
"""How long a call without HUB_DIAL is held: Twilio ends every call after four hours. Without a verb to go on with it would end at once."""

DOOR, AGENT_DOOR = "/twilio", "/agent"
"""Where streams come to: calls that are heard, and calls that an agent answers."""

TRANSCRIBED = "This call is being transcribed."
"""Said to callers who are connected with nobody and are not greeted: a call whose first verb is a pause would only replay."""

FILLED = {"from": "{{From}}", "to": "{{To}}", "direction": "{{Direction}}"}
"""<Parameter>s of a TwiML Bin, which Twilio fills."""

COLLEAGUE = {"outboundTrackLabel": "colleague"}
"""Who is connected with a caller when the agent cannot go on."""

TOKEN = "token"  # noqa: S105
"""The <Parameter> that proves a stream. Subscribers do not see it."""


class OverlongParameter(HubError):
    """A <Parameter> that Twilio would not take; named, not quoted."""

    code = "parameter"

    def __init__(self, name: str) -> None:
        super().__init__(f"{name[:40]} is too long: Twilio takes less than 500 characters, name and value together")


@dataclass(frozen=True, slots=True)
class Invitation:
    """The stream that Twilio is asked for; its tracks are told beside it."""

    url: str
    status_url: str
    """Where Twilio tells how the stream fares; empty where that could not be believed."""
    parameters: dict[str, str]


def invite(
    config: Config, call_sid: str | None, parameters: Mapping[str, str], token_seconds: float = TOKEN_SECONDS, *, door: str = DOOR
) -> Invitation:
    """Return what to ask for a call's stream; with None, any call's: then the token, where one is needed, fits every call.

    `door` is where the stream is to come to. Raises: ConfigError without HUB_PUBLIC_URL, OverlongParameter.
    """
    public_url = config.public_url.rstrip("/")
    if not public_url:
        raise ConfigError("HUB_PUBLIC_URL", "is not set, so there is no address that Twilio could send a stream to")
    # XML has no way to write a control character, and a SIP caller may be called anything.
    told = {name: "".join(filter(str.isprintable, value)) for name, value in parameters.items() if value and name != TOKEN}
    for name, value in told.items():
        if len(name) + len(value) > PARAMETER_CHARACTERS:
            raise OverlongParameter(name)
    # Beside a signature nobody looks at it; but a hub at this address may have the secret and, still or already, no auth token.
    if config.secret and (call_sid is not None or config.proof == "token"):
        told[TOKEN] = mint_stream(config.secret, call_sid, token_seconds)
    return Invitation(
        url=f"ws{public_url.removeprefix('http')}{door}",
        status_url="" if config.proof == "token" else f"{public_url}/twilio/status",
        parameters=told,
    )


def answer(config: Config, invitation: Invitation | None) -> str:
    """Return the TwiML for an incoming call: the stream, if one is wanted, then a greeting, then whom the caller is connected with."""
    return str(_response(config, invitation))


def answer_by_agent(invitation: Invitation | None, apology: str, dial: str, heard: Invitation | None) -> str:
    """Return the TwiML for a call that an agent answers, if one can: then the apology and whom the caller is connected with.

    Twilio goes on to these when the stream ends and the call does not, also when no stream could be opened. `heard` is the stream of what
    is said then.
    """
    return str(_by_agent(invitation, apology, dial, heard))


def transfer(invitation: Invitation | None, whom: str) -> str:
    """Return the TwiML that connects a call with somebody, and streams what is said."""
    response = VoiceResponse()
    _start(response, invitation)
    _dial(response, whom)
    return str(response)


def bin_text(config: Config, token_seconds: float) -> str:
    """Return the same as the text of a TwiML Bin: Twilio fills what is in braces. Raises: ConfigError."""
    return _as_bin(_response(config, invite(config, None, FILLED | labels(""), token_seconds)))


def bin_text_by_agent(config: Config, token_seconds: float, chosen: Mapping[str, str], apology: str, dial: str) -> str:
    """Return the TwiML Bin for calls that an agent answers; `chosen` are the <Parameter>s that name it. Raises: ConfigError."""
    invitation = invite(config, None, {**chosen, **FILLED}, token_seconds, door=AGENT_DOOR)
    return _as_bin(_by_agent(invitation, apology, dial, invite(config, None, FILLED | COLLEAGUE, token_seconds)))


def _as_bin(response: VoiceResponse) -> str:
    element = response.xml()
    ElementTree.indent(element)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(element, encoding="unicode")


def labels(direction: str) -> dict[str, str]:
    """Return who speaks on which track. `inbound` is the far end: the caller, or whom Twilio called."""
    return {"inboundTrackLabel": "callee" if direction.startswith("outbound") else "caller", "outboundTrackLabel": "agent"}


def _response(config: Config, invitation: Invitation | None) -> VoiceResponse:
    response = VoiceResponse()
    _start(response, invitation)
    if config.greeting or not config.dial:
        response.say(config.greeting or TRANSCRIBED)
    if config.dial:
        _dial(response, config.dial)
    else:
        response.pause(length=CALL_SECONDS)
    return response


def _by_agent(invitation: Invitation | None, apology: str, dial: str, heard: Invitation | None) -> VoiceResponse:
    response = VoiceResponse()
    if invitation is not None:
        connect = Connect()
        _stream(connect, invitation)
        response.append(connect)
    response.say(apology)
    if dial:
        _start(response, heard)
        _dial(response, dial)
    else:
        response.hangup()
    return response


def _start(response: VoiceResponse, invitation: Invitation | None) -> None:
    """Have a stream start, if one is wanted: before <Dial>, in which none can be started."""
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


def _dial(response: VoiceResponse, whom: str) -> None:
    kind, colon, name = whom.partition(":")
    if not colon:
        response.dial(whom)
        return
    dial = Dial()
    if kind == "client":
        dial.client(name)
    else:
        dial.sip(whom)
    response.append(dial)
