"""One WebSocket connection to a provider: opened, written to and closed. Only opening waits.

Knows sockets and their errors. Does not know what the messages mean, nor when to connect again.
"""

import asyncio
import functools
import logging
import os
import ssl
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from websockets.asyncio.client import connect
from websockets.asyncio.connection import broadcast
from websockets.exceptions import InvalidProxy, InvalidStatus, InvalidURI, WebSocketException
from websockets.protocol import State

try:
    from websockets.speedups import apply_mask
except ImportError:  # a platform for which websockets has no compiled part
    from websockets.utils import apply_mask

from hub.audio.g711 import BYTES_PER_MS
from hub.audio.timeline import Block
from hub.errors import ProviderError
from hub.text.addresses import proxy
from hub.transcribers.provider_socket import FLOODED, ProviderSocket
from hub.transcribers.replay import AudioClock

_websockets_log = logging.getLogger(f"{__name__}.websockets")
_websockets_log.setLevel(logging.INFO)
"""The logger of the library. At DEBUG the library writes every header, and one header is the key."""

PING_SECONDS = 20.0
"""WebSocket pings find a connection that died without a close."""

BUFFER_BYTES = 64 * 1024
"""A socket with more than this to write gets no more for now: the rest waits in the replay buffer, which is bounded."""

MAX_MESSAGE_BYTES = 1024 * 1024
"""A long utterance with all its words is 100 KB. To decode this much takes 10 ms, in which nobody else has a turn."""

CLOSE_SECONDS = 1.0
"""How long a provider that broke the protocol, by a message that is too large for example, may take to close the connection."""

PROBE_SECONDS = 10.0
"""How long a probe of `transcript-hub check` waits for a provider: as long as a call would."""


@functools.cache
def _tls() -> ssl.SSLContext:
    """Return the one TLS context of this process. Reading the machine's certificates takes 35 ms, and meanwhile no audio is taken in."""
    return ssl.create_default_context()


def prepare(url: str) -> None:
    """Do now what would make the first `dial` slow."""
    if url.startswith("wss:"):
        _tls()


_MASKS = 4096
"""Bytes of randomness fetched at once. A system call for the four bytes of each frame costs more than masking the frame."""


def _masks() -> Iterator[bytes]:
    """Yield masking keys, each unpredictable, as RFC 6455 section 5.3 demands."""
    while True:
        pool = os.urandom(_MASKS)
        for at in range(0, _MASKS, 4):
            yield pool[at : at + 4]


_mask = _masks().__next__


_TEXT, _BINARY = 0x81, 0x82
"""First bytes of whole messages (RFC 6455 section 5.2)."""


def _frame(kind: int, payload: bytes) -> bytes:
    """Return a whole masked message as one frame. The hub negotiates no extension, so a frame has no other parts."""
    size, key = len(payload), _mask()
    if size < 126:
        head = bytes((kind, 0x80 | size))
    elif size < 65536:
        head = bytes((kind, 0xFE)) + size.to_bytes(2, "big")
    else:
        head = bytes((kind, 0xFF)) + size.to_bytes(8, "big")
    return head + key + apply_mask(payload, key)


class ProviderConnection:
    """An open connection and its state. Times are seconds of the session's clock."""

    def __init__(self, socket: ProviderSocket, on_text: Callable[[bytes], None], now: float) -> None:
        """`on_text` is called with each text message from here on, inside the socket's own read; it must not raise."""
        self._socket = socket
        socket.on_text = on_text
        self.clock = AudioClock()
        self.ready = False
        """Whether the provider has accepted the session, so that audio may flow."""
        self.opened_at = now
        self.written_at = now
        """When anything was last sent."""
        self.audio_at = now
        """When audio was last sent."""
        self.read_at = now
        """When a message last came."""
        self.ended_at: float | None = None
        """When the end message was sent; None before."""
        self.summed_up = False
        """Whether the provider sent its last message without saying how much audio it covers."""
        self.processed_ms = 0.0
        """How much of the audio sent the provider has surely processed, on `clock`."""
        self._ticked_at = now

    def flood(self, provider: str) -> ProviderError | None:
        """Return the error of a provider that was cut off because it sent too much; None if it was not. Its next session would be alike."""
        return ProviderError(provider, FLOODED, retryable=False) if self._socket.flooded else None

    @property
    def has_room(self) -> bool:
        """Whether the socket takes more for now. A closing socket does not, and asyncio's TLS transport has no buffer to ask for then."""
        transport = self._socket.transport
        return not transport.is_closing() and transport.get_write_buffer_size() <= BUFFER_BYTES

    def send(self, message: str | bytes, now: float) -> None:
        """Write a text or an audio message. Does nothing if the connection is closing: `closed` raises then."""
        self.written_at = now
        broadcast((self._socket,), message)

    def send_audio(self, block: Block, payload: bytes, padding: int, now: float) -> None:
        """Write a block as this payload, followed by so many bytes of silence. Does what `send` does, at a third of its cost."""
        self.audio_at = self.written_at = now
        self.clock.sent(block, padding / BYTES_PER_MS)
        if self._socket.protocol.state is State.OPEN:
            self._socket.transport.write(_frame(_BINARY, payload + b"\xff" * padding if padding else payload))

    def send_text(self, message: bytes) -> bool:
        """Write a text message that is UTF-8 already, at a third of the cost of `send`; return whether the other side keeps up."""
        socket = self._socket
        if socket.protocol.state is State.OPEN:
            socket.transport.write(_frame(_TEXT, message))
        return socket.transport.get_write_buffer_size() <= BUFFER_BYTES if not socket.transport.is_closing() else False

    async def closed(self) -> None:
        """Wait until either side has closed the connection. Raises: ConnectionClosed, always."""
        while True:
            message = await self._socket.recv(decode=False)
            # `recv` returns only a message from before `on_text` was set, one in fragments, and binary ones, which no provider sends.
            if self._socket.on_text is not None:
                self._socket.on_text(message)

    def tick(self, now: float) -> None:
        """Let time pass for `processed_ms`: a provider processes a backlog at the pace of speech, or faster."""
        if self.ready:
            self.processed_ms = min(self.clock.total_ms, self.processed_ms + (now - self._ticked_at) * 1000)
        self._ticked_at = now

    def cut(self) -> None:
        """Break the connection: `closed` raises."""
        self._socket.transport.abort()

    def hang_up(self, end: str | None) -> None:
        """Close, after the end message if there is one that was not sent yet: then the provider ends the session, and its bill, at once."""
        socket = self._socket
        if socket.protocol.state is State.OPEN:
            if end is not None and self.ended_at is None:
                broadcast((socket,), end)
            socket.protocol.send_close(1000)
            socket.send_data()
        transport = socket.transport
        if not transport.is_closing() and transport.get_write_buffer_size():
            transport.abort()  # a peer that reads nothing any more would keep the socket open for ever
        else:
            transport.close()


TranslateRefusal = Callable[[int, bytes, Mapping[str, str]], ProviderError]
"""Translates the status, body and headers of a handshake that was not answered by 101."""


async def dial(provider: str, url: str, headers: Mapping[str, str], seconds: float, refused: TranslateRefusal) -> ProviderSocket:
    """Open a WebSocket within so many seconds. `provider` is the subject of the sentences that say why it failed.

    Safe to cancel. Raises: ProviderError.
    """
    tls: dict[str, Any] = {"ssl": _tls(), "ssl_shutdown_timeout": 1.0} if url.startswith("wss:") else {}
    try:
        socket = await connect(
            url,
            create_connection=ProviderSocket,
            additional_headers=headers,
            compression=None,
            max_size=MAX_MESSAGE_BYTES,
            open_timeout=seconds,
            close_timeout=CLOSE_SECONDS,
            ping_interval=PING_SECONDS,
            ping_timeout=PING_SECONDS,
            user_agent_header="transcript-hub",
            logger=_websockets_log,
            proxy=proxy(url),
            **tls,
        )
    except InvalidStatus as error:
        answer = error.response
        raise refused(answer.status_code, bytes(answer.body or b""), dict(answer.headers.raw_items())) from error
    except (InvalidURI, UnicodeError) as error:
        raise ProviderError(
            provider, f"has an address that is not a WebSocket URL; check {provider.upper()}_URL", retryable=False
        ) from error
    except (InvalidProxy, ImportError) as error:  # a proxy that speaks SOCKS needs a package that the hub does not bring
        raise ProviderError(provider, f"cannot be reached through this machine's proxy: {error}", retryable=False) from error
    except TimeoutError as error:
        raise ProviderError(provider, f"did not answer the handshake within {seconds:.0f} s", retryable=True) from error
    except (OSError, WebSocketException, EOFError) as error:
        said = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise ProviderError(provider, f"cannot be reached: {said}", retryable=True) from error
    assert isinstance(socket, ProviderSocket)
    return socket


async def leave(socket: ProviderSocket, end: str = "") -> None:
    """Close a socket that a probe opened, after the provider's own end message if it has one, so that the session costs nothing more."""
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            if end:
                await socket.send(end)
            await socket.close()
    except (WebSocketException, OSError, TimeoutError):  # the provider closed first, in whichever way
        socket.transport.abort()
