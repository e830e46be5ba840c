"""How HUB_BROKER is written, and what is said where it is written wrong: never a password."""

from pathlib import Path

import pytest

from hub.broker.opening import open_broker
from hub.broker.valkey.address import BrokerAddress, Topology, parse_address
from hub.errors import ConfigError

SECRET = "pa$$-word"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("valkey://localhost", BrokerAddress(Topology.ONE, (("localhost", 6379),))),
        ("redis://10.0.0.1:7000/3", BrokerAddress(Topology.ONE, (("10.0.0.1", 7000),), database=3)),
        ("REDISS://h", BrokerAddress(Topology.ONE, (("h", 6379),), tls=True)),
        ("valkeys://hub:a%40b%2Fc@h:1?prefix=two", BrokerAddress(Topology.ONE, (("h", 1),), "hub", "a@b/c", tls=True, prefix="two")),
        ("valkey://:pw@h", BrokerAddress(Topology.ONE, (("h", 6379),), None, "pw")),
        ("valkey://[::1]:7000", BrokerAddress(Topology.ONE, (("::1", 7000),))),
        (
            "valkey+sentinel://:pw@a,b:1/calls/2?sentinel_password=x",
            BrokerAddress(Topology.SENTINEL, (("a", 26379), ("b", 1)), None, "pw", 2, "calls", sentinel_password="x"),
        ),
        ("redis+cluster://a:1,b:2", BrokerAddress(Topology.CLUSTER, (("a", 1), ("b", 2)))),
        ("valkeys+cluster://a", BrokerAddress(Topology.CLUSTER, (("a", 6379),), tls=True)),
    ],
)
def test_an_address_is_read(url: str, address: BrokerAddress) -> None:
    assert parse_address(url) == address


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        (SECRET, "no address"),
        ("", "no address"),
        (f"http://:{SECRET}@h", "http://"),
        (f"valkey://:{SECRET}@", "names no server"),
        (f"valkey://:{SECRET}@h:x", "host:port"),
        (f"valkey://:{SECRET}@h:0", "ports are 1 to 65535"),
        (f"valkey://:{SECRET}@h:70000", "ports are 1 to 65535"),
        (f"valkey://:{SECRET}@a,b", r"valkey\+sentinel://"),
        (f"valkey://:{SECRET}@h/calls", "number of a database"),
        (f"valkey+sentinel://:{SECRET}@h", "which master"),
        (f"valkey+cluster://:{SECRET}@h/1", "only database 0"),
        (f"valkey://:{SECRET}@h?prefix=a:b", "prefix"),
        (f"valkey://:{SECRET}@h?prefix=", "prefix"),
        (f"valkey://:{SECRET}@h?pref=a", "pref"),
        (f"valkey://:{SECRET}@h?prefix", "name=value"),
        (f"valkeys://:{SECRET}@h?ca=/no/such/file", "/no/such/file"),
    ],
)
def test_what_is_wrong_with_an_address_is_said_without_its_password(url: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        open_broker(url, "", 60.0)
    assert caught.value.setting == "HUB_BROKER"
    assert SECRET not in str(caught.value)


def test_a_certificate_needs_its_key(tmp_path: Path) -> None:
    file = tmp_path / "cert.pem"
    file.write_text("")
    with pytest.raises(ConfigError, match="cert and key"):
        parse_address(f"valkeys://h?cert={file}")


def test_an_address_is_shown_without_its_password() -> None:
    address = parse_address(f"valkey+sentinel://hub:{SECRET}@a,[::1]:1/calls?sentinel_password={SECRET}")
    assert str(address) == "calls (Sentinels a:26379,[::1]:1)"
    assert SECRET not in repr(address)
