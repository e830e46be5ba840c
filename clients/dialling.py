"""Whom a command calls, as whom, and whether signed as Twilio signs: what `call` and `mic` have in common on the command line.

Knows options and what is wrong with them. Does not know what is said in the call.
"""

import argparse
import re
from dataclasses import dataclass, field

from clients import signature
from clients.leg import NotAnswered
from clients.stream import new_sid

DEFAULT_URL = "ws://127.0.0.1:5000/twilio"


@dataclass(frozen=True, slots=True)
class Dialling:
    """One call that is to be made. `signed` is the address that `headers` sign, None where nothing is signed."""

    url: str
    call_sid: str
    parameters: dict[str, str]
    signed: str | None
    headers: dict[str, str] = field(repr=False)

    def explain(self, problem: NotAnswered) -> str:
        """Return why the hub did not answer and, where a signature may be what it wants, what to do about it."""
        if problem.status != 403:
            return str(problem)
        if self.signed is None:
            return f"{problem} A hub that asks for Twilio's signature lets you in with --sign."
        return f"{problem} The address that was signed is {self.signed}; `--sign https://…` names another, as in the hub's HUB_PUBLIC_URL."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `read` understands."""
    parser.add_argument("--url", default=DEFAULT_URL, help="the hub's door for Twilio (default: %(default)s)")
    parser.add_argument(
        "--sign",
        nargs="?",
        const="",
        type=_public_url,
        metavar="URL",
        help="sign as Twilio does, with TWILIO_AUTH_TOKEN from the environment or .env; URL is the hub's public address "
        "(default: a wss --url, else HUB_PUBLIC_URL from there)",
    )
    parser.add_argument("--call-sid", type=_call_sid, metavar="CA…", help="the call's name (default: a random one)")
    parser.add_argument("--from", dest="from_", metavar="+1…", help="sent as the parameter `from`")
    parser.add_argument("--to", metavar="+1…", help="sent as the parameter `to`")
    parser.add_argument("--parameter", action="append", default=[], type=_parameter, metavar="NAME=VALUE", help="may be repeated")


def read(options: argparse.Namespace, url: str | None = None, **more: str | None) -> Dialling:
    """Read the options; `url` in place of theirs, `more` parameters that they may overrule. Raises: signature.Unsigned."""
    url = options.url if url is None else url
    parameters = {"from": options.from_, "to": options.to} | more | dict(options.parameter)
    signed, headers = None, {}
    if options.sign is not None:
        given = signature.settings()
        signed = signature.address(url, options.sign) if options.sign else signature.usual_address(url, given)
        headers = signature.sign(signed, given)
    return Dialling(
        url=url,
        call_sid=options.call_sid or new_sid("CA"),
        parameters={name: value for name, value in parameters.items() if value is not None},
        signed=signed,
        headers=headers,
    )


def duration_ms(text: str) -> int:
    """Read a duration as people write it. Raises: ArgumentTypeError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s)?", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration: write 3s, 150ms or 1.5")
    return round(float(match[1]) * (1 if match[2] == "ms" else 1000))


def _public_url(text: str) -> str:
    try:
        signature.address(DEFAULT_URL, text)
    except signature.Unsigned as error:
        raise argparse.ArgumentTypeError(f"{error} A file is named before --sign.") from error
    return text


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
