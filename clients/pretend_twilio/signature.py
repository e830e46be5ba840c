"""Twilio's signature for a pretend call, made with the account's own auth token, for a hub that accepts only signed calls.

Knows which address Twilio would sign, and that the token is in the environment or in .env. The token is never taken from the command line,
which other users of the machine can read. Source: twilio.com/docs/usage/webhooks/webhooks-security; for a WebSocket, only the address is
signed.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from twilio.request_validator import SIGNATURE_HEADER, RequestValidator

from hub.errors import ConfigError
from hub.text import env_file

TOKEN = "TWILIO_AUTH_TOKEN"  # noqa: S105  the name of the setting
PUBLIC_URL = "HUB_PUBLIC_URL"

SCHEMES = {"https": "wss", "http": "ws", "wss": "wss", "ws": "ws"}
"""The scheme with which Twilio opens a stream, by the scheme of the hub's public address."""


class CannotSign(ValueError):
    """The call cannot be signed. Its text is one sentence that says what is missing."""


def settings(environment: Mapping[str, str] | None = None, dotenv: Path = Path(".env")) -> dict[str, str]:
    """Return the two of the hub's settings that a signature needs, where they are set. The environment wins over .env, as in the hub.

    Raises: CannotSign.
    """
    try:
        given = env_file.read(dotenv, [TOKEN]) | dict(os.environ if environment is None else environment)
    except ConfigError as error:
        raise CannotSign(f"{TOKEN} may be in {dotenv}, and {error}.") from error
    return {name: value.strip() for name in (TOKEN, PUBLIC_URL) if (value := given.get(name)) and value.strip()}


def address(url: str, public_url: str = "") -> str:
    """Return the address that Twilio would sign for a hub that we reach at `url`.

    `public_url` is the hub's HUB_PUBLIC_URL, or already the whole address of the stream. Without it, Twilio would sign `url`.
    Raises: CannotSign.
    """
    if not public_url:
        return url
    scheme, _, rest = public_url.rstrip("/").partition("://")
    if scheme not in SCHEMES or not rest:
        raise CannotSign(f"{public_url!r} is not a hub's public address: it should look like https://hub.example.com.")
    path = url.partition("://")[2].partition("/")[2]
    door = "/" + path.rpartition("/")[2]
    return f"{SCHEMES[scheme]}://{rest.removesuffix(door)}{door}"


def usual_address(url: str, given: Mapping[str, str]) -> str:
    """Return the address that Twilio would sign if the user names none: a wss `url` itself, otherwise the one below HUB_PUBLIC_URL.

    A wss `url` is taken as it is because Twilio opens streams only to wss addresses, so it is the public one. Raises: CannotSign.
    """
    return address(url, "" if url.startswith("wss://") else given.get(PUBLIC_URL, ""))


def sign(signed_url: str, given: Mapping[str, str]) -> dict[str, str]:
    """Return the header that Twilio sends with a request to this address. Raises: CannotSign.

    The first of several tokens signs. The others are there only while the token is being changed.
    """
    token = given.get(TOKEN, "").split(",")[0].strip()
    if not token:
        raise CannotSign(f"There is nothing to sign with: put {TOKEN} into the environment or into .env, as the hub has it.")
    return {SIGNATURE_HEADER: RequestValidator(token).compute_signature(signed_url, {})}
