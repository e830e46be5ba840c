"""Which addresses are this machine's own."""

import pytest

from hub.text.addresses import loopback, proxy


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST", "localhost.", "hub.localhost", "127.0.0.1", "127.8.9.10", "::1", "[::1]", "::ffff:127.0.0.1"]
)
def test_this_machine(host: str) -> None:
    assert loopback(host)
    assert proxy(f"ws://{f'[{host}]' if ':' in host and '[' not in host else host}:5000/client") is None


@pytest.mark.parametrize("host", ["", "hub.example.com", "localhost.example.com", "10.0.0.1", "0.0.0.0", "::", "192.168.1.1"])
def test_other_machines(host: str) -> None:
    assert not loopback(host)
    assert proxy(f"wss://{host or 'x'}/client".replace("//::", "//[::]")) is True
