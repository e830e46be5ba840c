"""A connection to a hub's /client that is opened again whenever it breaks.

Knows close codes, refusals and when to try again. Does not know what is asked for.
"""

import asyncio
import errno
import json
import os
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import suppress
from typing import TypeAlias

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, InvalidURI, WebSocketException

from clients.follow.address import door_address
from hub import events
from hub.backoff import Backoff
from hub.errors import HubError
from hub.text.addresses import proxy

BACKOFF = Backoff(first_seconds=0.1, longest_seconds=5.0)
"""The waits before reconnecting. A broken connection is usually back at once; a hub that is being restarted is back within seconds."""

FIRST_TRIES = 5
"""How many connections may break before a hub has ever sent a message. After that many, the server is not a hub."""

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""The largest message is a list of many thousand calls, half a KiB each. This bounds how much memory a wrong server can make us use."""

CLOSING_SECONDS = 0.5
"""How long a hub may take to answer our close frame. Its answer comes after all the messages that we did not read."""

PASSING_STATUSES = frozenset({408, 425, 429})
"""HTTP refusals, besides all of 5xx, that may be gone at the next try."""

REFUSALS = {4501: "token", 4503: "not-allowed", 4504: "unknown-call"}
"""The hub's close codes that mean "do not come back", with the hub's word for each."""

Request: TypeAlias = Mapping[str, object]


class Refused(HubError):
    """The hub refused, and asking again would not help. `refusal_code` is the hub's word for the reason."""

    def __init__(self, refusal_code: str, message: str) -> None:
        self.refusal_code = refusal_code
        super().__init__(message)


class HubConnection:
    """One connection after another to the same hub."""

    def __init__(
        self,
        url: str,
        token: str | None,
        requests: Callable[[], Iterable[Request]],
        *,
        known: bool = False,
        backoff: Backoff | None = None,
    ) -> None:
        """`requests` returns what to ask for on each new connection.

        `known`: a hub did answer at this address once, so even the first connection is tried until it succeeds. Raises: Refused.
        """
        try:
            self.url = door_address(url, "/client")
        except ValueError as error:
            raise Refused("address", str(error)) from error
        self.connected = False
        """Whether the hub has sent a message on the present connection."""
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._token_can_be_sent = token is None or (token.isascii() and token.isprintable())
        self._requests = requests
        self._known = known
        """Whether a hub has ever sent a message from this address."""
        self._backoff = backoff or BACKOFF
        self._failures = 0
        """Connections in a row on which the hub sent nothing."""
        self._socket: ClientConnection | None = None
        """The present connection; None between two of them."""

    async def messages(self) -> AsyncGenerator[events.Message, None]:
        """Yield the hub's messages, over as many connections as it takes. Ends only by `aclose()` or an error.

        Raises: Refused for an address where there is no hub, for a token that the hub does not accept, and for any close code from 4500 to
        4599.
        """
        if not self._token_can_be_sent:
            raise Refused("token", "this is not a token: it contains characters that no token contains")
        while True:
            try:
                async with connect(
                    self.url,
                    compression=None,
                    max_size=MAX_MESSAGE_BYTES,
                    additional_headers=self._headers,
                    close_timeout=CLOSING_SECONDS,
                    proxy=proxy(self.url),
                ) as socket:
                    self._socket = socket
                    for request in self._requests():
                        await socket.send(json.dumps(request))
                    async for text in socket:
                        for message in self._read(text):
                            yield message
            except ConnectionClosed as error:
                if error.rcvd is not None and 4500 <= error.rcvd.code < 4600:
                    code = error.rcvd.code
                    raise Refused(REFUSALS.get(code, str(code)), error.rcvd.reason or f"the hub refused with close code {code}") from error
            except ImportError as error:  # websockets can use a SOCKS proxy only with another package
                raise Refused("proxy", f"{self.url} cannot be reached through this machine's proxy: {error}") from error
            except (WebSocketException, OSError, ValueError, OverflowError) as error:
                self._judge(error)
            finally:
                self.connected, self._socket = False, None
            self._failures += 1
            if not self._known and self._failures >= FIRST_TRIES:
                raise Refused("address", f"{self.url} is not a hub's address: the server closes every connection")
            await asyncio.sleep(self._backoff.wait_seconds(self._failures))

    async def send(self, request: Request) -> None:
        """Send a request on the present connection. Without one, nothing is sent: `requests` must return what is needed after a break."""
        if self._socket is not None:
            with suppress(ConnectionClosed):
                await self._socket.send(json.dumps(request))

    def _read(self, text: str | bytes) -> Iterable[events.Message]:
        if isinstance(text, bytes):
            return
        try:
            message = None if text.startswith("[") else events.decode(text)  # the array is the list of live calls, for people
        except ValueError as error:
            raise Refused("address", f"{self.url} is not a hub's address: the server sends other messages") from error
        if not isinstance(message, events.Refusal):
            self.connected = self._known = True
            self._failures = 0
        if message is not None:
            yield message

    def _judge(self, error: Exception) -> None:
        """Raise Refused, unless another try may succeed.

        An address that has never been right is given up at its first error, so that a mistyped port is one sentence and not a program that
        hangs. An address where a hub has answered is tried forever: the hub may be restarting.
        """
        match error:
            case InvalidURI():
                raise Refused("address", f"{self.url!r} is not a WebSocket address: it must begin with ws:// or wss://") from error
            case InvalidStatus(response=response) if response.status_code < 500 and response.status_code not in PASSING_STATUSES:
                raise Refused("address", f"{self.url} does not let us in: {reason(response.status_code, response.body)}") from error
            case _ if self._known or isinstance(error.__cause__, EOFError):
                return
            case InvalidStatus(response=response):
                raise Refused("address", f"{self.url} does not let us in: {reason(response.status_code, response.body)}") from error
            case OSError():
                raise Refused("unreachable", f"no hub answers at {self.url}: {problem(error)}") from error
            case WebSocketException():
                raise Refused("address", f"{self.url} is not a hub's address: {error}") from error
            case _:
                raise Refused("address", f"{self.url} is not a WebSocket address: {error}") from error


def problem(error: OSError) -> str:
    """Return the system's words for why there is no connection, without asyncio's words about its own calls."""
    if isinstance(error, TimeoutError):
        return "it takes too long"
    if error.errno is None and f"[Errno {errno.ECONNREFUSED}]" in str(error):  # a name with several addresses
        return os.strerror(errno.ECONNREFUSED)
    return os.strerror(error.errno) if error.errno is not None and error.errno > 0 else error.strerror or str(error)


def reason(status: int, body: bytes | bytearray | None) -> str:
    """Return the hub's own words for an HTTP refusal, or its status if it has none."""
    with suppress(ValueError, KeyError, TypeError):
        return str(json.loads(body or b"")["error"]["message"])
    return f"HTTP {status}"
