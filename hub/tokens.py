"""Who may watch which calls, and who may bring one: tokens that the hub's secret signs. Knows JWT, not where a token was carried."""

import re
import time
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import jwt

from hub.errors import HubError
from hub.numbers import EXAMPLE, normal

ALGORITHM = "HS256"
"""The only one accepted: a token that names another is refused, whatever it says."""

EVERYTHING = "*"

STREAM_AUDIENCE = "stream"
"""Of tokens that let a stream in. Subscribers' tokens have no audience, so neither passes for the other."""

LEEWAY_SECONDS = 5
"""Clocks of two machines differ a little."""

MOST_SECONDS = 100 * 366 * 86400.0
"""Longer is a slip of the hand."""

_CALL_SID = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9_\-]{1,64}")
"""Twilio's are CA and 32 hexadecimal digits; other tools' may be shorter. There is a letter in it, or it is a number that cannot be one."""


class TokenError(HubError):
    """A token is missing, wrong or too old."""

    code = "token"


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token allows: the calls named by callSid, or that are from or to a number; `*` is every call."""

    calls: frozenset[str]
    expires_at: float | None = None
    """Unix seconds; None for a grant that needs no token."""

    def allows(self, call_sid: str, *numbers: str | None) -> bool:
        """Return whether this call may be seen."""
        return EVERYTHING in self.calls or call_sid in self.calls or any(number in self.calls for number in numbers if number)

    def allows_number(self, number: str) -> bool:
        """Return whether every call from or to a number may be seen."""
        return EVERYTHING in self.calls or number in self.calls


OPEN = Grant(frozenset({EVERYTHING}))
"""For a hub without a secret."""


def mint(secret: str, calls: Iterable[str], seconds: float, now: float | None = None) -> str:
    """Return a token for these callSids and numbers (`*`: all) that is good for so many seconds.

    Raises: TokenError for an entry that is neither, and for a time that makes no sense.
    """
    entries = list(dict.fromkeys(normal(entry) or entry for entry in calls))
    for entry in entries:
        if not (entry == EVERYTHING or normal(entry) or _CALL_SID.fullmatch(entry)):
            raise TokenError(f"{entry!r} is not a callSid, not a number with its country code ({EXAMPLE}), and not *")
    if not entries:
        raise TokenError("a token needs at least one callSid, number or *")
    if not 0 < seconds < MOST_SECONDS:
        raise TokenError("a token must be good for more than no time and less than a hundred years")
    return _signed(secret, {"calls": entries}, seconds, now)


def verify(secret: str, token: str) -> Grant:
    """Return what a token allows. Raises: TokenError that says what is wrong, without repeating the token."""
    claims = _claims(secret, token, None)
    calls = claims.get("calls")
    if not isinstance(calls, list) or not all(isinstance(call, str) for call in calls):
        raise TokenError("the token has no list of calls")
    try:
        return Grant(frozenset(form for call in calls for form in (call, normal(call)) if form), float(claims["exp"]))
    except OverflowError as error:  # JSON's integers have no end
        raise TokenError("the token's exp is no moment in time") from error


def mint_stream(secret: str, call_sid: str | None, seconds: float, now: float | None = None) -> str:
    """Return a token that lets in a stream of this call, or of any call where it is None (a TwiML Bin cannot compute one)."""
    return _signed(secret, {"aud": STREAM_AUDIENCE, "sub": call_sid or EVERYTHING}, seconds, now)


def verify_stream(secret: str, token: str, call_sid: str) -> None:
    """Check that a token lets in a stream of this call. Raises: TokenError that says what is wrong, without repeating the token."""
    if not token:
        raise TokenError("this hub wants a token in the <Parameter> named token")
    if _claims(secret, token, STREAM_AUDIENCE).get("sub") not in {call_sid, EVERYTHING}:
        raise TokenError("the token is of another call")


def _signed(secret: str, claims: dict[str, object], seconds: float, now: float | None) -> str:
    expires = int((time.time() if now is None else now) + seconds)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about short secrets: Config says that once, at the start
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
    except (jwt.PyJWTError, ValueError) as error:
        raise TokenError("the token is not one of this hub's") from error
    return claims
