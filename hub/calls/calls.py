"""The live calls of this process: joins a stream to its call, starts calls, ends them all. Knows no HTTP, and no kind of call."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from typing import TypeAlias

from hub import events
from hub.audio.g711 import Track
from hub.calls.admission import Admission
from hub.calls.call import Call, Peer, Stream
from hub.calls.publisher import Publisher
from hub.calls.recorder import Recorder
from hub.calls.takeover import TakeOver
from hub.errors import HubError
from hub.ops import logs
from hub.ops.counters import Counters
from hub.topics.record import Record
from hub.topics.registry import Registry
from hub.twilio.media import StartBody

log = logging.getLogger(__name__)

EXPIRE_SECONDS = 5.0
"""How often ended calls past their keep time are looked for."""

OpenCall: TypeAlias = Callable[[Record, StartBody], Call]
"""Makes the Call that a stream begins. May raise a HubError, with which the stream is refused."""

Hold: TypeAlias = Callable[[StartBody, Peer], Stream | None]
"""Returns what keeps a stream until its call is this node's; None if it is, or if nobody knows the call."""


class Draining(HubError):
    """The hub is stopping and takes no new call."""

    code = "stopping"


class Taken(HubError):
    """Another Call has the callSid and does not take this stream."""

    code = "taken"


class Calls:
    """Where streams become calls. Calls run in the TaskGroup that is given, so none outlives the hub."""

    def __init__(
        self,
        registry: Registry,
        group: asyncio.TaskGroup,
        counters: Counters,
        open_transcribed: OpenCall,
        take_over: TakeOver | None = None,
        admission: Admission | None = None,
    ) -> None:
        """`open_transcribed` makes a call whose stream no other call takes. `take_over` is None where no call can be taken up.

        `admission` decides about new calls. None: all are taken.
        """
        self._registry = registry
        self._group = group
        self._counters = counters
        self._open_transcribed = open_transcribed
        self._take_over = take_over
        self._admission = admission
        self._calls: dict[str, Call] = {}
        """The newest Call of each callSid that is live."""
        self._running: dict[Call, asyncio.Event] = {}
        """These, and those that were superseded and still await their last words. The event is set when all of them are published."""
        self._amiss_bytes: Counter[tuple[Track, str]] = Counter()
        """Of calls that are over; see `amiss_bytes`."""
        self._idle = asyncio.Event()
        """Set while no call runs."""
        self._idle.set()
        self._expected: set[str] = set()
        """Calls that other nodes are to hand over."""
        self.hold: Hold = lambda *_: None
        """Keeps a stream whose call another node has yet to hand over. It is set before the first call."""
        self.draining = False
        self.answering_elsewhere: Callable[[], int] = lambda: 0
        """How many calls agents answer on other nodes. It is set before the first call."""
        self.recorder: Recorder | None = None
        """Records the calls. None where none is recorded. It is set before the first call."""

    @property
    def live(self) -> int:
        """How many calls are live, those that await their last words included."""
        return len(self._calls)

    @property
    def refusal(self) -> HubError | None:
        """Why a new call would be refused now; None if it is taken."""
        if self.draining:
            return Draining("the hub is stopping")
        return self._admission.refusal(self.live) if self._admission is not None else None

    @property
    def awaits_stream(self) -> bool:
        """Whether the next stream may be a further one of a call that the hub has: one of its streams is missing."""
        taking_up = self._take_over is not None and self._take_over.waiting
        return taking_up or any(call.awaits_stream for call in self._calls.values())

    def refused(self, why: HubError, door: str) -> None:
        """Count a call that a door refused because of `refusal`."""
        self._counters.refused[f"{door} {why.code}"] += 1
        if self._admission is not None and not isinstance(why, Draining):
            self._admission.refused(why)

    @property
    def live_streams(self) -> int:
        """How many Twilio streams are live."""
        return sum(call.streams for call in self._running)

    @property
    def answering(self) -> int:
        """How many of the live calls agents answer."""
        return sum(call.answered for call in self._calls.values())

    @property
    def answering_everywhere(self) -> int:
        """How many calls agents answer, on all nodes."""
        return self.answering + self.answering_elsewhere()

    def lose(self, record: Record) -> None:
        """Let go of a call that another node has taken: what it still says here, nobody gets."""
        call = self._calls.get(record.call_sid)
        if call is None or call.record is not record:
            return
        if call.answered:
            call.stop()
        else:
            call.give_way()
        del self._calls[record.call_sid]

    def amiss_bytes(self) -> Counter[tuple[Track, str]]:
        """Return how much of which track was `filled`, `late` or `dropped`, of all calls ever. Only grows, and costs no frame."""
        return sum((call.amiss_bytes() for call in self._running), self._amiss_bytes)

    def newest(self, call_sid: str) -> Call | None:
        """Return the newest Call of a callSid that is live here."""
        return self._calls.get(call_sid)

    def everyone(self) -> list[Call]:
        """Return the newest Call of each callSid that is live here."""
        return list(self._calls.values())

    async def published(self, call: Call) -> None:
        """Return when everything of a Call is published that it has to say."""
        if (published := self._running.get(call)) is not None:
            await published.wait()

    def expect(self, call_sid: str) -> None:
        """Take note that another node is to hand a call over: it is taken in whatever happens, and the hub does not stop before."""
        self._expected.add(call_sid)
        self._idle.clear()

    def expects(self, call_sid: str) -> bool:
        """Return whether another node is to hand over this call."""
        return call_sid in self._expected

    def expect_no_more(self, call_sid: str) -> None:
        """Take note that the call was handed over, or will not be."""
        self._expected.discard(call_sid)
        self._rest()

    def _rest(self) -> None:
        if not self._running and not self._expected:
            self._idle.set()

    def join(self, start: StartBody, peer: Peer) -> Stream:
        """Put a stream into its call; the first stream begins the call. Never waits. Raises: Draining, Overloaded, Full, Taken.

        A stream whose call another node has yet to hand over is kept until then.
        """
        return self.hold(start, peer) or self.join_at(start, peer)

    def join_at(self, start: StartBody, peer: Peer, base_ms: int | None = None) -> Stream:
        """Put a stream into its call. `base_ms`: call time at the stream's own zero. None: now. Raises: as `join`."""
        call = self._calls.get(start.call_sid)
        if call is None or not call.accepts:
            call = self._open(start, call, self._open_transcribed)
        return self._joined(call, start, peer, base_ms)

    def answer(self, start: StartBody, peer: Peer, open_answered: OpenCall) -> Stream:
        """Begin a call that an agent answers. Never waits. Raises: as `join`, and what `open_answered` raises.

        A call that people lead gives way: Twilio connects a caller with one party at a time, so they are with the agent now. The streams
        that were started with `<Start>` go on in Twilio all the same, and would be a second record of the same words.
        """
        call = self._open(start, self._calls.get(start.call_sid), open_answered, by_agent=True)
        return self._joined(call, start, peer)

    def _open(self, start: StartBody, previous: Call | None, open_call: OpenCall, *, by_agent: bool = False) -> Call:
        """Begin a Call, in place of one that gives way. Raises: as `join`, and what `open_call` raises.

        A call that the hub has already, or had before it was restarted, is not refused because the hub has too many.
        """
        record = self._registry.find(start.call_sid)
        known = previous is not None or (record is not None and record.live)
        expected = start.call_sid in self._expected
        if (refusal := self.refusal) is not None and (self.draining or not known) and not expected:
            raise refusal
        if previous is not None:
            if previous.holds and (previous.answered or not by_agent):
                raise Taken("this call is served already")
            previous.give_way()
        record = self._registry.open(start.call_sid)
        if record.held_back is not None:
            record.begin_early(self._registry.clock())
        call = open_call(record, start)
        self._calls[start.call_sid] = call
        predecessors = [published for other, published in self._running.items() if other.record is call.record]
        self._running[call] = asyncio.Event()
        self._counters.calls += 1
        if self._admission is not None:
            self._admission.began()
        self._idle.clear()
        self._group.create_task(self._run(call, predecessors))
        return call

    def _joined(self, call: Call, start: StartBody, peer: Peer, base_ms: int | None = None) -> Stream:
        self._counters.streams += 1
        stream = call.join(start, peer, base_ms)
        if self.recorder is not None:
            self.recorder.began(call.record, start, call.call_ms)
        if self._take_over is not None:
            self._take_over.stream_came(start.call_sid)
        return stream

    async def _run(self, call: Call, predecessors: list[asyncio.Event]) -> None:
        """Run a call to its end. `call-ended` is the last event always: earlier parts of the call publish their last words before it."""
        logs.call.set(call.record.call_sid)  # of this task, and of those that it starts
        try:
            await call.run()
            for published in predecessors:
                await published.wait()
        finally:
            call.end()
            if self.recorder is not None and not call.superseded:
                self.recorder.ended(call.record)
            self._running.pop(call).set()
            self._amiss_bytes += call.amiss_bytes()
            if not call.superseded and (ended := call.record.ended) is not None:
                self._counters.ended[ended.reason, ended.completeness.state] += 1
            if self._calls.get(call.record.call_sid) is call:
                del self._calls[call.record.call_sid]
            self._rest()

    def call_ms(self, call_sid: str) -> float | None:
        """Return the call time of a live call. None where there is none."""
        call = self._calls.get(call_sid)
        return call.call_ms if call is not None else None

    def switch_recording(self, call_sid: str, *, paused: bool) -> str:
        """Pause or resume the recording of a call of this node. Returns why it is not recorded, in words; empty if it is."""
        record, call_ms = self._registry.find(call_sid), self.call_ms(call_sid)
        if record is None or not record.live:
            return "this call is over"
        if self.recorder is None or record.recording is None or call_ms is None:
            return "this call is not recorded"
        switch = self.recorder.pause if paused else self.recorder.resume
        switch(record, call_ms)
        return ""

    def stream_failed(self, call_sid: str, stream_sid: str, reason: str) -> None:
        """Publish what Twilio says went wrong with a stream, if its call is live here."""
        record = self._registry.find(call_sid)
        if record is not None and record.live and not record.owner:
            Publisher(record, self._registry).publish(events.StreamFailed(call_sid=call_sid, stream_sid=stream_sid, reason=reason))

    async def drain(self, seconds: float) -> None:
        """Take no new call, give those that live `seconds` to end, then end them. Their transcripts are finished before this returns."""
        if not self.draining:
            log.info("stopping: %d calls are live", self.live)
        self.draining = True
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            for call in list(self._calls.values()):
                call.stop()
            await self._idle.wait()

    async def expire(self, every_seconds: float = EXPIRE_SECONDS) -> None:
        """Forget ended calls after their keep time, until cancelled."""
        while True:
            await asyncio.sleep(every_seconds)
            self._registry.expire()
