"""One provider session that survives its connections: what Deepgram and AssemblyAI have in common.

Audio waits in a ring from the first block on. A connection that breaks is made again, with back-off, for as long as the call lives; what
no final covers is sent again, with silence where it was settled. Times are call time throughout. Blocks are written where they are
pushed: no task wakes for them. Knows sockets and retries; each provider's own words are in its subclass and in `hub/wire`.
"""

import asyncio
import logging
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.connection import broadcast
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from hub.audio import Track
from hub.counters import ProviderCounters
from hub.errors import ProviderError, WireError
from hub.stereo import Block
from hub.transcribers import Hear, Lost, Restored
from hub.transcribers.ring import AudioClock, Ring
from hub.transcript import Heard, HeardWord, Missed

log = logging.getLogger(__name__)

OPEN_SECONDS = 10.0
"""A handshake that takes longer has failed; 0.5-1.2 s are normal."""

KEEP_ALIVE_SECONDS = 4.0
"""Deepgram asks for a sign of life every 3-5 s while no audio flows."""

LAST_WORDS_SECONDS = 10.0
"""How long a provider may say nothing between its end message and its terminal one."""

LAST_WORDS_MOST_SECONDS = 30.0
"""And how long altogether, also while it still sends words: after a late reconnect it may have some catching up to do."""

SILENT_SECONDS = 30.0
"""A provider that says nothing for so long, though it should speak even in silence, is not there any more."""

BACKOFF_SECONDS = (0.25, 8.0)
"""The first wait before a reconnect, and the longest: the ring holds 60 s, so even the longest leaves time for several tries."""

STABLE_SECONDS = 10.0
"""A connection that lived so long was no part of the trouble before it: the next wait is short again."""

PING_SECONDS = 20.0
"""WebSocket pings find a connection that died without a word."""

TICK_SECONDS = 1.0
"""How often deadlines are looked at."""

BUFFER_BYTES = 64 * 1024
"""A socket that has more than this to write gets no more for now: the rest waits in the ring, which is bounded."""

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
"""A long utterance with all its words is 100 KB."""


class Line:
    """One connection."""

    def __init__(self, connection: ClientConnection, now: float) -> None:
        self.connection = connection
        self.clock = AudioClock()
        self.ready = False
        """Whether the provider has accepted the session, so that audio may flow."""
        self.opened_at = now
        self.written_at = now
        """When anything was last sent."""
        self.read_at = now
        """When anything last came."""
        self.ended_at: float | None = None
        """When the end message was sent; None before that."""


class Session(ABC):
    """A Transcriber over a WebSocket. Subclasses say how to dial, what to send and what the answers mean."""

    provider: ClassVar[str]
    END: ClassVar[str]
    """What asks the provider for its last words."""
    KEEP_ALIVE: ClassVar[str]
    SPEAKS_IN_SILENCE: ClassVar[bool]
    """Whether the provider sends results even when nobody speaks."""

    def __init__(self, model: str, tracks: tuple[Track, ...], clock: Callable[[], float], counters: ProviderCounters) -> None:
        """`clock` is monotonic seconds."""
        self.model = model
        self.tracks = tracks
        self.ring = Ring(tracks)
        self._clock = clock
        self._counters = counters
        self._hear: Hear = lambda _: None
        self._line: Line | None = None
        """The present connection; None while there is none."""
        self._finished = False
        self._finished_at = 0.0
        """When the audio was finished; only meaningful with `_finished`."""
        self._done = False
        """Whether the provider has said its last word."""
        self._failure: ProviderError | None = None
        """Why we ended the present connection ourselves; None when we did not."""

    # What a subclass says.

    @abstractmethod
    def address(self) -> tuple[str, Mapping[str, str]]:
        """Return the URL to dial and the headers to send."""

    @abstractmethod
    def payload(self, block: Block) -> bytes:
        """Return a block as this provider wants it."""

    @abstractmethod
    def opened(self) -> None:
        """The handshake is over: call `accepted()` now, or when the provider says so."""

    @abstractmethod
    def receive(self, text: bytes) -> None:
        """Take one message. Raises: WireError for one that cannot be read; ProviderError to end the connection."""

    @abstractmethod
    def refused(self, status: int, body: bytes, headers: Mapping[str, str]) -> ProviderError:
        """Translate a handshake that was answered by something else than 101."""

    @abstractmethod
    def closed(self, code: int | None, reason: str) -> ProviderError:
        """Translate a close that we did not ask for."""

    def padding(self, size_bytes: int) -> int:  # noqa: ARG002
        """Return how many bytes of silence to add to a payload of this size."""
        return 0

    def calm(self) -> None:  # noqa: B027  not every provider needs it
        """Called about once a second while connected: the place to settle what nobody spoke in."""

    # Transcriber.

    def push(self, block: Block) -> None:
        """See Transcriber."""
        self.ring.push(block)
        if self._line is not None:
            self._flush(self._line)

    def finish(self) -> None:
        """See Transcriber."""
        if not self._finished:
            self._finished, self._finished_at = True, self._clock()
            if self._line is not None:
                self._flush(self._line)

    async def run(self, hear: Hear) -> bool:
        """See Transcriber. Raises: ProviderError when no retry can help."""
        self._hear = hear
        attempt = 0
        while True:
            began = self._clock()
            self._failure = None
            try:
                await self._converse(attempt)
            except ProviderError as error:
                self.ring.rewind()
                self.disconnected()
                if not error.retryable:
                    self._tell_lost()
                    raise
                if self._line_was_stable(began):
                    attempt = 0
                attempt += 1
                self._counters.reconnects += 1
                if attempt == 1:
                    hear(Lost(self.provider, error.problem, attempt))
                log.warning("%s; attempt %d", error, attempt)
                if self._finished and self._clock() - self._finished_at >= LAST_WORDS_SECONDS:
                    break
                await asyncio.sleep(self._backoff(attempt))
            if self._done:
                break
        self._tell_lost()
        if not self._done:
            for track, settled in self.ring.settled_ms.items():
                self._missed(track, settled, self.ring.end_ms, f"{self.provider} was lost before its last word")
        return self._done

    def unheard(self) -> list[Block]:
        """See Transcriber."""
        return self.ring.unsettled()

    def _line_was_stable(self, began: float) -> bool:
        return self._clock() - began >= STABLE_SECONDS

    def disconnected(self) -> None:  # noqa: B027  not every provider needs it
        """The connection is gone: forget what only it knew."""

    def _backoff(self, attempt: int) -> float:
        first, longest = BACKOFF_SECONDS
        wait = min(longest, first * 2.0 ** min(attempt - 1, 10)) * random.uniform(0.5, 1.0)
        return min(wait, 1.0) if self._finished else wait

    async def _converse(self, attempt: int) -> None:
        """Be connected once: until the provider's last word, or until it breaks. Raises: ProviderError."""
        connection = await self._dial()
        line = self._line = Line(connection, self._clock())
        self._counters.open_sessions += 1
        self._attempt = attempt
        timer = asyncio.get_running_loop().call_later(TICK_SECONDS, self._tick, line)
        self._timer = timer
        try:
            self.opened()
            while not self._done:
                message = await connection.recv(decode=False)
                line.read_at = self._clock()
                try:
                    self.receive(message)
                except WireError as error:
                    log.warning("%s", error)  # one message that cannot be read is no reason to lose the others
        except ConnectionClosed as error:
            raise self._failure or self.closed(error.rcvd.code if error.rcvd else None, error.rcvd.reason if error.rcvd else "") from error
        finally:
            self._line = None
            self._timer.cancel()
            self._counters.open_sessions -= 1
            self._hang_up(line)

    async def _dial(self) -> ClientConnection:
        url, headers = self.address()
        try:
            return await connect(
                url,
                additional_headers=headers,
                compression=None,
                max_size=MAX_MESSAGE_BYTES,
                open_timeout=OPEN_SECONDS,
                ping_interval=PING_SECONDS,
                ping_timeout=PING_SECONDS,
                close_timeout=1,
                user_agent_header="transcript-hub",
            )
        except InvalidStatus as error:
            raise self.refused(
                error.response.status_code, bytes(error.response.body or b""), dict(error.response.headers.raw_items())
            ) from error
        except InvalidURI as error:
            raise ProviderError(self.provider, "has an address that is none; check its _URL setting", retryable=False) from error
        except TimeoutError as error:
            raise ProviderError(self.provider, f"did not answer the handshake within {OPEN_SECONDS:.0f} s", retryable=True) from error
        except (OSError, InvalidHandshake, ConnectionClosed, EOFError) as error:
            said = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise ProviderError(self.provider, f"cannot be reached: {said}", retryable=True) from error

    def _hang_up(self, line: Line) -> None:
        """Close without waiting: the end message first, so that the provider ends its session, and its bill, at once."""
        connection = line.connection
        if line.ended_at is None:
            broadcast((connection,), self.END)
        if connection.protocol.state.name == "OPEN":
            connection.protocol.send_close(1000)
            connection.send_data()
        connection.transport.close()

    def _tick(self, line: Line) -> None:
        """Look at what only time can tell."""
        now = self._clock()
        self._timer = asyncio.get_running_loop().call_later(TICK_SECONDS, self._tick, line)
        if line.ready:
            self._flush(line)
            self.calm()
            if now - line.written_at >= KEEP_ALIVE_SECONDS and line.ended_at is None:
                self._write(line, self.KEEP_ALIVE)
        quiet = now - max(line.read_at, line.ended_at or 0.0)
        if line.ended_at is not None:
            if quiet >= LAST_WORDS_SECONDS or now - line.ended_at >= LAST_WORDS_MOST_SECONDS:
                self._end_line(line, "did not say its last words in time")
        elif not line.ready:
            if quiet >= OPEN_SECONDS:
                self._end_line(line, f"did not begin the session within {OPEN_SECONDS:.0f} s")
        elif self.SPEAKS_IN_SILENCE and quiet >= SILENT_SECONDS and line.clock.total_ms > 0 and now - line.written_at < KEEP_ALIVE_SECONDS:
            self._end_line(line, f"has said nothing for {SILENT_SECONDS:.0f} s")

    def _end_line(self, line: Line, problem: str) -> None:
        self._failure = ProviderError(self.provider, problem, retryable=True)
        line.connection.transport.abort()

    def _flush(self, line: Line) -> None:
        """Write what is due as far as the socket takes it, then the end message when all was. Never waits."""
        if not line.ready:
            return
        transport, ring = line.connection.transport, self.ring
        now = self._clock()
        while transport.get_write_buffer_size() <= BUFFER_BYTES:
            block = ring.next(now)
            if block is None:
                if self._finished and line.ended_at is None:
                    line.ended_at = now
                    self._write(line, self.END)
                return
            payload = self.payload(block)
            padding = self.padding(len(payload))
            line.clock.sent(block, padding / 8)
            line.written_at = now
            self._counters.sent_ms += block.end_ms - block.start_ms
            broadcast((line.connection,), payload + b"\xff" * padding if padding else payload)

    def _write(self, line: Line, text: str) -> None:
        line.written_at = self._clock()
        broadcast((line.connection,), text)

    # For subclasses.

    def accepted(self) -> None:
        """The provider has taken the session: audio flows from here, beginning with what waited."""
        line = self._line
        if line is None or line.ready:
            return
        line.ready = True
        if self._attempt:
            self._counters.restored += 1
            self._hear(Restored(self.provider, "connected again", self._attempt))
        self._tell_lost()
        self._flush(line)

    def last_word(self) -> None:
        """The provider said its terminal message: what is still open is over."""
        if self._line is not None and self._line.ended_at is not None:
            self._done = True
            for track in self.tracks:
                self.ring.settle(track, self.ring.end_ms)

    def call_ms(self, connection_ms: float, *, end: bool = False) -> float:
        """Translate a time of the present connection into call time."""
        return self._line.clock.call_ms(connection_ms, end=end) if self._line is not None else connection_ms

    def report(self, heard: Heard) -> None:
        """Pass on what was heard, and note how long it took."""
        if heard.text and (sent_at := self.ring.sent_at(heard.end * 1000)) is not None:
            (self._counters.final_seconds if heard.settled else self._counters.interim_seconds).add(self._clock() - sent_at)
        self._hear(heard)

    def new_words(self, track: Track, words: tuple[HeardWord, ...]) -> tuple[HeardWord, ...]:
        """Return the words that lie behind what is settled; the others were told already."""
        settled = self.ring.settled_ms[track] / 1000
        new = tuple(word for word in words if (word.start + word.end) / 2 >= settled)
        self._counters.repeats += len(words) - len(new)
        return new

    def _tell_lost(self) -> None:
        for track, (start, end) in self.ring.take_lost().items():
            self._missed(track, start, end, f"{self.provider} was away for longer than the audio could be kept")

    def _missed(self, track: Track, start_ms: float, end_ms: float, reason: str) -> None:
        if end_ms > start_ms:
            self._counters.gap_ms += end_ms - start_ms
            self._hear(Missed(track, start_ms / 1000, end_ms / 1000, reason))
