"""One provider session that outlives its connections: what Deepgram and AssemblyAI have in common.

Audio waits in a replay buffer from the first block on. A connection that breaks is made again, with back-off, for as long as the call
lives. Audio that no final covers is sent again, with silence where it was settled. Times are call time throughout. Blocks are written
where they are pushed: no task wakes for them. Knows sockets and retries; each provider's own messages are in its folder in `hub/vendors`.
"""

import asyncio
import logging
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import ClassVar

from websockets.exceptions import ConnectionClosed

from hub.audio.g711 import BYTES_PER_MS, Track
from hub.audio.timeline import Block
from hub.errors import ProviderError, WireError
from hub.ops.counters import ProviderCounters
from hub.transcribers.connection import Line, dial, prepare
from hub.transcribers.replay import REPLAY_MS, ReplayBuffer
from hub.transcribers.transcriber import Lost, OnReport, Restored
from hub.transcribers.utterances import NotTranscribed, Recognized, RecognizedWord

log = logging.getLogger(__name__)

OPEN_SECONDS = 10.0
"""A handshake that takes longer has failed; 0.5-1.2 s are normal."""

KEEP_ALIVE_SECONDS = 4.0
"""Deepgram asks for a sign of life every 3-5 s while no audio flows."""

LAST_WORDS_SECONDS = 10.0
"""How long a call that is over waits for a provider that says nothing, be it connected or not."""

LAST_WORDS_MOST_SECONDS = 30.0
"""And how long altogether, also while words still come: after a late reconnect there may be some catching up to do."""

SILENT_SECONDS = 30.0
"""A provider that says nothing for so long, though it should speak even in silence, is not there any more."""

BACKOFF_SECONDS = (0.25, 8.0)
"""The first wait before a reconnect, and the longest: the buffer holds 60 s, so even the longest leaves time for several tries."""

HURRY_SECONDS = 1.0
"""The longest wait once the audio is finished."""

STABLE_SECONDS = 10.0
"""A connection that lived so long, and spoke, was no part of the trouble before it: the next wait is short again."""

TICK_SECONDS = 1.0
"""How often deadlines are looked at."""

_AWAY = "{} was away for longer than the audio could be kept"


class Session(ABC):
    """A Transcriber over a WebSocket. Subclasses say how to dial, what to send and what the answers mean."""

    provider: ClassVar[str]
    NAME: ClassVar[str]
    """The provider as people write it."""
    END: ClassVar[str]
    """What asks the provider for its last words."""
    KEEP_ALIVE: ClassVar[str]
    SPEAKS_IN_SILENCE: ClassVar[bool]
    """Whether the provider sends results even when nobody speaks."""

    def __init__(
        self,
        url: str,
        model: str,
        tracks: tuple[Track, ...],
        clock: Callable[[], float],
        counters: ProviderCounters,
        replay_ms: float = REPLAY_MS,
    ) -> None:
        """`clock` is monotonic seconds; `replay_ms` is how much audio is kept for a provider that is away."""
        self.model = model
        self.tracks = tracks
        self.replay = ReplayBuffer(tracks, replay_ms)
        self._url = url
        prepare(url)
        self._clock = clock
        self._counters = counters
        self._hear: OnReport = lambda _: None
        self._line: Line | None = None
        """The present connection; None while there is none."""
        self._dialled_at = 0.0
        """When it was begun to make the newest one."""
        self._attempt = 0
        """Tries since a connection last was stable."""
        self._away = False
        """Whether it was told that the provider is lost, and not yet that it is back."""
        self._finished = asyncio.Event()
        """Set when no audio follows."""
        self._finished_at = 0.0
        """When that was; only meaningful with `_finished`."""
        self._alive_at = 0.0
        """When the provider last told what it heard: to take a connection is not enough."""
        self._done = False
        """Whether the provider has said its last word."""
        self._failure: ProviderError | None = None
        """Why we ended the present connection ourselves; None when we did not."""
        self._unsettled: dict[Track, bool] = dict.fromkeys(tracks, False)
        """Whether the newest words told of a track may still change."""

    # What a subclass says.

    @abstractmethod
    def headers(self) -> Mapping[str, str]:
        """Return the headers to dial with."""

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

    def calm(self, heard_ms: float) -> None:  # noqa: B027  not every provider needs it
        """Settle what nobody spoke in; called about once a second while connected. `heard_ms`: see Line, in the connection's own time."""

    def disconnected(self) -> None:  # noqa: B027  not every provider needs it
        """Forget what only the connection knew that is gone."""

    # Transcriber.

    def push(self, block: Block) -> None:
        """See Transcriber."""
        self.replay.push(block)
        if self._line is not None:
            self._flush(self._line)

    def finish(self) -> None:
        """See Transcriber."""
        if not self._finished.is_set():
            self._finished.set()
            self._finished_at = self._clock()
            if self._line is not None:
                self._flush(self._line)

    async def run(self, hear: OnReport) -> bool:
        """See Transcriber. Raises: ProviderError when no retry can help."""
        self._hear = hear
        while not self._is_heard() and self._patience() > 0:
            try:
                await self._converse()
            except ProviderError as error:
                self.disconnected()
                self.replay.rewind()
                if self._is_heard():
                    break
                if not error.retryable:
                    self._counters.refused += 1
                    self.tell_lost()
                    raise
                self._attempt += 1
                self._counters.reconnects += 1
                log.warning("%s; attempt %d", error, self._attempt)
                if not self._away:
                    self._away = True
                    hear(Lost(self.provider, error.problem, self._attempt))
                await self._wait()
        self._tell_gaps(_AWAY.format(self.NAME))
        if not self._done:
            self.replay.abandon()
            self._tell_gaps(f"{self.NAME} was lost before its last word")
        return self._done

    def unsettled(self) -> list[Block]:
        """See Transcriber."""
        return self.replay.unsettled()

    def leave(self) -> None:
        """Tell what is lost when `run` was cancelled because another transcriber is to take over; then `unsettled` is the rest."""
        self.replay.rewind()
        self.tell_lost()

    def tell_lost(self) -> None:
        """Tell what audio is lost while other audio is still to be heard, here or by another transcriber: utterances end there."""
        self._tell_gaps(_AWAY.format(self.NAME), ends=True)

    def _is_heard(self) -> bool:
        """Return whether the provider has heard everything, though perhaps it could not say so any more."""
        if not self._done and self._finished.is_set() and self.replay.is_settled:
            self._conclude()
        return self._done

    def _patience(self) -> float:
        """Return for how many more seconds the last words are waited for."""
        if not self._finished.is_set():
            return LAST_WORDS_MOST_SECONDS
        quiet_from = max(self._finished_at, self._alive_at)
        return min(quiet_from + LAST_WORDS_SECONDS, self._finished_at + LAST_WORDS_MOST_SECONDS) - self._clock()

    async def _wait(self) -> None:
        """Wait before the next try; not any longer once the audio is finished, as somebody waits for the last words then."""
        first, longest = BACKOFF_SECONDS
        seconds = min(longest, first * 2.0 ** min(self._attempt - 1, 10)) * random.uniform(0.5, 1.0)
        if self._finished.is_set():
            await asyncio.sleep(min(seconds, HURRY_SECONDS))
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._finished.wait()

    async def _converse(self) -> None:
        """Be connected once: until the provider's last word, or until it breaks. Raises: ProviderError."""
        self._failure = None
        self._dialled_at = self._clock()
        connection = await dial(self.NAME, self._url, self.headers(), min(OPEN_SECONDS, self._patience()), self.refused)
        line = self._line = Line(connection, self._received, self._clock())
        self._counters.sessions += 1
        self._counters.open_sessions += 1
        self._timer = asyncio.get_running_loop().call_later(TICK_SECONDS, self._tick, line)
        try:
            self.opened()
            await line.closed()
        except ConnectionClosed as error:
            if self._done:
                return
            raise self._failure or self.closed(error.rcvd.code if error.rcvd else None, error.rcvd.reason if error.rcvd else "") from error
        finally:
            if line.read_at > line.opened_at and self._clock() - line.opened_at >= STABLE_SECONDS:
                self._attempt = 0
            self._line = None
            self._timer.cancel()
            self._counters.open_sessions -= 1
            line.hang_up(self.END)

    def _received(self, message: bytes) -> None:
        """Take one message, inside the connection's own read. Never waits, never raises."""
        line = self._line
        if line is None or self._done:
            return
        line.read_at = self._clock()
        try:
            self.receive(message)
        except WireError as error:
            log.warning("%s", error)  # one message that cannot be read is no reason to lose the others
        except ProviderError as error:
            self._failure = error
            line.cut()
        except Exception:
            log.exception("a message of %s could not be taken", self.NAME)
            self._failure = ProviderError(self.NAME, "said something that the hub failed on; its log says more", retryable=True)
            line.cut()
        if self._done:
            line.hang_up(self.END)

    def _tick(self, line: Line) -> None:
        """Look at what only time can tell."""
        now = self._clock()
        self._timer = asyncio.get_running_loop().call_later(TICK_SECONDS, self._tick, line)
        line.tick(now)
        if line.ready:
            self._flush(line)
            self.calm(line.heard_ms)
            if now - line.written_at >= KEEP_ALIVE_SECONDS and line.ended_at is None:
                line.send(self.KEEP_ALIVE, now)
        quiet = now - line.read_at
        if self._patience() <= 0:
            self._give_up(line, "did not say its last words in time")
        elif not line.ready:
            if quiet >= OPEN_SECONDS:
                self._give_up(line, f"did not begin the session within {OPEN_SECONDS:.0f} s")
        elif self.SPEAKS_IN_SILENCE and quiet >= SILENT_SECONDS and (now - line.audio_at < KEEP_ALIVE_SECONDS or not line.has_room):
            self._give_up(line, f"has said nothing for {SILENT_SECONDS:.0f} s")

    def _give_up(self, line: Line, problem: str) -> None:
        self._failure = ProviderError(self.NAME, problem, retryable=True)
        line.cut()

    def _flush(self, line: Line) -> None:
        """Write what is due as far as the socket takes it, then the end message when all was. Never waits."""
        if not line.ready:
            return
        now = self._clock()
        replay = self.replay
        while replay.has_more:
            if not line.has_room:
                return
            block = replay.next(now)
            payload = self.payload(block)
            line.send_audio(block, payload, self.padding(len(payload)), now)
            self._counters.sent_ms += len(block.inbound) / BYTES_PER_MS
        if self._finished.is_set() and line.ended_at is None and line.has_room:
            line.ended_at = now
            line.send(self.END, now)

    # For subclasses.

    def accepted(self) -> None:
        """The provider has taken the session: audio flows from here, beginning with what waited."""
        line = self._line
        if line is None or line.ready:
            return
        now = self._clock()
        line.tick(now)
        line.ready = True
        self._counters.handshake_seconds.add(now - self._dialled_at)
        if self._away:
            self._away = False
            self._counters.restored += 1
            self._hear(Restored(self.provider, "connected again", self._attempt))
        self.tell_lost()
        self._flush(line)

    def last_word(self) -> None:
        """The provider said its terminal message: it has heard everything."""
        if self._line is not None and self._line.ended_at is not None:
            for track in self.tracks:
                self.replay.settle(track, self.replay.end_ms)
            self._conclude()

    def end_utterance(self, track: Track) -> None:
        """The utterance of a track is over, unless its newest words may still change."""
        if not self._unsettled[track]:
            at = self.replay.settled_ms[track] / 1000
            self._hear(Recognized(track, at, at, "", settled=True, closes=True))

    def take_back(self, track: Track) -> None:
        """The words of a track that are not settled do not count: they will be heard again, if they were any."""
        self._unsettled[track] = False
        self.end_utterance(track)

    def call_ms(self, connection_ms: float, *, end: bool = False) -> float:
        """Translate a time of the present connection into call time."""
        return self._line.clock.call_ms(connection_ms, end=end) if self._line is not None else connection_ms

    def report(self, heard: Recognized) -> None:
        """Pass on what was heard, and note how long it took."""
        now = self._alive_at = self._clock()
        if heard.text and (sent_at := self.replay.sent_at(heard.end * 1000)) is not None:
            (self._counters.final_seconds if heard.settled else self._counters.interim_seconds).add(now - sent_at)
        self._unsettled[heard.track] = not heard.settled
        self._hear(heard)

    def new_words(self, track: Track, words: tuple[RecognizedWord, ...]) -> tuple[RecognizedWord, ...]:
        """Return the words that lie behind what is settled; the others were told already."""
        settled = self.replay.settled_ms[track] / 1000
        return tuple(word for word in words if (word.start + word.end) / 2 >= settled)

    def repeated(self, words: int) -> None:
        """Count words that were said again and are not told again."""
        self._counters.repeats += words

    def _conclude(self) -> None:
        self._done = True
        for track in self.tracks:
            self.end_utterance(track)

    def _tell_gaps(self, reason: str, *, ends: bool = False) -> None:
        for track, (start_ms, end_ms) in self.replay.take_lost():
            if ends:
                self.take_back(track)
            self._counters.gap_ms += end_ms - start_ms
            self._hear(NotTranscribed(track, start_ms / 1000, end_ms / 1000, reason))
