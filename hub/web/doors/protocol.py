"""The subscriber protocol of `/client`: the messages that a subscriber may send, and the codes with which the hub closes. Sans-I/O.

A subscriber sends a bare callSid as text, or a JSON object whose `action` is the tag of one of the structs below. Knows no socket and no
call.
"""

import re
from typing import Any, Literal, TypeAlias, get_args

import msgspec

from hub.calls.order import When
from hub.errors import WireError
from hub.events import Position
from hub.text.phone_numbers import EXAMPLE, identity

MAX_MESSAGE_BYTES = 16 * 1024
"""The longest message that makes sense is a token of a few thousand bytes; a subscription has a few hundred."""

FAILED = 1011
"""Come back with your position: the hub failed on this socket."""
LAGGED = 4408
"""Close code: the subscriber was too slow. It should reconnect with its position."""
STOPPING = 4409
"""Close code: the hub is stopping. The subscriber should reconnect with its position."""
BAD_TOKEN = 4501
"""Close code: no token, or a wrong or expired one. Reconnecting with the same token is useless."""
FORBIDDEN = 4503
"""Close code: not allowed, or too many messages. The subscriber should not repeat what it did."""
UNKNOWN_CALL = 4504
"""Close code: no such call. Reconnecting is useless."""

_BARE = re.compile(r"[A-Za-z0-9_\-]{1,64}")


class Bare(msgspec.Struct, frozen=True):
    """A callSid as text: follow the whole call, then be closed with 1000."""

    call_sid: str


class Subscribe(msgspec.Struct, frozen=True, kw_only=True, tag_field="action", tag="subscribe", rename="camel", forbid_unknown_fields=True):
    """Follow one call, from its start or after a position; or all calls of a number; or the list of all calls. Exactly one of these."""

    call_sid: str | None = None
    number: str | None = None
    calls: Literal["all"] | None = None
    after: Position | None = None
    interims: bool = True


class Unsubscribe(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="action", tag="unsubscribe", rename="camel", forbid_unknown_fields=True
):
    """Stop following a call, a number or the list of all calls. Exactly one of these."""

    call_sid: str | None = None
    number: str | None = None
    calls: Literal["all"] | None = None


class Listen(msgspec.Struct, frozen=True, tag_field="action", tag="listen", rename="camel", forbid_unknown_fields=True):
    """Listen to a live call, from now on."""

    call_sid: str


class Unlisten(msgspec.Struct, frozen=True, tag_field="action", tag="unlisten", rename="camel", forbid_unknown_fields=True):
    """Stop listening to a call."""

    call_sid: str


class _Order(msgspec.Struct, frozen=True, kw_only=True, tag_field="action", rename="camel", forbid_unknown_fields=True):
    """What each request has that steers a call."""

    call_sid: str
    order: str = ""
    when: When = "now"


class SayRequest(_Order, frozen=True, kw_only=True, tag="say"):
    """Have the agent of a call say a text. `order`: an id of your choice; an order that is repeated with its id is done once.

    `when`: `turn`, once the agent has been heard to the end and nobody speaks, or `now`, so that the agent breaks off what it is saying.
    """

    text: str
    when: When = "turn"


class TransferRequest(_Order, frozen=True, kw_only=True, tag="transfer"):
    """Connect the caller of an agent with somebody else. `to`: a place of the agents file, a number, or `agent:` and another agent."""

    to: str


class HangUpRequest(_Order, frozen=True, kw_only=True, tag="hang-up"):
    """End a call that an agent answers."""


class TakeOverRequest(_Order, frozen=True, kw_only=True, tag="take-over"):
    """Have a person take the place of a call's agent. `to`: the person's number, or a place of the agents file."""

    to: str


class Authenticate(msgspec.Struct, frozen=True, tag_field="action", tag="authenticate"):
    """Show a token: the first one, or one that replaces an earlier one."""

    token: str


class Ping(msgspec.Struct, frozen=True, tag_field="action", tag="ping"):
    """Ask the hub for a `pong`."""


SteeringRequest: TypeAlias = SayRequest | TransferRequest | HangUpRequest | TakeOverRequest
Action: TypeAlias = Subscribe | Unsubscribe | Listen | Unlisten | SteeringRequest | Authenticate | Ping
Request: TypeAlias = Bare | Action

_decoder = msgspec.json.Decoder(Action)
_any = msgspec.json.Decoder(Any)
_ACTIONS = tuple(str(each.__struct_config__.tag) for each in get_args(Action))
_JWT = re.compile(r"[A-Za-z0-9_\-]+\.[A-Za-z0-9_\-]+\.[A-Za-z0-9_\-]+")


def _number(text: str) -> str:
    """Return a number, or a SIP address, in the form in which calls have it.

    Raises: WireError if it can be neither, so that nobody waits for its calls.
    """
    known = identity(text)
    if known is None:
        raise WireError("subscriber", f"sent a number that cannot be one: write it with its country code, as {EXAMPLE}, or a SIP address")
    return known


def decode(text: str) -> Request:
    """Decode one message of a subscriber. A bare callSid and a bare token need no JSON.

    A byte order mark in front is left out: PowerShell writes one into its pipes.
    Raises: WireError, whose text names what is wrong. The socket can stay open after it.
    """
    text = text.strip().strip("\ufeff").strip()
    if _BARE.fullmatch(text):
        return Bare(text)
    if _JWT.fullmatch(text):
        return Authenticate(text)
    try:
        request: Request = _decoder.decode(text)
    except msgspec.ValidationError as error:
        action = _action(text)
        if action in _ACTIONS:
            # The decoder's own text is left out for `authenticate`: it could quote the token.
            raise WireError("subscriber", f"sent a malformed {action}" + ("" if action == "authenticate" else f": {error}")) from error
        raise WireError("subscriber", "sent no known action: it must be one of " + ", ".join(_ACTIONS)) from error
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise WireError("subscriber", "sent neither a callSid nor a JSON object with an action") from error
    match request:
        case Subscribe(call_sid=sid, number=number, calls=calls) | Unsubscribe(call_sid=sid, number=number, calls=calls):
            if sum(each is not None for each in (sid, number, calls)) != 1:
                raise WireError("subscriber", 'must name exactly one of callSid, number and "calls":"all"')
            if isinstance(request, Subscribe) and request.after is not None and sid is None:
                raise WireError("subscriber", "sent after without callSid: positions are per call")
            if number is not None:
                return msgspec.structs.replace(request, number=_number(number))
        case _:
            pass
    return request


def _action(text: str) -> object:
    try:
        value = _any.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise WireError("subscriber", "sent neither a callSid nor a JSON object with an action") from error
    return value.get("action") if isinstance(value, dict) and isinstance(value.get("action"), str) else None
