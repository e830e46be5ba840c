"""Whom a command calls, and as whom: what `call` and `mic` have in common on the command line.

Knows options and what is wrong with them. Does not know what is said in the call.
"""

import argparse
import re
from dataclasses import dataclass

from clients.stream import new_sid

DEFAULT_URL = "ws://127.0.0.1:5000/twilio"


@dataclass(frozen=True, slots=True)
class Dialling:
    """One call that is to be made."""

    url: str
    call_sid: str
    parameters: dict[str, str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `read` understands."""
    parser.add_argument("--url", default=DEFAULT_URL, help="the hub's door for Twilio (default: %(default)s)")
    parser.add_argument("--call-sid", type=_call_sid, metavar="CA…", help="the call's name (default: a random one)")
    parser.add_argument("--from", dest="from_", metavar="+1…", help="sent as the parameter `from`")
    parser.add_argument("--to", metavar="+1…", help="sent as the parameter `to`")
    parser.add_argument("--parameter", action="append", default=[], type=_parameter, metavar="NAME=VALUE", help="may be repeated")


def read(options: argparse.Namespace, url: str | None = None, **more: str | None) -> Dialling:
    """Read the options; `url` in place of theirs, `more` parameters that they may overrule."""
    url = options.url if url is None else url
    parameters = {"from": options.from_, "to": options.to} | more | dict(options.parameter)
    return Dialling(
        url=url,
        call_sid=options.call_sid or new_sid("CA"),
        parameters={name: value for name, value in parameters.items() if value is not None},
    )


def duration_ms(text: str) -> int:
    """Read a duration as people write it. Raises: ArgumentTypeError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s)?", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration: write 3s, 150ms or 1.5")
    return round(float(match[1]) * (1 if match[2] == "ms" else 1000))


def _call_sid(text: str) -> str:
    if re.fullmatch(r"CA[0-9a-fA-F]{32}", text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a callSid: CA and 32 hexadecimal digits")
    return text


def _parameter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not a parameter: write NAME=VALUE")
    if len(name) + len(value) >= 500:  # twilio.com/docs/voice/twiml/stream
        raise argparse.ArgumentTypeError(f"{name!r} is too long: Twilio takes less than 500 characters, name and value together")
    return name, value
