"""The hub's own settings, and the only reader of the environment and .env.

Knows names, defaults and what is wrong with a value. Does not know any provider: a provider declares its settings in its own folder, as a
section, and gets them back by `Config.of`. Does not know what a setting is for: a part that needs settings gets a Config or its section.
"""

import difflib
import ipaddress
import os
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import Field, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, TypeVar, get_args
from urllib.parse import urlsplit

from hub.errors import ConfigError
from hub.text import env_file
from hub.text.addresses import loopback, password_of
from hub.text.origins import normal, origin_of
from hub.text.phone_numbers import EXAMPLE, dialled
from hub.text.terms import Terms

Proof = Literal["signature", "token", "none"]

AGENT_MINUTES_MOST = 59.0
"""A voice model may end a session after 60 minutes (OpenAI does). An agent leaves before that."""

_OTHERS = frozenset({"HUB_TOKEN"})
"""Names that look like settings of the hub and are read by `transcript-client`."""

_GONE = {"HUB_JOURNAL": "is no setting any more: HUB_ARCHIVE=calls.db remembers live calls, and all others too"}
"""Settings of earlier versions, and what has come in their place."""

_ACCOUNT = re.compile(r"AC[0-9a-fA-F]{32}")
_KEY = re.compile(r"SK[0-9a-fA-F]{32}")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def setting(name: str, default: Any, meaning: str, *, secret: bool = False, required: bool = False) -> Any:
    """Declare one setting: its variable, its default, and its line in the table of settings.

    `secret`: the value is in no repr and no log. `required`: a provider cannot be used while this setting is empty.
    """
    about = {"name": name, "meaning": meaning, "secret": secret, "required": required}
    return field(default=default, repr=not secret, metadata=about)


class Section(Protocol):
    """The settings of one provider, or of one part of the hub: a frozen dataclass whose fields are all declared with `setting()`."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def check(self) -> None:
        """Raise ConfigError if a value is wrong, or if values do not fit together."""


S = TypeVar("S", bound=Section)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The hub's settings. Secrets are left out of its repr."""

    host: str = setting("HUB_HOST", "127.0.0.1", "address to listen on")
    port: int = setting("HUB_PORT", 5000, "port to listen on; 0 takes a free one")
    public_url: str = setting("HUB_PUBLIC_URL", "", "the hub's address as seen from outside, such as `https://hub.example.com`")
    tls_cert: str = setting("HUB_TLS_CERT", "", "PEM file with the certificate and its chain; with it the hub itself speaks https and wss")
    tls_key: str = setting("HUB_TLS_KEY", "", "PEM file with the private key, unless `HUB_TLS_CERT` contains it")
    secret: str = setting("HUB_SECRET", "", "signs tokens; with it, nobody watches a call without a token", secret=True)
    origins: str = setting(
        "HUB_ORIGINS",
        "",
        "other origins whose pages may connect and embed the dashboard, separated by commas; with `HUB_SECRET` also `null` and `file://`",
    )
    proxies: str = setting(
        "HUB_PROXIES", "", "proxies in front of the hub, as addresses or networks such as `10.0.0.0/8`: their `X-Forwarded-For` is believed"
    )
    calls: int = setting("HUB_CALLS", 0, "most calls at the same time, agents' calls included; 0: as many as one core carries")
    sockets_per_address: int = setting("HUB_SOCKETS_PER_ADDRESS", 10000, "most sockets at `/client` from one address")
    open: bool = setting("HUB_OPEN", False, "1: run without authentication on an address that others can reach")
    listen: bool = setting("HUB_LISTEN", False, "1: anyone allowed to watch a call can also hear it, live; off by default")
    watchwords: str = setting("HUB_WATCHWORDS", "", "TOML file with what calls are watched for, in words and in time: it makes an `alert`")
    transcriber: str = setting(
        "HUB_TRANSCRIBER",
        "auto",
        "auto, or the provider that transcribes: {speech}. auto takes the first of these that has the key it needs",
    )
    fallback: str = setting("HUB_FALLBACK", "", "the provider that takes over when the first one refuses for good: {speech}")
    keep_minutes: float = setting("HUB_KEEP_MINUTES", 60.0, "minutes for which a call can still be read after its end")
    drain_seconds: float = setting("HUB_DRAIN_SECONDS", 30.0, "seconds for which a stopping hub lets live calls go on")
    log_form: Literal["text", "json"] = setting(
        "HUB_LOG", "text", "`text` for people, or `json`: one object per line, with call and stream"
    )
    log: Literal["debug", "info", "warning", "error"] = setting("HUB_LOG_LEVEL", "info", "`debug`, `info`, `warning` or `error`")

    dial: str = setting(
        "HUB_DIAL", "", "whom `/twiml` connects callers with, also after an agent: a number such as `+14155550100`, `sip:…` or `client:…`"
    )
    greeting: str = setting("HUB_GREETING", "", "what `/twiml` says to callers first")
    archive: str = setting(
        "HUB_ARCHIVE",
        "",
        "file, or `postgresql://` address of a database, in which calls outlive the process; without it they are in memory only",
    )
    broker: str = setting(
        "HUB_BROKER",
        "",
        "address of a Valkey or Redis by which hubs share calls, such as `valkey://:password@10.0.0.5:6379`; without it, one process",
    )
    node: str = setting("HUB_NODE", "", "this hub's name among those that share a broker; by default the machine's name")
    keep_days: str = setting(
        "HUB_KEEP_DAYS",
        "0",
        "days for which the archive keeps a call after its end, 0: until it is erased; `30, +14155550100=7, sales=365` gives calls of a "
        "number or an agent days of their own",
    )
    keep_recording_days: str = setting("HUB_KEEP_RECORDING_DAYS", "0", "the same for recordings; one is erased with its call at the latest")
    recordings: str = setting(
        "HUB_RECORDINGS", "", "directory, or `s3://bucket/prefix`, in which calls are kept as sound; off by default; needs `HUB_ARCHIVE`"
    )
    recording_spool: str = setting(
        "HUB_RECORDING_SPOOL",
        "",
        "directory of live calls' sound; by default inside that of `HUB_RECORDINGS`, or beside the archive's file",
    )
    aws_key: str = setting("AWS_ACCESS_KEY_ID", "", "the key for the bucket in `HUB_RECORDINGS`")
    aws_key_secret: str = setting("AWS_SECRET_ACCESS_KEY", "", "the secret of that key", secret=True)
    aws_session: str = setting("AWS_SESSION_TOKEN", "", "with credentials that expire: their token", secret=True)
    aws_region: str = setting("AWS_REGION", "", "the region of the bucket")
    aws_endpoint: str = setting("AWS_ENDPOINT_URL", "", "address of a store that is not Amazon's, such as `https://minio.example.com`")
    webhooks: str = setting("HUB_WEBHOOKS", "", "TOML file of the programs that are sent what happens in calls; needs `HUB_ARCHIVE`")
    twilio_account: str = setting(
        "TWILIO_ACCOUNT_SID",
        "",
        "the account that the hub asks about calls, and that ends and transfers them; needs `TWILIO_API_KEY` or `TWILIO_AUTH_TOKEN`",
    )
    twilio_key: str = setting(
        "TWILIO_API_KEY",
        "",
        "an API key of the account (`SK…`), with which the hub asks instead of the auth token; needs `TWILIO_API_SECRET`",
    )
    twilio_key_secret: str = setting("TWILIO_API_SECRET", "", "the secret of the API key", secret=True)
    twilio_token: str = setting(
        "TWILIO_AUTH_TOKEN",
        "",
        "proves that Twilio is calling; while it is changed: the old and the new one, separated by a comma",
        secret=True,
    )
    twilio_url: str = setting(
        "TWILIO_API_URL", "https://api.twilio.com", "address of Twilio's REST API; a regional one keeps data in its region"
    )

    agents: str = setting("HUB_AGENTS", "", "TOML file that describes several agents")
    agent_minutes: float = setting("HUB_AGENT_MINUTES", 30.0, "longest time an agent stays on a call; at most 59")
    agent_calls: int = setting("HUB_AGENT_CALLS", 20, "most calls that agents answer at the same time; each is a session that is paid for")
    apology: str = setting(
        "HUB_APOLOGY", "I am sorry, I cannot go on with this call.", "what a caller hears when the agent cannot begin or go on"
    )

    sections: tuple[Section, ...] = ()
    """The sections that differ from their defaults, one per type."""

    def of(self, section: type[S]) -> S:
        """Return the section of this type, or its defaults if none of its settings was given."""
        return next((each for each in self.sections if isinstance(each, section)), section())

    @property
    def _parts(self) -> "tuple[Config | Section, ...]":
        return (self, *self.sections)

    @property
    def allowed_origins(self) -> tuple[str, ...]:
        """Web origins whose pages may connect, in their normal form: that of HUB_PUBLIC_URL, and those of HUB_ORIGINS."""
        given = (self.public_url and origin_of(self.public_url), *(part for part in self.origins.split(",") if part.strip()))
        return tuple(origin for each in given if each and (origin := normal(each)) is not None)

    @property
    def trusted_proxies(self) -> tuple[Network, ...]:
        """Networks of proxies that are believed when they say for whom they ask."""
        return tuple(ipaddress.ip_network(part.strip(), strict=False) for part in self.proxies.split(",") if part.strip())

    @property
    def auth_tokens(self) -> tuple[str, ...]:
        """Twilio's secrets, any of which may have signed a request."""
        return tuple(token.strip() for token in self.twilio_token.split(",") if token.strip())

    @property
    def twilio_credentials(self) -> tuple[tuple[str, str], ...]:
        """Names and passwords for Twilio's REST API, to be tried in this order."""
        key = ((self.twilio_key, self.twilio_key_secret),) if self.twilio_key else ()
        return (*key, *((self.twilio_account, token) for token in self.auth_tokens))

    @property
    def proof(self) -> Proof:
        """How a stream proves that Twilio sends it.

        `signature`: on the upgrade. `token`: one that this hub signed, in a <Parameter>. `none`: only this machine, or everyone, may call.
        """
        if self.auth_tokens:
            return "signature"
        return "token" if self.secret and (self.public_url or not loopback(self.host)) else "none"

    @property
    def exposed(self) -> str:
        """Where others who need no token can read every call: an address, for a sentence. Empty if they cannot, as far as the hub knows."""
        if self.secret:
            return ""
        return self.public_url or ("" if loopback(self.host) else f"{self.host} port {self.port}")

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every value that must be in no line of the log."""
        held = [str(getattr(part, each.name)) for part in self._parts for each in settings_of(part) if each.metadata["secret"]]
        held += [password_of(self.archive), password_of(self.broker)]
        return tuple(part.strip() for each in held for part in (each, *each.split(",")) if part.strip())


def settings_of(part: Config | Section | type[Config] | type[Section]) -> list[Field[Any]]:
    """Return the settings that a Config or a section declares."""
    return [each for each in fields(part) if "name" in each.metadata]


def missing(section: Section) -> str:
    """Return the name of the first required setting that is empty; empty if all are set."""
    return next(
        (each.metadata["name"] for each in settings_of(section) if each.metadata["required"] and not getattr(section, each.name)), ""
    )


def load(sections: Iterable[type[Section]], environment: Mapping[str, str] | None = None, dotenv: Path | None = Path(".env")) -> Config:
    """Read the settings: the environment first, then the .env file, then the defaults. `sections`: those of parts and providers.

    Raises: ConfigError, one sentence that names the setting, for a wrong value or an unknown `HUB_*` name.
    """
    environment = os.environ if environment is None else environment
    kinds = tuple(sections)
    parts: tuple[type[Config] | type[Section], ...] = (Config, *kinds)
    settings = {each.metadata["name"]: each.metadata["secret"] for part in parts for each in settings_of(part)}
    given = env_file.read(dotenv, [name for name, secret in settings.items() if secret]) if dotenv else {}
    given.update(environment)
    for name in given:
        _check_name(name, settings)
    config = Config(**_values(Config, given))
    config = replace(config, sections=tuple(kind(**values) for kind in kinds if (values := _values(kind, given))))
    config = replace(config, sections=tuple(each for each in config.sections if each != type(each)()))
    _check(config)
    for section in config.sections:
        section.check()
    return replace(config, dial=dialled(config.dial) or "")


def _check_name(name: str, known: Collection[str]) -> None:
    """Raise ConfigError for a name that was meant to be a setting and is none. Names of other programs are none of the hub's business.

    Meant to be one are all that begin with HUB_, in capitals or not, and those that differ from a setting in nothing but capitals and
    punctuation, as `hub_secret` and `TWILIO-AUTH-TOKEN` do, or have a setting's name in them, as `$env:HUB_SECRET` does.
    """
    if name in known or name in _OTHERS:
        return
    if name in _GONE:
        raise ConfigError(name, _GONE[name])
    word = next((word for word in re.findall(r"\w+", name) if word in known), name)
    meant = {_letters(setting): setting for setting in known}.get(_letters(word))
    if meant is not None:
        raise ConfigError(name, f"is no setting of this hub: write {meant}")
    if name.upper().startswith("HUB_"):
        like = difflib.get_close_matches(name.upper(), [setting for setting in known if setting.startswith("HUB_")], 1, 0.7)
        if like:
            raise ConfigError(name, f"is no setting of this hub: did you mean {like[0]}?")
        raise ConfigError(name, f"is no setting of this hub; the settings are {', '.join(sorted(known))}")


def _letters(name: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", name.upper())


def _values(part: type[Config] | type[Section], given: Mapping[str, str]) -> dict[str, Any]:
    """Return the values that are given for a part's settings, by field."""
    named = {each.metadata["name"]: each for each in settings_of(part)}
    return {each.name: _read(name, given[name].strip(), each.type) for name, each in named.items() if given.get(name, "").strip()}


def _read(name: str, text: str, kind: Any) -> Any:
    if any("\ud800" <= letter <= "\udfff" for letter in text):  # how Python shows bytes of the environment that are no text
        raise ConfigError(name, "is not text in UTF-8")
    if kind is bool:
        if text.lower() not in {"0", "1", "true", "false", "yes", "no"}:
            raise ConfigError(name, f"must be 1 or 0, not {text!r}")
        return text.lower() in {"1", "true", "yes"}
    if kind is int or kind is float:
        try:
            return kind(text)
        except ValueError:
            raise ConfigError(name, f"must be a number, not {text!r}") from None
    choices = get_args(kind)
    if choices and text not in choices:
        raise ConfigError(name, f"must be one of {', '.join(choices)}, not {text!r}")
    return text


def _check(config: Config) -> None:
    _check_twilio(config)
    if not 0 <= config.port <= 65535:
        raise ConfigError("HUB_PORT", f"must be between 0 and 65535, not {config.port}")
    for name, value in (("HUB_KEEP_MINUTES", config.keep_minutes), ("HUB_DRAIN_SECONDS", config.drain_seconds)):
        if not 0 <= value < float("inf"):
            raise ConfigError(name, f"must not be negative, not {value}")
    for name, text in (("HUB_KEEP_DAYS", config.keep_days), ("HUB_KEEP_RECORDING_DAYS", config.keep_recording_days)):
        try:
            terms = Terms.of(text)
        except ValueError as error:
            raise ConfigError(name, str(error)) from error
        if not terms.endless and not config.archive:
            raise ConfigError(name, "is set, but calls are kept in memory only: set HUB_ARCHIVE too")
    _check_recordings(config)
    if config.tls_key and not config.tls_cert:
        raise ConfigError("HUB_TLS_KEY", "is set and HUB_TLS_CERT is not: name the file with the certificate, too")
    if config.public_url:
        check_url("HUB_PUBLIC_URL", config.public_url, ("https", "http"))
    _check_origins(config)
    try:
        _ = config.trusted_proxies
    except ValueError as error:
        raise ConfigError("HUB_PROXIES", f"must be addresses or networks such as 10.0.0.0/8, separated by commas: {error}") from error
    if not 0 < config.agent_minutes <= AGENT_MINUTES_MOST:
        raise ConfigError("HUB_AGENT_MINUTES", f"must be more than 0 and at most {AGENT_MINUTES_MOST:g}, not {config.agent_minutes:g}")
    if config.calls < 0:
        raise ConfigError("HUB_CALLS", f"must not be negative, not {config.calls}")
    if config.agent_calls < 1:
        raise ConfigError("HUB_AGENT_CALLS", f"must be at least 1, not {config.agent_calls}")
    if config.sockets_per_address < 1:
        raise ConfigError("HUB_SOCKETS_PER_ADDRESS", f"must be at least 1, not {config.sockets_per_address}")
    if not config.secret and not config.open and not loopback(config.host):
        raise ConfigError(
            "HUB_HOST",
            f"{config.host} can be reached by others, who could then read every call: set HUB_SECRET, so that they need a token, "
            "or HUB_OPEN=1 if everyone may",
        )


def _check_recordings(config: Config) -> None:
    if config.recordings and not config.archive:
        raise ConfigError("HUB_RECORDINGS", "is set, but the archive has to know where recordings are: set HUB_ARCHIVE too")
    if config.recordings.startswith("s3:"):
        check_url("HUB_RECORDINGS", config.recordings, ("s3",))
        if not config.recording_spool and "://" in config.archive:
            raise ConfigError("HUB_RECORDING_SPOOL", "is not set: name a directory for what the bucket does not have yet")
    elif "://" in config.recordings:
        raise ConfigError("HUB_RECORDINGS", f"must be a directory or s3://bucket/prefix, not {config.recordings!r}")
    if config.aws_endpoint:
        check_url("AWS_ENDPOINT_URL", config.aws_endpoint, ("https", "http"))


def _check_origins(config: Config) -> None:
    for given in filter(None, (part.strip() for part in config.origins.split(","))):
        origin = normal(given)
        if origin is None:
            raise ConfigError(
                "HUB_ORIGINS", f"{given!r} can never match: an origin is a scheme and a host, such as https://desk.example.com"
            )
        if not origin.startswith(("https://", "http://")) and not config.secret:
            raise ConfigError(
                "HUB_ORIGINS",
                f"{given!r} stands for many pages, also of strangers: it can be allowed only where HUB_SECRET asks for a token",
            )


def _check_twilio(config: Config) -> None:
    if config.auth_tokens and not config.public_url:
        raise ConfigError(
            "HUB_PUBLIC_URL", "is not set, but TWILIO_AUTH_TOKEN is: Twilio signs the address it dials, so the hub must know its own"
        )
    if config.twilio_account and not _ACCOUNT.fullmatch(config.twilio_account):
        raise ConfigError("TWILIO_ACCOUNT_SID", "must be AC and 32 hexadecimal digits")
    if config.twilio_key and not _KEY.fullmatch(config.twilio_key):
        raise ConfigError("TWILIO_API_KEY", "must be SK and 32 hexadecimal digits: the key's SID, not its secret")
    if bool(config.twilio_key) != bool(config.twilio_key_secret):
        raise ConfigError("TWILIO_API_SECRET" if config.twilio_key else "TWILIO_API_KEY", "is not set: an API key has two parts")
    if config.twilio_key and not config.twilio_account:
        raise ConfigError("TWILIO_ACCOUNT_SID", "is not set, but TWILIO_API_KEY is: name the account that the key belongs to")
    if config.twilio_account and not config.twilio_credentials:
        raise ConfigError(
            "TWILIO_ACCOUNT_SID", "is set, so it needs TWILIO_API_KEY and TWILIO_API_SECRET, or the account's token in TWILIO_AUTH_TOKEN"
        )
    if config.dial and dialled(config.dial) is None:
        raise ConfigError("HUB_DIAL", f"must be a number with its country code, as {EXAMPLE}, or sip:… or client:…")
    check_url("TWILIO_API_URL", config.twilio_url, ("https", "http"))


def check_url(name: str, url: str, schemes: tuple[str, ...]) -> None:
    """Raise ConfigError unless this is an absolute URL of one of the schemes, without a query or a fragment."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a bracket that is not closed, a port that is no number or too high
        good = False
    if not good or re.search(r"[?#\s]", url):
        raise ConfigError(name, f"must be a URL like {schemes[0]}://host, not {url!r}")
