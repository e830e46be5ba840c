"""Twilio's end of one media stream: opens the socket, sends `connected` and `start`, and closes in time whatever happens in between.

Knows the life of the socket and what can go wrong with it. Does not know what audio is sent, nor how Twilio signs.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidProxy, InvalidStatus, InvalidURI, ProxyError
from websockets.http11 import Response

from clients.pretend_twilio.messages import MediaStreamMessages, new_sid
from hub.audio.g711 import Track
from hub.text.addresses import proxy
from hub.text.foreign_text import line

CLOSING_SECONDS = 5.0
"""How long the hub may take to answer our close frame. By then it has said all it has to say to this end of the call."""

QUOTED_CHARACTERS = 300
"""How much of a refusal is quoted. The hub's reason is a sentence, but another server may answer with a whole page."""


class NotAnswered(ConnectionError):
    """The hub did not take the call: there is no hub, or it refused. Its text is one sentence.

    `status` is the HTTP status of a refusal; None if there was no answer.
    """

    def __init__(self, sentence: str, status: int | None = None) -> None:
        self.status = status
        super().__init__(sentence)


@dataclass(frozen=True, slots=True)
class OutgoingCall:
    """A call that is about to be made: the hub's address, the names of call and stream, the parameters, and the headers of the upgrade.

    `signed_url` is the address for which `headers` hold a signature; None where nothing is signed.
    """

    url: str
    call_sid: str = field(default_factory=lambda: new_sid("CA"))
    stream_sid: str = field(default_factory=lambda: new_sid("MZ"))
    parameters: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    signed_url: str | None = None

    def explain(self, problem: NotAnswered) -> str:
        """Return why the hub did not answer and, where the signature may be the reason, what to do about it."""
        if problem.status != 403:
            return str(problem)
        if self.signed_url is None:
            return f"{problem} A hub that asks for Twilio's signature lets you in with --sign."
        return f"{problem} The signed address is {self.signed_url}; `--sign https://…` names another, as in the hub's HUB_PUBLIC_URL."


@dataclass(frozen=True, slots=True)
class CallResult:
    """What became of a call. `frames_sent` counts messages per track, duplicates included. `seconds` is audio time, not wall time.

    `close_code` and `close_reason` are the hub's: 1006 if the hub vanished without a close frame, None if this side closed first.
    `cut_short`: the hub closed before the call was over.
    """

    call_sid: str
    stream_sid: str
    frames_sent: dict[Track, int]
    frames_lost: int
    seconds: float
    close_code: int | None
    close_reason: str | None
    cut_short: bool

    @property
    def ending(self) -> str:
        """One sentence for a call that the hub cut short."""
        reason = f": {line(self.close_reason)}" if self.close_reason else ""
        return f"The hub ended the call after {self.seconds:.1f} s with close code {self.close_code}{reason}"


class MediaStreamSocket:
    """One stream as an `async with` block: it opens the socket and sends `connected` and `start` before the block, and closes after it.

    The block itself must send `stop`; for a block that is cancelled, `stop` is sent here. When the hub closes, the block ends at its next
    `send`, and that is not an error.
    """

    def __init__(
        self,
        call: OutgoingCall,
        tracks: list[Track],
        receive: Callable[[str | bytes], Awaitable[None]] | None = None,
        *,
        closing_seconds: float = CLOSING_SECONDS,
    ) -> None:
        """`receive` is called with each message of the hub."""
        self.messages = MediaStreamMessages(call.call_sid, call.stream_sid)
        self.over = asyncio.Event()
        """Set once either side has closed."""
        self.cut_short = False
        """Whether the hub closed while the block still had something to send. Known once the call is over."""
        self._call, self._tracks, self._receive, self._closing_seconds = call, tracks, receive, closing_seconds
        self._life = self._live()

    async def __aenter__(self) -> "MediaStreamSocket":
        """Make the call. Raises: NotAnswered."""
        await self._life.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> bool | None:
        """Close the socket, within `closing_seconds`."""
        return await self._life.__aexit__(*error)

    @property
    def close_code(self) -> int | None:
        """The close code, from whichever side closed; None while the socket is open."""
        return self._connection.close_code

    @property
    def close_reason(self) -> str | None:
        """The reason that came with the close code."""
        return self._connection.close_reason

    def result(self, frames_sent: dict[Track, int], frames_lost: int, seconds: float) -> CallResult:
        """Return what became of the call. Only after the block."""
        hub_closed = self.cut_short or self._connection.protocol.close_rcvd_then_sent
        code, reason = (self.close_code, self.close_reason) if hub_closed else (None, None)
        names = self.messages.call_sid, self.messages.stream_sid
        return CallResult(*names, frames_sent, frames_lost, seconds, code, reason, self.cut_short)

    async def send(self, message: bytes) -> None:
        """Send one message of the stream. Raises: ConnectionClosed, which ends the block."""
        await self._connection.send(message, text=True)

    async def close(self) -> None:
        """Close the socket. Send `stop` first: without it, the hub takes the stream for broken and waits for another."""
        await self._in_time(self._connection.close())

    def break_off(self) -> None:
        """Cut the socket off without a close frame."""
        self._connection.transport.abort()

    @asynccontextmanager
    async def _live(self) -> AsyncIterator[None]:
        self._connection = await _open(self._call.url, self._call.headers, self._closing_seconds)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._read())
                try:
                    with suppress(ConnectionClosed):  # the block will meet it, too
                        await self.send(self.messages.connected())
                        await self.send(self.messages.start(self._tracks, self._call.parameters))
                    yield
                except ConnectionClosed:
                    self.cut_short = True
                except asyncio.CancelledError:
                    with suppress(ConnectionClosed):
                        await self._in_time(self.send(self.messages.stop()))
                    raise
                finally:
                    await self.close()
        except ExceptionGroup as errors:  # it holds what the block raised: nothing else here raises
            raise errors.exceptions[0] from None

    async def _read(self) -> None:
        """Read all of the hub's messages, even if nobody wants them: unread messages would hide its close frame."""
        with suppress(ConnectionClosed):
            async for message in self._connection:
                if self._receive is not None:
                    await self._receive(message)
        self.over.set()

    async def _in_time(self, step: Coroutine[Any, Any, None]) -> None:
        """Await one step of closing, or break off after `closing_seconds`.

        The socket's own `close_timeout` is not enough: while the hub reads nothing and the buffers are full, even `close()` of websockets
        17.4 waits forever, because it cannot write its close frame.
        """
        try:
            async with asyncio.timeout(self._closing_seconds):
                await step
        except TimeoutError:
            self.break_off()


async def _open(url: str, headers: Mapping[str, str], closing_seconds: float) -> ClientConnection:
    """Open the socket to the hub, as Twilio does. Raises: NotAnswered."""
    try:
        # No pings, because Twilio is not known to send any.
        return await connect(
            url, additional_headers=headers, compression=None, proxy=proxy(url), ping_interval=None, close_timeout=closing_seconds
        )
    except InvalidURI as error:
        raise NotAnswered(f"{url} is not the address of a hub; it should look like ws://127.0.0.1:5000/twilio.") from error
    except InvalidStatus as error:
        answer = error.response
        refusal = f"HTTP {answer.status_code} {answer.reason_phrase}{_reason(answer)}"
        raise NotAnswered(f"The hub at {url} refused the call: {refusal}.", answer.status_code) from error
    except (InvalidProxy, ProxyError, ImportError) as error:
        raise NotAnswered(f"{url} cannot be reached through this machine's proxy: {error}.") from error
    except (InvalidHandshake, EOFError) as error:
        raise NotAnswered(f"The server at {url} is not a hub: it does not speak WebSocket.") from error
    except TimeoutError as error:
        raise NotAnswered(f"No hub answers at {url}: it took too long.") from error
    except OSError as error:
        # asyncio's own words would be "Connect call failed ('127.0.0.1', 5000)", or a list of those for a name with two addresses.
        known = error.errno is not None and error.errno > 0
        problem = os.strerror(error.errno or 0) if known else error.strerror or "none of its addresses accepts a connection"
        raise NotAnswered(f"No hub answers at {url}: {problem}.") from error


def _reason(answer: Response) -> str:
    """Return a refusal's body, if that is plain text and says more than the status."""
    if not answer.headers.get("Content-Type", "").startswith("text/plain"):
        return ""
    words = " ".join(line(answer.body.decode(errors="replace")).split()).rstrip(".")
    if not words or words == f"{answer.status_code}: {answer.reason_phrase}":
        return ""
    return f": {words}" if len(words) <= QUOTED_CHARACTERS else f": {words[:QUOTED_CHARACTERS]}…"
