"""Goes on with the calls that another hub process left behind: an earlier one, as the archive has them, or another node that died.

A hub that is killed cannot say goodbye: Twilio's calls go on, their streams do not. **Take-over**: the next process reads the calls that
have not ended, with all their events, before anybody can ask for them, and asks Twilio for a new stream. The epoch stays the same, so a
subscriber that comes back with its position has lost nothing (for the exception see `hub.calls.keeper`). What was not heard between the
last published word and the new stream is published as one gap a track. For example, a hub dies at call time 61.2 s, with the inbound words
published up to 58.0 s; the new stream arrives at 66.5 s: the gap on the inbound track is 58.0 to 66.5.

A call whose stream Twilio cannot send again, since an agent answers it or no account is set, is waited for a short while and then ends.

Knows the calls that were left, and Twilio's account. Does not know audio: the stream that comes belongs to the call which it begins.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from hub.audio.g711 import TRACKS
from hub.backoff import happens
from hub.calls.bookmark import Entry
from hub.calls.publisher import Publisher
from hub.topics.record import LeftOff, Record
from hub.topics.registry import Registry
from hub.transcribers.utterances import NotTranscribed
from hub.twilio.rest import Over, TwilioAccount

log = logging.getLogger(__name__)

AGENTS_CALL_SECONDS = 10.0
"""How long an agent's call is waited for: Twilio goes on with the call's next TwiML, which may lead to another stream."""


@dataclass(slots=True, eq=False)
class LeftCall:
    """A call that an earlier process left behind."""

    record: Record
    entry: Entry
    came: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the call's stream has come."""


def left_off(entry: Entry, clock: float, wall: float) -> LeftOff:
    """Return where a call goes on that is not heard since it was noted. `clock`: the registry's; `wall`: Unix seconds, both now."""
    # A clock that was put back since makes it a call that is heard until now.
    return LeftOff(entry.call_ms, clock - max(0.0, wall - entry.at), settled_ms=dict(entry.settled_ms))


class TakeOver:
    """The calls of an earlier process, until their streams have come, or will not."""

    def __init__(self, registry: Registry, account: TwilioAccount | None, left: Sequence[LeftCall], grace_seconds: float) -> None:
        """`left`: what `hub.calls.recall.restored` returned. `grace_seconds`: how long a stream that nobody can ask for is waited for."""
        self._registry = registry
        self._account = account
        self._grace_seconds = grace_seconds
        self._waiting = {call.record.call_sid: call for call in left}
        """By callSid."""

    @property
    def waiting(self) -> bool:
        """Whether a call's stream has still to come."""
        return bool(self._waiting)

    def begin(self, clock: float, wall: float) -> None:
        """Take note since when each call is not heard, before anybody can ask. `clock`: the registry's; `wall`: Unix seconds, both now."""
        for call in self._waiting.values():
            self._begin(call, clock, wall)
        if self._waiting:
            log.info("going on with %d calls that an earlier hub process left behind", len(self._waiting))

    def _begin(self, call: LeftCall, clock: float, wall: float) -> None:
        record, entry = call.record, call.entry
        record.left_off = left_off(entry, clock, wall)
        publisher = Publisher(record, self._registry)
        if self._registry.annotator is not None:
            for owed in self._registry.annotator.owed(record):
                publisher.publish(owed)
        if not record.live:  # the hub was stopped, and the phone call went on
            publisher.began(entry.stream_sid, entry.parameters, entry.tracks, entry.transcriber)

    async def go_on(self, call: LeftCall, clock: float, wall: float) -> bool:
        """Go on with one more call, that of a node that died. Returns whether its stream has come, once that is known.

        Arguments: as for `begin`.
        """
        self._waiting[call.record.call_sid] = call
        self._begin(call, clock, wall)
        Publisher(call.record, self._registry).take_back(call.entry.tracks)
        await self._bring_back(call)
        return call.came.is_set()

    async def run(self) -> None:
        """Ask Twilio for each call's stream; return when all have come, or will not. Safe to cancel: the next process goes on then."""
        async with asyncio.TaskGroup() as group:
            for call in list(self._waiting.values()):
                group.create_task(self._bring_back(call))

    def awaits(self, call_sid: str) -> bool:
        """Return whether this call's stream has still to come."""
        return call_sid in self._waiting

    def stream_came(self, call_sid: str) -> None:
        """Take note that a stream of this call is there: Twilio need not be asked."""
        if call_sid in self._waiting:
            self._waiting[call_sid].came.set()

    async def _bring_back(self, call: LeftCall) -> None:
        entry = call.entry
        try:
            if self._account is None or call.record.agent is not None:
                agents = call.record.agent is not None
                over = None if await happens(call.came, AGENTS_CALL_SECONDS if agents else self._grace_seconds) else Over()
            else:
                over = await self._account.bring_back(
                    entry.account_sid, call.record.call_sid, entry.tracks or list(TRACKS), entry.parameters, call.came
                )
        finally:
            self._waiting.pop(call.record.call_sid, None)
        if over is not None and not call.came.is_set() and not call.record.owner:
            self._end(call, over.ended_at)

    def _end(self, call: LeftCall, ended_at: float | None) -> None:
        """Publish the end of a call that ended while no hub received it. Only Twilio can say when that was; else the last note counts."""
        entry = call.entry
        end_ms = max(entry.call_ms, entry.call_ms + ((ended_at or 0.0) - entry.at) * 1000)
        publisher = Publisher(call.record, self._registry)
        for track in entry.tracks:
            settled_ms = entry.settled_ms.get(track, 0.0)
            if settled_ms < end_ms:
                publisher.report(NotTranscribed(track, settled_ms / 1000, end_ms / 1000, "no stream"))
        publisher.ended("stream-lost", end_ms, {}, complete=False)
        log.info("call=%s ended while no hub received it", call.record.call_sid)
