"""Takes up the calls that an earlier hub process left behind, as the journal has them.

A hub that is killed cannot say goodbye: Twilio's calls go on, their streams do not. **Take-over**: the next process reads the journal,
makes each call known again at once, so that subscribers who come back find it, and asks Twilio for a new stream. The call's log was in the
memory that is gone, so it has a new epoch (see `hub.topics.log`). What was lost between the last published word and the new stream is
published as one gap a track. For example, a hub dies at call time 61.2 s, with the inbound words published up to 58.0 s; the new stream
arrives at 66.5 s: the gap on the inbound track is 58.0 to 66.5.

Knows the journal and Twilio's account. Does not know audio: the stream that comes belongs to the call which it begins.
"""

import asyncio
import logging
from collections.abc import Callable

from hub.audio.g711 import TRACKS
from hub.calls.journal import Entry, Journal
from hub.calls.publisher import Publisher
from hub.topics.record import LeftOff, Record
from hub.topics.registry import Registry
from hub.transcribers.utterances import NotTranscribed
from hub.twilio.rest import TwilioAccount

log = logging.getLogger(__name__)


class TakeOver:
    """The calls of an earlier process, until their streams have come, or will not."""

    def __init__(self, registry: Registry, account: TwilioAccount, journal: Journal, clock: Callable[[], float]) -> None:
        """`clock` is the registry's: monotonic seconds."""
        self._registry = registry
        self._account = account
        self._journal = journal
        self._clock = clock
        self._waiting: dict[str, tuple[Record, Entry, asyncio.Event]] = {}
        """By callSid; the event is set when the call's stream has come."""

    @property
    def waiting(self) -> bool:
        """Whether a call's stream has still to come."""
        return bool(self._waiting)

    def begin(self) -> None:
        """Make the calls known again, so that they are there before anybody can ask."""
        for entry in self._journal.left:
            record = self._registry.open(entry.call_sid)
            audio_at = self._clock() - self._journal.age_seconds(entry)
            record.left_off = LeftOff(entry.call_ms, audio_at, settled_ms=dict(entry.settled_ms))
            Publisher(record, self._registry).began(entry.stream_sid, entry.parameters, entry.tracks, entry.transcriber)
            self._waiting[entry.call_sid] = record, entry, asyncio.Event()
        if self._waiting:
            log.info("taking up %d calls that an earlier hub process left behind", len(self._waiting))

    async def run(self) -> None:
        """Ask Twilio for each call's stream; return when all have come, or will not. Safe to cancel: the next process goes on then."""
        async with asyncio.TaskGroup() as group:
            for record, entry, came in list(self._waiting.values()):
                group.create_task(self._bring_back(record, entry, came))

    def stream_came(self, call_sid: str) -> None:
        """Take note that a stream of this call is there: Twilio need not be asked."""
        if call_sid in self._waiting:
            self._waiting[call_sid][2].set()

    async def _bring_back(self, record: Record, entry: Entry, came: asyncio.Event) -> None:
        tracks = entry.tracks or list(TRACKS)
        try:
            over = await self._account.bring_back(entry.account_sid, entry.call_sid, tracks, entry.parameters, came)
        finally:
            del self._waiting[entry.call_sid]
        if over is not None and not came.is_set():
            self._end(record, entry, over.ended_at)

    def _end(self, record: Record, entry: Entry, ended_at: float | None) -> None:
        """Publish the end of a call that ended while no hub received it. Only Twilio can say when that was; else the last note counts."""
        self._journal.drop(entry.call_sid)
        end_ms = max(entry.call_ms, entry.call_ms + ((ended_at or 0.0) - entry.at) * 1000)
        publisher = Publisher(record, self._registry)
        for track in entry.tracks:
            settled_ms = entry.settled_ms.get(track, 0.0)
            if settled_ms < end_ms:
                publisher.report(NotTranscribed(track, settled_ms / 1000, end_ms / 1000, "no stream"))
        publisher.ended("stream-lost", end_ms, {}, complete=False)
        log.info("call=%s ended while no hub received it", entry.call_sid)
