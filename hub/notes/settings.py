"""The settings that say which model writes notes, and what is wrong with them. Off unless an address is set."""

import ipaddress
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from hub.config import check_url, setting
from hub.errors import ConfigError
from hub.text.addresses import loopback

PATH = "/chat/completions"
"""Where an OpenAI-compatible API takes what it is asked (platform.openai.com/docs/api-reference/chat/create)."""

TOKENS_LEAST, TOKENS_MOST = 1000, 200_000
"""Less than a minute of a call, and more than a day of one, are of no use. The most make a request of less than a megabyte."""

AT_ONCE_MOST = 64

SECONDS_MOST = 3600.0

_PRIVATE_SUFFIXES = (".local", ".internal", ".lan", ".home.arpa")
"""Ends of names that only the operator's own network resolves: mDNS, private clouds and Kubernetes (`….svc.cluster.local`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotesSettings:
    """Which model writes notes of calls that are over, and how much it is given."""

    url: str = setting(
        "HUB_NOTES_URL",
        "",
        "address of an OpenAI-compatible API, such as `https://api.openai.com/v1`, whose model writes a `note` of each ended call; "
        "off by default",
    )
    model: str = setting("HUB_NOTES_MODEL", "", "the model, by the name that the API has for it")
    key: str = setting("HUB_NOTES_KEY", "", "the key of the API; a model on your own machine mostly needs none", secret=True)
    form: Literal["schema", "json", "text"] = setting(
        "HUB_NOTES_FORM",
        "schema",
        "how the API is told which form the answer has: `schema` (JSON Schema), `json`, or `text` for one that knows neither",
    )
    tokens: int = setting("HUB_NOTES_TOKENS", 24000, "most tokens of a call that the model is given at once; longer calls go in portions")
    at_once: int = setting("HUB_NOTES_AT_ONCE", 2, "most notes that are written at the same time")
    seconds: float = setting("HUB_NOTES_SECONDS", 300.0, "longest time for one answer of the model")

    def check(self) -> None:
        """Raise ConfigError if a value is wrong, or if values do not fit together."""
        if not self.url:
            for name, value in (("HUB_NOTES_MODEL", self.model), ("HUB_NOTES_KEY", self.key)):
                if value:
                    raise ConfigError(name, "is set, but HUB_NOTES_URL is not: name the address of the API, too")
            return
        check_url("HUB_NOTES_URL", self.url, ("https", "http"))
        if self.url.rstrip("/").endswith(PATH):
            raise ConfigError("HUB_NOTES_URL", f"must be the address of the API as a whole, such as https://host/v1, without {PATH}")
        parts = urlsplit(self.url)
        if parts.username is not None or parts.password is not None:
            raise ConfigError("HUB_NOTES_URL", "must not contain a name or a password: the key goes into HUB_NOTES_KEY")
        if parts.scheme == "http" and not _is_private(parts.hostname or ""):
            raise ConfigError("HUB_NOTES_URL", "begins with http://, so everybody on the way could read the calls: use https://")
        if not (self.key.isascii() and self.key.isprintable()):
            raise ConfigError("HUB_NOTES_KEY", "has characters that no key has")
        if not self.model:
            raise ConfigError("HUB_NOTES_MODEL", "is not set, but HUB_NOTES_URL is: name the model that writes the notes")
        self._check_amounts()

    def _check_amounts(self) -> None:
        if not TOKENS_LEAST <= self.tokens <= TOKENS_MOST:
            raise ConfigError("HUB_NOTES_TOKENS", f"must be between {TOKENS_LEAST} and {TOKENS_MOST}, not {self.tokens}")
        if not 1 <= self.at_once <= AT_ONCE_MOST:
            raise ConfigError("HUB_NOTES_AT_ONCE", f"must be between 1 and {AT_ONCE_MOST}, not {self.at_once}")
        if not 1 <= self.seconds <= SECONDS_MOST:
            raise ConfigError("HUB_NOTES_SECONDS", f"must be between 1 and {SECONDS_MOST:g}, not {self.seconds:g}")


def _is_private(host: str) -> bool:
    """Return whether a host is on this machine or in the operator's own network, by all signs."""
    name = host.lower().rstrip(".")
    if loopback(name):
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_private
    except ValueError:
        return "." not in name or name.endswith(_PRIVATE_SUFFIXES)
