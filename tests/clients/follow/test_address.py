"""A hub's address, as people paste it."""

import pytest

from clients.follow import Refused, door_address, follow
from clients.follow.address import Door

LOCAL = "ws://127.0.0.1:5000/client"


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("ws://127.0.0.1:5000/client", LOCAL),
        ("ws://127.0.0.1:5000/client/", LOCAL),
        ("ws://127.0.0.1:5000", LOCAL),
        ("http://127.0.0.1:5000/", LOCAL),
        ("HTTP://127.0.0.1:5000", LOCAL),
        ("http://127.0.0.1:5000/#CA1,CA2", LOCAL),
        ("ws://127.0.0.1:5000/twilio", LOCAL),
        ("127.0.0.1:5000", LOCAL),
        (" \ufeff127.0.0.1:5000/client\r\n", LOCAL),
        ("localhost:5000", "ws://localhost:5000/client"),
        ("localhost:5000/hub/", "ws://localhost:5000/hub/client"),
        ("[::1]:5000", "ws://[::1]:5000/client"),
        ("10.0.0.7:5000", "ws://10.0.0.7:5000/client"),
        ("hub:5000", "ws://hub:5000/client"),
        ("hub.example.com", "wss://hub.example.com/client"),
        ("hub.example.com:8443/calls-hub", "wss://hub.example.com:8443/calls-hub/client"),
        ("20.30.40.50", "wss://20.30.40.50/client"),
        ("https://hub.example.com", "wss://hub.example.com/client"),
        ("https://hub.example.com/hub/client", "wss://hub.example.com/hub/client"),
        ("wss://hub.example.com/client?tenant=7", "wss://hub.example.com/client?tenant=7"),
    ],
)
def test_every_way_to_name_a_hub_is_taken(given: str, address: str) -> None:
    assert door_address(given, "/client") == address
    assert door_address(address, "/client") == address


@pytest.mark.parametrize("door", ["/client", "/twilio", "/agent"])
def test_an_address_of_one_door_leads_to_every_other(door: Door) -> None:
    for other in ("/client", "/twilio", "/agent", ""):
        assert door_address(f"http://hub.example.com/prefix{other}", door) == f"ws://hub.example.com/prefix{door}"


@pytest.mark.parametrize(
    "given", ["", " ", "ftp://hub.example.com", "ws://", "http://hub example", "ws://hub:port", "ws://[::1", "://hub", "/client"]
)
async def test_what_is_no_address_is_refused_with_one_sentence(given: str) -> None:
    with pytest.raises(ValueError, match="is not a hub's address") as error:
        door_address(given, "/client")
    assert "\n" not in str(error.value)
    with pytest.raises(Refused, match="is not a hub's address"):
        await anext(follow(given, "CA1"))
