"""The live calls of this process: joins a stream to its call, starts calls, ends them all. Knows no HTTP."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable

from hub import events
from hub.audio.g711 import TRACKS, Track
from hub.calls.call import Call, Peer, Stream
from hub.calls.journal import Entry, Journal
from hub.calls.publisher import Publisher
from hub.calls.transcribed import Call as TranscribedCall
from hub.errors import HubError
from hub.ops import logs
from hub.ops.counters import Counters
from hub.topics.registry import Record, Registry
from hub.transcribers.transcriber import Transcriber
from hub.transcribers.utterances import NotTranscribed
from hub.twilio.media import StartBody
from hub.twilio.rest import Account

log = logging.getLogger(__name__)

EXPIRE_SECONDS = 5.0
"""How often ended calls past their keep time are looked for."""


class Draining(HubError):
    """The hub is stopping and takes no new call."""

    code = "stopping"


class Taken(HubError):
    """The call is served already, in another way."""

    code = "taken"


class Calls:
    """Where streams become calls. Calls run in the TaskGroup it is given, so nothing outlives the hub."""

    def __init__(
        self,
        registry: Registry,
        open_transcriber: Callable[[StartBody], Transcriber],
        group: asyncio.TaskGroup,
        clock: Callable[[], float],
        counters: Counters,
        account: Account | None = None,
        journal: Journal | None = None,
    ) -> None:
        """`account` and `journal` are None where calls cannot be brought back."""
        self._registry = registry
        self._open_transcriber = open_transcriber
        self._group = group
        self._clock = clock
        self._counters = counters
        self._account = account
        self._journal = journal
        self._left_behind: dict[str, tuple[asyncio.Event, asyncio.Task[None]]] = {}
        """Calls of a hub before this one, by callSid, until their stream has come (which sets the event) or will not."""
        self._calls: dict[str, Call] = {}
        self._running: dict[Call, None] = {}
        """These, and the ones that await their last words while another call has taken their topic over."""
        self._amiss_bytes: Counter[tuple[Track, str]] = Counter()
        """Of calls that are over; see `amiss_bytes`."""
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

    def amiss_bytes(self) -> Counter[tuple[Track, str]]:
        """Return how much of which track was `filled`, `late` or `dropped`, of all calls ever. Only grows, and costs no frame."""
        return sum((call.amiss_bytes() for call in self._running), self._amiss_bytes)

    @property
    def answering(self) -> int:
        """How many of the live calls agents answer."""
        return sum(call.answered for call in self._calls.values())

    def join(self, start: StartBody, peer: Peer) -> Stream:
        """Put a stream into its call, which begins with it if it is the first. Never waits. Raises: Draining; Taken by an agent."""
        call = self._calls.get(start.call_sid)
        if call is not None and call.holds and not call.accepts:
            raise Taken("an agent answers this call")
        if call is None or not call.accepts:
            if self.draining:
                raise Draining("the hub is stopping")
            if call is not None:
                call.give_way()
            call = self._begin(start)
        self._counters.streams += 1
        stream = call.join(start, peer)
        if start.call_sid in self._left_behind:
            self._left_behind[start.call_sid][0].set()
        return stream

    def answer(self, start: StartBody, peer: Peer, open_call: Callable[[Record], Call]) -> Stream:
        """Have an agent answer a call. Never waits. Raises: Draining, Taken, and what `open_call` raises."""
        if self.draining:
            raise Draining("the hub is stopping")
        before = self._calls.get(start.call_sid)
        if before is not None:
            if before.holds:
                raise Taken("this call is served already")
            before.give_way()
        call = open_call(self._registry.open(start.call_sid))
        if start.call_sid in self._left_behind:
            self._left_behind[start.call_sid][0].set()
        self._counters.streams += 1
        self._run_soon(call)
        return call.join(start, peer)

    def recover(self) -> None:
        """Take up the calls that a hub before this one left behind: known at once, going on when Twilio sends their streams again."""
        if self._journal is None or self._account is None:
            return
        for entry in self._journal.left:
            record = self._reopen(entry, self._journal.age_seconds(entry))
            came = asyncio.Event()
            self._left_behind[entry.call_sid] = came, self._group.create_task(self._bring_back(record, entry, came, self._account))
        if self._left_behind:
            log.info("taking up %d calls that a hub before this one left behind", len(self._left_behind))

    def _reopen(self, entry: Entry, age_seconds: float) -> Record:
        """Make a call known again, as it was when it was noted last: under a new epoch, for what was told of it is gone."""
        record = self._registry.open(entry.call_sid)
        record.ended_at, record.call_ms, record.settled_ms = self._clock() - age_seconds, entry.call_ms, dict(entry.settled_ms)
        Publisher(record, self._registry).began(entry.stream_sid, entry.parameters, entry.tracks, entry.transcriber)
        return record

    async def _bring_back(self, record: Record, entry: Entry, came: asyncio.Event, account: Account) -> None:
        try:
            over = await account.bring_back(entry.account_sid, entry.call_sid, entry.tracks or list(TRACKS), entry.parameters, came)
        finally:
            del self._left_behind[entry.call_sid]
        if over is None or came.is_set() or self._journal is None:
            return
        self._journal.drop(entry.call_sid)
        # It ended while no hub listened. Until when it went on, only Twilio can say; else until it was noted last.
        end_ms = max(entry.call_ms, entry.call_ms + ((over.ended_at or 0.0) - entry.at) * 1000)
        publisher = Publisher(record, self._registry)
        for track in entry.tracks:
            settled_ms = entry.settled_ms.get(track, 0.0)
            if settled_ms < end_ms:
                publisher.report(NotTranscribed(track, settled_ms / 1000, end_ms / 1000, "no stream"))
        publisher.ended("stream-lost", end_ms, {}, complete=False)
        log.info("call=%s ended while no hub listened", entry.call_sid)

    def tell_of_stream(self, call_sid: str, stream_sid: str, reason: str) -> None:
        """Tell subscribers what Twilio says went wrong with a stream, if its call is live here."""
        record = self._registry.find(call_sid)
        if record is not None and record.live:
            failed = record.topic.publish(events.StreamFailed(call_sid=call_sid, stream_sid=stream_sid, reason=reason))
            self._registry.announce(record, failed)

    def _begin(self, start: StartBody) -> TranscribedCall:
        record = self._registry.open(start.call_sid)
        call = TranscribedCall(record, self._registry, self._open_transcriber(start), self._clock, self._account, self._journal)
        self._run_soon(call)
        return call

    def _run_soon(self, call: Call) -> None:
        self._calls[call.record.call_sid] = call
        self._running[call] = None
        self._counters.calls += 1
        self._idle.clear()
        self._group.create_task(self._run(call))

    async def _run(self, call: Call) -> None:
        logs.call.set(call.record.call_sid)  # of this task, and of those that it starts
        try:
            await call.run()
        finally:
            del self._running[call]
            self._amiss_bytes += call.amiss_bytes()
            if not call.superseded and (ended := call.record.ended) is not None:
                self._counters.ended[ended.reason, ended.transcript] += 1
            if self._calls.get(call.record.call_sid) is call:
                del self._calls[call.record.call_sid]
            if not self._calls:
                self._idle.set()

    async def drain(self, seconds: float) -> None:
        """Take no new call, let those that live end for so long, then end them: their transcripts are finished before this returns."""
        if not self.draining:
            log.info("stopping: %d calls are live", self.live)
        self.draining = True
        if self._account is not None:
            self._account.listening.clear()
        for _, task in self._left_behind.values():
            task.cancel()
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
