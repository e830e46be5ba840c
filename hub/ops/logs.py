"""The form of log lines: text for people or JSON for machines, with the call and the stream that a line is about.

A line gets its call from `CallLog`, or from the task that writes it: each call's task sets the context variable `call`, which the tasks it
starts inherit. So a provider's session logs under its call without knowing the callSid. Knows the secrets, in order to leave them out of
every line. Does not know settings.

What a caller, a provider or a stranger sent may be in a message: the reason of a close, a path, the format of a stream. So the formatters
write every character that could start a line or act on a terminal as its escape. A message is one line whoever wrote it, and nobody can
forge another one.
"""

import logging
import sys
import time
from collections.abc import Callable, Collection, MutableMapping
from contextvars import ContextVar
from typing import Any, Literal

import msgspec

from hub.text.foreign_text import quoted

call: ContextVar[str] = ContextVar("call", default="")
"""The callSid of the call to which the current task belongs; empty outside of calls."""

LEAST_SECRET_CHARACTERS = 8
"""The shortest secret that is removed from log lines. Removing a shorter one would also hide ordinary words that contain it."""

TALKATIVE = (
    "alembic",
    "twilio.http_client",
)
"""Loggers of libraries that log whole requests at INFO, phone numbers included. They are limited to WARNING."""

QUOTING = ("hub.vendors", "websockets")
"""Loggers that quote providers' messages at DEBUG, and with them what was said."""

BOUNDED = "hub.web."
"""The loggers of the doors: what they warn of, anybody can cause."""

LINES_AT_ONCE, LINES_PER_SECOND = 100.0, 5.0
"""Enough to see who came, and a gigabyte only after weeks."""


class CallLog(logging.LoggerAdapter[logging.Logger]):
    """A logger whose lines are about one call, or one of its streams: `CallLog(log, {"call": …, "stream": …})`."""

    def process(self, msg: str, kwargs: MutableMapping[str, Any]) -> tuple[str, MutableMapping[str, Any]]:
        """Put the call and the stream where the formatters look for them."""
        kwargs["extra"] = {**(self.extra or {}), **(kwargs.get("extra") or {})}
        return msg, kwargs


def set_up(level: str, form: Literal["text", "json"], secrets: Collection[str] = (), *, words: bool = True) -> None:
    """Write this process's log to stderr, from `level` on, in this form. `secrets` appear in no line, also not in those of libraries.

    `words`: at `debug`, lines may quote what was said. Not where numbers are kept out of all that is published.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter((Json if form == "json" else Text)(secrets))
    handler.addFilter(Refusals())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    if not words:
        for name in QUOTING:
            logging.getLogger(name).setLevel(max(logging.INFO, logging.getLogger().level))


class Refusals(logging.Filter):
    """Bounds the lines that peers without a proof can cause: a flood of refused requests must not fill the disk.

    Of each kind of warning of the doors, LINES_AT_ONCE are written, then LINES_PER_SECOND. The next one that is written says how many
    were left out. Warnings about calls, and everything else, are written always.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` is monotonic seconds."""
        super().__init__()
        self._clock = clock
        self._kinds: dict[str, tuple[float, float, int]] = {}
        """By the message without its values: lines that may be written, as of when, and how many were left out since the last one."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the line is written."""
        if record.levelno != logging.WARNING or not record.name.startswith(BOUNDED):
            return True
        now, kind = self._clock(), str(record.msg)
        lines, since, left_out = self._kinds.get(kind, (LINES_AT_ONCE, now, 0))
        lines = min(LINES_AT_ONCE, lines + (now - since) * LINES_PER_SECOND)
        if lines < 1.0:
            self._kinds[kind] = lines, now, left_out + 1
            return False
        self._kinds[kind] = lines - 1.0, now, 0
        if left_out:
            record.msg, record.args = f"{record.getMessage()} (and {left_out} like it)", ()
        return True


class Text(logging.Formatter):
    """Lines such as `2026-11-21 10:00:00,000 INFO hub.calls.calls call=CA… stream=MZ… ended: completed`.

    A traceback follows below, each of its lines indented, so that no text in it can be taken for a line of the log.
    """

    def __init__(self, secrets: Collection[str] = ()) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(where)s%(message)s")
        self._secrets = _worth_hiding(secrets)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging's own name
        """See logging.Formatter."""
        record.where = "".join(f"{name}={value} " for name, value in _about(record).items())
        return quoted(without(super().formatMessage(record), self._secrets))

    def formatException(self, ei: Any) -> str:  # noqa: N802  logging's own name
        """See logging.Formatter."""
        return _indented(without(super().formatException(ei), self._secrets))

    def formatStack(self, stack_info: str) -> str:  # noqa: N802  logging's own name
        """See logging.Formatter."""
        return _indented(without(stack_info, self._secrets))


class Json(logging.Formatter):
    """One JSON object per line: `at` (ISO 8601, UTC), `level`, `logger`, `message`; if known, `call`, `stream`, `error` (a traceback)."""

    def __init__(self, secrets: Collection[str] = ()) -> None:
        super().__init__()
        self._secrets = _worth_hiding(secrets)

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = {"at": f"{at}.{int(record.msecs):03d}Z", "level": record.levelname.lower(), "logger": record.name, **_about(record)}
        line["message"] = quoted(without(record.getMessage(), self._secrets))
        if record.exc_info:
            error = without(self.formatException(record.exc_info), self._secrets)
            line["error"] = "\n".join(map(quoted, error.split("\n")))
        return msgspec.json.encode(line).decode()


def _about(record: logging.LogRecord) -> dict[str, str]:
    """Return the call and the stream that a line is about, as far as they are known."""
    about = {"call": getattr(record, "call", None) or call.get(), "stream": getattr(record, "stream", None)}
    return {name: value for name, value in about.items() if value}


def _indented(text: str) -> str:
    return "\n".join(f"    {quoted(each)}" for each in text.split("\n"))


def _worth_hiding(secrets: Collection[str]) -> list[str]:
    return [secret for secret in secrets if len(secret) >= LEAST_SECRET_CHARACTERS]


def without(text: str, secrets: Collection[str]) -> str:
    """Return the text with every secret replaced by `…`."""
    for secret in secrets:
        text = text.replace(secret, "…")
    return text
