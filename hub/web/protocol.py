"""The subscriber protocol of `/client`: what a subscriber may ask for, and with which codes the hub closes. Sans-I/O.

The bare form is a callSid as text. Everything else is one JSON object with an `action`: the tag of one of the structs below.
"""

import re
from typing import Any, Literal, TypeAlias, get_args

import msgspec

from hub.errors import WireError
from hub.numbers import EXAMPLE, normal
from hub.topics.log import Position

MAX_MESSAGE_BYTES = 16 * 1024
"""The longest sensible message is a subscription of a few hundred bytes."""

FAILED = 1011
"""Come back with your position: the hub failed on this socket."""
LAGGED = 4408
"""Come back with your position: you were too slow."""
STOPPING = 4409
"""Come back with your position: this hub is stopping."""
BAD_TOKEN = 4501
"""Do not come back with this token."""
FORBIDDEN = 4503
"""Do not come back: not allowed, or too much at once."""
UNKNOWN_CALL = 4504
"""Do not come back: no such call."""

_BARE = re.compile(r"[A-Za-z0-9_\-]{1,64}")


class Bare(msgspec.Struct, frozen=True):
    """A callSid as text: the whole call, then a normal close."""

    call_sid: str


class Subscribe(msgspec.Struct, frozen=True, kw_only=True, tag_field="action", tag="subscribe", rename="camel", forbid_unknown_fields=True):
    """Follow one call, from the start or after a position; or every call of a number; or the list of all calls: exactly one of them."""

    call_sid: str | None = None
    number: str | None = None
    calls: Literal["all"] | None = None
    after: Position | None = None
    interims: bool = True


class Unsubscribe(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="action", tag="unsubscribe", rename="camel", forbid_unknown_fields=True
):
    """Follow it no longer. Exactly one of the three."""

    call_sid: str | None = None
    number: str | None = None
    calls: Literal["all"] | None = None


class Listen(msgspec.Struct, frozen=True, tag_field="action", tag="listen", rename="camel", forbid_unknown_fields=True):
    """Hear a live call, from now on."""

    call_sid: str


class Unlisten(msgspec.Struct, frozen=True, tag_field="action", tag="unlisten", rename="camel", forbid_unknown_fields=True):
    """Hear it no longer."""

    call_sid: str


class Authenticate(msgspec.Struct, frozen=True, tag_field="action", tag="authenticate"):
    """Show a token: the first one, or one that replaces it."""

    token: str


class Ping(msgspec.Struct, frozen=True, tag_field="action", tag="ping"):
    """Ask for a sign of life."""


Action: TypeAlias = Subscribe | Unsubscribe | Listen | Unlisten | Authenticate | Ping
Request: TypeAlias = Bare | Action

_decoder = msgspec.json.Decoder(Action)
_any = msgspec.json.Decoder(Any)
_ACTIONS = tuple(str(each.__struct_config__.tag) for each in get_args(Action))
_JWT = re.compile(r"[A-Za-z0-9_\-]+\.[A-Za-z0-9_\-]+\.[A-Za-z0-9_\-]+")


def _number(text: str) -> str:
    """Return a number in the form in which calls have it. Raises: WireError if it cannot be one, so that nobody waits for its calls."""
    known = normal(text)
    if known is None:
        raise WireError("subscriber", f"sent a number that cannot be one: write it with its country code, as {EXAMPLE}")
    return known


def decode(text: str) -> Request:
    """Read one message of a subscriber. A bare callSid and a bare token need no JSON.

    Raises: WireError that says what would be right; the socket can stay open after it.
    """
    text = text.strip()
    if _BARE.fullmatch(text):
        return Bare(text)
    if _JWT.fullmatch(text):
        return Authenticate(text)
    try:
        request: Request = _decoder.decode(text)
    except msgspec.ValidationError as error:
        action = _action(text)
        if action in _ACTIONS:
            # Not the library's own words when a token is involved: they could quote it.
            raise WireError("subscriber", f"sent a wrong {action}" + ("" if action == "authenticate" else f": {error}")) from error
        raise WireError("subscriber", "sent an action that is none of " + ", ".join(_ACTIONS)) from error
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise WireError("subscriber", "sent neither a callSid nor JSON with an action") from error
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
        raise WireError("subscriber", "sent neither a callSid nor JSON with an action") from error
    return value.get("action") if isinstance(value, dict) and isinstance(value.get("action"), str) else None
