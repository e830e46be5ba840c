"""One provider session that outlives its connections: what all speech-to-text providers over WebSockets have in common.

Audio waits in the replay buffer from the first block on. A connection that breaks is made again, with back-off, for as long as the call
lives. Audio that no final covers is sent again, with silence where it was settled. All times are call time. Blocks are written where
they are pushed: no task wakes for them.

Knows sockets, attempts and deadlines. Each provider's own messages are in its folder in `hub/vendors`.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from websockets.exceptions import ConnectionClosed

from hub.audio.g711 import BYTES_PER_MS, Track
from hub.audio.timeline import Block
from hub.backoff import happens
from hub.errors import ProviderError, WireError
from hub.ops.counters import ProviderCounters
from hub.transcribers.connection import ProviderConnection, dial, prepare
from hub.transcribers.limits import DEFAULT_LIMITS, WARNINGS, SessionLimits
from hub.transcribers.replay import ReplayBuffer
from hub.transcribers.reported import ReportedWords
from hub.transcribers.transcriber import Lost, OnReport, Restored
from hub.transcribers.utterances import NotTranscribed, Recognized, RecognizedWord

log = logging.getLogger(__name__)

_AWAY = "{} was away for longer than the audio could be kept"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where one call's sessions are opened, and with what."""

    url: str
    """The whole address, query included."""
    key: str = field(repr=False)
    model: str


@dataclass(frozen=True, slots=True)
class SessionContext:
    """What the sessions of one provider share."""

    clock: Callable[[], float]
    """Monotonic seconds."""
    counters: ProviderCounters
    limits: SessionLimits = DEFAULT_LIMITS


class Session(ABC):
    """A Transcriber over a WebSocket. Subclasses say how to connect, what to send and what the answers mean."""

    provider: ClassVar[str]
    TITLE: ClassVar[str]
    """The provider's name as people write it."""
    END: ClassVar[str]
    """The message that asks the provider for its last words."""
    KEEP_ALIVE: ClassVar[str]
    """The message that keeps a connection open while no audio flows."""
    SPEAKS_IN_SILENCE: ClassVar[bool]
    """Whether the provider sends results even if nobody speaks."""

    def __init__(self, endpoint: Endpoint, tracks: tuple[Track, ...], context: SessionContext) -> None:
        self.model = endpoint.model
        self.tracks = tracks
        self.replay = ReplayBuffer(tracks, context.limits.replay_ms)
        self.endpoint = endpoint
        prepare(endpoint.url)
        self._clock = context.clock
        self._counters = context.counters
        self._limits = context.limits
        self._report: OnReport = lambda _: None
        self._connection: ProviderConnection | None = None
        """The present connection; None while there is none."""
        self._dialled_at = 0.0
        """When the newest attempt to connect began."""
        self._attempt = 0
        """Attempts since a connection last was stable."""
        self._away = False
        """Whether Lost was reported, and Restored not yet."""
        self._finished = asyncio.Event()
        """Set when no audio follows."""
        self._finished_at = 0.0
        """When the audio was finished; only meaningful if `_finished` is set."""
        self._recognized_at = 0.0
        """When the provider last recognized something. To accept a connection is not enough to be waited for."""
        self._done = False
        """Whether the provider has sent its last words."""
        self._failure: ProviderError | None = None
        """Why the hub ended the present connection; None if it did not."""
        self._unsettled: dict[Track, bool] = dict.fromkeys(tracks, False)
        """Per track, whether the newest words reported may still change."""
        self._reported: dict[Track, ReportedWords] = {track: ReportedWords() for track in tracks}
        self._unreadable = 0
        """How many messages could not be read. Any of them may have held words, so the transcript may not be complete."""

    # What a subclass provides.

    @abstractmethod
    def headers(self) -> Mapping[str, str]:
        """Return the headers of the handshake."""

    @abstractmethod
    def payload(self, block: Block) -> bytes:
        """Return a block in the form that this provider takes."""

    @abstractmethod
    def opened(self) -> None:
        """Take note that the handshake is over: call `accepted()` now, or when the provider says so."""

    @abstractmethod
    def receive(self, text: bytes) -> None:
        """Take one message. Raises: WireError if it cannot be read; ProviderError to end the connection."""

    @abstractmethod
    def refused(self, status: int, body: bytes, headers: Mapping[str, str]) -> ProviderError:
        """Translate a handshake that was not answered by 101."""

    @abstractmethod
    def closed(self, code: int | None, reason: str) -> ProviderError:
        """Translate a close that the hub did not ask for."""

    def padding(self, size_bytes: int) -> int:  # noqa: ARG002
        """Return how many bytes of silence to add to a payload of this size."""
        return 0

    def settle_silence(self, processed_ms: float) -> None:  # noqa: B027  not every provider needs it
        """Settle audio in which nobody spoke. Called about once a second while connected.

        `processed_ms`: how much audio the provider has surely processed, in the connection's own time.
        """

    def while_silent(self) -> str:
        """Return what keeps a connection open while no audio comes: best, what settles open words, which end by audio time otherwise."""
        return self.KEEP_ALIVE

    def disconnected(self) -> None:  # noqa: B027  not every provider needs it
        """Forget the state that belongs to the connection that is gone."""

    def concluding(self) -> None:  # noqa: B027  not every provider needs it
        """Report what is open: the provider has recognized all audio."""

    # Transcriber.

    def push(self, block: Block) -> None:
        """See Transcriber."""
        self.replay.push(block)
        if self._connection is not None:
            self._flush(self._connection)

    def finish(self) -> None:
        """See Transcriber."""
        if not self._finished.is_set():
            self._finished.set()
            self._finished_at = self._clock()
            if self._connection is not None:
                self._flush(self._connection)

    async def run(self, report: OnReport) -> bool:
        """See Transcriber. Raises: ProviderError if no retry can help."""
        self._report = report
        while not self._is_complete() and self._seconds_left() > 0:
            try:
                await self._connect_once()
            except ProviderError as error:
                self.disconnected()
                self.replay.rewind()
                if self._is_complete():
                    break
                if not error.retryable:
                    self._counters.refused += 1
                    self.report_lost()
                    raise
                self._attempt += 1
                self._counters.reconnects += 1
                log.warning("%s; attempt %d", error, self._attempt)
                if not self._away:
                    self._away = True
                    report(Lost(self.provider, error.problem, self._attempt))
                self.report_lost(self._limits.outage_ms)
                await self._wait()
        self._report_gaps(_AWAY.format(self.TITLE))
        if not self._done:
            self.replay.abandon()
            self._report_gaps(f"{self.TITLE} was lost before its last word")
        return self._done and not self._unreadable

    def unsettled(self) -> list[Block]:
        """See Transcriber."""
        return self.replay.unsettled()

    def leave(self) -> None:
        """Report what is lost, after `run` was cancelled because another transcriber takes over; `unsettled` returns the rest."""
        self.replay.rewind()
        self.report_lost()

    def report_lost(self, least_ms: float = 0.0) -> None:
        """Report audio that is lost, if it is so much, while other audio still gets its words, here or elsewhere: utterances end there."""
        if self.replay.lost_ms >= least_ms:
            self._report_gaps(_AWAY.format(self.TITLE), ends=True)

    def _is_complete(self) -> bool:
        """Return whether all audio is settled, also if the connection broke before the provider could say so."""
        if not self._done and self._finished.is_set() and self.replay.is_settled:
            self._conclude()
        return self._done

    def _seconds_left(self) -> float:
        """Return for how many more seconds the session waits for the last words."""
        limits = self._limits
        if not self._finished.is_set():
            return limits.last_words_most_seconds
        quiet_from = max(self._finished_at, self._recognized_at)
        return min(quiet_from + limits.last_words_seconds, self._finished_at + limits.last_words_most_seconds) - self._clock()

    async def _wait(self) -> None:
        """Wait before the next attempt. Once the audio is finished the wait is short, because somebody waits for the last words."""
        seconds = self._limits.backoff.wait_seconds(self._attempt)
        if self._finished.is_set():
            await asyncio.sleep(min(seconds, self._limits.hurry_seconds))
        else:
            await happens(self._finished, seconds)

    async def _connect_once(self) -> None:
        """Connect, and stay connected until the provider's last words or until the connection breaks. Raises: ProviderError."""
        self._failure = None
        self._dialled_at = self._clock()
        seconds = min(self._limits.open_seconds, self._seconds_left())
        socket = await dial(self.TITLE, self.endpoint.url, self.headers(), seconds, self.refused)
        connection = self._connection = ProviderConnection(socket, self._received, self._clock())
        self._counters.sessions += 1
        self._counters.open_sessions += 1
        self._timer = asyncio.get_running_loop().call_later(self._limits.tick_seconds, self._tick, connection)
        try:
            self.opened()
            await connection.closed()
        except ConnectionClosed as error:
            code, reason = (error.rcvd.code, error.rcvd.reason) if error.rcvd else (None, "")
            if connection.summed_up and code == 1000:
                self._conclude()
            if self._done:
                return
            raise connection.flood(self.TITLE) or self._failure or self.closed(code, reason) from error
        finally:
            if connection.read_at > connection.opened_at and self._clock() - connection.opened_at >= self._limits.stable_seconds:
                self._attempt = 0
            self._connection = None
            self._timer.cancel()
            self._counters.open_sessions -= 1
            connection.hang_up(self.END)

    def _received(self, message: bytes) -> None:
        """Take one message, inside the socket's own read. Never waits, never raises."""
        connection = self._connection
        if connection is None or self._done:
            return
        connection.read_at = self._clock()
        try:
            self.receive(message)
        except WireError as error:  # one message that cannot be read is no reason to lose the others
            self._unreadable += 1
            log.log(logging.WARNING if self._unreadable <= WARNINGS else logging.DEBUG, "%s", error)
        except ProviderError as error:
            self._failure = error
            connection.cut()
        except Exception:
            log.exception("a message of %s broke the hub's reading of it", self.TITLE)
            self._give_up(connection, "sent a message that the hub failed on; the hub's log says more")
        if self._done:
            connection.hang_up(self.END)

    def _tick(self, connection: ProviderConnection) -> None:
        """Look at the deadlines."""
        limits, now = self._limits, self._clock()
        self._timer = asyncio.get_running_loop().call_later(limits.tick_seconds, self._tick, connection)
        connection.tick(now)
        if connection.ready:
            self._flush(connection)
            self.settle_silence(connection.processed_ms)
            if now - connection.written_at >= limits.keep_alive_seconds and connection.ended_at is None:
                connection.send(self.while_silent(), now)
        quiet_seconds = now - connection.read_at
        if self._seconds_left() <= 0:
            self._give_up(connection, "did not say its last words in time")
        elif not connection.ready:
            if quiet_seconds >= limits.open_seconds:
                self._give_up(connection, f"did not begin the session within {limits.open_seconds:.0f} s")
        elif self.SPEAKS_IN_SILENCE and quiet_seconds >= limits.silent_seconds and self._owes_results(connection, now):
            self._give_up(connection, f"has said nothing for {limits.silent_seconds:.0f} s")

    def _owes_results(self, connection: ProviderConnection, now: float) -> bool:
        """Return whether audio flows to the provider, or would if the provider read it."""
        return now - connection.audio_at < self._limits.keep_alive_seconds or not connection.has_room

    def _give_up(self, connection: ProviderConnection, problem: str) -> None:
        self._failure = ProviderError(self.TITLE, problem, retryable=True)
        connection.cut()

    def _flush(self, connection: ProviderConnection) -> None:
        """Write the blocks that are due as far as the socket has room, then, once all are written, the end message. Never waits."""
        if not connection.ready:
            return
        now = self._clock()
        while self.replay.has_more:
            if not connection.has_room:
                return
            block = self.replay.next(now)
            payload = self.payload(block)
            connection.send_audio(block, payload, self.padding(len(payload)), now)
            self._counters.sent_ms += len(block.inbound) / BYTES_PER_MS
        if self._finished.is_set() and connection.ended_at is None and connection.has_room:
            connection.ended_at = now
            connection.send(self.END, now)

    # For subclasses.

    def accepted(self) -> None:
        """Take note that the provider has accepted the session: audio flows from here, beginning with the audio that waited."""
        connection = self._connection
        if connection is None or connection.ready:
            return
        now = self._clock()
        connection.tick(now)
        connection.ready = True
        self._counters.handshake_seconds.add(now - self._dialled_at)
        if self._away:
            self._away = False
            self._counters.restored += 1
            self._report(Restored(self.provider, "connected again", self._attempt))
        self.report_lost()
        self._flush(connection)

    def summed_up(self, heard_seconds: float | None, precision_seconds: float) -> None:
        """Take note of the provider's last message, which says how much audio it received on this connection.

        A provider that ends a session by itself sends it, too, and it may be on its way when the hub sends its end message. So it counts
        only if it covers the audio that was sent. One that does not say how much it covers counts if an orderly close follows.
        """
        connection = self._connection
        if connection is None or connection.ended_at is None:
            return
        if heard_seconds is None:
            connection.summed_up = True
        elif (heard_seconds + precision_seconds) * 1000 >= connection.clock.total_ms:
            self._conclude()

    def end_utterance(self, track: Track) -> None:
        """End the utterance of a track, unless its newest words may still change."""
        if not self._unsettled[track]:
            at = self.replay.settled_ms[track] / 1000
            self._report(Recognized(track, at, at, "", settled=True, closes=True))

    def withdraw(self, track: Track) -> None:
        """Withdraw the words of a track that are not settled: their audio is transcribed again."""
        self._unsettled[track] = False
        self.end_utterance(track)

    def call_ms(self, connection_ms: float, *, end: bool = False) -> float:
        """Translate a time of the present connection into call time."""
        return self._connection.clock.call_ms(connection_ms, end=end) if self._connection is not None else connection_ms

    def recognized(self, piece: Recognized) -> None:
        """Report a piece, and count how long it took."""
        now = self._recognized_at = self._clock()
        if piece.text and (sent_at := self.replay.sent_at(piece.end * 1000)) is not None:
            (self._counters.final_seconds if piece.settled else self._counters.interim_seconds).add(now - sent_at)
        self._unsettled[piece.track] = not piece.settled
        if piece.settled and piece.text:
            self._reported[piece.track].add(piece.words or (RecognizedWord(piece.text, piece.start, piece.end),))
        self._report(piece)

    def new_words(self, track: Track, words: tuple[RecognizedWord, ...]) -> tuple[RecognizedWord, ...]:
        """Return the words that were not reported as settled before."""
        return self._reported[track].new(words)

    def repeated(self, words: int) -> None:
        """Count words that the provider sent again and that are not reported again."""
        self._counters.repeats += words

    def _conclude(self) -> None:
        self.concluding()
        for track in self.tracks:
            self.replay.settle(track, self.replay.end_ms)
            self.end_utterance(track)
        self._done = True

    def _report_gaps(self, reason: str, *, ends: bool = False) -> None:
        for track, (start_ms, end_ms) in self.replay.take_lost():
            if ends:
                self.withdraw(track)
            self._counters.gap_ms += end_ms - start_ms
            self._report(NotTranscribed(track, start_ms / 1000, end_ms / 1000, reason))
