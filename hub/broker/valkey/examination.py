"""Looks at a broker before the hub relies on it: is it one, may it be written to, does it keep what it is given, is it new enough?

Knows what servers say of themselves. Says what is wrong in one sentence.
"""

import asyncio
import ssl
import time
from typing import Any

from redis.exceptions import AuthenticationError, ResponseError

from hub.backoff import Backoff
from hub.broker.broker import BrokerError
from hub.broker.valkey.address import BrokerAddress, Topology
from hub.broker.valkey.clock import ServerClock
from hub.broker.valkey.failures import FAILURES, is_passing, problem_of
from hub.broker.valkey.link import ANSWER_SECONDS
from hub.broker.valkey.server import BrokerServer

PATIENCE = Backoff(first_seconds=0.2, longest_seconds=1.0, give_up_seconds=4.0)
"""A broker that is started beside the hub may need a moment. After that it is more useful to say what is wrong."""

OLDEST = (6, 2)
"""The first version with all that the scripts use."""

OTHER_WAY_SECONDS = 1.0
"""How long a server is tried in the other way, with TLS or without, before the hub says that it does not answer."""

LONGEST_SKEW_SECONDS = 60.0
"""A clock that is further off than this is not set at all. Smaller differences are measured and do no harm."""


async def examine(server: BrokerServer, address: BrokerAddress, clock: ServerClock) -> str:
    """Return what the broker is, in words. Takes some seconds at most. Raises: BrokerError if the hub cannot or must not use it."""
    try:
        introductions = await _introductions(server, address)
        for info in introductions:
            _judge(server, info, address)
        await _set(server, clock)
        channel = server.keys.channel("rehearsal:reg")
        (answer,) = await server.link.run([("EVAL", server.scripts.rehearse.source, 1, server.keys.registry[0] + ":rehearsal", channel)])
        if isinstance(answer, Exception):
            raise answer
        return _described(server, introductions)
    except FAILURES as error:
        raise BrokerError(f"{server.name} {problem_of(error)}") from error


async def _introductions(server: BrokerServer, address: BrokerAddress) -> list[dict[str, str]]:
    """Return what each server says of itself."""
    error: BaseException = TimeoutError()
    async for _ in PATIENCE.until():
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                answers = await server.link.on_each("INFO")
        except FAILURES as failure:
            error = failure
        else:
            failed = [each for each in answers if isinstance(each, Exception)]
            if not failed:
                return [each if isinstance(each, dict) else _parsed(each) for each in answers]
            error = failed[0]
        if other_way := await _other_way(error, address):
            raise BrokerError(f"{server.name} {other_way}") from error
        if not is_passing(error):
            break
    raise error


def _judge(server: BrokerServer, info: dict[str, Any], address: BrokerAddress) -> None:
    """Raises: BrokerError for a server that must not be used."""
    version = str(info.get("redis_version", ""))
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
    policy = str(info.get("maxmemory_policy", "noeviction"))
    problem = ""
    if len(numbers) < len(OLDEST):
        problem = "does not say its version"
    elif numbers < OLDEST:
        problem = f"is version {version}: 6.2 or newer is needed"
    elif info.get("role", "master") != "master":
        problem = "is a read-only replica: give the address of the master, or of Sentinels"
    elif int(info.get("maxmemory", 0)) and policy != "noeviction":
        problem = f"throws keys away when its memory is full (maxmemory-policy {policy}): set maxmemory-policy noeviction"
    elif int(info.get("cluster_enabled", 0)) and address.topology is not Topology.CLUSTER:
        problem = "is a node of a Cluster: write valkey+cluster:// (or redis+cluster://)"
    elif address.topology is Topology.CLUSTER and numbers < (7, 0):
        problem = f"is version {version}: a Cluster has to be 7.0 or newer"
    if problem:
        raise BrokerError(f"{server.name} {problem}")


def _described(server: BrokerServer, introductions: list[dict[str, Any]]) -> str:
    info = introductions[0]
    product, version = ("Valkey", info["valkey_version"]) if "valkey_version" in info else ("Redis", info.get("redis_version", ""))
    disk = "it keeps its data on disk" if int(info.get("aof_enabled", 0)) else "it has no append-only file, so the hubs restore it"
    return f"{server.name} ({product} {version}, {disk})"


async def _set(server: BrokerServer, clock: ServerClock) -> None:
    """Ask for the time, and judge this machine's own."""
    for _ in range(3):
        asked_at = time.monotonic()
        (answer,) = await server.commands([("TIME",)])
        clock.note(asked_at, time.monotonic(), int(answer[0]) + int(answer[1]) / 1e6)
    skew = time.time() - clock.now()
    if abs(skew) > LONGEST_SKEW_SECONDS:
        which = "ahead of" if skew > 0 else "behind"
        raise BrokerError(f"this machine's clock is {abs(skew):.0f} s {which} that of {server.name}: set both by NTP")


async def _other_way(error: BaseException, address: BrokerAddress) -> str:
    """Return what is wrong if a server understands TLS and not plain text, or the other way round. Neither of them says so itself."""
    if address.topology is not Topology.ONE or isinstance(error, ResponseError | AuthenticationError):
        return ""
    host, port = address.hosts[0]
    if address.tls:
        return "does not speak TLS: write valkey:// (or redis://)" if await _speaks_plainly(host, port) else ""
    return "speaks TLS only: write valkeys:// (or rediss://)" if await _speaks_tls(host, port) else ""


async def _speaks_tls(host: str, port: int) -> bool:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        async with asyncio.timeout(OTHER_WAY_SECONDS):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
    except (OSError, EOFError):
        return False
    writer.close()
    return True


async def _speaks_plainly(host: str, port: int) -> bool:
    try:
        async with asyncio.timeout(OTHER_WAY_SECONDS):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(b"PING\r\n")
                return (await reader.readline()).startswith((b"+PONG", b"-NOAUTH"))
            finally:
                writer.close()
    except (OSError, EOFError):
        return False


def _parsed(answer: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in answer.decode(errors="replace").splitlines() if ":" in line)
    return {name: value for name, _, value in lines}
