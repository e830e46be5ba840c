"""Connections to the servers, through redis-py: commands in one round trip, and sockets to listen on.

Knows addresses, and how redis-py is used. Does not know what a command means. Every error is redis-py's own here.
"""

import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Protocol

from hiredis import pack_command
from redis.asyncio import Connection, RedisCluster, SSLConnection
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError

from hub.broker.valkey.address import BrokerAddress, Topology
from hub.broker.valkey.scripts import LuaScript

Command = tuple[Any, ...]

ANSWER_SECONDS = 2.0
"""How long a connection may take to be made, and a server to answer. A server that takes longer is away, whatever it does."""

SENTINEL_SECONDS = 0.5
"""How long one Sentinel may take to answer. The others have to have their turn before the hub gives up."""


class ServerLink(Protocol):
    """What the hub needs of servers of one kind."""

    sharded: bool
    """Whether there are several masters, each with a part of the keys."""

    async def run(self, commands: Sequence[Command]) -> list[Any]:
        """Run commands in one round trip per server. An answer that is an error of the server is returned in its place."""

    async def on_each(self, *command: Any) -> list[Any]:
        """Run a command on every master."""

    async def shards(self) -> dict[str, Connection]:
        """Return a connection to listen on for each master, by a name. They are not connected yet."""

    def shard_of(self, channel: str) -> str:
        """Return the name of the master where a channel is."""

    async def close(self) -> None:
        """Close all connections that run commands."""


def open_link(address: BrokerAddress) -> ServerLink:
    """Return the link to the servers at an address. It connects when it is used."""
    return ClusterLink(address) if address.topology is Topology.CLUSTER else SingleLink(address)


class SingleLink:
    """To one server, or to the master that Sentinel names.

    Commands go out on connections of its own, not through redis-py's client: that costs four times as much for a single event.
    """

    sharded = False

    def __init__(self, address: BrokerAddress) -> None:
        options = _options(address)
        self._sentinel: Any = None
        self._make: Callable[[], Connection]
        if address.topology is Topology.SENTINEL:
            asked = _options(address, user=address.sentinel_user, password=address.sentinel_password, database=0)
            asked |= {"ssl": address.tls, "socket_timeout": SENTINEL_SECONDS}
            self._sentinel = _untyped(Sentinel)(list(address.hosts), sentinel_kwargs=asked)
            # The pool is what finds the master whenever one of its connections connects. None of them is kept in it.
            self._make = _untyped(SentinelConnectionPool)(address.master, self._sentinel, ssl=address.tls, **options).make_connection
        else:
            (host, port), kind = address.hosts[0], SSLConnection if address.tls else Connection
            self._make = partial(kind, host=host, port=port, **options)
        self._idle: list[Connection] = []
        """Connections on which no answer is awaited."""

    async def run(self, commands: Sequence[Command]) -> list[Any]:
        connection = await self._connection()
        try:
            await connection.send_packed_command(b"".join(map(pack_command, commands)), check_health=False)
            answers = [await _answer(connection) for _ in commands]
        except BaseException:
            # What it would answer next is unknown. The others lead to the same server, which may be gone, or no master any more.
            await connection.disconnect(nowait=True)
            await self._drop_idle()
            raise
        self._idle.append(connection)
        return answers

    async def on_each(self, *command: Any) -> list[Any]:
        return await self.run([command])

    async def shards(self) -> dict[str, Connection]:
        return {"": self._make()}

    def shard_of(self, channel: str) -> str:  # noqa: ARG002
        return ""

    async def close(self) -> None:
        await self._drop_idle()
        if self._sentinel is not None:
            await self._sentinel.aclose()

    async def _connection(self) -> Connection:
        """Return a connection that is open, as far as one can know."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_connected and not await connection.can_read():  # can be read: the server has closed it
                return connection
            await connection.disconnect(nowait=True)
        connection = self._make()
        try:
            await connect(connection)
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        return connection

    async def _drop_idle(self) -> None:
        while self._idle:
            await self._idle.pop().disconnect(nowait=True)


async def _answer(connection: Connection) -> Any:
    try:
        return await connection.read_response(timeout=math.inf)
    except ResponseError as error:
        return error


async def connect(connection: Connection) -> None:
    """Connect, authentication included."""
    connecting: Awaitable[None] = connection.connect()  # type: ignore[no-untyped-call]
    await connecting


class ClusterLink:
    """To the masters of a Cluster."""

    sharded = True

    def __init__(self, address: BrokerAddress) -> None:
        self._options = _options(address)
        self._connection = SSLConnection if address.tls else Connection
        nodes = [ClusterNode(host, port) for host, port in address.hosts]
        self._redis: Any = RedisCluster(startup_nodes=nodes, require_full_coverage=False, ssl=address.tls, **self._options)

    async def run(self, commands: Sequence[Command]) -> list[Any]:
        async with self._looked_for():
            pipeline = self._redis.pipeline()
            for command in commands:
                pipeline.execute_command(*command)
            answers: list[Any] = await pipeline.execute(raise_on_error=False)
        return answers

    async def on_each(self, *command: Any) -> list[Any]:
        async with self._looked_for():
            return [await self._redis.execute_command(*command, target_nodes=node) for node in self._redis.get_primaries()]

    async def shards(self) -> dict[str, Connection]:
        async with self._looked_for():
            await self._redis.nodes_manager.initialize()  # commands may not have noticed yet that a master is dead
        return {each.name: self._connection(host=each.host, port=int(each.port), **self._options) for each in self._redis.get_primaries()}

    def shard_of(self, channel: str) -> str:
        return str(self._redis.get_node_from_key(channel).name)

    async def close(self) -> None:
        await self._redis.aclose()

    @asynccontextmanager
    async def _looked_for(self) -> AsyncIterator[None]:
        """Know the masters. After a failure they are looked for anew: another one may have taken the place of one that is dead."""
        try:
            await self._redis.initialize()
            yield
        except Exception:
            await self._redis.aclose()
            raise


async def run_script(link: ServerLink, script: LuaScript, calls: Iterable[tuple[Sequence[str], Sequence[Any]]]) -> list[Any]:
    """Run a script once for each call of it, with keys and arguments, in one round trip. A server that does not have the script is given
    it. An answer that is an error of the server is returned in its place."""
    commands = [("EVALSHA", script.sha, len(keys), *keys, *arguments) for keys, arguments in calls]
    answers = await link.run(commands)
    unknown = [index for index, answer in enumerate(answers) if is_unknown_script(answer)]
    if unknown:
        # The source is sent once, with the first of them: a master that other calls belong to is given it in the next round.
        await link.on_each("SCRIPT", "LOAD", script.source)
        again = await link.run([commands[index] for index in unknown])
        for index, answer in zip(unknown, again, strict=True):
            answers[index] = answer
    return answers


def is_unknown_script(answer: Any) -> bool:
    """Return whether the server did not have a script, since it has been restarted or is another one."""
    return isinstance(answer, ResponseError) and "matching script" in str(answer)


def _untyped(made: Any) -> Any:
    """Return a class of redis-py that has no types, as one of which nothing is known."""
    return made


_UNSET: Any = object()


def _options(address: BrokerAddress, *, user: Any = _UNSET, password: Any = _UNSET, database: int | None = None) -> dict[str, Any]:
    """Return what every connection needs. redis-py's own retries are off: the hub has its own, and says meanwhile what is wrong.

    So is its time limit for answers. It would write by `asyncio.wait_for`, which costs a task, and loses a cancellation in Python 3.11 if
    the bytes are written in the same moment. Whoever uses a connection limits the time.
    """
    options: dict[str, Any] = {
        "username": address.user if user is _UNSET else user,
        "password": address.password if password is _UNSET else password,
        "db": address.database if database is None else database,
        "socket_timeout": None,
        "socket_connect_timeout": ANSWER_SECONDS,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
        "driver_info": None,
    }
    if address.topology is Topology.CLUSTER:
        del options["db"]
    if address.tls:
        options |= {"ssl_ca_certs": address.ca, "ssl_certfile": address.cert, "ssl_keyfile": address.key}
    return options
