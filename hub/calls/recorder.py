"""Which calls are recorded, from when to when, and what their logs say of it.

A call is recorded from its first stream to its end, unless the <Parameter> named `recording` of its first stream says `off`. `paused`
begins with silence, until somebody resumes. A stream that comes later may pause the recording in the same way, and cannot begin one:
whoever said that a call is not to be recorded is not overruled by a stream that says nothing.

Knows records and recordings. Does not know sound, files or HTTP.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from hub import events
from hub.archive.archive import StoredRecording, Tombstone
from hub.archive.threads import ArchiveThreads
from hub.calls.publisher import Publisher
from hub.config import Config
from hub.errors import HubError
from hub.events import Durable
from hub.ops.logs import CallLog
from hub.recordings.catalogue import ArchivedRecordings
from hub.recordings.recording import Recording
from hub.recordings.recordings import Recordings
from hub.tokens import OPEN, Grant
from hub.topics.record import Record
from hub.topics.registry import Registry
from hub.twilio.media import StartBody

log = logging.getLogger(__name__)

PARAMETER = "recording"
"""The <Parameter> of a stream that says whether its call is recorded."""

OFF, PAUSED = "off", "paused"

SWEEP_SECONDS = 30.0
"""How often the spool is looked through for calls that ended without this process: those that an earlier one left."""


class Finder(Protocol):
    """Finds calls, also those that only the archive has."""

    async def find(self, grant: Grant, call_sid: str) -> Record | Tombstone | None:
        """Return a call that a token allows, which the registry has from now on. Raises: HubError."""


class OwnersPublisher(Protocol):
    """Publishes events of calls that other nodes own."""

    async def publish(self, record: Record, event: Durable) -> None:
        """Have the owner of a call publish an event. Raises: HubError if that cannot be done now."""


class Recorder:
    """Records the calls of a hub. Implements RecordingListener. Methods that are not coroutines never wait."""

    def __init__(self, registry: Registry, recordings: Recordings, finder: Finder) -> None:
        self.recordings = recordings
        self._registry = registry
        self._finder = finder
        self.elsewhere: OwnersPublisher | None = None
        """None on a hub that is its own cluster. It is set before the first call."""

    def began(self, record: Record, start: StartBody, call_ms: float) -> None:
        """A stream of a call has begun, at this call time: record the call as the stream wants it."""
        wanted = self._wanted(record, start)
        if record.recording is not None:
            if wanted in {OFF, PAUSED}:
                self.pause(record, call_ms)
            return
        started = record.started
        assert started is not None, "call-started comes first"
        if wanted == OFF or _parameter(started.parameters.get(PARAMETER, "")) == OFF:
            return
        paused = wanted == PAUSED or record.ahead.paused
        recording = record.recording = self.recordings.begin(record.call_sid)
        if record.recorded_ms:
            self.recordings.follow(record.call_sid, record.recorded_ms)
        self._publish(record, events.RecordingStarted(call_sid=record.call_sid, time=_seconds(call_ms)))
        if paused:
            recording.pause(0.0)
            self._publish(record, events.RecordingPaused(call_sid=record.call_sid, time=_seconds(call_ms)))

    def ended(self, record: Record) -> None:
        """A call is over, and `call-ended` is published."""
        recording, record.recording = record.recording, None
        if recording is not None:
            end_ms = record.left_off.call_ms if record.left_off is not None else 0.0
            self.recordings.end(recording, end_ms, goes_on=record.goes_on)

    def moved(self, record: Record, call_ms: float) -> bool:
        """A call goes on at another node from this call time on: store what there is. Returns whether there is anything."""
        recording, record.recording = record.recording, None
        if recording is not None:
            self.recordings.end(recording, call_ms)
        return recording is not None

    def pause(self, record: Record, call_ms: float) -> None:
        """Record silence from this call time on. Has no effect while the recording is paused. Only while there is one."""
        recording = record.recording
        assert recording is not None
        if not recording.paused:
            recording.pause(call_ms)
            self._publish(record, events.RecordingPaused(call_sid=record.call_sid, time=_seconds(call_ms)))

    def resume(self, record: Record, call_ms: float) -> None:
        """Record sound from this call time on. Has no effect unless the recording is paused. Only while there is one."""
        recording = record.recording
        assert recording is not None
        if recording.paused:
            recording.resume(call_ms)
            self._publish(record, events.RecordingResumed(call_sid=record.call_sid, time=_seconds(call_ms)))
            if recording.problem is not None:
                self._publish_failed(record, call_ms, recording.problem)

    async def erase(self, call_sid: str) -> None:
        """Remove everything of the recording of a call that is over, and say so if the call itself stays. Raises: HubError."""
        await self.recordings.erase(call_sid)
        record = self._registry.find(call_sid) or await self._finder.find(OPEN, call_sid)
        if isinstance(record, Record) and record.ahead.recording is not None:
            await self._publish_later(record, events.RecordingErased(call_sid=call_sid, reason="its time is over"))

    async def run(self) -> None:
        """Store what is over, and what earlier processes left, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.recordings.run(self))
            while True:
                await self._sweep()
                await asyncio.sleep(SWEEP_SECONDS)

    async def _sweep(self) -> None:
        """Look through the spool for calls that are over, and that nobody stores."""
        try:
            left = await self.recordings.left()
        except OSError as error:  # the disk is away: calls go on without it
            log.warning("the spool of recordings cannot be read: %s", error.strerror or error)
            return
        for call_sid in left:
            record = self._registry.find(call_sid)
            if record is None or not record.live or record.owner:
                await self._store(call_sid)

    async def _store(self, call_sid: str) -> None:
        """Store what an earlier process left of a call, unless the call was erased."""
        try:
            found = self._registry.find(call_sid) or await self._finder.find(OPEN, call_sid)
            if isinstance(found, Tombstone):
                await self.recordings.erase(call_sid)
            elif found is None:
                log.warning("the spool has sound of a call that the archive does not know: call=%s", call_sid)
            else:
                self.recordings.store(call_sid)
        except HubError as error:
            log.warning("call=%s is in the spool, and is looked at later: %s", call_sid, error)

    # What becomes of recordings.

    def lost(self, recording: Recording, call_ms: float, reason: str) -> None:
        """See RecordingListener."""
        if recording.problem is not None:
            return
        recording.problem = reason
        CallLog(log, {"call": recording.call_sid}).error("sound is not recorded from %.1f s on: %s", call_ms / 1000, reason)
        record = self._record_of(recording)
        if record is not None and not recording.paused:
            self._publish_failed(record, call_ms, reason)

    def recovered(self, recording: Recording) -> None:
        """See RecordingListener."""
        if recording.problem is None:
            return
        recording.problem = None
        CallLog(log, {"call": recording.call_sid}).info("sound is recorded again from %.1f s on", recording.lost_to_ms / 1000)
        record = self._record_of(recording)
        if record is not None and not recording.paused:
            self._publish(record, events.RecordingResumed(call_sid=record.call_sid, time=_seconds(recording.lost_to_ms)))

    async def stored(self, recording: StoredRecording) -> None:
        """See RecordingListener. Raises: HubError."""
        record = self._registry.find(recording.call_sid) or await self._finder.find(OPEN, recording.call_sid)
        if not isinstance(record, Record):
            return  # erased meanwhile
        if record.owner and record.live:
            return  # the call has moved: the node that has it tells of the whole recording in the end
        known = record.ahead.recording
        if known is None or (known.state, known.seconds) != ("stored", recording.seconds):
            await self._publish_later(
                record,
                events.RecordingStored(
                    call_sid=recording.call_sid,
                    seconds=recording.seconds,
                    media_type=recording.media_type,
                    size=recording.size,
                    sha256=recording.sha256,
                ),
            )

    def _record_of(self, recording: Recording) -> Record | None:
        """Return the live call that this is the recording of. None once it is over."""
        record = self._registry.find(recording.call_sid)
        return record if record is not None and record.recording is recording else None

    def _publish_failed(self, record: Record, call_ms: float, reason: str) -> None:
        self._publish(record, events.RecordingFailed(call_sid=record.call_sid, time=_seconds(call_ms), reason=reason))

    async def _publish_later(self, record: Record, event: Durable) -> None:
        """Publish what becomes of a recording whose call may be another node's by now. Raises: HubError if that cannot be done now."""
        if record.owner and self.elsewhere is not None:
            await self.elsewhere.publish(record, event)
        else:
            self._publish(record, event)

    def _publish(self, record: Record, event: Durable) -> None:
        if not record.owner:
            Publisher(record, self._registry).publish(event)

    def _wanted(self, record: Record, start: StartBody) -> str:
        """Return what a stream says about recording its call. Empty if it says nothing, or nothing that is known."""
        given = str(start.custom_parameters.get(PARAMETER, ""))
        wanted = _parameter(given)
        if wanted not in {"", OFF, PAUSED}:
            CallLog(log, {"call": record.call_sid}).warning(
                "the <Parameter> named recording is %.20r, which is neither off nor paused: the call is recorded", given
            )
            return ""
        return wanted


@asynccontextmanager
async def recording(config: Config, registry: Registry, finder: Finder, archive: ArchiveThreads | None) -> AsyncIterator[Recorder | None]:
    """Make ready what HUB_RECORDINGS names, and give who records the calls of a hub. None where it names nothing. Raises: ConfigError."""
    if not config.recordings:
        yield None
        return
    assert archive is not None, "the settings have been checked"
    recordings = await Recordings.open(config, ArchivedRecordings(archive), registry.wall)
    try:
        yield Recorder(registry, recordings, finder)
    finally:
        await recordings.close()


def _parameter(given: str) -> str:
    return given.strip().lower()


def _seconds(call_ms: float) -> float:
    return round(call_ms / 1000, 3)
