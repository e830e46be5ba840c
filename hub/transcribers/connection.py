"""One connection to a provider: dialled, written to and hung up, the latter two without ever waiting.

Knows sockets and their errors. Does not know what is said on them, nor when to try again.
"""

import functools
import logging
import os
import ssl
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.connection import broadcast
from websockets.exceptions import InvalidProxy, InvalidStatus, InvalidURI, WebSocketException
from websockets.frames import Frame, Opcode
from websockets.protocol import Event, State

try:
    from websockets.speedups import apply_mask
except ImportError:  # a platform for which websockets has no compiled part
    from websockets.utils import apply_mask

from hub.audio.g711 import BYTES_PER_MS
from hub.audio.timeline import Block
from hub.errors import ProviderError
from hub.transcribers.replay import AudioClock

_wire_log = logging.getLogger(f"{__name__}.wire")
_wire_log.setLevel(logging.INFO)
"""For websockets, which writes every header at DEBUG, and one of them is the key."""

PING_SECONDS = 20.0
"""WebSocket pings find a connection that died without a word."""

BUFFER_BYTES = 64 * 1024
"""A socket that has more than this to write gets no more for now: the rest waits in the replay, which is bounded."""

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
"""A long utterance with all its words is 100 KB."""


@functools.cache
def _tls() -> ssl.SSLContext:
    """Return the one context of this process: reading the machine's certificates takes 35 ms, in which nobody's audio is taken in."""
    return ssl.create_default_context()


def prepare(url: str) -> None:
    """Do now what the first `dial` would take long for."""
    if url.startswith("wss:"):
        _tls()


_MASKS = 4096
"""Bytes of randomness fetched at once: a system call for each frame's four costs more than masking it."""


def _masks() -> Iterator[bytes]:
    """Yield masking keys, each unpredictable, as RFC 6455 section 5.3 wants."""
    while True:
        pool = os.urandom(_MASKS)
        for at in range(0, _MASKS, 4):
            yield pool[at : at + 4]


_mask = _masks().__next__


_TEXT, _BINARY = 0x81, 0x82
"""First bytes of whole messages (RFC 6455 section 5.2)."""


def _frame(kind: int, payload: bytes) -> bytes:
    """Return a whole masked message. No extension is negotiated, so this is all there is to a frame."""
    size, key = len(payload), _mask()
    if size < 126:
        head = bytes((kind, 0x80 | size))
    elif size < 65536:
        head = bytes((kind, 0xFE)) + size.to_bytes(2, "big")
    else:
        head = bytes((kind, 0xFF)) + size.to_bytes(8, "big")
    return head + key + apply_mask(payload, key)


class Wire(ClientConnection):
    """A connection that hands text messages over where they are parsed: no queue, no task woken for each.

    `websockets` has its subclasses override `process_event`, and takes one by `connect(create_connection=…)`. Most messages are interims,
    several a second and call, and waking a task for one costs more than reading it.
    """

    take: Callable[[bytes], None] | None = None
    """What is called for each whole text message; must not raise. None: `recv()` gets them."""

    def process_event(self, event: Event) -> None:
        """See websockets.asyncio.connection.Connection."""
        if self.take is not None and isinstance(event, Frame) and event.opcode is Opcode.TEXT and event.fin:
            self.take(bytes(event.data))
        else:
            super().process_event(event)


class Line:
    """A connection that is open, and what is known of it. Times are on the session's clock, seconds."""

    def __init__(self, connection: Wire, take: Callable[[bytes], None], now: float) -> None:
        """`take` is called for each text message from here on, whoever waits; it must not raise."""
        self._connection = connection
        connection.take = take
        self.clock = AudioClock()
        self.ready = False
        """Whether the provider has accepted the session, so that audio may flow."""
        self.opened_at = now
        self.written_at = now
        """When anything was last sent."""
        self.audio_at = now
        """When audio was last sent."""
        self.read_at = now
        """When anything last came."""
        self.ended_at: float | None = None
        """When the end message was sent; None before that."""
        self.heard_ms = 0.0
        """How much of the audio sent the provider has surely heard, on `clock`."""
        self._ticked_at = now

    @property
    def has_room(self) -> bool:
        """Whether the socket takes more for now. A closing one does not; asyncio's TLS one cannot be asked for its buffer then."""
        transport = self._connection.transport
        return not transport.is_closing() and transport.get_write_buffer_size() <= BUFFER_BYTES

    def send(self, message: str | bytes, now: float) -> None:
        """Write a text or an audio message. Nothing happens when the connection is closing: `closed` will say so."""
        self.written_at = now
        broadcast((self._connection,), message)

    def send_audio(self, block: Block, payload: bytes, padding: int, now: float) -> None:
        """Write a block as this payload, with so many bytes of silence after it. As `send`, at a third of its cost."""
        self.audio_at = self.written_at = now
        self.clock.sent(block, padding / BYTES_PER_MS)
        if self._connection.protocol.state is State.OPEN:
            self._connection.transport.write(_frame(_BINARY, payload + b"\xff" * padding if padding else payload))

    def send_text(self, message: bytes) -> bool:
        """Write a text message that is UTF-8 already; return whether the other side still keeps up. As `send`, at a third of its cost."""
        connection = self._connection
        if connection.protocol.state is State.OPEN:
            connection.transport.write(_frame(_TEXT, message))
        return connection.transport.get_write_buffer_size() <= BUFFER_BYTES if not connection.transport.is_closing() else False

    async def closed(self) -> None:
        """Wait until the connection is closed, by whoever. Raises: ConnectionClosed, always."""
        while True:
            message = await self._connection.recv(decode=False)
            # Here come only a message from before the line was made, one in pieces, and binary ones, which no provider sends.
            if self._connection.take is not None:
                self._connection.take(message)

    def tick(self, now: float) -> None:
        """Let time pass for `heard_ms`: a provider takes a backlog in at the pace of speech, or faster."""
        if self.ready:
            self.heard_ms = min(self.clock.total_ms, self.heard_ms + (now - self._ticked_at) * 1000)
        self._ticked_at = now

    def cut(self) -> None:
        """Break the connection: `closed` raises."""
        self._connection.transport.abort()

    def hang_up(self, end: str | None) -> None:
        """Close, with the end message first if there is one that was not said, so that the provider ends its session and bill at once."""
        connection = self._connection
        if connection.protocol.state is State.OPEN:
            if end is not None and self.ended_at is None:
                broadcast((connection,), end)
            connection.protocol.send_close(1000)
            connection.send_data()
        transport = connection.transport
        if not transport.is_closing() and transport.get_write_buffer_size():
            transport.abort()  # who takes nothing any more would keep the socket for ever
        else:
            transport.close()


Refused = Callable[[int, bytes, Mapping[str, str]], ProviderError]
"""Translates a handshake that was answered by something else than 101."""


async def dial(provider: str, url: str, headers: Mapping[str, str], seconds: float, refused: Refused) -> Wire:
    """Open a connection within so many seconds. `provider` begins the sentences that say why it could not be.

    Safe to cancel. Raises: ProviderError.
    """
    tls: dict[str, Any] = {"ssl": _tls(), "ssl_shutdown_timeout": 1.0} if url.startswith("wss:") else {}
    try:
        connection = await connect(
            url,
            create_connection=Wire,
            additional_headers=headers,
            compression=None,
            max_size=MAX_MESSAGE_BYTES,
            open_timeout=seconds,
            ping_interval=PING_SECONDS,
            ping_timeout=PING_SECONDS,
            user_agent_header="transcript-hub",
            logger=_wire_log,
            **tls,
        )
    except InvalidStatus as error:
        answer = error.response
        raise refused(answer.status_code, bytes(answer.body or b""), dict(answer.headers.raw_items())) from error
    except (InvalidURI, UnicodeError) as error:
        raise ProviderError(provider, f"has an address that is none; check {provider.upper()}_URL", retryable=False) from error
    except InvalidProxy as error:
        raise ProviderError(provider, f"cannot be reached through this machine's proxy: {error}", retryable=False) from error
    except TimeoutError as error:
        raise ProviderError(provider, f"did not answer the handshake within {seconds:.0f} s", retryable=True) from error
    except (OSError, WebSocketException, EOFError) as error:
        said = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise ProviderError(provider, f"cannot be reached: {said}", retryable=True) from error
    assert isinstance(connection, Wire)
    return connection
