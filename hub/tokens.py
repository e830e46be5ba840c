"""Tokens signed with HUB_SECRET: a subscriber's token says which calls may be watched, a stream's token lets a call's stream in.

Knows JWT and what the claims mean. Does not know how a token was carried here.
"""

import hashlib
import re
import time
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeGuard, get_args

import jwt
from jwt.exceptions import InvalidSubjectError

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

Right: TypeAlias = Literal["archive", "audio", "erase", "audit", "steer"]
"""What a token may allow beyond calls that are live or have just ended.

`archive`: calls that ended longer ago than HUB_KEEP_MINUTES. `audio`: recordings. `erase`: to erase calls, and to put a legal hold on them.
`audit`: to read who did what. `steer`: to have an agent say something, and to end its call or pass it on. All but `audit` reach only as
far as the token's calls. `audit` is about all calls.
"""

RIGHTS: tuple[Right, ...] = get_args(Right)

NAME_CHARACTERS = 128
"""The longest subject of a token that is kept: it stands in every row of the audit log."""

_CALL_SID = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9_\-]{1,64}")
"""Twilio's are CA and 32 hexadecimal digits; other tools' may be shorter. There is a letter in it, or it is a number that cannot be one."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token allows: calls named by callSid, and calls from or to a phone number. `*` is every call."""

    calls: frozenset[str]
    expires_at: float | None = None
    """Unix seconds; None if the grant comes from no token."""
    rights: frozenset[Right] = frozenset()
    subject: str = ""
    """Who holds the token, for the audit log: its `sub`, or a name made from the token, so that two without a `sub` can be told apart."""

    @property
    def everything(self) -> bool:
        """Whether every call may be seen."""
        return EVERYTHING in self.calls

    def allows(self, call_sid: str, *numbers: str | None) -> bool:
        """Return whether this call, from and to these numbers, may be seen."""
        return EVERYTHING in self.calls or call_sid in self.calls or any(number in self.calls for number in numbers if number)

    def may(self, right: Right) -> bool:
        """Return whether the token has this right. It says nothing about a certain call: see `allows`."""
        return right in self.rights

    def allows_number(self, number: str) -> bool:
        """Return whether all calls from or to this number may be seen."""
        return EVERYTHING in self.calls or number in self.calls


OPEN_SUBJECT = "open hub"
"""The subject of everyone on a hub without HUB_SECRET."""

OPEN = Grant(frozenset({EVERYTHING}), rights=frozenset(RIGHTS) - {"steer"}, subject=OPEN_SUBJECT)
"""What everyone may do on a hub without HUB_SECRET that serves its own machine only.

Nobody steers calls there: what somebody does to a caller has to say who did it, and there nobody has a name.
"""

EXPOSED = Grant(frozenset({EVERYTHING}), rights=frozenset({"archive", "audio"}), subject=OPEN_SUBJECT)
"""What everyone may do on a hub without HUB_SECRET that others can reach: nobody knows who they are, so they cannot erase or audit."""


def mint(
    secret: str, calls: Iterable[str], seconds: float, now: float | None = None, *, rights: Iterable[str] = (), subject: str = ""
) -> str:
    """Return a subscriber's token for these callSids and numbers (`*`: all calls) that is valid for so many seconds.

    `now`: Unix seconds; None for the present. `rights`: what it allows beyond watching. `subject`: who is going to hold it.
    Raises: TokenError for an entry that is neither, for a right that there is none, and for a duration or a name that makes no sense.
    """
    entries = list(dict.fromkeys(identity(entry) or entry for entry in calls))
    for entry in entries:
        if not (entry == EVERYTHING or identity(entry) or _CALL_SID.fullmatch(entry)):
            raise TokenError(f"{entry!r} is not a callSid, not a number with its country code ({EXAMPLE}), not a SIP address, and not *")
    if not entries:
        raise TokenError("a token needs at least one callSid, number or *")
    if not 0 < seconds < MOST_SECONDS:
        raise TokenError("a token must be valid for more than 0 seconds and less than a hundred years")
    claims: dict[str, object] = {"calls": entries}
    if wanted := list(dict.fromkeys(rights)):
        for right in wanted:
            if right not in RIGHTS:
                raise TokenError(f"{right!r} is not a right: the rights are {', '.join(RIGHTS)}")
        claims["rights"] = wanted
    if subject:
        if _name(subject) != subject:
            raise TokenError(f"the name of a token's holder has at most {NAME_CHARACTERS} characters, and all of them can be printed")
        claims["sub"] = subject
    return _signed(secret, claims, seconds, now)


def verify(secret: str, token: str) -> Grant:
    """Return what a subscriber's token allows. Raises: TokenError."""
    claims = _claims(secret, token, None)
    calls, rights = claims.get("calls"), claims.get("rights", [])
    if not _names(calls):
        raise TokenError("the token has no list of calls")
    if not _names(rights):
        raise TokenError("the token's rights are not a list of names")
    allowed = frozenset(form for call in calls for form in (call, identity(call)) if form)
    # A right that this hub does not know is ignored: the token may be one for a newer hub, too.
    known = frozenset(right for right in RIGHTS if right in rights)
    try:
        expires_at = float(claims["exp"])
    except OverflowError as error:  # integers in JSON may have any number of digits
        raise TokenError("the token's exp is not a moment in time") from error
    return Grant(allowed, expires_at, known, _name(claims.get("sub") or "") or _nameless(token))


def _names(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _name(subject: str) -> str:
    """Return a subject as the audit log can hold it: of bounded length, and without what is no character of a text."""
    return "".join(letter if letter.isprintable() else "?" for letter in subject[:NAME_CHARACTERS]).strip()


def _nameless(token: str) -> str:
    return "token …" + hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()[-6:]


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
    except InvalidSubjectError as error:
        raise TokenError("the token's sub is not text") from error
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise TokenError("the token is not one of this hub's") from error
    return claims
