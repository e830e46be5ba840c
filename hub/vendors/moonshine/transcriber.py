"""Transcribes calls with the engine on this machine: no account, no network.

Knows what to give the engine's time to. One thread does all the work of all calls: audio that waits comes first, a second of a track at a
time, each track in its turn, with the finals of what ends in it; interims are made only when no audio waits anywhere. So a machine that
is too slow gives up interims first. When a track's audio then waits beyond a bound, the oldest is dropped and reported as NotTranscribed.
Knows nothing of speech: an `Ear` does.
"""

import asyncio
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hub.audio import g711
from hub.audio.g711 import TRACKS, Track
from hub.audio.timeline import Block
from hub.errors import ConfigError, ProviderError
from hub.ops.counters import ProviderCounters
from hub.transcribers.transcriber import OnReport, Report
from hub.transcribers.utterances import NotTranscribed, Recognized
from hub.vendors.moonshine.backlog import Backlog
from hub.vendors.moonshine.engine import MODEL, PROVIDER, Ear, Engine

log = logging.getLogger(__name__)

BACKLOG_BOUND_MS = 120_000
"""Two minutes, 1 MB a track: a recorded call of a minute pushed at once loses nothing, and captions later than this help nobody."""

BACKLOG_REASON = "the engine on this machine cannot keep up"

NICENESS = 10
"""Of the engine's threads: the event loop, which carries everybody's audio and words, goes first."""

SETTLE_MS = 500
"""How much silence may be settled before the event loop hears of it: it is woken for words, and otherwise twice a second."""

TURN_PIECES = 10
"""One second of a track's audio, then the next track: 15 ms of work, unless an utterance ends in it."""


@dataclass(slots=True)
class Lane:
    """One track's way through the engine. `told` and `settled_ms` are the worker's."""

    ear: Ear
    backlog: Backlog
    told: list[Report]
    """What the event loop is to be told next: the ear adds to it."""
    settled_ms: float = 0.0
    """Up to where the event loop was told that the track is settled."""


class LocalTranscriber:
    """One call's way to its words by the engine of this process. Implements `Transcriber`."""

    def __init__(
        self, engine: "LocalEngine", counters: ProviderCounters | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`clock` is monotonic seconds."""
        self.provider = PROVIDER
        self.model = MODEL
        self.left = False
        """Whether nobody waits for this call any more."""
        self._engine = engine
        self._lanes = [self._lane(track, engine.backlog_bound_ms) for track in TRACKS]
        self._counters = counters or ProviderCounters()
        self._clock = clock
        self._pushed = (0.0, 0.0)
        """When the newest block came, and its end in call time, ms: tells how long ago any other moment of the call was."""
        self._finished = False
        self._hear: OnReport | None = None
        """None before `run`, and after it: nothing is told then."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over: asyncio.Future[bool] | None = None

    @staticmethod
    def _lane(track: Track, bound_ms: int) -> Lane:
        told: list[Report] = []
        return Lane(Ear(track, told.append), Backlog(bound_ms * g711.BYTES_PER_MS), told)

    def push(self, block: Block) -> None:
        """Take one block, in order. Never waits for the engine: it keeps two references and wakes the worker."""
        self._pushed = self._clock(), block.end_ms
        self._counters.sent_ms += g711.ms(len(block.inbound))
        with self._engine.lock:
            for lane in self._lanes:
                lane.backlog.put(block.start_ms, block.track(lane.ear.track))
            self._engine.wake()

    def finish(self) -> None:
        """Say that no block follows. Safe to call twice."""
        with self._engine.lock:
            self._finished = True
            self._engine.wake()

    async def run(self, hear: OnReport) -> bool:
        """Transcribe until the audio is finished and its last words are told; return True then, False when the engine is closed before.

        Safe to cancel: nothing is told afterwards, and the worker frees this call's streams as soon as it is done with what it is doing,
        which takes a second at most. Raises: ProviderError when the engine does not load, or fails on this call.
        """
        self._loop = asyncio.get_running_loop()
        self._over = self._loop.create_future()
        self._hear = hear
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
            self._hear = None
            self._engine.leave(self)

    def unsettled(self) -> list[Block]:
        """Return what it was given and has not settled, with silence where a track was settled. To be called when `run` is over."""
        with self._engine.lock:
            left, right = (dict((*lane.backlog.unsettled, *lane.backlog.pieces)) for lane in self._lanes)
        found = []
        for at_ms in sorted({*left, *right}):
            mute = g711.silence(len(left.get(at_ms) or right[at_ms]))
            found.append(Block(at_ms, left.get(at_ms, mute), right.get(at_ms, mute)))
        return found

    def work(self, engine: Engine) -> bool:
        """OnReport a turn of each track's audio; when it is finished, end. Return whether more waits. Called by the worker."""
        more = [self._turn(engine, lane) for lane in self._lanes]
        with self._engine.lock:
            over = self._finished and not any(lane.backlog.pieces for lane in self._lanes)
        if over:
            for lane in self._lanes:
                lane.ear.interrupt(engine)
                self._tell(lane)
            self.end(True)
        return any(more)

    def longing(self) -> float:
        """Return how overdue this call's next interim is; it is due from 1 on. Called by the worker."""
        return 0.0 if self.left else max(lane.ear.longing() for lane in self._lanes)

    def interim(self, engine: Engine) -> bool:
        """Tell the interim that is most overdue. Return that something was done. Called by the worker."""
        lane = max(self._lanes, key=lambda lane: lane.ear.longing())
        lane.ear.interim(engine)
        self._tell(lane)
        return True

    def end(self, result: bool | ProviderError) -> None:
        """Free what the call holds of the engine, and let `run` return or raise. Called by the worker."""
        self.left = True
        for lane in self._lanes:
            lane.ear.leave()
        self._soon(self._resolve, result)

    def _turn(self, engine: Engine, lane: Lane) -> bool:
        ear, backlog = lane.ear, lane.backlog
        for _ in range(TURN_PIECES):
            with self._engine.lock:
                lost_ms, piece = backlog.take()
            if self.left:
                return False
            if lost_ms:
                ear.interrupt(engine)
                lane.told.append(NotTranscribed(ear.track, lost_ms[0] / 1000, lost_ms[1] / 1000, BACKLOG_REASON))
            ended = piece is not None and ear.hear(engine, *piece)
            self._tell(lane)
            if piece is None:
                return False
            if ended:
                break
        return bool(backlog.pieces)

    def _tell(self, lane: Lane) -> None:
        """Have the event loop take what the ear told, and forget the audio that is settled with it, in one go.

        In one go, because `run` may be cancelled at any moment: words that were told and audio that another transcriber is to hear must
        never overlap, nor leave anything out between them.
        """
        settled_ms = lane.ear.settled_ms
        if not lane.told and settled_ms - lane.settled_ms < SETTLE_MS:
            return
        reports, lane.settled_ms = lane.told.copy(), settled_ms
        lane.told.clear()  # the list itself is the ear's
        self._soon(self._deliver, (reports, lane.backlog, settled_ms))

    def _deliver(self, told: tuple[list[Report], Backlog, float]) -> None:
        if not self._hear:
            return
        reports, backlog, settled_ms = told
        for report in reports:
            self._count(report)
            self._hear(report)
        with self._engine.lock:
            backlog.settle(settled_ms)

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

    def _soon(self, call: Callable[[Any], None], argument: object) -> None:
        assert self._loop
        try:
            self._loop.call_soon_threadsafe(call, argument)
        except RuntimeError:  # the loop is closed, and with it everybody who would listen
            self.left = True


class LocalEngine:
    """The engine of this process, and the one thread that works it for any number of calls. The model is loaded when first used.

    A process must not use two at a time: the library keeps one memory of what was heard for the whole process.
    """

    def __init__(self, *, backlog_bound_ms: int = BACKLOG_BOUND_MS) -> None:
        self.backlog_bound_ms = backlog_bound_ms
        """Of each track's audio that waits."""
        self.lock = threading.Condition()
        """Guards what the event loop and the worker share. Held for some appends at most: nobody works under it."""
        self._calls: list[LocalTranscriber] = []
        self._news = False
        """Whether something came since the worker last looked."""
        self._closing = False
        self._thread: threading.Thread | None = None
        self._loaded = threading.Event()
        self._engine: Engine | None = None
        """None until it is loaded."""
        self._refusal = ""
        """Why it could not be loaded; empty when it could, or was not tried."""

    @property
    def streams(self) -> int:
        """How many streams of the engine are open: one for each track of each call that has been heard of in the last two seconds."""
        return self._engine.streams if self._engine else 0

    def check(self) -> None:
        """Find out whether the engine is installed and runs on this machine. Takes 0.2 s.

        Raises: ConfigError, in a sentence that says what to do.
        """
        try:
            import moonshine_voice.transcriber
        except ImportError as exc:
            raise ConfigError("HUB_TRANSCRIBER", f"local needs the engine: pip install 'transcript-hub[local]' ({exc})") from exc
        try:
            moonshine_voice.transcriber._MoonshineLib()
        except (OSError, moonshine_voice.MoonshineError) as exc:
            raise ConfigError("HUB_TRANSCRIBER", f"local cannot work: the engine does not run on this machine ({exc})") from exc

    def load(self) -> None:
        """Load the model now instead of at the first call. Blocks for half a second. Raises: ProviderError when that fails."""
        with self.lock:
            self._start()
        self._loaded.wait()
        if self._refusal:
            raise ProviderError(PROVIDER, self._refusal, retryable=False)

    def close(self) -> None:
        """End the calls that still run, join the worker, free the model. Blocks while one transcription lasts, a second at most."""
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
        """Let the worker look again. To be called under the lock."""
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
            self._engine = engine = Engine()
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
            busy = any([self._part(call, call.work, engine) for call in calls if not self._closing])
            if not busy and (call := max(calls, key=LocalTranscriber.longing)).longing() >= 1:
                busy = self._part(call, call.interim, engine)
        engine.close()

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
    def _part(call: LocalTranscriber, work: Callable[[Engine], bool], engine: Engine) -> bool:
        """Do some work of one call; when it fails, the call ends with that, and the others go on."""
        try:
            return work(engine)
        except ProviderError as error:
            call.end(error)
        except Exception as error:
            log.exception("the engine failed on a call")
            call.end(ProviderError(PROVIDER, f"failed: {error}", retryable=False))
        return False


def _yield_to_others() -> None:
    """Lower this thread's priority, and so that of the threads which ONNX Runtime starts from it. Linux keeps one per thread."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, max(NICENESS, os.getpriority(os.PRIO_PROCESS, thread)))
