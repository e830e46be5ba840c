"""The hub's HTTP connections: how long each may take, and how many may be open that have proved nothing.

aiohttp waits for ever for a request's headers, for its body, and for a peer that takes no answer. Here each of these has a deadline. Knows
aiohttp's internals where it has no public way; tests hold them to what is assumed here. Does not know addresses or doors.
"""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_server import Server

from hub.web.errors import error_body
from hub.web.limits import Limits
from hub.web.turns import LoopTurns
from hub.web.unproved import Unproved

RECEIVE_BUFFER_BYTES = 64 * 1024
"""The kernel's receive buffer for a connection: more than a second of both tracks of a call. It bounds what one peer can bring in one turn
of the event loop. By default it grows to 6 MB, and uvloop reads until it is empty."""

UNSENT_BYTES = 64 * 1024
"""What the kernel takes of a long answer before it can be sent. By default it takes 4 MB, and until these are gone, nobody sees whether the
peer takes anything. What is on its way to the peer is not counted, so a far peer gets its file as fast as before."""

TOO_SLOW = "the request did not arrive in time"

LINE_TOO_LONG = "a line or a header of the request is longer than 8,190 bytes"
"""aiohttp's own limit."""

HEADERS = {"Server": "transcript-hub", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
"""Of answers that no door and no middleware sees."""


class Connections:
    """All connections of one server."""

    def __init__(self, limits: Limits, unproved: Unproved, clock: Callable[[], float]) -> None:
        """`clock`: monotonic seconds."""
        self.limits = limits
        self.unproved = unproved
        self.clock = clock
        self.speaking_http: dict[Connection, None] = {}
        """Those that have not become a WebSocket: a WebSocket's door has deadlines of its own."""

    async def watch(self) -> None:
        """Close connections that are too slow, until cancelled."""
        while True:
            await asyncio.sleep(self.limits.look_seconds)
            now = self.clock()
            for connection in list(self.speaking_http):
                connection.look(now)


class Connection(RequestHandler):
    """One connection."""

    __slots__ = (
        "_connections",
        "_on_lost",
        "_queued",
        "_taken_at",
        "_taken_bytes",
        "_timed_out",
        "address",
        "began_at",
        "written_bytes",
    )

    def __init__(self, server: Server, connections: Connections, loop: asyncio.AbstractEventLoop, **options: Any) -> None:
        super().__init__(server, loop=loop, **options)
        self._connections = connections
        self._on_lost: Callable[[], None] | None = None
        """Called when the connection of a stream is lost. None while it is none."""
        self.address = ""
        """The client's: of who has connected, or of who has called the proxy."""
        self.began_at = 0.0
        """When the newest request began, as far as the hub can know: for the first one, when the connection was made."""
        self._timed_out = False
        self._queued: asyncio.Task[object] | None = None
        """What serves the newest request, while it waits for its turn."""
        self.written_bytes = 0
        """What was written of answers that are sent in pieces. Other answers are written at once."""
        self._taken_bytes = 0
        """What the peer had taken of these when it was last looked at, less what it had not taken of others."""
        self._taken_at = 0.0
        """When the peer last took something."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        super().connection_made(transport)
        raw = transport.get_extra_info("socket")
        if raw is not None:
            with suppress(OSError):  # the connection is already gone
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        peer = transport.get_extra_info("peername")
        self.address = str(peer[0]) if isinstance(peer, tuple) else str(peer or "")
        self.began_at = self._taken_at = self._connections.clock()
        self._connections.speaking_http[self] = None
        self._connections.unproved.enter(self, self.address)

    def connection_lost(self, exc: BaseException | None) -> None:
        """See asyncio.Protocol."""
        self._connections.speaking_http.pop(self, None)
        self._connections.unproved.leave(self)
        task = self._task_handler
        super().connection_lost(exc)
        if self._on_lost is not None:
            self._on_lost()
        if task is not None and not self._request_in_progress:
            task.cancel()  # it may wait for the rest of a body that nobody wanted, also when nobody is there to send it
        if self._queued is not None:
            self._queued.cancel()

    async def in_turn(self, turns: LoopTurns) -> None:
        """Return in a turn that is the request's own. If the peer goes first, the request is not served: it must not hold up the others."""
        self._queued = asyncio.current_task()
        try:
            await turns.next()
        finally:
            self._queued = None

    def set_parser(self, *parser: Any, **more: Any) -> None:
        """Become a WebSocket: aiohttp calls this then."""
        self._connections.speaking_http.pop(self, None)
        super().set_parser(*parser, **more)

    def become_stream(self, on_lost: Callable[[], None]) -> None:
        """Carry one answer without an end, which has deadlines of its own. `on_lost` is called when the connection is lost."""
        self._connections.speaking_http.pop(self, None)
        self._on_lost = on_lost

    def request_came(self, address: str) -> None:
        """The headers of a request are complete, and it is of this client."""
        if self._request_count > 1:
            self.began_at = self._connections.clock()
        if address != self.address:
            self.address = address
            if self in self._connections.unproved:
                self._connections.unproved.enter(self, address)

    @property
    def has_spoken(self) -> bool:
        """See UnprovedPeer."""
        return self._request_count > 0

    def prove(self) -> None:
        """The peer has proved what it is, so its connection takes no room from those that have not."""
        self._connections.unproved.leave(self)

    @property
    def left_seconds(self) -> float:
        """How long the newest request may still take to arrive."""
        return max(0.0, self.began_at + self._connections.limits.request_seconds - self._connections.clock())

    def bound_unsent(self) -> None:
        """Let the kernel hold little that it has not sent yet: megabytes in there would go unnoticed, to a peer that is slow or gone."""
        raw = self.transport.get_extra_info("socket") if self.transport is not None else None
        if raw is not None and hasattr(socket, "TCP_NOTSENT_LOWAT"):
            with suppress(OSError):  # the connection is already gone
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)

    def drop(self) -> None:
        """See UnprovedPeer."""
        if self.transport is not None:
            self.transport.abort()

    def look(self, now: float) -> None:
        """Close the connection if it is too slow."""
        limits, transport = self._connections.limits, self.transport
        if transport is None:
            return
        untaken_bytes = transport.get_write_buffer_size()
        taken_bytes = self.written_bytes - untaken_bytes
        if taken_bytes > self._taken_bytes or not untaken_bytes:
            self._taken_at = now
        self._taken_bytes = taken_bytes
        if untaken_bytes and now - self._taken_at >= limits.answer_seconds - limits.look_seconds:
            transport.abort()
        elif not self._request_count and now - self.began_at >= limits.request_seconds - limits.look_seconds:
            self._time_out(transport)

    def _time_out(self, transport: asyncio.Transport) -> None:
        """Answer 408 to headers that did not arrive, and close."""
        if self._timed_out:  # the peer did not take even that
            transport.abort()
            return
        self._timed_out = True
        body = error_body("too-slow", TOO_SLOW)
        transport.write(
            b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        self.force_close()

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """Answer what is not HTTP, and what the hub failed on, in the hub's one form of errors."""
        super().handle_error(request, status, exc, message)  # logs it, and refuses to answer twice
        if status >= 500:
            code, words = "failed", "the hub failed on this request"
        else:
            code, words = "bad-request", LINE_TOO_LONG if isinstance(exc, LineTooLong) else "this is not a request in HTTP"
        answer = web.Response(status=status, body=error_body(code, words), content_type="application/json", headers=HEADERS)
        answer.force_close()
        return answer


class ConnectionServer(Server):
    """Makes a Connection for each peer that connects."""

    def __init__(self, server: Server, connections: Connections) -> None:
        """`server` is what aiohttp made for the application: its handlers and options are taken over."""
        super().__init__(server.request_handler, request_factory=server.request_factory, loop=server._loop, **server._kwargs)
        self._hub_connections = connections

    def __call__(self) -> Connection:
        """Make the protocol of a new connection."""
        return Connection(self, self._hub_connections, self._loop, **self._kwargs)


def connection_of(request: web.BaseRequest) -> Connection:
    """Return the connection of a request."""
    connection = request.protocol
    assert isinstance(connection, Connection)
    return connection
