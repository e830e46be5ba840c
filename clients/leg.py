"""Twilio's end of one stream: dials the hub, says connected and start, and takes leave in time whatever comes in between.

Knows the socket's life and what goes wrong in it. Knows neither what is said meanwhile nor how Twilio signs.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.http11 import Response

from clients.line import plain
from clients.stream import Stream
from hub.audio.g711 import Track

GOODBYE_SECONDS = 5.0
"""How long the hub may take to answer our close frame: it says its last words to others, not to us."""

QUOTED_CHARACTERS = 300
"""The hub's reasons for a refusal are a sentence; what another server says may be a page."""


class NotAnswered(ConnectionError):
    """The hub did not take the call: it is not there, or it refused. Its text is one sentence.

    `status` is the HTTP status of a refusal, else None.
    """

    def __init__(self, sentence: str, status: int | None = None) -> None:
        self.status = status
        super().__init__(sentence)


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a call. `frames_sent` counts messages per track, duplicates included; `seconds` is the audio's time, not the wall's.

    `close_code` and `close_reason` are the hub's, 1006 when it vanished without a close frame; None when we were the first to close.
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
        """How the hub ended a call that it cut short, in a sentence."""
        reason = f": {self.close_reason}" if self.close_reason else ""
        return f"The hub ended the call after {self.seconds:.1f} s with close code {self.close_code}{reason}"


class Leg:
    """One stream, as a call: `async with` dials, says connected and start, and takes leave; `stop` is for the block to say.

    A block that is cancelled has said stop, too. When the hub closes, the block ends with its next word, and that is no error.
    """

    def __init__(
        self,
        url: str,
        stream: Stream,
        tracks: list[Track],
        parameters: Mapping[str, str] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        hear: Callable[[str | bytes], Awaitable[None]] | None = None,
    ) -> None:
        """`headers` go onto the upgrade; `hear` is given each message of the hub."""
        self.stream = stream
        self.over = asyncio.Event()
        """Set when either side has closed."""
        self.cut_short = False
        """Whether the hub closed while the block had something to say; known when the call is over."""
        self._url, self._tracks, self._parameters, self._headers, self._hear = url, tracks, parameters or {}, headers, hear
        self._life = self._call()

    async def __aenter__(self) -> "Leg":
        """Call. Raises: NotAnswered."""
        await self._life.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> bool | None:
        """Take leave, in time."""
        return await self._life.__aexit__(*error)

    @property
    def close_code(self) -> int | None:
        """The close code of either side, once the socket is closed."""
        return self._connection.close_code

    @property
    def close_reason(self) -> str | None:
        """And what was said about it."""
        return self._connection.close_reason

    def played(self, frames_sent: dict[Track, int], frames_lost: int, seconds: float) -> Played:
        """Return what came of the call, when it is over."""
        hub_closed = self.cut_short or self._connection.protocol.close_rcvd_then_sent
        code, reason = (self.close_code, self.close_reason) if hub_closed else (None, None)
        return Played(self.stream.call_sid, self.stream.stream_sid, frames_sent, frames_lost, seconds, code, reason, self.cut_short)

    async def say(self, message: bytes) -> None:
        """Send one message of the stream. Raises: ConnectionClosed, which ends the block."""
        await self._connection.send(message, text=True)

    async def close(self) -> None:
        """Close the socket; the call's own goodbye is `stop`."""
        await self._in_time(self._connection.close())

    def break_off(self) -> None:
        """Cut the socket off, without a word."""
        self._connection.transport.abort()

    @asynccontextmanager
    async def _call(self) -> AsyncIterator[None]:
        self._connection = await _dial(self._url, self._headers)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._listen())
                try:
                    with suppress(ConnectionClosed):  # the block meets it, too
                        await self.say(self.stream.connected())
                        await self.say(self.stream.start(self._tracks, self._parameters))
                    yield
                except ConnectionClosed:
                    self.cut_short = True
                except asyncio.CancelledError:
                    with suppress(ConnectionClosed):
                        await self._in_time(self.say(self.stream.stop()))
                    raise
                finally:
                    await self.close()
        except ExceptionGroup as errors:  # what the block raised: nobody else raises anything
            raise errors.exceptions[0] from None

    async def _listen(self) -> None:
        """Read to its end what the hub says, whoever wants it: unread messages would hide its close frame."""
        with suppress(ConnectionClosed):
            async for message in self._connection:
                if self._hear is not None:
                    await self._hear(message)
        self.over.set()

    async def _in_time(self, goodbye: Coroutine[Any, Any, None]) -> None:
        """Say goodbye, or break off: to a hub that reads nothing, even `close()` of websockets 17.4 waits for ever."""
        try:
            async with asyncio.timeout(GOODBYE_SECONDS):
                await goodbye
        except TimeoutError:
            self.break_off()


async def _dial(url: str, headers: Mapping[str, str] | None) -> ClientConnection:
    """Connect to the hub's door for Twilio, as Twilio does. Raises: NotAnswered."""
    try:
        # No pings: Twilio is not known to send any. No proxy: a pretend Twilio calls a hub that is near.
        return await connect(
            url, additional_headers=headers, compression=None, proxy=None, ping_interval=None, close_timeout=GOODBYE_SECONDS
        )
    except InvalidURI as exc:
        raise NotAnswered(f"{url} is not the address of a hub; it should look like ws://127.0.0.1:5000/twilio.") from exc
    except InvalidStatus as exc:
        answer = exc.response
        refusal = f"HTTP {answer.status_code} {answer.reason_phrase}{_reason(answer)}"
        raise NotAnswered(f"The hub at {url} refused the call: {refusal}.", answer.status_code) from exc
    except (InvalidHandshake, EOFError) as exc:
        raise NotAnswered(f"What answers at {url} is not a hub: it does not speak WebSocket.") from exc
    except TimeoutError as exc:
        raise NotAnswered(f"No hub answers at {url}: it took too long.") from exc
    except OSError as exc:
        # asyncio's own words would be "Connect call failed ('127.0.0.1', 5000)", and a list of those when a name has two addresses.
        known = exc.errno is not None and exc.errno > 0
        problem = os.strerror(exc.errno or 0) if known else exc.strerror or "no address of it takes a connection"
        raise NotAnswered(f"No hub answers at {url}: {problem}.") from exc


def _reason(answer: Response) -> str:
    """Return what a refusal says about itself, if that is plain text and says more than its status."""
    if not answer.headers.get("Content-Type", "").startswith("text/plain"):
        return ""
    words = " ".join(plain(answer.body.decode(errors="replace")).split()).rstrip(".")
    if not words or words == f"{answer.status_code}: {answer.reason_phrase}":
        return ""
    return f": {words}" if len(words) <= QUOTED_CHARACTERS else f": {words[:QUOTED_CHARACTERS]}…"
