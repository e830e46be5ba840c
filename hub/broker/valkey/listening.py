"""Listens to channels, on one connection per master. Nothing that this node wants to hear waits for anything.

A connection can be open and yet dead: the machine behind it is gone, or the server is stopped. redis-py does not find that out. So this
node sends itself a message every half second, by another connection, and believes in this one as long as anything comes. The message also
finds out a master that Sentinel has replaced: it goes to the new one, and does not come.

Whenever a connection ends, all of them are made again, and every channel is subscribed to again.
"""

import asyncio
import logging
import math
import secrets
from collections.abc import Iterable
from itertools import islice
from typing import Protocol

from redis.asyncio import Connection

from hub.backoff import Backoff
from hub.broker.valkey.failures import FAILURES, problem_of
from hub.broker.valkey.keys import Keys
from hub.broker.valkey.link import ANSWER_SECONDS, ServerLink, connect

log = logging.getLogger(__name__)

PROBE_SECONDS = 0.5
"""How often this node sends itself a message."""

SILENT_SECONDS = 2.5
"""A connection on which nothing has come for so long is dead. All that it takes to listen again is to be done within 3 s."""

BATCH = 512
"""So many channels are subscribed to at once. A larger batch would keep the server from others for too long."""

TURN = 64
"""After so many messages that were there already, the others in this event loop have their turn."""

RECONNECTING = Backoff(first_seconds=0.1, longest_seconds=2.0)


class Hearing(Protocol):
    """Who hears what comes. No method may wait or raise."""

    def heard(self, channel: bytes, body: bytes) -> None:
        """Take a message."""

    def begun(self, channel: bytes) -> None:
        """Take note that a channel is listened to from here on."""

    def deaf(self, problem: str) -> None:
        """Take note that nothing comes any more, and why. Empty when it comes again."""


class ListeningError(Exception):
    """The connection is dead, or the server listens for us no more."""


class TopicListener:
    """What one node listens to."""

    def __init__(self, link: ServerLink, keys: Keys, hearing: Hearing) -> None:
        self._link = link
        self._keys = keys
        self._hearing = hearing
        self._wanted: dict[str, None] = {}
        """Channels to listen to, in the order in which they were asked for."""
        self._fresh: dict[str, None] = {}
        """Those of them that are to be subscribed to, and confirmed, again or for the first time."""
        self._stale: dict[str, None] = {}
        """Channels that nobody wants any more."""
        self._changed = asyncio.Event()
        self._ears: dict[str, _Ear] = {}

    def want(self, channel: str) -> None:
        """Listen to a channel. It is confirmed in any case."""
        self._stale.pop(channel, None)
        self._wanted[channel] = None
        self._fresh[channel] = None
        self._changed.set()

    def leave(self, channel: str) -> None:
        """Listen to a channel no longer."""
        if channel in self._wanted:
            del self._wanted[channel]
            self._fresh.pop(channel, None)
            self._stale[channel] = None
            self._changed.set()

    async def run(self) -> None:
        """Listen until cancelled. A cancellation in the very moment in which a connection ends is lost: cancel until it has ended."""
        failures = 0
        while True:
            try:
                await self._listen()
            except* (*FAILURES, ListeningError) as group:
                error = _first(group)
                worked, self._ears = bool(self._ears) and all(ear.worked for ear in self._ears.values()), {}
                failures = 1 if worked else failures + 1
                self._hearing.deaf(str(error) if isinstance(error, ListeningError) else problem_of(error))
            await asyncio.sleep(RECONNECTING.wait_seconds(failures))

    async def _listen(self) -> None:
        """Listen until a connection ends."""
        async with asyncio.timeout(ANSWER_SECONDS):
            shards = await self._link.shards()
        self._ears = {name: _Ear(connection, self._hearing) for name, connection in shards.items()}
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                for ear in self._ears.values():
                    await connect(ear.connection)
            self._fresh = dict.fromkeys(self._wanted)
            self._stale = {}
            self._changed.set()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._subscribe())
                for name, ear in self._ears.items():
                    group.create_task(ear.hear())
                    group.create_task(ear.watch())
                    group.create_task(self._probe(name))
        finally:
            for ear in self._ears.values():
                await ear.connection.disconnect(nowait=True)

    async def _subscribe(self) -> None:
        """Have the servers know what is wanted."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            while self._stale or self._fresh:
                stale = self._taken(self._stale)
                await self._tell("UNSUBSCRIBE", stale)
                fresh = self._taken(self._fresh)
                await self._tell("SUBSCRIBE", fresh)

    @staticmethod
    def _taken(channels: dict[str, None]) -> list[str]:
        batch = list(islice(channels, BATCH))
        for channel in batch:
            del channels[channel]
        return batch

    async def _tell(self, command: str, channels: list[str]) -> None:
        if not self._link.sharded:
            if channels:
                await self._ears[""].tell([(command, *channels)])
            return
        of_shard: dict[str, list[tuple[str, ...]]] = {}
        for channel in channels:
            of_shard.setdefault(self._link.shard_of(channel), []).append((f"S{command}", channel))
        for name, commands in of_shard.items():
            if name not in self._ears:
                raise ListeningError("the Cluster has another master")
            await self._ears[name].tell(commands)

    async def _probe(self, name: str) -> None:
        """Send this node messages, by way of a certain master."""
        channel = self._probe_channel(name)
        await self._tell("SUBSCRIBE", [channel])
        while True:
            await self._send_probe(channel)
            await asyncio.sleep(PROBE_SECONDS)

    async def _send_probe(self, channel: str) -> None:
        command = "SPUBLISH" if self._link.sharded else "PUBLISH"
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await self._link.run([(command, channel, b"")])
        except FAILURES:
            log.debug("a probe could not be sent")

    def _probe_channel(self, name: str) -> str:
        """Return a channel of this node alone, on a certain master."""
        while True:
            channel = self._keys.channel(f"probe:{secrets.token_hex(8)}")
            if self._link.shard_of(channel) == name:
                return channel


class _Ear:
    """One connection that is listened on."""

    def __init__(self, connection: Connection, hearing: Hearing) -> None:
        self.connection = connection
        self._hearing = hearing
        self._newest_at = 0.0
        """Event loop time at which something came last, or the watch began."""
        self.worked = False
        """Whether anything has come at all."""
        self._leaving: set[bytes] = set()
        """Channels that were asked to be silent, and have not confirmed it."""

    async def tell(self, commands: Iterable[tuple[str, ...]]) -> None:
        """Send commands. Their answers come among the messages."""
        packed = []
        for command in commands:
            if "UNSUBSCRIBE" in command[0]:
                self._leaving.update(channel.encode() for channel in command[1:])
            packed.append(command)
        async with asyncio.timeout(ANSWER_SECONDS):
            await self.connection.send_packed_command(self.connection.pack_commands(packed))

    async def watch(self) -> None:
        """Raise once nothing has come for too long."""
        loop = asyncio.get_running_loop()
        self._newest_at = loop.time()
        while True:
            seconds = self._newest_at + SILENT_SECONDS - loop.time()
            if seconds <= 0:
                raise ListeningError(f"does not send anything any more: {SILENT_SECONDS} s of silence")
            await asyncio.sleep(seconds)

    async def hear(self) -> None:
        """Hear what comes until the connection ends."""
        loop = asyncio.get_running_loop()
        while True:
            for _ in range(TURN):
                answer = await self.connection.read_response(timeout=math.inf)
                self._newest_at = loop.time()
                self._take(answer)
            await asyncio.sleep(0)

    def _take(self, answer: list[bytes]) -> None:
        match answer:
            case [b"message" | b"smessage", channel, body]:
                self._heard_once()
                self._hearing.heard(channel, body)
            case [b"subscribe" | b"ssubscribe", channel, _]:
                self._heard_once()
                self._hearing.begun(channel)
            case [b"sunsubscribe", channel, _] if channel not in self._leaving:
                # The slot of this channel has gone to another master.
                raise ListeningError("moves a part of its data")
            case [b"unsubscribe" | b"sunsubscribe", channel, _]:
                self._leaving.discard(channel)

    def _heard_once(self) -> None:
        if not self.worked:
            self.worked = True
            self._hearing.deaf("")


def _first(group: BaseExceptionGroup) -> BaseException:
    """Return one of the errors of a group."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
