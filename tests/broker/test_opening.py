"""Brokers that a hub must not use, each refused in one sentence that says what is wrong and never a password."""

import asyncio
import re
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.exceptions import NoPermissionError

import hub.broker.valkey.keys
from hub.broker.broker import BrokerError
from hub.broker.valkey.address import parse_address
from hub.broker.valkey.broker import ValkeyBroker
from tests.broker.clusters import opened
from tests.broker.conftest import program_of
from tests.broker.listening import CALL, Listener, append, claimed, node
from tests.broker.servers import ServerInTest, free_port, running_server

PASSWORD = "canary-of-a-password"


async def refused(url: str, group: asyncio.TaskGroup) -> str:
    """Open a broker that is refused, and return why."""
    broker = ValkeyBroker(parse_address(url), "")
    with pytest.raises(BrokerError) as caught:
        await broker.open(Listener(), group)
    assert PASSWORD not in str(caught.value)
    assert "\n" not in caught.value.problem
    await broker.close()
    return caught.value.problem


@asynccontextmanager
async def answering(answer: Callable[[bytes], bytes]) -> AsyncIterator[int]:
    """Run something else than a Valkey: it answers whatever comes. Yields its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (asked := await reader.read(4096)) and (said := answer(asked)):
            writer.write(said)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


@pytest.fixture(scope="module")
def guarded() -> Iterator[ServerInTest]:
    """A server with a password."""
    with running_server(program_of("valkey"), requirepass=PASSWORD) as server:
        yield server


async def test_brokers_that_cannot_be_reached_are_waited_for_and_then_refused(group: asyncio.TaskGroup) -> None:
    port = free_port()
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        began = time.monotonic()
        async with asyncio.TaskGroup() as all_at_once:
            nobody = all_at_once.create_task(refused(f"valkey://127.0.0.1:{port}", group))
            unknown = all_at_once.create_task(refused("valkey://no-such-host.invalid", group))
            mute = all_at_once.create_task(refused(f"redis://127.0.0.1:{silent.getsockname()[1]}", group))
    assert time.monotonic() - began > 1.0  # it may just be starting
    assert nobody.result().startswith(f"the broker at 127.0.0.1:{port} cannot be reached")
    assert "cannot be reached" in unknown.result()
    assert "does not answer" in mute.result()


async def test_a_broker_that_is_started_a_moment_later_is_waited_for(group: asyncio.TaskGroup, tmp_path: Path) -> None:
    server = ServerInTest(tmp_path, program_of("valkey"))
    broker = ValkeyBroker(parse_address(server.url), "")
    try:
        async with asyncio.TaskGroup() as both:
            both.create_task(broker.open(Listener(), group))
            await asyncio.sleep(0.3)
            server.start(wait=False)
        assert await broker.beat(node())
    finally:
        await broker.close()
        server.kill()


async def test_a_wrong_password_and_none(guarded: ServerInTest, group: asyncio.TaskGroup) -> None:
    assert "wants a password" in await refused(guarded.url, group)
    assert "refuses the user or the password" in await refused(f"valkey://:wrong-{PASSWORD}@127.0.0.1:{guarded.port}", group)
    assert "refuses the user or the password" in await refused(f"valkey://nobody:{PASSWORD}@127.0.0.1:{guarded.port}", group)
    async with opened(f"valkey://:{PASSWORD}@127.0.0.1:{guarded.port}", group) as broker:
        assert await broker.beat(node())


async def test_a_password_where_none_is_wanted(valkey: ServerInTest, group: asyncio.TaskGroup) -> None:
    assert "password" in await refused(f"valkey://:{PASSWORD}@127.0.0.1:{valkey.port}", group)


async def test_a_replica(valkey: ServerInTest, group: asyncio.TaskGroup) -> None:
    with running_server(program_of("valkey"), replicaof=f"127.0.0.1 {valkey.port}") as replica:
        assert "read-only replica" in await refused(replica.url, group)


async def test_a_server_that_throws_keys_away(group: asyncio.TaskGroup) -> None:
    with running_server(program_of("valkey"), maxmemory="100mb", maxmemory_policy="allkeys-lru") as server:
        problem = await refused(server.url, group)
        assert "allkeys-lru" in problem
        assert "set maxmemory-policy noeviction" in problem


async def test_a_server_that_is_too_old(group: asyncio.TaskGroup) -> None:
    info = b"# Server\r\nredis_version:6.0.16\r\n"
    async with answering(lambda asked: b"$%d\r\n%b\r\n" % (len(info), info)) as port:
        assert "version 6.0.16: 6.2 or newer is needed" in await refused(f"redis://127.0.0.1:{port}", group)


async def test_something_else_than_a_broker(group: asyncio.TaskGroup) -> None:
    async with answering(lambda asked: b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        assert "does not answer as a Valkey or a Redis does" in await refused(f"redis://127.0.0.1:{port}", group)


async def test_a_clock_that_is_minutes_off(valkey: ServerInTest, group: asyncio.TaskGroup, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = time.time
    monkeypatch.setattr(time, "time", lambda: ours() + 300)
    assert "this machine's clock is 300 s ahead of" in await refused(valkey.url, group)


async def test_a_cluster_and_one_server_taken_for_each_other(valkey: ServerInTest, group: asyncio.TaskGroup, tmp_path: Path) -> None:
    assert "is no Cluster" in await refused(f"valkey+cluster://127.0.0.1:{valkey.port}", group)
    with running_server(program_of("valkey"), cluster_enabled="yes", cluster_port=str(free_port())) as alone:
        assert "valkey+cluster://" in await refused(alone.url, group)


async def test_a_user_who_may_not_do_what_a_hub_does(valkey: ServerInTest, group: asyncio.TaskGroup) -> None:
    with valkey.client() as client:
        client.execute_command("ACL", "SETUSER", "poor", "on", f">{PASSWORD}", "~{hub:*", "&{hub:*", "+@all", "-xadd")
    problem = await refused(f"valkey://poor:{PASSWORD}@127.0.0.1:{valkey.port}", group)
    assert "does not allow this user what a hub needs" in problem
    with valkey.client() as client:
        client.execute_command("ACL", "SETUSER", "poor", "+xadd", "resetchannels")
    assert "does not allow this user what a hub needs" in await refused(f"valkey://poor:{PASSWORD}@127.0.0.1:{valkey.port}", group)


@pytest.mark.parametrize("kind", ["valkey", "redis"])
async def test_the_user_of_the_acl_that_is_documented_may_do_everything_a_hub_does(
    request: pytest.FixtureRequest, group: asyncio.TaskGroup, kind: str
) -> None:
    server: ServerInTest = request.getfixturevalue("valkey" if kind == "valkey" else "redis_server")
    (documented,) = re.findall(r"ACL SETUSER hub on >PASSWORD (.*)", hub.broker.valkey.keys.__doc__ or "")
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "hub", "on", f">{PASSWORD}", *documented.split())
    listener = Listener()
    async with opened(f"redis://hub:{PASSWORD}@127.0.0.1:{server.port}", group, listener) as broker:
        await listener.hears(broker, f"call:{CALL}")
        await broker.beat(node("a"))
        row = await claimed(broker, CALL, "a")
        await broker.append([append(CALL, b"{}", note=b"n")])
        await listener.until(lambda: listener.messages)
        assert await broker.log(CALL)
        await broker.snapshot()
        await broker.lost()
        assert await broker.register([row], [b"{}"]) == [True]
        await listener.until(lambda: listener.news)
        await broker.hand_over(CALL, row.generation, "b")
        await broker.leave("b")
        broker.unlisten(f"call:{CALL}")
        await broker.send([("node:a", b"")])
        await broker.erase(CALL)
    with pytest.raises(NoPermissionError), server.client(username="hub", password=PASSWORD) as client:
        client.get("others:key")


# TLS. The wheel of Valkey has none.


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ServerInTest, int, Path]]:
    """A Redis that speaks TLS, the port where it does, and its certificate."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate for this test")
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", cert],
        check=True, capture_output=True,
    )  # fmt: skip
    port = free_port()
    options = {"tls_port": str(port), "tls_cert_file": str(cert), "tls_key_file": str(key), "tls_auth_clients": "no"}
    with running_server(program_of("redis"), **options) as server:
        yield server, port, cert


async def test_a_broker_over_tls(secured: tuple[ServerInTest, int, Path], group: asyncio.TaskGroup) -> None:
    _, port, cert = secured
    listener = Listener()
    async with opened(f"valkeys://127.0.0.1:{port}?ca={cert}", group, listener) as broker:
        await listener.hears(broker, "node:a")
        await broker.send([("node:a", b"hello")])
        await listener.until(lambda: listener.messages)


async def test_tls_where_there_is_none_and_none_where_there_is(secured: tuple[ServerInTest, int, Path], group: asyncio.TaskGroup) -> None:
    server, port, cert = secured
    assert "does not speak TLS: write valkey://" in await refused(f"valkeys://127.0.0.1:{server.port}?ca={cert}", group)
    assert "speaks TLS only: write valkeys://" in await refused(f"valkey://127.0.0.1:{port}", group)
    assert "certificate that is not trusted" in await refused(f"valkeys://127.0.0.1:{port}", group)
