"""Origins: which web pages may use a hub through a user's browser."""

import re
from typing import Any

import aiohttp
import pytest

from hub.config import load
from hub.errors import ConfigError
from tests.house import house
from tests.web.watchers import SECRET, token


@pytest.mark.parametrize(
    ("origin", "settings", "status"),
    [
        (None, {}, 101),
        ("http://{host}", {}, 101),
        ("https://{host}", {}, 101),
        ("HTTP://{host}", {}, 101),
        ("http://127.0.0.1", {}, 403),
        ("http://127.0.0.1:1", {}, 403),
        ("https://evil.example", {}, 403),
        ("https://evil.example", {"secret": SECRET}, 403),
        ("https://evil.example", {"open": True}, 403),
        ("null", {}, 403),
        ("null", {"secret": SECRET}, 403),
        ("", {}, 403),
        ("file://", {}, 403),
        ("http://[::1", {}, 403),
        ("ws://{host}", {}, 403),
        ("http://{host}.evil.example", {}, 403),
        ("http://evil.example@{host}", {}, 403),
        ("https://desk.example", {"origins": "https://desk.example, http://two.example:8080/"}, 101),
        ("http://two.example:8080", {"origins": "https://desk.example, http://two.example:8080/"}, 101),
        ("http://desk.example", {"origins": "https://desk.example"}, 403),
        ("https://hub.example.com", {"public_url": "https://hub.example.com/"}, 101),
        ("https://hub.example.com", {"public_url": "https://Hub.Example.com:443x".removesuffix(":443x")}, 101),
        ("http://hub.example.com", {"public_url": "https://hub.example.com"}, 403),
        ("https://desk.example", {"origins": "https://Desk.Example:443/"}, 101),
        ("http://desk.example", {"origins": "HTTP://desk.example:80"}, 101),
        ("https://xn--bcher-kva.example", {"origins": "https://bücher.example"}, 101),
        ("null", {"origins": "null", "secret": SECRET}, 101),
        ("file://", {"origins": "file:///", "secret": SECRET}, 101),
        ("app://desk", {"origins": "app://Desk", "secret": SECRET}, 101),
        ("app://other", {"origins": "app://desk", "secret": SECRET}, 403),
        ("null", {"origins": "file://", "secret": SECRET}, 403),
    ],
)
async def test_only_pages_of_known_origins_connect(origin: str | None, settings: dict[str, Any], status: int) -> None:
    async with house(**settings) as home:
        headers = {"Authorization": f"Bearer {token()}"}
        if origin is not None:
            headers["Origin"] = origin.format(host=f"127.0.0.1:{home.port}")
        if status == 101:
            await (await home.session.ws_connect(home.url("/client"), headers=headers)).close()
        else:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await home.session.ws_connect(home.url("/client"), headers=headers)
            assert refused.value.status == status
        async with home.session.get(home.url("/calls"), headers=headers) as answer:
            assert answer.status == (200 if status == 101 else 403)


@pytest.mark.parametrize(
    ("host", "settings", "status"),
    [
        ("127.0.0.1:5000", {}, 200),
        ("localhost:5000", {}, 200),
        ("[::1]:5000", {}, 200),
        ("192.0.2.7", {}, 200),
        ("evil.example:5000", {}, 403),
        ("evil.example:5000", {"secret": SECRET}, 200),
        ("evil.example:5000", {"open": True}, 200),
        ("hub.example.com", {"public_url": "https://hub.example.com"}, 200),
    ],
)
async def test_a_site_that_points_its_own_name_at_our_address_reads_nothing(host: str, settings: dict[str, Any], status: int) -> None:
    """DNS rebinding: to the browser the page is then of our own origin, and it sends no Origin when it reads."""
    async with house(**settings) as home:
        headers = {"Host": host, "Authorization": f"Bearer {token()}"}
        async with home.session.get(home.url("/calls"), headers=headers) as answer:
            assert answer.status == status
        if status == 403:
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await home.session.ws_connect(home.url("/client"), headers=headers | {"Origin": f"http://{host}"})


@pytest.mark.parametrize(
    ("origins", "says"),
    [
        ("*", "can never match"),
        ("https://*.example.com", "can never match"),
        ("desk.example.com", "can never match"),
        ("localhost:3000", "can never match"),
        ("https://desk.example.com/page", "can never match"),
        ("https://desk.example.com?a=1", "can never match"),
        ("https://user@desk.example.com", "can never match"),
        ("wss://desk.example.com", "can never match"),
        ("https://desk.example.com, nonsense", "'nonsense' can never match"),
        ("null", "only where HUB_SECRET asks for a token"),
        ("file://", "only where HUB_SECRET asks for a token"),
        ("app://desk", "only where HUB_SECRET asks for a token"),
    ],
)
def test_an_origin_that_can_never_match_or_is_everybodys_stops_the_start(origins: str, says: str) -> None:
    with pytest.raises(ConfigError, match=f"HUB_ORIGINS .*{re.escape(says)}"):
        load((), {"HUB_ORIGINS": origins}, None)
