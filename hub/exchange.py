"""The live calls of this process: joins a stream to its call, starts calls, ends them all. Knows no HTTP."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable

from hub import logs
from hub.audio import Track
from hub.call import Call, Stream
from hub.counters import Counters
from hub.errors import HubError
from hub.registry import Registry
from hub.transcribers import Transcriber
from hub.wire.twilio import StartBody

log = logging.getLogger(__name__)

EXPIRE_SECONDS = 5.0
"""How often ended calls past their keep time are looked for."""


class Draining(HubError):
    """The hub is stopping and takes no new call."""

    code = "stopping"


class Exchange:
    """Where streams become calls. Calls run in the TaskGroup it is given, so nothing outlives the hub."""

    def __init__(
        self,
        registry: Registry,
        open_transcriber: Callable[[StartBody], Transcriber],
        group: asyncio.TaskGroup,
        clock: Callable[[], float],
        counters: Counters,
    ) -> None:
        self._registry = registry
        self._open_transcriber = open_transcriber
        self._group = group
        self._clock = clock
        self._counters = counters
        self._calls: dict[str, Call] = {}
        self._running: dict[Call, None] = {}
        """These, and the ones that await their last words while another call has taken their topic over."""
        self._audio_bytes: Counter[tuple[Track, str]] = Counter()
        """Of calls that are over; see `audio_bytes`."""
        self._idle = asyncio.Event()
        """Set while no call is live."""
        self._idle.set()
        self.draining = False

    @property
    def live(self) -> int:
        """How many calls are live, those that await their last words included."""
        return len(self._calls)

    @property
    def live_streams(self) -> int:
        """How many Twilio streams are live."""
        return sum(call.streams for call in self._running)

    def audio_bytes(self) -> Counter[tuple[Track, str]]:
        """Return how much of which track was `filled`, `late` or `dropped`, of all calls ever. Only grows, and costs no frame."""
        return sum((call.audio_bytes() for call in self._running), self._audio_bytes)

    def join(self, start: StartBody, on_over: Callable[[str], None]) -> Stream:
        """Put a stream into its call, which begins with it if it is the first. Never waits.

        `on_over` is called with a sentence when the call ends the stream. Raises: Draining.
        """
        call = self._calls.get(start.call_sid)
        if call is None or not call.accepts:
            if self.draining:
                raise Draining("the hub is stopping")
            if call is not None:
                call.superseded = True
            call = self._begin(start)
        self._counters.streams += 1
        return call.join(start, on_over)

    def _begin(self, start: StartBody) -> Call:
        record = self._registry.open(start.call_sid)
        call = Call(record, self._registry, self._open_transcriber(start), self._clock)
        self._calls[start.call_sid] = call
        self._running[call] = None
        self._counters.calls += 1
        self._idle.clear()
        self._group.create_task(self._run(call))
        return call

    async def _run(self, call: Call) -> None:
        logs.call.set(call.record.call_sid)  # of this task, and of those that it starts
        try:
            await call.run()
        finally:
            del self._running[call]
            self._audio_bytes += call.audio_bytes()
            if not call.superseded and (ended := call.record.ended) is not None:
                self._counters.ended[ended.reason, ended.transcript] += 1
            if self._calls.get(call.record.call_sid) is call:
                del self._calls[call.record.call_sid]
            if not self._calls:
                self._idle.set()

    async def drain(self, seconds: float) -> None:
        """Take no new call, let those that live end for so long, then end them: their transcripts are finished before this returns."""
        self.draining = True
        log.info("stopping: %d calls are live", self.live)
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            for call in list(self._calls.values()):
                call.stop()
            await self._idle.wait()

    async def expire(self) -> None:
        """Forget ended calls after their keep time, until cancelled."""
        while True:
            await asyncio.sleep(EXPIRE_SECONDS)
            self._registry.expire()
