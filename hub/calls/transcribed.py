"""One call that people hold, in one TaskGroup: chunks -> stereo timeline -> transcriber -> publisher.

Twilio's side only calls the stream's methods, which never wait. Knows no aiohttp, no subscriber and no provider by name.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable

from hub.audio.g711 import TRACKS, Track, ms
from hub.audio.timeline import Block, StereoTimeline
from hub.calls.bookmark import Bookmark, Entry
from hub.calls.call import STALLED_SECONDS, EndReason, Peer
from hub.calls.call_context import CallContext
from hub.calls.condition import Condition
from hub.calls.departure import Departure
from hub.calls.missed import Missed
from hub.calls.publisher import GAP_MS, Publisher, fared
from hub.calls.recovery import TWILIOS_CLOCK_MS, BrokenStream, Recovery
from hub.calls.transcribed_stream import TranscribedStream
from hub.calls.transcription import Transcription
from hub.ops.logs import CallLog
from hub.topics.record import LeftOff, Record
from hub.transcribers.transcriber import Lost, Report, Transcriber
from hub.transcribers.utterances import NotTranscribed, Recognized
from hub.twilio.media import StartBody
from hub.twilio.rest import CallFacts, Over

log = logging.getLogger(__name__)


class TranscribedCall:
    """One call, from its first stream to its last word. Implements `Call`."""

    def __init__(self, record: Record, open_transcriber: Callable[[], Transcriber], context: CallContext) -> None:
        """`open_transcriber`: see Transcription."""
        self.record = record
        self.clock = context.clock
        began = self.clock()
        self.timeline = StereoTimeline(lambda: (self.clock() - began) * 1000)
        left_off = record.left_off
        self.timeline.skip_to(left_off.call_ms if left_off is not None else 0.0)
        self.timeline.go_on(left_off.lost if left_off is not None else {})
        self.sources: dict[Track, TranscribedStream] = {}
        """Which stream each track is taken from: the newest that has it."""
        self.publisher = Publisher(record, context.registry, self._settled)
        self._condition = Condition(self.publisher, self.timeline)
        self.superseded = False
        """Whether another Call goes on with the record, while this one still waits for its last words."""
        self._deadlines = context.deadlines
        self._wall = context.registry.wall
        self._transcription = Transcription(record.call_sid, open_transcriber, self._report)
        self._missed = Missed(self.timeline, self._report)
        self._streams: list[TranscribedStream] = []
        """Live ones, in the order in which they came."""
        self._newest: TranscribedStream | None = None
        """The stream that came last. None before the first."""
        self._changed = asyncio.Event()
        """Set when a stream came or went."""
        self._reason: EndReason = "completed"
        """Why the call would end now."""
        self.departs = asyncio.Event()
        """Set while the call is on its way to another node."""
        self._ending = False
        """Whether no stream can join any more."""
        self._complete = False
        """Whether the transcriber said its last word, and nothing was left open."""
        self._end_ms: float | None = None
        """Call time at which the phone call ended, though no audio came any more. None where it ended with its audio, or nobody knows."""
        self._began_ms = self.timeline.end_ms
        self._left_at = left_off.at if left_off is not None else None
        """When audio last came by a stream that has left. None while no stream has left."""
        self._settled_before_ms = dict(left_off.settled_ms) if left_off is not None else {}
        """For a call of an earlier hub process: up to which call time that process published each track's words. Empty once the gap is
        published."""
        self._recognized = False
        """Whether the transcriber ever reported words."""
        self._untranscribed_from_ms: float | None = None
        """Call time from which nobody transcribes. None while somebody does."""
        self._bookmark = Bookmark(context.notes, record, self._began_ms)
        self._log = CallLog(log, {"call": record.call_sid})
        self._recovery = Recovery(record.call_sid, context.account, self._log)

    @property
    def accepts(self) -> bool:
        """See Call."""
        return not self._ending

    @property
    def holds(self) -> bool:
        """See Call: people talk until the call ends."""
        return not self._ending

    @property
    def answered(self) -> bool:
        """See Call."""
        return False

    @property
    def streams(self) -> int:
        """See Call."""
        return len(self._streams)

    @property
    def _over_ms(self) -> float:
        return self.timeline.end_ms if self._end_ms is None else self._end_ms

    @property
    def awaits_stream(self) -> bool:
        """See Call: a track without a stream."""
        return len(self.sources) < len(TRACKS)

    def amiss_bytes(self) -> Counter[tuple[Track, str]]:
        """See Call."""
        return self.timeline.amiss_bytes()

    def join(self, start: StartBody, peer: Peer, base_ms: int | None = None) -> TranscribedStream:
        """See Call. `base_ms`: call time at the stream's own zero. None: now."""
        base_ms = self.call_ms if base_ms is None else base_ms
        stream = TranscribedStream(self, start, base_ms, peer)
        hole_ms = base_ms - self.timeline.end_ms
        self._end_ms = None
        self.timeline.expect(list(stream.tracks))
        for track in stream.tracks:
            self.sources[track] = stream
        first = not self._streams
        self._streams.append(stream)
        self._newest = stream
        self.publisher.began(stream.sid, stream.parameters, list(stream.tracks), self._transcription.name)
        if first and self._left_at is not None and (hole_ms >= GAP_MS or self._settled_before_ms):
            self._go_on_at(base_ms)
        for broken in self._recovery.carried(self.sources):
            self._missed.by(broken, base_ms)  # the other track may have gone on meanwhile
        self._bookmark.begin(self.entry())
        self._stream_log(stream).info("joined with %s", "+".join(stream.tracks))
        self._changed.set()
        return stream

    def _go_on_at(self, base_ms: int) -> None:
        """Publish what was lost between the last stream and this one, and go on after it."""
        before_ms = self.timeline.end_ms
        self.timeline.skip_to(base_ms)
        self.forward()
        self._missed.stretch(before_ms, base_ms, "no stream", self._settled_before_ms)
        self._settled_before_ms = {}
        self._recovery.published_up_to(base_ms)

    @property
    def call_ms(self) -> int:
        """See Call."""
        if self._streams:
            last = max(stream.audio_at for stream in self._streams)
        elif self._left_at is not None:
            last = self._left_at
        else:
            return round(self.timeline.end_ms)
        return round(self.timeline.end_ms + (self.clock() - last) * 1000)

    @property
    def spoken_ms(self) -> float:
        """Call time that is reached at the phones now: the newest audio may have come late, as it does to a busy machine."""
        return self.call_ms + max((stream.late_ms for stream in self._streams), default=0.0)

    def give_way(self) -> None:
        """See Call. What is noted of the call is the other Call's from here."""
        if self.departure is not None:
            self.departure.decide(moved=False)
        self._let_go("an agent goes on with this call")
        left_at = self._left_at if self._left_at is not None else self.clock()
        self.record.give_way(LeftOff(self.timeline.end_ms, left_at, self.timeline.lost()))

    def _let_go(self, reason: str) -> None:
        """Close the streams: another Call goes on, here or on another node."""
        for stream in list(self._streams):
            stream.peer.close(reason)
            self.left(stream, "completed")
        self._reason = "completed"
        self._changed.set()
        self.superseded = True
        self._bookmark = Bookmark(None, self.record, 0.0)

    @property
    def departure(self) -> Departure | None:
        """The call's way to another node. None while it is on none."""
        return self._transcription.departure

    def depart(self, departure: Departure) -> None:
        """Begin the call's way to another node. Only while it is on none. Never waits."""
        self._transcription.departure, departure.changed = departure, self._changed
        self.departs.set()
        self._changed.set()

    def left(self, stream: TranscribedStream, reason: EndReason) -> None:
        """Forget a stream. Tracks that it carried are taken from an older stream if there is one."""
        if stream not in self._streams:
            return
        self._streams.remove(stream)
        self._left_at = stream.audio_at
        self._reason = reason
        if reason == "completed" and not self._streams and self.clock() - stream.audio_at >= STALLED_SECONDS:
            self._end_ms = self.call_ms
        for track in TRACKS:
            if self.sources.get(track) is stream:
                del self.sources[track]
                for other in self._streams:
                    if track in other.tracks:
                        self.sources[track] = other
        if reason == "stream-lost" and not all(track in self.sources for track in stream.tracks):
            # Its audio may have stopped long before: a stream without a frame is lost after a minute only.
            missing_from_ms = max(self._began_ms, min(ms(self.timeline.lanes[track].audio_end) for track in stream.tracks))
            self._recovery.broke(BrokenStream(stream.sid, stream.account_sid, stream.tracks, stream.parameters, missing_from_ms))
        self._stream_log(stream).info("stopped" if reason == "completed" else "was lost")
        self._changed.set()

    def forward(self) -> None:
        """Hand ready blocks to the transcriber, to those who listen in, and to the recording. Never waits."""
        self._take(self.timeline.blocks())

    def _take(self, blocks: list[Block]) -> None:
        for block in blocks:
            self._pass_on(block)
        if self.timeline.leaps:
            self._missed.leaps()

    def _pass_on(self, block: Block) -> None:
        self._transcription.push(block)
        if self._transcription.departure is not None and self._transcription.departure.moved:
            return
        self.record.pass_on(block)
        self._condition.look(block)

    def stop(self) -> None:
        """See Call."""
        for stream in list(self._streams):
            stream.peer.close("the hub is stopping")
            self.left(stream, "hub-stopping")
        self._reason = "hub-stopping"
        self._changed.set()

    async def run(self) -> None:
        """See Call. A provider that fails leaves the call without words, never without its end."""
        complete = False
        try:
            async with asyncio.TaskGroup() as group:
                transcription = group.create_task(self._transcription.run())
                errands = [group.create_task(self._recovery.run(self._hopeless))]
                if not any(self.record.numbers) and self._newest is not None:
                    errands.append(group.create_task(self._recovery.identify(self._newest.account_sid, self._identified)))
                moved = False
                while not moved and await self._is_cut():
                    moved = await self._moves(transcription)
                    if not moved:
                        transcription = group.create_task(self._transcription.run())
                self._ending = True
                for errand in errands:
                    errand.cancel()
                if not moved:
                    self._take(self.timeline.finish())
                    self._transcription.finish()
                    complete = await transcription
        except asyncio.CancelledError:
            self._reason = "hub-stopping"
            raise
        except Exception:  # noqa: BLE001  a call is a unit: it ends, the hub goes on
            self._reason = "failed"
            self._log.exception("the call failed")
        finally:
            self._ending = True
            if self.departure is not None:
                self.departure.decide(moved=False)
            if self.departure is None or not self.departure.moved:
                self._publish_rest(complete)

    async def _is_cut(self) -> bool:
        """Wait until the call is over, or cut on its way to another node. Return whether it is cut."""
        while True:
            await self._until_over()
            departure = self.departure
            if departure is None or departure.cut_ms is not None:
                return departure is not None
            if departure.stays:
                self._stay()
                continue
            self._take(self.timeline.finish())
            self._transcription.cut(self.timeline.end_ms)
            return True

    async def _moves(self, transcription: "asyncio.Task[bool]") -> bool:
        """Publish the last words before the cut. Return whether the call has moved then; if not, what was kept is to be transcribed."""
        departure = self.departure
        assert departure is not None
        assert departure.cut_ms is not None
        departure.words_over = True
        complete = await self._transcription.last_words(transcription)
        self._publish_rest(complete)
        self._recovery.published_up_to(departure.cut_ms)
        self._bookmark.cut(departure.cut_ms, self._wall() - (self.call_ms - departure.cut_ms) / 1000)
        departure.said.set()
        if await departure.decided():
            self._let_go("this call goes on at another node")
            return True
        self._untranscribed_from_ms = None
        self._stay()
        return False

    def _stay(self) -> None:
        self._transcription.stay()
        self.departs.clear()

    def end(self) -> None:
        """See Call."""
        if self.superseded:
            return
        lost = self.timeline.lost()
        ended = self.publisher.ended(self._reason, self._over_ms, fared(self.timeline), complete=self._complete, lost=lost)
        if self._reason == "hub-stopping" and self._recovery.can_ask:  # the phone call itself goes on
            self._bookmark.leave(self.call_ms, self.timeline.end_ms if self._complete else None, self._wall())
        self._log.info("ended: %s, %.1f s, %s", self._reason, ended.duration, ended.completeness.summary)

    def _hopeless(self, over: Over) -> None:
        """Take note that no stream will come any more, and of when the call ended if Twilio knows."""
        if over.ended_at is not None:
            audio_ms, ended_ms = self.timeline.end_ms, self.call_ms - max(0.0, self._wall() - over.ended_at) * 1000
            self._end_ms = ended_ms if ended_ms - audio_ms >= TWILIOS_CLOCK_MS else audio_ms
        self._changed.set()

    def _identified(self, facts: CallFacts) -> None:
        """Publish who the call is from and to, and let the next hub process know it too."""
        self.publisher.identified(facts)
        self._bookmark.begin(self.entry())

    async def _until_over(self) -> None:
        """Return when the last stream has stopped, or broke and no other came in time."""
        quiet_seconds = self._deadlines.quiet_seconds
        while True:
            self._changed.clear()
            wait_seconds: float | None
            if (departure := self.departure) is not None:
                wait_seconds = departure.seconds_left
                if not self._streams or not wait_seconds:
                    return
            elif self._streams:
                wait_seconds = quiet_seconds / 4
            elif self._reason == "stream-lost" and not self._recovery.hopeless:
                wait_seconds = None if self._recovery.can_ask else self._deadlines.grace_seconds
            else:
                return
            try:
                async with asyncio.timeout(wait_seconds):
                    await self._changed.wait()
            except TimeoutError:
                if not self._streams:
                    return
                for stream in list(self._streams):
                    if self.clock() - stream.audio_at >= quiet_seconds:
                        stream.peer.close(f"no frame for {quiet_seconds:.0f} s")
                        self.left(stream, "stream-lost")

    def _publish_rest(self, complete: bool) -> None:
        """Publish what is left to be said of the call's words: what nobody transcribed, and utterances that are still open."""
        audio_ms, end_ms, over = self.timeline.end_ms, self._over_ms, True
        if self.departure is not None and self.departure.cut_ms is not None:
            audio_ms = end_ms = self.departure.cut_ms
            over = False
        if self._reason == "completed" and over:
            self._missed.stretch(audio_ms, end_ms, "no audio")
        if self._untranscribed_from_ms is not None:
            self._missed.stretch(self._untranscribed_from_ms, audio_ms, "no transcriber")
        for broken in self._recovery.missing:
            self._missed.by(broken, end_ms)
        unknown = self._reason == "stream-lost" and self._end_ms is None and over
        self._complete = not self.publisher.close_open() and complete and not unknown
        if not self._complete and (self.superseded or not over):
            self.record.words_missing = True

    def _report(self, report: Report) -> None:
        """Take one report of the transcriber, or of this call itself. Never waits, never raises."""
        if isinstance(report, Recognized):
            self._recognized = True
            if report.text:
                self._condition.spoke(report.track, report.end)
        elif isinstance(report, Lost) and self._transcription.failed:  # the end of the call says from when on
            self._untranscribed_from_ms = self.timeline.end_ms if self._recognized else self._began_ms
        elif isinstance(report, NotTranscribed):
            self._bookmark.skip(report.track, report.start * 1000, report.end * 1000)
        self.publisher.report(report)

    def _settled(self, track: Track, end_ms: float, published: bool) -> None:
        self._bookmark.settle(track, end_ms, self.call_ms, published=published, at=self._wall())

    def _stream_log(self, stream: TranscribedStream) -> CallLog:
        return CallLog(log, {"call": self.record.call_sid, "stream": stream.sid})

    def entry(self) -> Entry:
        """Return what another hub process needs to take the call up. Only once a stream has joined."""
        started, stream = self.record.started, self._newest
        assert started is not None
        assert stream is not None
        return stream.entry(started, [track for track in TRACKS if self.timeline.lanes[track].expected], self.call_ms, self._wall())
