"""Reads the file of webhooks that HUB_WEBHOOKS names (TOML), and says in which line what is wrong with it.

    [webhooks.crm]
    url = "https://crm.example.com/hooks/calls"
    secret = "whsec_…"

Knows what may stand in the file. Does not know how anything is sent.
"""

import ipaddress
import re
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

import msgspec

from hub.config import Config, Network, check_url
from hub.delivery.signing import key_of
from hub.delivery.webhook import ALL, DEFAULT_EVENTS, KNOWN, TIMEOUT_SECONDS, Webhook
from hub.errors import ConfigError
from hub.text.phone_numbers import EXAMPLE, identity
from hub.text.text_file import read_text
from hub.text.toml_file import Places, TomlError, read_toml

TIMEOUT_SECONDS_MOST = 60.0
"""A receiver that needs longer for an answer answers first and works later."""

MOST_WEBHOOKS = 100
"""Each of them is a row to write for each event that it wants, and a connection or several."""

MOST_SECRETS = 4
"""Each of them is a signature in a header, and receivers refuse headers of some kilobytes."""

MOST_URL_CHARACTERS = 2048

EXAMPLE_TABLE = "each webhook is a table, such as [webhooks.crm]"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_FIELD = re.compile(r"field `(\w+)`")
_PATH = re.compile(r" - at `\$\.?(\w*)[^`]*`$")


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    """A webhook as it stands in the file."""

    url: str
    secret: str = ""
    secrets: list[str] = []
    events: list[str] = msgspec.field(default_factory=lambda: list(DEFAULT_EVENTS))
    agents: list[str] = []
    queues: list[str] = []
    numbers: list[str] = []
    record: bool = True
    timeout_seconds: float = TIMEOUT_SECONDS
    networks: list[str] = []


def load(config: Config) -> list[Webhook]:
    """Return the webhooks of the file that HUB_WEBHOOKS names, none without one.

    Raises: ConfigError, one sentence with the setting, the file, the line and the reason.
    """
    if not config.webhooks:
        return []
    if not config.archive:
        raise ConfigError("HUB_WEBHOOKS", "is set, but what is to be delivered must survive a restart: set HUB_ARCHIVE too")
    try:
        return read_webhooks(read_text(Path(config.webhooks)))
    except ConfigError as error:
        raise ConfigError("HUB_WEBHOOKS", f"{config.webhooks} {error.problem}") from error
    except TomlError as error:
        raise ConfigError("HUB_WEBHOOKS", f"{config.webhooks} {error}") from error


def read_webhooks(text: str) -> list[Webhook]:
    """Return the webhooks that a file has. Raises: TomlError."""
    file = read_toml(text)
    tables = file.pop("webhooks", {})
    for other in file:
        raise TomlError(Places(text).of_key(other), f"{other!r} is not known here: {EXAMPLE_TABLE}")
    if not isinstance(tables, dict) or not tables:
        raise TomlError(None, f"has no webhook: {EXAMPLE_TABLE}")
    if len(tables) > MOST_WEBHOOKS:
        raise TomlError(None, f"has {len(tables)} webhooks, and {MOST_WEBHOOKS} are possible")
    return [_Reading(text, name).webhook(table) for name, table in tables.items()]


class _Reading:
    """Reads one webhook."""

    def __init__(self, text: str, name: str) -> None:
        self._text = text
        self._name = name

    def webhook(self, table: Any) -> Webhook:
        """Return the webhook that a table describes. Raises: TomlError."""
        if not _NAME.fullmatch(self._name):
            self._refuse("", "must have a name of letters, digits, _ and -, 64 at most")
        if not isinstance(table, dict):
            self._refuse("", f"must be a table: write [webhooks.{self._name}]")
        try:
            entry = msgspec.convert(table, _Entry)
        except msgspec.ValidationError as error:
            self._refuse_value(str(error))
        networks = tuple(self._network(each) for each in entry.networks)
        self._check_url(entry.url, private=bool(networks))
        if not 0 < entry.timeout_seconds <= TIMEOUT_SECONDS_MOST:
            self._refuse("timeout_seconds", f"must have timeout_seconds above 0, {TIMEOUT_SECONDS_MOST:g} at most")
        return Webhook(
            name=self._name,
            url=entry.url,
            keys=self._keys(entry),
            events=self._events(entry.events),
            agents=frozenset(entry.agents),
            queues=frozenset(entry.queues),
            numbers=frozenset(self._number(each) for each in entry.numbers),
            record=entry.record,
            timeout_seconds=entry.timeout_seconds,
            networks=networks,
        )

    def _check_url(self, url: str, *, private: bool) -> None:
        try:
            check_url("url", url.partition("?")[0], ("https", "http"))
            parts = urlsplit(url)
            (parts.hostname or "").encode("idna")  # no empty label, none too long
        except (ConfigError, ValueError):
            self._refuse("url", "has a wrong url: it must be like https://host/path")
        if parts.fragment or len(url) > MOST_URL_CHARACTERS or not (url.isascii() and url.isprintable()) or " " in url:
            said = f"without #, blanks and letters that are not ASCII, {MOST_URL_CHARACTERS} characters at most"
            self._refuse("url", f"has a wrong url: it must be like https://host/path, {said}")
        if parts.username is not None or parts.password is not None:
            self._refuse("url", "has a name or a password in its url: messages are signed instead, with its secret")
        if parts.scheme == "http" and not private:
            self._refuse("url", "has an http:// url, by which everybody on the way could read the calls: use https://")

    def _keys(self, entry: _Entry) -> tuple[bytes, ...]:
        if bool(entry.secret) == bool(entry.secrets):
            self._refuse("secret", "must have `secret`, or `secrets` while it is changed, the new one first")
        if len(entry.secrets) > MOST_SECRETS:
            self._refuse("secrets", f"has {len(entry.secrets)} secrets, and {MOST_SECRETS} are possible")
        try:
            return tuple(key_of(each) for each in entry.secrets or [entry.secret])
        except ValueError as error:
            self._refuse("secrets" if entry.secrets else "secret", f"has a wrong secret: {error}")

    def _events(self, events: list[str]) -> frozenset[str] | None:
        if events == [ALL]:
            return None
        if not events:
            self._refuse("events", f'names no event: leave `events` out, or use ["{ALL}"] for all')
        for each in events:
            if each == ALL:
                self._refuse("events", f'has more events beside "{ALL}", which is all of them')
            if each == "interim":
                self._refuse("events", "wants interims, which only subscribers get: use final", each)
            if each not in KNOWN:
                known = ", ".join(sorted(KNOWN))
                self._refuse("events", f"wants {each[:100]!r}, which is no type of event; the types are {known}", each)
        return frozenset(events)

    def _number(self, number: str) -> str:
        known = identity(number)
        if known is None:
            self._refuse("numbers", f"has the number {number[:100]!r}: write it with its country code, as {EXAMPLE}", number)
        return known

    def _network(self, network: str) -> Network:
        try:
            return ipaddress.ip_network(network)
        except ValueError:
            self._refuse("networks", f"has the network {network[:100]!r}: write one as 10.1.0.0/16, or an address", network)

    def _refuse_value(self, problem: str) -> NoReturn:
        """Refuse a webhook for what msgspec says is wrong."""
        field, path = _FIELD.search(problem), _PATH.search(problem)
        if field is not None and "missing" in problem:
            self._refuse("", f"must have {field[1]}")
        if field is not None:
            fields = ", ".join(_Entry.__struct_fields__)
            self._refuse(field[1], f"has {field[1]}, which no webhook has: the fields are {fields}")
        name = path[1] if path is not None else ""
        said = _PATH.sub("", problem).replace("`", "")
        self._refuse(name, f"has a wrong {name or 'value'}: {said[:1].lower()}{said[1:]}")

    def _refuse(self, field: str, problem: str, value: str = "") -> NoReturn:
        raise TomlError(Places(self._text).of(self._name, field, value), f"the webhook {self._name!r} {problem}")
