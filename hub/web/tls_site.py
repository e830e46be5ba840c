"""A listening TLS server whose connections are counted and timed before their handshake is over.

Knows sockets and handshakes. Does not know certificates (`tls.py`) or HTTP.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Any

from aiohttp import web

from hub.web.server import Runner

log = logging.getLogger(__name__)

ACCEPTED_AT_ONCE = 64
"""Connections accepted in one turn of the event loop: enough for a crowd that comes back at once, too few to be noticed."""

ACCEPT_AGAIN_SECONDS = 0.1
"""The pause after a connection could not be accepted."""


class TlsSite(web.BaseSite):
    """A listening TLS server that counts connections from the moment when they are accepted.

    asyncio's own counts none before the end of its handshake, and gives a handshake a minute: whoever connects and stays silent could take
    every descriptor.
    """

    def __init__(self, runner: Runner, sockets: Sequence[socket.socket], context: ssl.SSLContext, group: asyncio.TaskGroup) -> None:
        """`sockets` listen already. Handshakes run in `group`."""
        super().__init__(runner, ssl_context=context)
        self._hub_runner = runner
        self._context = context
        self._group = group
        self._listening = list(sockets)
        self._tasks: set[asyncio.Task[None]] = set()
        """One for each listening socket, and one for each handshake that goes on."""

    @property
    def name(self) -> str:
        """See BaseSite."""
        return f"https on port {self._listening[0].getsockname()[1]}"

    async def start(self) -> None:
        """See BaseSite."""
        await super().start()
        self._server = _Listening(self._listening)  # type: ignore[assignment]
        for each in self._listening:
            each.setblocking(False)
            self._run(self._accept(each))

    async def stop(self) -> None:
        """See BaseSite."""
        for task in self._tasks:
            task.cancel()
        await super().stop()

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = self._group.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, listening: socket.socket) -> None:
        """Take whoever connects, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                connected, address = await loop.sock_accept(listening)
                for _ in range(ACCEPTED_AT_ONCE):
                    self._begin(connected, address)
                    connected, address = listening.accept()
                self._begin(connected, address)
            except BlockingIOError:
                continue
            except OSError as error:  # no descriptor is left, or the peer is gone already
                log.warning("a connection could not be accepted: %s", error.strerror or error)
                await asyncio.sleep(ACCEPT_AGAIN_SECONDS)

    def _begin(self, connected: socket.socket, address: tuple[object, ...]) -> None:
        handshake = _Handshake(connected)
        self._hub_runner.connections.unproved.enter(handshake, str(address[0]) if address else "")
        self._run(self._shake_hands(handshake))

    async def _shake_hands(self, handshake: "_Handshake") -> None:
        """Make a connection of an accepted socket, or give it up."""
        connections, server = self._hub_runner.connections, self._hub_runner.server
        assert server is not None
        handshake.socket.setblocking(False)
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                server,
                handshake.socket,
                ssl=self._context,
                ssl_handshake_timeout=connections.limits.request_seconds,
                ssl_shutdown_timeout=connections.limits.close_seconds,
            )
        except OSError as error:  # no TLS, no common cipher, nothing within the time, or gone
            log.debug("a TLS handshake failed: %s", error)
        finally:
            connections.unproved.leave(handshake)


class _Handshake:
    """An accepted socket that is not a connection yet. An UnprovedPeer."""

    has_spoken = False
    """See UnprovedPeer."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected

    def drop(self) -> None:
        """See UnprovedPeer. The socket is shut down and not closed: its transport closes it when it notices."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)


class _Listening:
    """What BaseSite wants of a server."""

    def __init__(self, sockets: list[socket.socket]) -> None:
        self.sockets = sockets

    def close(self) -> None:
        """Listen no longer."""
        for each in self.sockets:
            each.close()
