"""Runs one call in one TaskGroup: chunks -> stereo timeline -> transcriber -> transcript -> topic.

Twilio's side only calls `Stream.chunk()`, which never waits. Knows no aiohttp, no subscriber and no provider by name.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from typing import Literal

from hub import events
from hub.audio.g711 import TRACKS, Track
from hub.audio.timeline import Block, StereoTimeline
from hub.calls.call import Peer
from hub.calls.journal import Bookmark, Entry, Journal
from hub.calls.publisher import GAP_MS, Publisher, brought, fared
from hub.calls.recovery import Orphan, Recovery
from hub.errors import ProviderError
from hub.ops.logs import CallLog
from hub.topics.registry import Record, Registry
from hub.transcribers.transcriber import Lost, Report, Transcriber
from hub.transcribers.utterances import NotTranscribed, Recognized
from hub.twilio.media import StartBody
from hub.twilio.rest import Account, CallFacts

log = logging.getLogger(__name__)

QUIET_SECONDS = 60.0
"""A stream without a frame for so long is lost: Twilio sends 50 a second and track, silence included, and no close when a tunnel breaks."""

GRACE_SECONDS = 5.0
"""How long a call whose stream broke waits for another one before it ends as `stream-lost`, where nobody can be asked for one."""

EndReason = Literal["completed", "stream-lost", "hub-stopping", "failed"]


class Stream:
    """One Twilio socket's part in a call."""

    __slots__ = ("account_sid", "base_ms", "call", "heard_at", "parameters", "peer", "sid", "superseded", "tracks")

    def __init__(self, call: "Call", start: StartBody, base_ms: int, peer: Peer) -> None:
        self.call = call
        self.sid = start.stream_sid
        self.account_sid = start.account_sid
        self.parameters = brought(start)
        """What it brought, without secrets."""
        self.tracks: tuple[Track, ...] = tuple(start.tracks)
        self.base_ms = base_ms
        """Call time at this stream's own zero."""
        self.heard_at = call.clock()
        """When the last frame came."""
        self.superseded = 0
        """Frames of tracks that a newer stream carries: heard there, so not heard twice."""
        self.peer = peer

    def chunk(self, track: Track, at_ms: int, payload: bytes) -> bool:
        """Take one chunk of mu-law at `at_ms` of the stream's own time. Never waits.

        Returns whether nobody needs more of this stream for the next 100 ms: a block has just left, and all of the call comes by this
        one socket. Where tracks come by a socket each, one must not be kept from keeping step with the other.
        """
        call = self.call
        self.heard_at = call.clock()
        if call.sources.get(track) is not self:
            if track in call.sources:
                self.superseded += 1
                return False
            call.sources[track] = self
        if call.timeline.add(track, self.base_ms + at_ms if at_ms >= 0 else -1, payload):
            call.forward()
            return call.streams == 1
        return False

    def mark(self, name: str) -> None:
        """Nothing was sent to Twilio on a stream that is only heard, so nothing comes back."""

    def dtmf(self, digit: str, track: Track) -> None:
        """Tell subscribers about a key press."""
        self.call._publisher.publish(events.Dtmf(call_sid=self.call.record.call_sid, digit=digit, track=track))

    def stop(self) -> None:
        """Twilio said that the stream is over."""
        self.call.left(self, "completed")

    def lost(self) -> None:
        """The socket is gone without a word. Nothing happens after `stop()`."""
        self.call.left(self, "stream-lost")


class Call:
    """One call, from its first stream to its last word."""

    def __init__(
        self,
        record: Record,
        registry: Registry,
        transcriber: Transcriber,
        clock: Callable[[], float],
        account: Account | None = None,
        journal: Journal | None = None,
    ) -> None:
        """`clock` is monotonic seconds; `account` can bring streams back and knows numbers; `journal` remembers the call."""
        self.record = record
        self.clock = clock
        self.timeline = StereoTimeline()
        self.timeline.skip_to(record.call_ms)
        self.sources: dict[Track, Stream] = {}
        """Which stream each track is heard from: the newest that has it."""
        self._sound = record.sound
        self._publisher = Publisher(record, registry, self._settled)
        self._transcriber = transcriber
        self._streams: list[Stream] = []
        """Live ones, in the order they came."""
        self._newest: Stream | None = None
        """The stream that came last; None before the first."""
        self._changed = asyncio.Event()
        """Set when a stream came or went."""
        self._reason: EndReason = "completed"
        """Why the call would end now."""
        self._ending = False
        self.superseded = False
        """Whether another Call has taken this topic over, while this one still waits for its last words: that one will say the end."""
        self._began_ms = self.timeline.end_ms
        self._left_at = record.ended_at if record.started is not None else None
        """When the last live stream was heard last; None while there was none before."""
        self._heard = False
        """Whether the transcriber ever reported words."""
        self._deaf_from_ms: float | None = None
        """Call time from which nobody transcribes; None while somebody does."""
        self._bookmark = Bookmark(journal, record.call_ms)
        self._log = CallLog(log, {"call": record.call_sid})
        self._recovery = Recovery(record.call_sid, account, self._log)

    @property
    def accepts(self) -> bool:
        """Whether a stream can still join; a call that says its last words cannot take one."""
        return not self._ending

    @property
    def streams(self) -> int:
        """How many streams are live."""
        return len(self._streams)

    def amiss_bytes(self) -> Counter[tuple[Track, str]]:
        """Return how much of which track was `filled`, `late` or `dropped`."""
        return self.timeline.amiss_bytes()

    @property
    def holds(self) -> bool:
        """Whether the callSid is still this call's."""
        return not self._ending

    @property
    def answered(self) -> bool:
        """Whether an agent is on the line: never."""
        return False

    def join(self, start: StartBody, peer: Peer) -> Stream:
        """Take in a stream and tell subscribers."""
        base_ms = self._base_ms()
        stream = Stream(self, start, base_ms, peer)
        hole_ms = base_ms - self.timeline.end_ms
        self.timeline.expect(list(stream.tracks))
        for track in stream.tracks:
            self.sources[track] = stream
        self._streams.append(stream)
        self._newest = stream
        name = events.TranscriberName(provider=self._transcriber.provider, model=self._transcriber.model)
        self._publisher.began(stream.sid, stream.parameters, list(stream.tracks), name)
        if not self._streams[:-1] and self._left_at is not None and (hole_ms >= GAP_MS or self.record.settled_ms):
            self._go_on_at(base_ms)
        for orphan in self._recovery.carried(self.sources):
            if base_ms - orphan.broke_ms >= GAP_MS:  # the other track went on meanwhile
                for track in orphan.tracks:
                    self._hear(NotTranscribed(track, orphan.broke_ms / 1000, base_ms / 1000, "no stream"))
        self._bookmark.begin(self._entry(stream))
        self._stream_log(stream).info("joined with %s", "+".join(stream.tracks))
        self._changed.set()
        return stream

    def _go_on_at(self, base_ms: int) -> None:
        """Tell what was lost between the last stream and this one, and go on after it."""
        before_ms = self.timeline.end_ms
        self.timeline.skip_to(base_ms)
        self.forward()
        for track in TRACKS:
            if self.timeline.lanes[track].expected:
                self._hear(NotTranscribed(track, self.record.settled_ms.get(track, before_ms) / 1000, base_ms / 1000, "no stream"))
        self.record.settled_ms = {}
        self._recovery.told_up_to(base_ms)

    def _base_ms(self) -> int:
        """Return call time now: the media clock, carried on by the wall clock only over the hole between two streams."""
        if self._streams:
            last = max(stream.heard_at for stream in self._streams)
        elif self._left_at is not None:
            last = self._left_at
        else:
            return round(self.timeline.end_ms)
        return round(self.timeline.end_ms + (self.clock() - last) * 1000)

    def give_way(self) -> None:
        """Let another call go on with the topic, while this one still waits for its last words: that one will say the end."""
        self.superseded = True
        self._bookmark = Bookmark(None, 0.0)  # what the journal knows of the call is the other's from here
        self.record.give_way(self.timeline.end_ms, self._left_at or self.clock())

    def left(self, stream: Stream, reason: EndReason) -> None:
        """Forget a stream; tracks it carried are heard from an older one if there is one."""
        if stream not in self._streams:
            return
        now_ms = self.timeline.end_ms
        self._streams.remove(stream)
        self._left_at = stream.heard_at
        self._reason = reason
        for track in TRACKS:
            if self.sources.get(track) is stream:
                del self.sources[track]
                for other in self._streams:
                    if track in other.tracks:
                        self.sources[track] = other
        if reason == "stream-lost" and not all(track in self.sources for track in stream.tracks):
            self._recovery.lost(Orphan(stream.sid, stream.account_sid, stream.tracks, stream.parameters, now_ms))
        self._stream_log(stream).info("stopped" if reason == "completed" else "was lost")
        self._changed.set()

    def forward(self) -> None:
        """Hand ready blocks to the transcriber, and to those who listen in. Never waits."""
        for block in self.timeline.blocks():
            self._pass_on(block)
        if self.timeline.leaps:
            self._tell_leaps()

    def _pass_on(self, block: Block) -> None:
        self._transcriber.push(block)
        if self._sound.ears:
            self._sound.play(block)

    def _tell_leaps(self) -> None:
        for start, end in self.timeline.leaps:
            for track in TRACKS:
                if self.timeline.lanes[track].expected:
                    self._hear(NotTranscribed(track, start / 1000, end / 1000, "the stream's clock leapt"))
        self.timeline.leaps.clear()

    def stop(self) -> None:
        """End the call because the hub stops: streams are told, the transcript is finished."""
        for stream in list(self._streams):
            stream.peer.close("the hub is stopping")
            self.left(stream, "hub-stopping")
        self._reason = "hub-stopping"
        self._changed.set()

    async def run(self) -> None:
        """Live from the first stream to `call-ended`. Cancelling it closes the provider's session at once.

        A provider that fails leaves the call without words, never without its end.
        """
        complete = False
        try:
            async with asyncio.TaskGroup() as group:
                words = group.create_task(self._words())
                errands = [group.create_task(self._recovery.run(self._changed.set))]
                if not any(self.record.numbers) and self._newest is not None:
                    errands.append(group.create_task(self._recovery.identify(self._newest.account_sid, self._identified)))
                await self._until_over()
                self._ending = True
                for errand in errands:
                    errand.cancel()
                for block in self.timeline.finish():
                    self._pass_on(block)
                if self.timeline.leaps:
                    self._tell_leaps()
                self._transcriber.finish()
                complete = await words
        except asyncio.CancelledError:
            self._reason = "hub-stopping"
            raise
        except Exception:  # noqa: BLE001  a call is a unit: it ends, the hub goes on
            self._reason = "failed"
            self._log.exception("the call failed")
        finally:
            self._ending = True
            self._end(complete)

    async def _words(self) -> bool:
        try:
            return await self._transcriber.run(self._hear)
        except ProviderError as error:
            self._log.error("%s", error)
            self._deafened(error.problem)
        except Exception:  # noqa: BLE001  a bug in an adapter must not take the call's audio, history and end with it
            self._log.exception("the transcriber failed")
            self._deafened("the hub failed; its log says more")
        return False

    def _identified(self, facts: CallFacts) -> None:
        """Tell who the call is from and to, and have the next hub know it too."""
        assert self._newest is not None
        self._publisher.identified(facts)
        self._bookmark.begin(self._entry(self._newest))

    def _deafened(self, reason: str) -> None:
        """Tell that nobody transcribes any more; the end of the call says from when."""
        self._deaf_from_ms = self.timeline.end_ms if self._heard else self._began_ms
        self._hear(Lost(self._transcriber.provider, reason, 0))

    async def _until_over(self) -> None:
        """Return when the last stream has stopped, or broke and no other came in time."""
        while True:
            self._changed.clear()
            wait: float | None
            if self._streams:
                wait = QUIET_SECONDS / 4
            elif self._reason == "stream-lost" and not self._recovery.forsaken:
                wait = None if self._recovery.can_ask else GRACE_SECONDS
            else:
                return
            try:
                async with asyncio.timeout(wait):
                    await self._changed.wait()
            except TimeoutError:
                if not self._streams:
                    return
                for stream in list(self._streams):
                    if self.clock() - stream.heard_at >= QUIET_SECONDS:
                        stream.peer.close(f"no frame for {QUIET_SECONDS:.0f} s")
                        self.left(stream, "stream-lost")

    def _end(self, complete: bool) -> None:
        if self._deaf_from_ms is not None and self._deaf_from_ms < self.timeline.end_ms:
            for track in TRACKS:
                if self.timeline.lanes[track].expected:
                    self._hear(NotTranscribed(track, self._deaf_from_ms / 1000, self.timeline.end_ms / 1000, "no transcriber"))
        complete = not self._publisher.close_open() and complete
        if self.superseded:
            return
        ended = self._publisher.ended(self._reason, self.timeline.end_ms, fared(self.timeline), complete=complete)
        if self._reason == "hub-stopping":  # the call itself goes on
            self._bookmark.leave(self._base_ms(), self.timeline.end_ms if complete else None)
        else:
            self._bookmark.end()
        self._log.info("ended: %s, %.1f s, transcript %s", self._reason, ended.duration, ended.transcript)

    def _hear(self, report: Report) -> None:
        """Turn one report into an event. Never waits, never raises."""
        self._heard = self._heard or isinstance(report, Recognized)
        self._publisher.report(report)

    def _settled(self, track: Track, end_ms: float, told: bool) -> None:
        self._bookmark.settle(track, end_ms, self._base_ms(), told=told)

    def _stream_log(self, stream: Stream) -> CallLog:
        return CallLog(log, {"call": self.record.call_sid, "stream": stream.sid})

    def _entry(self, stream: Stream) -> Entry:
        """Return what the next hub would need to take the call up."""
        started = self.record.started
        assert started is not None
        numbers = {"from": started.from_, "to": started.to, "direction": started.direction}
        return Entry(
            call_sid=self.record.call_sid,
            account_sid=stream.account_sid,
            stream_sid=stream.sid,
            tracks=[track for track in TRACKS if self.timeline.lanes[track].expected],
            parameters=stream.parameters | {name: value for name, value in numbers.items() if value},
            transcriber=started.transcriber,
            call_ms=self._base_ms(),
        )
