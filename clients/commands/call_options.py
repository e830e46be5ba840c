"""The options of a call that is made: the hub's address, the call's name and parameters, and the signature. Shared by `call` and `mic`.

Knows options and what is wrong with them. Does not know what is said in the call.
"""

import argparse
import re

from clients.commands import hub_options
from clients.follow.address import Door, door_address
from clients.pretend_twilio import signature
from clients.pretend_twilio.media_socket import OutgoingCall
from clients.pretend_twilio.messages import new_sid

DEFAULT_URL = "ws://127.0.0.1:5000/twilio"

PARAMETER_CHARACTERS = 500
"""Twilio takes fewer characters than this for a parameter's name and value together (twilio.com/docs/voice/twiml/stream)."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options that `read` understands."""
    parser.add_argument("--url", default=DEFAULT_URL, type=hub_options.address, help="the hub's address (default: %(default)s)")
    parser.add_argument(
        "--sign",
        nargs="?",
        const="",
        type=_public_url,
        metavar="URL",
        help="sign as Twilio does, with TWILIO_AUTH_TOKEN from the environment or .env; URL is the hub's public address "
        "(default: a wss --url, otherwise HUB_PUBLIC_URL from the same places)",
    )
    parser.add_argument("--call-sid", type=_call_sid, metavar="CA…", help="the call's name (default: a random one)")
    parser.add_argument("--from", dest="from_", metavar="+1…", help="sent as the parameter `from`")
    parser.add_argument("--to", metavar="+1…", help="sent as the parameter `to`")
    parser.add_argument("--parameter", action="append", default=[], type=_parameter, metavar="NAME=VALUE", help="may be repeated")


def read(options: argparse.Namespace, door: Door = "/twilio", **more: str | None) -> OutgoingCall:
    """Return the call that the options describe, to a door of their hub. `more` are parameters that the options may override.

    Raises: signature.CannotSign.
    """
    url = door_address(options.url, door)
    parameters = {"from": options.from_, "to": options.to} | more | dict(options.parameter)
    signed_url, headers = None, {}
    if options.sign is not None:
        given = signature.settings()
        signed_url = signature.address(url, options.sign) if options.sign else signature.usual_address(url, given)
        headers = signature.sign(signed_url, given)
    return OutgoingCall(
        url=url,
        call_sid=options.call_sid or new_sid("CA"),
        parameters={name: value for name, value in parameters.items() if value is not None},
        headers=headers,
        signed_url=signed_url,
    )


def duration_ms(text: str) -> int:
    """Read a duration such as 3s, 150ms or 1.5. Raises: ArgumentTypeError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s)?", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration: write 3s, 150ms or 1.5")
    return round(float(match[1]) * (1 if match[2] == "ms" else 1000))


def _public_url(text: str) -> str:
    try:
        signature.address(DEFAULT_URL, text)
    except signature.CannotSign as error:
        raise argparse.ArgumentTypeError(f"{error} To play a file, name it before --sign.") from error
    return text


def _call_sid(text: str) -> str:
    if re.fullmatch(r"CA[0-9a-fA-F]{32}", text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a callSid: CA and 32 hexadecimal digits")
    return text


def _parameter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not a parameter: write NAME=VALUE")
    if len(name) + len(value) >= PARAMETER_CHARACTERS:
        raise argparse.ArgumentTypeError(
            f"{name!r} is too long: Twilio takes less than {PARAMETER_CHARACTERS} characters, name and value together"
        )
    return name, value
