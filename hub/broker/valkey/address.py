"""Reads HUB_BROKER: which servers, by which way, under which prefix.

    valkey://[user[:password]@]host[:port][/database]                 one server; redis:// is the same
    valkeys://…  rediss://…                                            the same over TLS
    valkey+sentinel://[user[:password]@]host[:port],host[:port]…/name  the master that Sentinel calls by this name
    valkey+cluster://[user[:password]@]host[:port],host[:port]…        a Cluster; some of its nodes are enough

Options after `?`: `prefix` (default `hub`) comes before every key and channel; `ca`, `cert` and `key` are files for TLS; `sentinel_user`
and `sentinel_password` are for Sentinels that want some. Passwords are written as URLs want them, `%40` for `@`.

Knows the text of an address. Does not connect.
"""

import re
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import NoReturn
from urllib.parse import parse_qs, unquote

from hub.errors import ConfigError

SETTING = "HUB_BROKER"
DEFAULT_PORT = 6379
SENTINEL_PORT = 26379
SCHEME = re.compile(r"(?P<product>valkey|redis)(?P<tls>s?)(?:\+(?P<kind>sentinel|cluster))?")
PREFIX = re.compile(r"[A-Za-z0-9._-]{1,64}")
OPTIONS = ("prefix", "ca", "cert", "key", "sentinel_user", "sentinel_password")


class Topology(Enum):
    """How the servers are found."""

    ONE = "one"
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where the broker is. `str()` of it has no password."""

    topology: Topology
    hosts: tuple[tuple[str, int], ...]
    """Host and port of each server that is named: of the Sentinels, where those are asked."""
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    database: int = 0
    master: str = ""
    """The name by which Sentinel knows the master."""
    tls: bool = False
    prefix: str = "hub"
    ca: str | None = None
    """File with the authorities that the server's certificate may be from. None: those of this machine."""
    cert: str | None = None
    """File with this node's own certificate, for servers that want one, and `key` its private key."""
    key: str | None = None
    sentinel_user: str | None = field(default=None, repr=False)
    sentinel_password: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        places = ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.hosts)
        match self.topology:
            case Topology.SENTINEL:
                return f"{self.master} (Sentinels {places})"
            case Topology.CLUSTER:
                return f"{places} (Cluster)"
            case _:
                return places


def parse_address(url: str) -> BrokerAddress:
    """Read an address. Raises: ConfigError, whose text never has a password."""
    scheme, found, rest = url.partition("://")
    kind = SCHEME.fullmatch(scheme.lower()) if found else None
    if kind is None:
        # Without `://` all of it may be a password, so nothing of it is repeated.
        _refuse(f"cannot be at a {scheme}:// address: give valkey://host:6379" if found else "is no address: give valkey://host:6379")
    topology = Topology(kind["kind"] or "one")
    rest, _, query = rest.partition("?")
    authority, _, path = rest.partition("/")
    credentials, _, places = authority.rpartition("@")
    user, _, password = credentials.partition(":")
    hosts = tuple(_place(each, SENTINEL_PORT if topology is Topology.SENTINEL else DEFAULT_PORT) for each in places.split(","))
    if topology is Topology.ONE and len(hosts) > 1:
        _refuse(f"names {len(hosts)} servers: for several, write {scheme}+sentinel:// or {scheme}+cluster://")
    options = _options(query)
    master, database = _path(topology, unquote(path))
    return BrokerAddress(
        topology,
        hosts,
        user=unquote(user) or None,
        password=unquote(password) or None,
        database=database,
        master=master,
        tls=bool(kind["tls"]),
        prefix=options.get("prefix", "hub"),
        ca=options.get("ca"),
        cert=options.get("cert"),
        key=options.get("key"),
        sentinel_user=options.get("sentinel_user"),
        sentinel_password=options.get("sentinel_password"),
    )


def _place(text: str, default_port: int) -> tuple[str, int]:
    match = re.fullmatch(r"\[(?P<bracketed>[0-9A-Fa-f:.]+)\](?::(?P<port6>\d+))?|(?P<host>[^\[\]:\s]+)(?::(?P<port>\d+))?", text)
    if match is None:
        _refuse("names no server" if not text else "has a server that is not written host:port")
    port = int(match["port6"] or match["port"] or default_port)
    if not 0 < port < 65_536:
        _refuse(f"has port {port}: ports are 1 to 65535")
    return match["bracketed"] or match["host"], port


def _path(topology: Topology, path: str) -> tuple[str, int]:
    """Return the master's name and the database."""
    name, _, database = path.partition("/") if topology is Topology.SENTINEL else ("", "", path)
    if topology is Topology.SENTINEL and not name:
        _refuse("does not say which master the Sentinels are asked for: write its name after the servers, as in …:26379/mymaster")
    if not database:
        return name, 0
    if not database.isdecimal():
        _refuse(f"ends in /{database}: only the number of a database may stand there")
    if topology is Topology.CLUSTER and int(database):
        _refuse(f"has database {database}: a Cluster has only database 0")
    return name, int(database)


def _options(query: str) -> dict[str, str]:
    try:
        options = {name: values[-1] for name, values in parse_qs(query, keep_blank_values=True, strict_parsing=bool(query)).items()}
    except ValueError:
        _refuse("has options that are not written ?name=value&name=value")
    for name in options:
        if name not in OPTIONS:
            _refuse(f"has an option {name}: there are {', '.join(OPTIONS)}")
    if not PREFIX.fullmatch(options.get("prefix", "hub")):
        _refuse("has a prefix with other characters than letters, digits, dots, dashes and underscores, or with more than 64")
    for name in ("ca", "cert", "key"):
        if name in options and not Path(options[name]).is_file():
            _refuse(f"names {options[name]} as {name}: there is no such file")
    if ("cert" in options) != ("key" in options):
        _refuse("needs cert and key together")
    return options


def _refuse(problem: str) -> NoReturn:
    raise ConfigError(SETTING, problem)
