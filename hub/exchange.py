"""The live calls of this process: joins a stream to its call, starts calls, ends them all. Knows no HTTP."""

import asyncio
import logging
from collections.abc import Callable

from hub.agent import AgentCall
from hub.call import Call, Stream
from hub.counters import Counters
from hub.errors import HubError
from hub.registry import Record, Registry
from hub.transcribers import Transcriber
from hub.wire.twilio import StartBody

log = logging.getLogger(__name__)

EXPIRE_SECONDS = 5.0
"""How often ended calls past their keep time are looked for."""


class Draining(HubError):
    """The hub is stopping and takes no new call."""

    code = "stopping"


class Taken(HubError):
    """The call is served already, in another way."""

    code = "taken"


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
        self._calls: dict[str, Call | AgentCall] = {}
        self._idle = asyncio.Event()
        """Set while no call is live."""
        self._idle.set()
        self.draining = False

    @property
    def live(self) -> int:
        """How many calls are live, those that await their last words included."""
        return len(self._calls)

    def join(self, start: StartBody, on_over: Callable[[str], None]) -> Stream:
        """Put a stream into its call, which begins with it if it is the first. Never waits.

        `on_over` is called with a sentence when the call ends the stream. Raises: Draining; Taken by an agent.
        """
        call = self._calls.get(start.call_sid)
        if isinstance(call, AgentCall):
            raise Taken("an agent answers this call")
        if call is None or not call.accepts:
            if self.draining:
                raise Draining("the hub is stopping")
            if call is not None:
                call.superseded = True
            call = self._begin(start)
        self._counters.streams += 1
        return call.join(start, on_over)

    @property
    def answering(self) -> int:
        """How many of the live calls agents answer."""
        return sum(isinstance(call, AgentCall) for call in self._calls.values())

    def answer(self, start: StartBody, open_agent: Callable[[Record], AgentCall]) -> AgentCall:
        """Have an agent answer a call. Never waits. Raises: Draining, Taken, and what `open_agent` raises."""
        if self.draining:
            raise Draining("the hub is stopping")
        if start.call_sid in self._calls:
            raise Taken("this call is served already")
        call = open_agent(self._registry.open(start.call_sid))
        self._counters.streams += 1
        self._run_soon(call)
        call.begin()
        return call

    def _begin(self, start: StartBody) -> Call:
        record = self._registry.open(start.call_sid)
        call = Call(record, self._registry, self._open_transcriber(start), self._clock)
        self._run_soon(call)
        return call

    def _run_soon(self, call: Call | AgentCall) -> None:
        self._calls[call.record.call_sid] = call
        self._counters.calls += 1
        self._idle.clear()
        self._group.create_task(self._run(call))

    async def _run(self, call: Call | AgentCall) -> None:
        try:
            await call.run()
        finally:
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
                call.interrupt() if isinstance(call, AgentCall) else call.stop()
            await self._idle.wait()

    async def expire(self) -> None:
        """Forget ended calls after their keep time, until cancelled."""
        while True:
            await asyncio.sleep(EXPIRE_SECONDS)
            self._registry.expire()
