"""The webhooks of a hub: whom it sends what, as the file says that HUB_WEBHOOKS names (TOML).

Knows what a webhook is to be like, and what is wrong with a file. Does not know how anything is sent.
"""

import ipaddress
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn, get_args
from urllib.parse import urlsplit

import msgspec

from hub.archive.archive import Facts
from hub.config import Config, Network, check_url
from hub.delivery.signing import key_of
from hub.errors import ConfigError
from hub.events import DurableEvent
from hub.text.phone_numbers import identity
from hub.text.text_file import read_text

ALL = "*"
"""In `events`: every type."""

KNOWN = frozenset(str(kind.__struct_config__.tag) for kind in get_args(DurableEvent))
"""The types of events that can be sent. Interims are none of them: what replaces them is not missed."""

DEFAULT_EVENTS = tuple(each for each in ("call-ended", "alert") if each in KNOWN)
"""What a program that wants calls as a whole asks for."""

TIMEOUT_SECONDS, TIMEOUT_SECONDS_MOST = 15.0, 60.0
"""How long a receiver may take to answer, from the first byte of a connection on. One that needs longer answers first and works later."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """One receiver, and what it is sent."""

    name: str
    url: str
    keys: tuple[bytes, ...] = field(repr=False)
    """Each message is signed with all of them, so that a receiver may change from one to the next."""
    events: frozenset[str] | None
    """Types of events. None: all."""
    agents: frozenset[str] = frozenset()
    """Only calls that these agents answer. Empty: all calls."""
    numbers: frozenset[str] = frozenset()
    """Only calls from or to these numbers. Empty: all calls."""
    record: bool = True
    """Whether `call-ended` brings the record of the call along."""
    timeout_seconds: float = TIMEOUT_SECONDS
    networks: tuple[Network, ...] = ()
    """Private networks in which its receiver may be."""

    def wants(self, facts: Facts) -> bool:
        """Return whether a call is one of those that it is told of."""
        if self.agents and facts.agent not in self.agents:
            return False
        return not self.numbers or not self.numbers.isdisjoint({facts.from_, facts.to})


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    """A webhook as it stands in the file."""

    url: str
    secret: str = ""
    secrets: list[str] = []
    events: list[str] = msgspec.field(default_factory=lambda: list(DEFAULT_EVENTS))
    agents: list[str] = []
    numbers: list[str] = []
    record: bool = True
    timeout_seconds: float = TIMEOUT_SECONDS
    networks: list[str] = []


class _WebhooksFile(msgspec.Struct, forbid_unknown_fields=True):
    webhooks: dict[str, _Entry]


def load(config: Config) -> list[Webhook]:
    """Return the webhooks of the file that HUB_WEBHOOKS names, none without one.

    Raises: ConfigError, one sentence that names the setting and the place in the file.
    """
    if not config.webhooks:
        return []
    if not config.archive:
        raise ConfigError("HUB_WEBHOOKS", "is set, but what is to be delivered must survive a restart: set HUB_ARCHIVE too")
    try:
        file = msgspec.convert(tomllib.loads(read_text(Path(config.webhooks))), _WebhooksFile)
    except ConfigError as error:
        _refuse(config, error.problem, error)
    except tomllib.TOMLDecodeError as error:
        _refuse(config, f"is not TOML: {error}", error)
    except msgspec.ValidationError as error:
        _refuse(config, f"is not a file of webhooks: {error}", error)
    if not file.webhooks:
        _refuse(config, "names no webhook")
    return [_webhook(config, name, entry) for name, entry in file.webhooks.items()]


def _webhook(config: Config, name: str, entry: _Entry) -> Webhook:
    if not _NAME.fullmatch(name):
        _refuse(config, f"calls a webhook {name!r}: use letters, digits, _ and -, 64 at most")
    networks = tuple(_network(config, name, each) for each in entry.networks)
    _check_url(config, name, entry.url, private=bool(networks))
    if not 0 < entry.timeout_seconds <= TIMEOUT_SECONDS_MOST:
        _refuse(config, f"has a wrong timeout_seconds for {name}: use more than 0, {TIMEOUT_SECONDS_MOST:g} at most")
    return Webhook(
        name=name,
        url=entry.url,
        keys=_keys(config, name, entry),
        events=_events(config, name, entry.events),
        agents=frozenset(entry.agents),
        numbers=frozenset(_number(config, name, each) for each in entry.numbers),
        record=entry.record,
        timeout_seconds=entry.timeout_seconds,
        networks=networks,
    )


def _check_url(config: Config, name: str, url: str, *, private: bool) -> None:
    try:
        check_url("url", url.partition("?")[0], ("https", "http"))
        parts = urlsplit(url)
    except (ConfigError, ValueError) as error:
        _refuse(config, f"has a wrong url for {name}: it must be like https://host/path", error)
    if parts.fragment or re.search(r"\s", url):
        _refuse(config, f"has a wrong url for {name}: it must be like https://host/path")
    if parts.username is not None or parts.password is not None:
        _refuse(config, f"has a name or a password in the url for {name}: messages are signed instead, see `secret`")
    if parts.scheme == "http" and not private:
        _refuse(config, f"has an http:// url for {name}, by which everybody on the way could read the calls: use https://")


def _keys(config: Config, name: str, entry: _Entry) -> tuple[bytes, ...]:
    if bool(entry.secret) == bool(entry.secrets):
        _refuse(config, f"must have `secret` for {name}, or `secrets`, the new one first, while it is changed")
    try:
        return tuple(key_of(each) for each in entry.secrets or [entry.secret])
    except ValueError as error:
        _refuse(config, f"has a wrong secret for {name}: {error}", error)


def _events(config: Config, name: str, events: list[str]) -> frozenset[str] | None:
    if events == [ALL]:
        return None
    if not events:
        _refuse(config, f'names no event for {name}: leave `events` out, or use ["{ALL}"] for all')
    for each in events:
        if each == "interim":
            _refuse(config, f"wants interims for {name}, which only subscribers at /client get: use final")
        if each not in KNOWN:
            _refuse(config, f"wants {each!r} for {name}, which is no type of event; the types are {', '.join(sorted(KNOWN))}")
    return frozenset(events)


def _number(config: Config, name: str, number: str) -> str:
    known = identity(number)
    if known is None:
        _refuse(config, f"has a wrong number {number!r} for {name}: write it as Twilio does, +14155550100, or as sip:desk@example.com")
    return known


def _network(config: Config, name: str, network: str) -> Network:
    try:
        return ipaddress.ip_network(network)
    except ValueError as error:
        _refuse(config, f"has a wrong network {network!r} for {name}: use one as 10.1.0.0/16, or an address", error)


def _refuse(config: Config, problem: str, cause: Exception | None = None) -> NoReturn:
    raise ConfigError("HUB_WEBHOOKS", f"{config.webhooks} {problem}") from cause
