"""What `check` says of the broker and of the other nodes, on a real Valkey."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from hub import __version__
from hub.broker.broker import Node
from hub.broker.opening import open_broker
from hub.calls.clustered import fingerprint
from hub.check.peers import Deaf, Peers
from hub.check.public import Broken, Skipped
from tests.broker.servers import ServerInTest, free_port, running_server, valkey_program
from tests.settings import configured

pytestmark = pytest.mark.skipif(valkey_program() is None, reason="there is no wheel of Valkey for this machine")

SECRET = "a secret of at least thirty-two characters"


@pytest.fixture(scope="module")
def valkey() -> Iterator[ServerInTest]:
    with running_server() as server:
        yield server


@pytest.fixture
def url(valkey: ServerInTest) -> str:
    """A cluster of the test's own, by its prefix."""
    return f"{valkey.url}?prefix={secrets.token_hex(8)}"


@asynccontextmanager
async def living(url: str, name: str, *, ahead: float = 0.0, beats: bool = True, **facts: Any) -> AsyncIterator[None]:
    """A node that renews its lease, or did so once. `ahead`: by so many seconds its clock is wrong."""
    about = {"version": __version__, "protocol": 1, "secret": fingerprint(SECRET)} | facts

    async def beat() -> None:
        await broker.beat(Node(id=f"{name}-1", name=name, at=time.time() + ahead, **about))

    async def keep_beating() -> None:
        while True:
            await asyncio.sleep(0.3)
            await beat()

    async with asyncio.TaskGroup() as group:
        broker = open_broker(url, SECRET, 60.0)
        await broker.open(Deaf(), group)
        await beat()
        beating = group.create_task(keep_beating()) if beats else None
        try:
            yield
        finally:
            if beating is not None:
                beating.cancel()
            await broker.close()


async def checked(url: str, secret: str = SECRET) -> tuple[str, str]:
    peers = Peers(configured(broker=url, secret=secret, archive="postgresql://hub@127.0.0.1/hub", node="this"))
    return await peers.broker(), await peers.nodes()


async def test_a_sound_broker_without_other_nodes(url: str) -> None:
    broker, nodes = await checked(url)
    assert "(Valkey " in broker
    assert "does what a hub needs; a round trip takes " in broker
    assert "ms ahead of that of the broker" in broker or "ms behind that of the broker" in broker
    assert nodes == "no other node lives"
    assert (await checked(url))[1] == "no other node lives", "the first check has left"


async def test_living_nodes_are_named_with_version_calls_and_clock(url: str) -> None:
    async with living(url, "berlin", live=12), living(url, "paris"):
        _, nodes = await checked(url)
    assert nodes.startswith(f"2 other nodes live: berlin ({__version__}, 12 calls, clock ")
    assert f"paris ({__version__}, 0 calls, clock " in nodes


@pytest.mark.parametrize(
    ("node", "words"),
    [
        ({"version": "9.9.9"}, f"berlin is version 9.9.9, and this hub {__version__}"),
        ({"ahead": 300.0}, "berlin has a clock that is 300 s ahead of that of the broker"),
        ({"ahead": -30.0}, "s behind that of the broker: use NTP"),
        ({"leaving": True}, "berlin is leaving"),
        ({"behind": True}, "berlin is behind: it tells events that are stored nowhere"),
        ({"beats": False}, "berlin does not renew its lease"),
    ],
)
async def test_what_is_strange_about_a_node_is_a_note(url: str, node: dict[str, Any], words: str) -> None:
    async with living(url, "berlin", **node):
        _, nodes = await checked(url)
    assert nodes.startswith("note: one other node lives: berlin (")
    assert words in nodes


async def test_another_secret_is_named_with_the_node_that_has_it(url: str) -> None:
    async with living(url, "berlin"):
        with pytest.raises(Broken, match=r"berlin.*HUB_SECRET"):
            await checked(url, "another secret of at least thirty-two characters")


async def test_a_broker_that_is_away_fails_and_its_nodes_are_skipped() -> None:
    peers = Peers(configured(broker=f"valkey://:canary@127.0.0.1:{free_port()}", secret=SECRET, archive="postgresql://hub@127.0.0.1/hub"))
    with pytest.raises(Broken) as broken:
        await peers.broker()
    assert broken.value.problem.startswith("HUB_BROKER: the broker at 127.0.0.1:")
    assert "canary" not in broken.value.problem
    with pytest.raises(Skipped):
        await peers.nodes()


async def test_a_broker_that_throws_keys_away_fails() -> None:
    with running_server(maxmemory="50mb", maxmemory_policy="allkeys-lru") as server, pytest.raises(Broken, match="noeviction"):
        await checked(server.url)
