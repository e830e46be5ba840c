"""A line to a hub that is laid again for as long as it breaks. Knows close codes and back-off, not what is asked for."""

import asyncio
import errno
import json
import os
import random
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import suppress
from typing import TypeAlias

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, InvalidURI, WebSocketException

from hub import events
from hub.errors import HubError

BACKOFF_SECONDS = (0.1, 5.0)
"""The first wait before a reconnect, and the longest; between them it doubles, with jitter, so that many clients do not return at once."""

FIRST_TRIES = 5
"""So often a connection may break before the hub has said its first word; then this is no hub."""

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""A list of many thousand calls is the largest message, half a KiB each; this bounds what a wrong server can make us hold."""

GOODBYE_SECONDS = 0.5
"""How long a hub may take to answer our close: it comes behind all that we did not read."""

PASSING_STATUS = frozenset({408, 425, 429})
"""HTTP refusals that a second try can mend, as all of 5xx."""

REFUSALS = {4501: "token", 4503: "not-allowed", 4504: "unknown-call"}
"""The hub's close codes that mean "do not come back", and its word for each."""

Request: TypeAlias = Mapping[str, object]


class Refused(HubError):
    """The hub said no, and asking again would not help; `refusal_code` is its word for it."""

    def __init__(self, refusal_code: str, message: str) -> None:
        self.refusal_code = refusal_code
        super().__init__(message)


class Line:
    """One connection after another to the same hub."""

    def __init__(self, url: str, token: str | None, greet: Callable[[], Iterable[Request]], *, known: bool = False) -> None:
        """`greet` gives what to ask for on each new connection. `known`: the address was right before, so keep trying from the start."""
        self.url = url
        self.connected = False
        """Whether the hub has spoken on the present connection."""
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._token_is_sound = token is None or (token.isascii() and token.isprintable())
        self._greet = greet
        self._known = known
        """Whether a hub has ever spoken at this address."""
        self._attempt = 0
        """Connections in a row on which nothing was said."""
        self._socket: ClientConnection | None = None

    async def messages(self) -> AsyncGenerator[events.Message, None]:
        """Yield what the hub says, over as many connections as it takes. It ends only by `aclose()` or an error.

        Raises: Refused for an address that is no hub, a token that is not taken, and whatever else closes with 4500-4599.
        """
        if not self._token_is_sound:
            raise Refused("token", "that is no token: it has characters that no token has")
        while True:
            try:
                async with connect(
                    self.url,
                    compression=None,
                    max_size=MAX_MESSAGE_BYTES,
                    additional_headers=self._headers,
                    close_timeout=GOODBYE_SECONDS,
                ) as socket:
                    self._socket = socket
                    for request in self._greet():
                        await socket.send(json.dumps(request))
                    async for text in socket:
                        for message in self._read(text):
                            yield message
            except ConnectionClosed as error:
                if error.rcvd is not None and 4500 <= error.rcvd.code < 4600:
                    raise Refused(REFUSALS.get(error.rcvd.code, str(error.rcvd.code)), error.rcvd.reason or "the hub says no") from error
            except (WebSocketException, OSError, ValueError, OverflowError) as error:
                self._judge(error)
            finally:
                self.connected, self._socket = False, None
            self._attempt += 1
            if not self._known and self._attempt >= FIRST_TRIES:
                raise Refused("address", f"{self.url} does not speak as a hub does: it closes every connection")
            await asyncio.sleep(_backoff(self._attempt))

    async def say(self, request: Request) -> None:
        """Ask for something on the present connection. Without one nothing happens: what matters after a break is in `greet`."""
        if self._socket is not None:
            with suppress(ConnectionClosed):
                await self._socket.send(json.dumps(request))

    def _read(self, text: str | bytes) -> Iterable[events.Message]:
        if isinstance(text, bytes):
            return
        try:
            message = None if text.startswith("[") else events.decode(text)  # an array: the live calls
        except ValueError as error:
            raise Refused("address", f"{self.url} does not speak as a hub does") from error
        if not isinstance(message, events.Refusal):
            self.connected = self._known = True
            self._attempt = 0
        if message is not None:
            yield message

    def _judge(self, error: Exception) -> None:
        """Raise Refused unless trying again may help."""
        match error:
            case InvalidURI():
                raise Refused("address", f"{self.url!r} is no WebSocket address: it would begin with ws:// or wss://") from error
            case InvalidStatus(response=response) if response.status_code < 500 and response.status_code not in PASSING_STATUS:
                raise Refused("address", f"{self.url} does not let us in: {_said(response.status_code, response.body)}") from error
            case _ if self._known or isinstance(error.__cause__, EOFError):
                return
            case InvalidStatus(response=response):
                raise Refused("address", f"{self.url} does not let us in: {_said(response.status_code, response.body)}") from error
            case OSError():
                raise Refused("unreachable", f"no hub answers at {self.url}: {_why(error)}") from error
            case WebSocketException():
                raise Refused("address", f"{self.url} is no hub: {error}") from error
            case _:
                raise Refused("address", f"{self.url} is no WebSocket address: {error}") from error


def plain(text: str) -> str:
    """Return text that a terminal only shows: a caller's name or number could hold codes that move its cursor."""
    return text if text.isprintable() else "".join(letter if letter.isprintable() else " " for letter in text)


def _why(error: OSError) -> str:
    """Return the system's words for why there is no connection, without asyncio's about its calls."""
    if isinstance(error, TimeoutError):
        return "it takes too long"
    if error.errno is None and f"[Errno {errno.ECONNREFUSED}]" in str(error):  # a name with several addresses
        return os.strerror(errno.ECONNREFUSED)
    return os.strerror(error.errno) if error.errno is not None and error.errno > 0 else error.strerror or str(error)


def _said(status: int, body: bytes | bytearray | None) -> str:
    """Return the hub's own words for an HTTP refusal, or its number."""
    with suppress(ValueError, KeyError, TypeError):
        return str(json.loads(body or b"")["error"]["message"])
    return f"HTTP {status}"


def _backoff(attempt: int) -> float:
    first, longest = BACKOFF_SECONDS
    return min(longest, first * 2.0 ** min(attempt - 1, 16)) * random.uniform(0.5, 1.0)
