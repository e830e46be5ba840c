"""What a line of the log looks like: for people, or as JSON for machines, with the call and the stream it is about.

A line says which call it is about by itself (`CallLog`), or because it is written while that call is run (`call`): what a provider's
session tells needs no callSid handed down to it. Knows no setting; is told the secrets only to leave them out.
"""

import logging
import sys
import time
from collections.abc import Collection, MutableMapping
from contextvars import ContextVar
from typing import Any, Literal

import msgspec

call: ContextVar[str] = ContextVar("call", default="")
"""The callSid of the call that the present task belongs to; empty outside of calls."""

LEAST_SECRET_CHARACTERS = 8
"""A shorter secret is left where it stands: to take it out of every line would hide words that only look like it."""

TALKATIVE = ("twilio.http_client",)
"""Libraries' loggers that write requests at INFO, numbers and all: they are heard from WARNING on."""


class CallLog(logging.LoggerAdapter[logging.Logger]):
    """A logger whose lines are about a call, or a stream of it: `CallLog(log, {"call": …, "stream": …})`."""

    def process(self, msg: str, kwargs: MutableMapping[str, Any]) -> tuple[str, MutableMapping[str, Any]]:
        """Put the names where the formatters look for them."""
        kwargs["extra"] = {**(self.extra or {}), **(kwargs.get("extra") or {})}
        return msg, kwargs


def set_up(level: str, form: Literal["text", "json"], secrets: Collection[str] = ()) -> None:
    """Write the log of this process to stderr: all lines from `level` on, in that form. `secrets` appear in none, whoever writes it."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter((Json if form == "json" else Text)(secrets))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)


class Text(logging.Formatter):
    """`2026-11-21 10:00:00,000 INFO hub.call call=CA… stream=MZ… ended: completed`, and a traceback below it."""

    def __init__(self, secrets: Collection[str] = ()) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(where)s%(message)s")
        self._secrets = _worth_hiding(secrets)

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        record.where = "".join(f"{name}={value} " for name, value in _about(record).items())
        return without(super().format(record), self._secrets)


class Json(logging.Formatter):
    """One object a line: `at` (ISO 8601, UTC), `level`, `logger`, `message`; where there is one `call`, `stream`, `error` (a traceback)."""

    def __init__(self, secrets: Collection[str] = ()) -> None:
        super().__init__()
        self._secrets = _worth_hiding(secrets)

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = {"at": f"{at}.{int(record.msecs):03d}Z", "level": record.levelname.lower(), "logger": record.name, **_about(record)}
        line["message"] = without(record.getMessage(), self._secrets)
        if record.exc_info:
            line["error"] = without(self.formatException(record.exc_info), self._secrets)
        return msgspec.json.encode(line).decode()


def _about(record: logging.LogRecord) -> dict[str, str]:
    """Return what a line is about, as far as anybody knows."""
    about = {"call": getattr(record, "call", None) or call.get(), "stream": getattr(record, "stream", None)}
    return {name: value for name, value in about.items() if value}


def _worth_hiding(secrets: Collection[str]) -> list[str]:
    return [secret for secret in secrets if len(secret) >= LEAST_SECRET_CHARACTERS]


def without(text: str, secrets: Collection[str]) -> str:
    """Return a text with each secret taken out, wherever it stands."""
    for secret in secrets:
        text = text.replace(secret, "…")
    return text
