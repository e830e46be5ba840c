"""The client's address behind proxies: what our own proxies wrote is believed, what a client wrote is not."""

import asyncio

import aiohttp
import pytest

from hub.config import Config, load
from hub.errors import ConfigError
from hub.web.proxies import HOPS, client_address
from tests.house import House, house
from tests.web.watchers import SECRET, connect, token, until


@pytest.mark.parametrize(
    ("peer", "header", "client"),
    [
        ("10.0.0.1", ["203.0.113.5"], "203.0.113.5"),
        ("10.0.0.1", ["198.51.100.9, 203.0.113.5"], "203.0.113.5"),
        ("10.0.0.1", ["198.51.100.9", "203.0.113.5"], "203.0.113.5"),
        ("10.0.0.1", ["203.0.113.5, 10.0.0.2,10.0.0.3"], "203.0.113.5"),
        ("10.0.0.1", ["203.0.113.5:50000"], "203.0.113.5"),
        ("10.0.0.1", ["[2001:db8::5]:50000"], "2001:db8::5"),
        ("10.0.0.1", ['"[2001:db8::5]"'], "2001:db8::5"),
        ("10.0.0.1", ["2001:db8::5"], "2001:db8::5"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["unknown"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.5, unknown"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.5, _hidden, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", ["10.0.0.9, 10.0.0.2"], "10.0.0.9"),
        ("10.0.0.1", [", ,"], "10.0.0.1"),
        ("::ffff:10.0.0.1", ["203.0.113.5"], "203.0.113.5"),
        ("203.0.113.7", ["10.0.0.1"], "203.0.113.7"),
        ("fd00::1", ["203.0.113.5"], "203.0.113.5"),
        ("10.0.0.1", ["203.0.113.5" + ", 10.0.0.2" * HOPS], "10.0.0.2"),
        ("10.0.0.1", ["203.0.113.5", *["10.0.0.2"] * HOPS], "10.0.0.2"),
        ("10.0.0.1", ["203.0.113.5" + ", 10.0.0.2" * (HOPS - 1)], "203.0.113.5"),
    ],
)
def test_the_client_is_the_last_address_that_is_no_proxy_of_ours(peer: str, header: list[str], client: str) -> None:
    proxies = Config(proxies="10.0.0.0/8, fd00::1").trusted_proxies
    assert client_address(peer, header, proxies) == client
    assert client_address(peer, header, ()) == peer


@pytest.mark.parametrize("value", ["caddy", "10.0.0.0/33", "10.0.0.1;10.0.0.2", "*"])
def test_a_proxy_that_is_no_address_stops_the_start(value: str) -> None:
    with pytest.raises(ConfigError, match="HUB_PROXIES must be addresses or networks"):
        load((), {"HUB_PROXIES": value}, None)


async def refused(home: House, **headers: str) -> int:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
        await connect(home, token(), **headers)
    return refusal.value.status


async def test_sockets_are_counted_by_the_clients_address_and_nobody_can_invent_one() -> None:
    async with house(secret=SECRET, sockets_per_address=1, proxies="127.0.0.1") as home:
        await connect(home, token(), **{"X-Forwarded-For": "203.0.113.5"})
        await connect(home, token(), **{"X-Forwarded-For": "203.0.113.6"})
        assert await refused(home, **{"X-Forwarded-For": "203.0.113.5"}) == 429
        assert await refused(home, **{"X-Forwarded-For": "198.51.100.1, 203.0.113.5"}) == 429
    async with house(secret=SECRET, sockets_per_address=1) as home:
        await connect(home, token(), **{"X-Forwarded-For": "203.0.113.5"})
        assert await refused(home, **{"X-Forwarded-For": "203.0.113.6"}) == 429


async def test_mute_sockets_behind_a_proxy_lock_no_viewer_out() -> None:
    """All of them come from one address, and none has a token."""
    async with house(secret=SECRET, sockets_per_address=50) as home:
        mute = [await connect(home) for _ in range(60)]
        viewer = await connect(home, token())
        assert await viewer.receive_json() == []
        by_hand = await connect(home)
        await by_hand.send_str(token())
        assert await by_hand.receive_json() == []
        assert dict(home.state.addresses) == {"127.0.0.1": 2}
        assert not any(each.closed for each in mute)


async def test_the_oldest_mute_socket_makes_place_and_a_viewers_never_does() -> None:
    async with house(secret=SECRET) as home:
        home.state.unproved.most, home.state.unproved.grace_seconds = 10, 0.0
        viewer = await connect(home, token())
        assert await viewer.receive_json() == []
        mute = [await connect(home) for _ in range(30)]
        assert [(await each.receive()).type for each in mute[:20]] == [aiohttp.WSMsgType.CLOSED] * 20
        assert len(home.state.unproved) == 10
        await viewer.send_json({"action": "ping"})
        await until(viewer, "pong")
        for each in mute[20:]:
            await each.send_str(token())
            assert await each.receive_json() == []
        while len(home.state.unproved):
            await asyncio.sleep(0.01)


async def test_a_socket_that_shows_its_token_when_the_address_is_full_is_told_so() -> None:
    async with house(secret=SECRET, sockets_per_address=1) as home:
        await connect(home, token())
        late = await connect(home)
        await late.send_str(token())
        error = await until(late, "error")
        assert error["code"] == "too-many"
        assert (await late.receive()).data == 4503
