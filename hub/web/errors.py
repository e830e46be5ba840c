"""The one form in which the hub refuses an HTTP request: `{"error": {"code": …, "message": …}}`, as in an `error` event at /client.

`code` is for programs, `message` for people. Knows HTTP errors. Does not know why something is refused.
"""

import msgspec
from aiohttp import hdrs, web

CODES = {
    400: "bad-request",
    401: "token",
    403: "not-allowed",
    404: "not-found",
    405: "method",
    406: "not-acceptable",
    408: "too-slow",
    410: "gone",
    413: "too-long",
    415: "encoding",
    417: "expectation",
    426: "upgrade",
    429: "too-many",
    500: "failed",
    503: "unavailable",
}
"""The code of an error that names none of its own."""

SENTENCES = {404: "there is nothing at this address; /openapi.json lists what there is"}
"""What an error says that says nothing of its own."""


class Told(msgspec.Struct, frozen=True):
    """What an error says: `code` to programs, `message` to people."""

    code: str
    message: str


class ErrorAnswer(msgspec.Struct, frozen=True):
    """What comes with every error."""

    error: Told


def error_body(code: str, message: str) -> bytes:
    """Return the body of an error."""
    return msgspec.json.encode(ErrorAnswer(Told(code, message)))


def refusal(kind: type[web.HTTPError], code: str, message: str, headers: dict[str, str] | None = None) -> web.HTTPError:
    """Return an HTTP error in the hub's form, to be raised."""
    return kind(text=error_body(code, message).decode(), content_type="application/json", headers=headers)


def told_by(error: web.HTTPException) -> Told:
    """Return what an error says, whether it is in the hub's form or aiohttp's own."""
    if error.content_type == "application/json" and error.text:
        return msgspec.json.decode(error.text, type=ErrorAnswer).error
    said = (error.text or error.reason).strip().removeprefix(f"{error.status}: ")
    if said == error.reason:
        said = f"this address takes {allowed(error)}" if isinstance(error, web.HTTPMethodNotAllowed) else SENTENCES.get(error.status, said)
    return Told(CODES.get(error.status, "refused"), said)


def allowed(error: web.HTTPMethodNotAllowed) -> str:
    """Return which methods an address takes, as `Allow` has them."""
    return ", ".join(sorted({*error.allowed_methods, hdrs.METH_OPTIONS}))
