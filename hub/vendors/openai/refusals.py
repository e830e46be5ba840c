"""What OpenAI's errors, refusals, failed responses and closes mean, in words that a person can act on. Sans-I/O.

Knows the names of errors, wherever they stand: in `code`, in `type`, or only in the text. Knows no socket and no retry.
"""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from hub.errors import ProviderError
from hub.vendors.openai.wire import PROVIDER, ErrorBody, OpenAIResponse

SESSION_MINUTES: Final = 60
"""A session ends after this long, and cannot be resumed (guide "realtime-conversations")."""

ACTIVE_RESPONSE: Final = "conversation_already_has_active_response"
"""The error code for asking for a response while there is one."""

_ACTIVE_RESPONSE_TEXT: Final = re.compile(
    r"already has an? active response|response is (?:already|still) (?:active|in progress)", re.IGNORECASE
)
"""How the same error reads where it comes without its code. Not "no active response found", the error for cancelling too late."""

_QUOTED_CHARS: Final = 200
"""Characters of a vendor's own words that go into an error: enough for a sentence, not for a proxy's web page."""

_FATAL: Final = {
    "session_expired": f"ended the session at its limit of {SESSION_MINUTES} minutes",
    "insufficient_quota": "has no credit left for this project: add some at platform.openai.com",
    "credit_balance_exhausted": "has no credit left for this account: add some at platform.openai.com",
    "billing_hard_limit_reached": "has reached the spending limit of this account: raise it at platform.openai.com",
    "account_deactivated": "has deactivated this account: ask OpenAI why",
    "rate_limit_exceeded": "takes no more from this project for now, its rate limit is reached",
    "invalid_api_key": "refused the key: check OPENAI_API_KEY",
    "model_not_found": "does not know the model, or this project may not use it: check OPENAI_MODEL",
    "beta_api_shape_disabled": "took this for a session of the beta, which is switched off",
}
"""Names of errors after which a session cannot go on, and what each means."""

_UNPAID: Final = frozenset({"insufficient_quota", "credit_balance_exhausted", "billing_hard_limit_reached", "account_deactivated"})
"""Those of the account. Whatever the status of a refusal with one of these names, no further try helps."""


def fatal(error: ErrorBody) -> ProviderError | None:
    """Return what an error means if the session cannot go on after it. None if it can, as after most."""
    name = _fatal_name(error)
    return ProviderError(PROVIDER, f"{_FATAL[name]} ({name})", retryable=False) if name else None


def _fatal_name(error: ErrorBody) -> str:
    """Return the name of an error that ends a session, wherever it stands: codes change while types stay, and the other way round."""
    return next((name for name in (error.code, error.type) if isinstance(name, str) and name in _FATAL), "")


def is_active_response(error: ErrorBody) -> bool:
    """Return whether a response was asked for while there was one. Such an error may come without its code."""
    return ACTIVE_RESPONSE in {error.code, error.type} or bool(_ACTIVE_RESPONSE_TEXT.search(error.message or ""))


def refused_settings(error: ErrorBody) -> ProviderError:
    """Return what an error in answer to `session.update` means."""
    said = error.message or error.code or error.type or "it does not say why"
    return ProviderError(PROVIDER, f"refused the agent's settings{_quoted(str(said))}", retryable=False)


def failed(response: OpenAIResponse) -> ProviderError:
    """Return what a response with the status `failed` means. Retryable when asking once more may help."""
    body = response.status_details.body if response.status_details is not None else ErrorBody()
    if (error := fatal(body)) is not None:
        return error
    return ProviderError(PROVIDER, f"could not answer{_quoted(str(body.message or body.code or body.type or ''))}", retryable=True)


_INCOMPLETE: Final = {
    "max_output_tokens": "it reached the most that it may say at a time",
    "content_filter": "its content filter stepped in",
}


def stopped_early(response: OpenAIResponse) -> str:
    """Return what a response that ended in its middle means, as the rest of a sentence that begins with the vendor's name."""
    reason = response.status_details.reason if response.status_details is not None else None
    why = f": {_INCOMPLETE[reason]} ({reason})" if reason in _INCOMPLETE else _quoted(reason or "")
    return f"stopped in the middle of an answer{why}"


class _Refusal(msgspec.Struct, frozen=True):
    error: ErrorBody | str | None = None


def refused(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> ProviderError:  # noqa: ARG001  as dial() calls it
    """Return what a handshake that was answered with `status` instead of 101 means, in words that a person can act on."""
    try:
        told = msgspec.json.decode(body, type=_Refusal).error
    except (ValueError, RecursionError):
        told = None
    error = told if isinstance(told, ErrorBody) else ErrorBody(told)
    name = _fatal_name(error)
    code = f"{status} {name or error.code or ''}".strip()
    why = _quoted(error.message or "")
    if name in _UNPAID:
        return ProviderError(PROVIDER, f"{_FATAL[name]} ({code})", retryable=False)
    match status:
        case 401:
            problem = f"refused the key ({code}): check OPENAI_API_KEY"  # its own words quote a part of the key
        case 403 | 404:
            problem = f"refused the model ({code}){why}; check OPENAI_MODEL"
        case 429:
            problem = f"{_FATAL['rate_limit_exceeded']} ({code})"
        case _ if status >= 500:
            problem = f"cannot open a session now ({code}){why}"
        case _:
            problem = f"did not open a session ({code}){why}; check OPENAI_URL"
    return ProviderError(PROVIDER, problem, retryable=status >= 500 or status == 429)


def closed(code: int | None, reason: str = "") -> ProviderError:
    """Return what a close that the hub did not ask for means. `code` is None when the connection broke without one."""
    for name, meaning in _FATAL.items():
        if name in reason:
            return ProviderError(PROVIDER, f"{meaning} ({name})", retryable=False)
    if "maximum duration" in reason:  # how the limit reads in a close frame, with 1001
        return ProviderError(PROVIDER, f"{_FATAL['session_expired']} (session_expired)", retryable=False)
    if code in {None, 1005, 1006}:
        return ProviderError(PROVIDER, "lost the connection", retryable=True)
    return ProviderError(PROVIDER, f"hung up before the end ({code}){_quoted(reason)}", retryable=True)


def _quoted(words: str) -> str:
    return f": {' '.join(words.split())[:_QUOTED_CHARS]}" if words else ""
