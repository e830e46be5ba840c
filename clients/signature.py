"""Twilio's signature on a call that is not Twilio's, for a hub that asks for it: made with the account's own token, as Twilio makes it.

Knows which address Twilio would dial, and that the token is in the environment or .env: never on a command line, which other users of the
machine can read. Source: twilio.com/docs/usage/webhooks/webhooks-security; of a WebSocket, the address is all that is signed.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values
from twilio.request_validator import SIGNATURE_HEADER, RequestValidator

TOKEN = "TWILIO_AUTH_TOKEN"  # noqa: S105  the setting's name
PUBLIC_URL = "HUB_PUBLIC_URL"

SCHEMES = {"https": "wss", "http": "ws", "wss": "wss", "ws": "ws"}
"""What a stream is dialled with, where the hub has its pages at an address of that kind."""


class Unsigned(ValueError):
    """The call cannot be signed; its text is one sentence that says what is missing."""


def settings(environment: Mapping[str, str] | None = None, dotenv: Path = Path(".env")) -> dict[str, str]:
    """Return the two of the hub's settings that a signature needs, where they are set: the environment first, as the hub reads them.

    Raises: Unsigned.
    """
    try:
        given = dotenv_values(dotenv) | dict(os.environ if environment is None else environment)
    except (OSError, UnicodeDecodeError) as error:
        raise Unsigned(f"{dotenv} cannot be read, where {TOKEN} may be: {getattr(error, 'strerror', None) or 'it is no text'}.") from error
    return {name: value.strip() for name in (TOKEN, PUBLIC_URL) if (value := given.get(name)) and value.strip()}


def address(url: str, public_url: str = "") -> str:
    """Return the address of a stream as Twilio dials it, to a hub that we dial at `url`.

    `public_url` is the hub's as in HUB_PUBLIC_URL, or already the whole address; without it, `url` is what Twilio dials, too.
    Raises: Unsigned.
    """
    if not public_url:
        return url
    scheme, _, rest = public_url.rstrip("/").partition("://")
    if scheme not in SCHEMES or not rest:
        raise Unsigned(f"{public_url!r} is not a hub's public address: it should look like https://hub.example.com.")
    path = url.partition("://")[2].partition("/")[2]
    door = "/" + path.rpartition("/")[2]
    return f"{SCHEMES[scheme]}://{rest.removesuffix(door)}{door}"


def usual_address(url: str, given: Mapping[str, str]) -> str:
    """Return what Twilio dials where nobody says so: a wss address as it is, since Twilio dials no other, else HUB_PUBLIC_URL.

    Raises: Unsigned.
    """
    return address(url, "" if url.startswith("wss://") else given.get(PUBLIC_URL, ""))


def sign(dialled: str, given: Mapping[str, str]) -> dict[str, str]:
    """Return the header that Twilio sends when it dials this address. Raises: Unsigned.

    Of several tokens the first one signs: the others are there while it is changed.
    """
    token = given.get(TOKEN, "").split(",")[0].strip()
    if not token:
        raise Unsigned(f"There is nothing to sign with: put {TOKEN} into the environment or into .env, as the hub has it.")
    return {SIGNATURE_HEADER: RequestValidator(token).compute_signature(dialled, {})}
