"""Transcribes a call with the engine on this machine: no account, no network.

Knows one call: what of it waits for the engine, what was reported and what is settled. When the audio of a track waits beyond a bound, one
long stretch of it is dropped and reported as NotTranscribed. Knows nothing of speech: a `TrackRecognizer` does. Knows nothing of other
calls: the `LocalEngine` does.
"""

import asyncio
import time
from collections.abc import Callable

from hub.audio import g711
from hub.audio.g711 import TRACKS
from hub.audio.timeline import Block
from hub.errors import ProviderError
from hub.ops.counters import ProviderCounters
from hub.transcribers.transcriber import Doubted, OnReport, Report
from hub.transcribers.utterances import NotTranscribed, Recognized
from hub.vendors.moonshine.doubt import REASON, Doubt
from hub.vendors.moonshine.echo import RecentSound
from hub.vendors.moonshine.engine import LocalEngine
from hub.vendors.moonshine.recognizer import MODEL, PROVIDER
from hub.vendors.moonshine.track import TrackRecognizer
from hub.vendors.moonshine.waiting import Piece, WaitingAudio

WAITING_BOUND_MS = 120_000
"""Two minutes, 1 MB a track: a recorded call of a minute pushed at once loses nothing, and captions later than this help nobody."""

OVERLOAD_REASON = "the engine on this machine cannot keep up"

SETTLE_MS = 500
"""How much silence may be settled before the event loop is told: it is woken for words, and otherwise twice a second."""

TURN_PIECES = 10
"""One second of a call's audio, then another call: 20 ms of work, unless an utterance ends in it."""


class TrackWork:
    """One track of a call with its audio: filled by the event loop, worked off by a thread of the engine."""

    def __init__(self, recognizer: TrackRecognizer, sound: RecentSound, bound_ms: int) -> None:
        self.recognizer = recognizer
        self.sound = sound
        """What the other track's recognizer compares with."""
        self.waiting = WaitingAudio(bound_ms * g711.BYTES_PER_MS)
        """Guarded by the engine's lock."""
        self.reports: list[Report] = []
        """What the event loop is to be given next. The engine's threads alone use it, and the next attribute."""
        self._doubt = Doubt()
        self.settled_ms = 0.0
        """Up to where the event loop was told that the track is settled."""

    def doubt_what_is_unlikely(self, finals: list[Recognized]) -> None:
        """Report it, once, when the finals of this track have become too unlikely to be believed."""
        for final in finals:
            if final.confidence is not None and self._doubt.arises(final.text, final.confidence):
                self.reports.append(Doubted(self.recognizer.track, REASON))


class LocalTranscriber:
    """One call's connection to the engine of this process. Implements `Transcriber`.

    The event loop calls `push`, `finish`, `run` and `unsettled`. The engine calls the methods of `EngineCall`, in its threads.
    """

    def __init__(
        self,
        engine: LocalEngine,
        counters: ProviderCounters | None = None,
        clock: Callable[[], float] = time.monotonic,
        *,
        waiting_bound_ms: int = WAITING_BOUND_MS,
    ) -> None:
        """`clock` is monotonic seconds. `waiting_bound_ms` is of each track's audio that waits."""
        self.provider = PROVIDER
        self.model = MODEL
        self.left = False
        """Whether nobody waits for this call any more."""
        self._engine = engine
        sounds = [RecentSound() for _ in TRACKS]
        self._tracks = [
            TrackWork(TrackRecognizer(track, engine.detectors, engine.recognizer, other), sound, waiting_bound_ms)
            for track, sound, other in zip(TRACKS, sounds, sounds[::-1], strict=True)
        ]
        self._counters = counters or ProviderCounters()
        self._clock = clock
        self._pushed = (0.0, 0.0)
        """When the newest block came, and its end in call time, ms: tells how long ago any other moment of the call was."""
        self._finished = False
        self._on_report: OnReport | None = None
        """None before `run`, and after it: nothing is reported then."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over: asyncio.Future[bool] | None = None

    def push(self, block: Block) -> None:
        """Take one block, in order. Never waits for the engine: it keeps two references and wakes the thread."""
        self._pushed = self._clock(), block.end_ms
        self._counters.sent_ms += g711.ms(len(block.inbound))
        with self._engine.lock:
            for track in self._tracks:
                track.waiting.put(block.start_ms, block.track(track.recognizer.track))
            self._engine.wake()

    def finish(self) -> None:
        """Say that no block follows. Safe to call twice."""
        with self._engine.lock:
            self._finished = True
            self._engine.wake()

    async def run(self, on_report: OnReport) -> bool:
        """Transcribe until the audio is finished and its last words are reported. Return True then, False if the engine is closed before.

        Safe to cancel: nothing is reported afterwards, and the engine frees what the call holds as soon as it is done with its present
        piece of work, which takes a second at most. Raises: ProviderError when the engine does not load, or fails on this call.
        """
        self._loop = asyncio.get_running_loop()
        self._over = self._loop.create_future()
        self._on_report = on_report
        self._engine.enter(self)
        self._counters.sessions += 1
        self._counters.open_sessions += 1
        try:
            return await self._over
        except ProviderError:
            self._counters.refused += 1
            raise
        finally:
            self._counters.open_sessions -= 1
            self._on_report = None
            self._engine.leave(self)

    def unsettled(self) -> list[Block]:
        """Return the audio without finals, with silence where a track was settled. To be called when `run` is over."""
        with self._engine.lock:
            left, right = (dict((*track.waiting.unsettled, *track.waiting.pieces)) for track in self._tracks)
        found = []
        for at_ms in sorted({*left, *right}):
            mute = g711.silence(len(left.get(at_ms) or right[at_ms]))
            found.append(Block(at_ms, left.get(at_ms, mute), right.get(at_ms, mute)))
        return found

    @property
    def audio_waits(self) -> bool:
        """See EngineCall. The end of the audio is work, too."""
        return self._finished or any(track.waiting.pieces for track in self._tracks)

    def work(self) -> None:
        """See EngineCall. The tracks go in step, and a turn is over where an utterance ends: that was the work of many pieces."""
        for _ in range(TURN_PIECES):
            with self._engine.lock:
                over = self._finished and not any(track.waiting.pieces for track in self._tracks)
                taken = [track.waiting.take() for track in self._tracks]
            if self.left:
                return
            if over:
                self._close_utterances()
                return
            if not any(piece for _, piece in taken):
                return
            for track, (_, piece) in zip(self._tracks, taken, strict=True):
                if piece:
                    track.sound.take(*piece)
            finals = [self._recognize(track, *each) for track, each in zip(self._tracks, taken, strict=True)]
            if any(finals):
                return

    def interim_due(self) -> float:
        """See EngineCall."""
        return 0.0 if self.left else max(track.recognizer.interim_due() for track in self._tracks)

    def interim(self) -> None:
        """See EngineCall."""
        track = max(self._tracks, key=lambda track: track.recognizer.interim_due())
        track.reports += track.recognizer.interim()
        self._publish(track)

    def end(self, result: bool | ProviderError) -> None:
        """See EngineCall: lets `run` return or raise."""
        self.left = True
        for track in self._tracks:
            track.recognizer.leave()
        self._soon(self._resolve, result)

    def _recognize(self, track: TrackWork, dropped_ms: tuple[float, float] | None, piece: Piece | None) -> bool:
        """Recognize one piece of a track, and report what was dropped before it. Return whether an utterance ended."""
        recognizer, finals = track.recognizer, list[Recognized]()
        if dropped_ms:
            start_ms, end_ms = dropped_ms
            finals += recognizer.interrupt()
            track.reports += [*finals, NotTranscribed(recognizer.track, start_ms / 1000, end_ms / 1000, OVERLOAD_REASON)]
        if piece:
            found = recognizer.recognize(*piece)
            track.reports += found
            finals += found
        track.doubt_what_is_unlikely(finals)
        self._publish(track)
        return bool(finals)

    def _close_utterances(self) -> None:
        for track in self._tracks:
            track.reports += track.recognizer.interrupt()
            self._publish(track)
        self.end(True)

    def _publish(self, track: TrackWork) -> None:
        """Have the event loop take the reports of a track, and forget the audio that is settled with them, in one go.

        In one go, because `run` may be cancelled at any moment: words that were reported, and audio that another transcriber is to
        recognize, must never overlap, nor leave anything out between them.
        """
        settled_ms = track.recognizer.settled_ms
        if not track.reports and settled_ms - track.settled_ms < SETTLE_MS:
            return
        reports, track.reports, track.settled_ms = track.reports, [], settled_ms
        self._soon(self._deliver, reports, track.waiting, settled_ms)

    def _deliver(self, reports: list[Report], waiting: WaitingAudio, settled_ms: float) -> None:
        if not self._on_report:
            return
        for report in reports:
            self._count(report)
            self._on_report(report)
        with self._engine.lock:
            waiting.settle(settled_ms)

    def _count(self, report: Report) -> None:
        match report:
            case Recognized(end=end, text=text, settled=settled) if text:
                at, end_ms = self._pushed
                seconds = max(0.0, self._clock() - at + end_ms / 1000 - end)
                (self._counters.final_seconds if settled else self._counters.interim_seconds).add(seconds)
            case NotTranscribed(start=start, end=end):
                self._counters.gap_ms += (end - start) * 1000
            case _:
                pass

    def _resolve(self, result: bool | ProviderError) -> None:
        assert self._over
        if self._over.done():
            return
        if isinstance(result, ProviderError):
            self._over.set_exception(result)
        else:
            self._over.set_result(result)

    def _soon(self, call: Callable[..., None], *arguments: object) -> None:
        assert self._loop
        try:
            self._loop.call_soon_threadsafe(call, *arguments)
        except RuntimeError:  # the loop is closed, and with it everybody who would receive
            self.left = True
