"""One session on OpenAI's Realtime API: opened, held, and closed the moment it is not needed, for each second of it is paid for.

Knows the connection, what its refusals mean, and how long to wait for what. Does not know what the messages mean: they pass through.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from websockets.exceptions import ConnectionClosed

from hub.errors import ProviderError, WireError
from hub.ops.counters import ProviderCounters
from hub.ops.logs import CallLog
from hub.transcribers.connection import ProviderConnection, dial
from hub.transcribers.provider_socket import ProviderSocket
from hub.vendors.openai import requests, wire
from hub.vendors.openai.refusals import closed, fatal, is_active_response, refused, refused_settings
from hub.vendors.openai.requests import Dialect

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RealtimeLimits:
    """How long a session waits for what. All of it is time in which a caller listens to nothing."""

    open_seconds: float = 5.0
    """For the handshake, and again for the session to be as it was asked to be: 0.5 to 1.2 s are normal for each."""
    again_seconds: float = 0.5
    """Before the second try to open a session that was refused for the moment: shorter than a caller's patience."""
    stalled_seconds: float = 5.0
    """For a server that takes nothing off its socket: it is gone then. The socket's buffer holds about as much of the caller's audio."""


@dataclass(frozen=True, slots=True)
class RealtimeEndpoint:
    """Where a session is opened, and with which key."""

    url: str
    key: str
    dialect: Dialect = "openai"

    def __repr__(self) -> str:
        """Leave the key out."""
        return f"RealtimeEndpoint({self.url!r})"


OnMessage: TypeAlias = Callable[[wire.OpenAIMessage | ProviderError | None], None]
"""Takes each message of a session, in order, None for one of a type that the hub does not know, and at last a ProviderError if the session
was lost."""


class RealtimeSession:
    """One session, from the first byte to the last."""

    def __init__(
        self,
        endpoint: RealtimeEndpoint,
        counters: ProviderCounters,
        clock: Callable[[], float],
        call_sid: str,
        limits: RealtimeLimits = RealtimeLimits(),
    ) -> None:
        """`clock` is monotonic seconds. The callSid is for the log."""
        self._endpoint = endpoint
        self._counters = counters
        self._clock = clock
        self._limits = limits
        self._connection: ProviderConnection | None = None
        """The connection. None while there is none."""
        self._ready = False
        """Whether the session is as it was asked to be."""
        self._over = False
        """Whether nothing is to be sent or received any more."""
        self._stalled_at: float | None = None
        """Since when the server takes nothing off its socket. None while it does."""
        self._log = CallLog(log, {"call": call_sid})

    async def run(self, opening: bytes, receive: OnMessage) -> None:
        """Open the session, send `opening`, and hold the session until it is over. Cancelling this closes it.

        `receive` is called in the connection's own read and must not raise. It gets a ProviderError, once and last, when the session is
        over and `close()` was not why.
        """
        began = self._clock()
        try:
            socket = await self._dial()
        except ProviderError as error:
            self._lose(error, receive)
            return
        connection = self._connection = ProviderConnection(socket, lambda text: self._received(text, receive, began), self._clock())
        self._counters.open_sessions += 1
        self._counters.sessions += 1
        if self._over:  # it was closed while it opened
            connection.hang_up(None)
        impatience = asyncio.get_running_loop().call_later(self._limits.open_seconds, self._expect_ready, receive)
        try:
            self.send(opening)
            await connection.closed()
        except ConnectionClosed as end:
            code, reason = (end.rcvd.code, end.rcvd.reason) if end.rcvd else (None, "")
            self._lose(connection.flood(wire.PROVIDER) or closed(code, reason), receive)
        finally:
            impatience.cancel()
            self._connection = None
            self._counters.open_sessions -= 1
            connection.hang_up(None)

    async def _dial(self) -> ProviderSocket:
        """Connect, at a second try if a short wait may help and the first was quick to fail. Raises: ProviderError."""
        began, limits = self._clock(), self._limits
        headers = requests.headers(self._endpoint.key, self._endpoint.dialect)
        try:
            return await dial(wire.PROVIDER, self._endpoint.url, headers, limits.open_seconds, refused)
        except ProviderError as error:
            if not error.retryable or self._clock() - began > limits.open_seconds / 2:
                raise
            self._log.warning("%s; trying once more", error)
        await asyncio.sleep(limits.again_seconds)
        return await dial(wire.PROVIDER, self._endpoint.url, headers, limits.open_seconds, refused)

    def send(self, message: bytes) -> None:
        """Send a message. Nothing happens while there is no session. Never waits.

        A server that takes nothing off its socket may keep the connection open for minutes: TCP retries, and a ping only waits. So the
        connection is broken off once nothing was taken for `stalled_seconds`, and `run()` then reports the session as lost.
        """
        connection = self._connection
        if connection is None or self._over:
            return
        if connection.send_text(message):
            self._stalled_at = None
        elif self._stalled_at is None:
            self._stalled_at = self._clock()
        elif self._clock() - self._stalled_at > self._limits.stalled_seconds:
            connection.cut()

    def close(self) -> None:
        """Close the session now: not when a task wakes. Nothing is received after this."""
        self._over = True
        if self._connection is not None:
            self._connection.hang_up(None)

    def _expect_ready(self, receive: OnMessage) -> None:
        if not self._ready:
            problem = f"did not begin the session within {self._limits.open_seconds:g} s"
            self._lose(ProviderError(wire.PROVIDER, problem, retryable=True), receive)

    def _lose(self, error: ProviderError, receive: OnMessage) -> None:
        """Close the session and report why, once."""
        if not self._over:
            self.close()
            receive(error)

    def _received(self, text: bytes, receive: OnMessage, began: float) -> None:
        """Take one frame. Never waits, never raises."""
        if self._over:
            return
        try:
            message = wire.decode(text)
        except WireError as error:
            self._log.warning("%s", error)
            return
        if type(message) is wire.OpenAIError and (end := self._ends_session(message.body)) is not None:
            self._lose(end, receive)
            return
        if type(message) is wire.ServerPing:
            return
        receive(message)
        if type(message) is wire.SessionUpdated and not self._ready:
            self._ready = True
            self._counters.handshake_seconds.add(self._clock() - began)

    def _ends_session(self, body: wire.ErrorBody) -> ProviderError | None:
        """Return what an error means if the session cannot go on after it."""
        self._log.warning("OpenAI reports the error %s", body.code or body.type)
        self._log.debug("OpenAI reports: %s", body.message)  # it may quote what was said
        if (error := fatal(body)) is not None:
            return error
        if not self._ready and not is_active_response(body):
            return refused_settings(body)
        return None
