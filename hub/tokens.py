"""Tokens signed with HUB_SECRET: a subscriber's token says which calls may be watched, a stream's token lets a call's stream in.

Knows JWT and what the claims mean. Does not know how a token was carried here.
"""

import re
import time
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import jwt

from hub.errors import TokenError
from hub.text.phone_numbers import EXAMPLE, identity

ALGORITHM = "HS256"
"""The only accepted algorithm. A token whose header names another, or `none`, is refused before anything else in it is read."""

EVERYTHING = "*"
"""Stands for every call, in the claims of either kind of token."""

STREAM_AUDIENCE = "stream"
"""The audience (`aud`) of a stream's token. A subscriber's token has none, so that neither is accepted in place of the other."""

LEEWAY_SECONDS = 5
"""How long a token is accepted after its expiry: the clocks of two machines differ a little."""

MOST_SECONDS = 100 * 366 * 86400.0
"""The longest life of a token: more than a hundred years is a typing mistake."""

_CALL_SID = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9_\-]{1,64}")
"""Twilio's are CA and 32 hexadecimal digits; other tools' may be shorter. There is a letter in it, or it is a number that cannot be one."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token allows: calls named by callSid, and calls from or to a phone number. `*` is every call."""

    calls: frozenset[str]
    expires_at: float | None = None
    """Unix seconds; None if the grant comes from no token."""

    @property
    def everything(self) -> bool:
        """Whether every call may be seen."""
        return EVERYTHING in self.calls

    def allows(self, call_sid: str, *numbers: str | None) -> bool:
        """Return whether this call, from and to these numbers, may be seen."""
        return EVERYTHING in self.calls or call_sid in self.calls or any(number in self.calls for number in numbers if number)

    def allows_number(self, number: str) -> bool:
        """Return whether all calls from or to this number may be seen."""
        return EVERYTHING in self.calls or number in self.calls


OPEN = Grant(frozenset({EVERYTHING}))
"""What everyone may see on a hub without HUB_SECRET."""


def mint(secret: str, calls: Iterable[str], seconds: float, now: float | None = None) -> str:
    """Return a subscriber's token for these callSids and numbers (`*`: all calls) that is valid for so many seconds.

    `now`: Unix seconds; None for the present. Raises: TokenError for an entry that is neither, and for a duration that makes no sense.
    """
    entries = list(dict.fromkeys(identity(entry) or entry for entry in calls))
    for entry in entries:
        if not (entry == EVERYTHING or identity(entry) or _CALL_SID.fullmatch(entry)):
            raise TokenError(f"{entry!r} is not a callSid, not a number with its country code ({EXAMPLE}), not a SIP address, and not *")
    if not entries:
        raise TokenError("a token needs at least one callSid, number or *")
    if not 0 < seconds < MOST_SECONDS:
        raise TokenError("a token must be valid for more than 0 seconds and less than a hundred years")
    return _signed(secret, {"calls": entries}, seconds, now)


def verify(secret: str, token: str) -> Grant:
    """Return what a subscriber's token allows. Raises: TokenError."""
    claims = _claims(secret, token, None)
    calls = claims.get("calls")
    if not isinstance(calls, list) or not all(isinstance(call, str) for call in calls):
        raise TokenError("the token has no list of calls")
    try:
        return Grant(frozenset(form for call in calls for form in (call, identity(call)) if form), float(claims["exp"]))
    except OverflowError as error:  # integers in JSON may have any number of digits
        raise TokenError("the token's exp is not a moment in time") from error


def mint_stream(secret: str, call_sid: str | None, seconds: float, now: float | None = None) -> str:
    """Return a token that lets in a stream of this call. With None it lets in any call's: a TwiML Bin cannot compute a token per call."""
    return _signed(secret, {"aud": STREAM_AUDIENCE, "sub": call_sid or EVERYTHING}, seconds, now)


def verify_stream(secret: str, token: str, call_sid: str) -> None:
    """Check that a token lets in a stream of this call. Raises: TokenError."""
    if not token:
        raise TokenError("this hub wants a token in the <Parameter> named token")
    if _claims(secret, token, STREAM_AUDIENCE).get("sub") not in {call_sid, EVERYTHING}:
        raise TokenError("the token is for another call")


def _signed(secret: str, claims: dict[str, object], seconds: float, now: float | None) -> str:
    expires = int((time.time() if now is None else now) + seconds)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about short secrets: `serve` warns of that once, when it starts
        return jwt.encode({**claims, "exp": expires}, secret, algorithm=ALGORITHM)


def _claims(secret: str, token: str, audience: str | None) -> dict[str, Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            claims: dict[str, Any] = jwt.decode(
                token, secret, algorithms=[ALGORITHM], audience=audience, leeway=LEEWAY_SECONDS, options={"require": ["exp"]}
            )
    except jwt.ExpiredSignatureError as error:
        raise TokenError("the token has expired") from error
    except jwt.MissingRequiredClaimError as error:
        if error.claim == "exp":
            raise TokenError("the token has no exp") from error
        raise TokenError("the token is for subscribers, not for streams") from error
    except jwt.InvalidAudienceError as error:
        raise TokenError("the token is for something else") from error
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise TokenError("the token is not one of this hub's") from error
    return claims
