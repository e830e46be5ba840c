"""Runs one call in one TaskGroup: chunks -> stereo timeline -> transcriber -> transcript -> topic.

Twilio's side only calls `Stream.chunk()`, which never waits. Knows no aiohttp, no subscriber and no provider by name.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, Literal, assert_never

import msgspec

from hub import events
from hub.account import Account
from hub.audio import TRACKS, Track, ms
from hub.errors import AccountError, ProviderError
from hub.journal import Entry, Journal
from hub.logs import CallLog
from hub.registry import Record, Registry
from hub.stereo import StereoTimeline
from hub.transcribers import Lost, Report, Restored, Switched, Transcriber
from hub.transcript import Heard, Missed
from hub.twiml import TOKEN
from hub.wire.twilio import StartBody

log = logging.getLogger(__name__)

QUIET_SECONDS = 60.0
"""A stream without a frame for so long is lost: Twilio sends 50 a second and track, silence included, and no close when a tunnel breaks."""

GRACE_SECONDS = 5.0
"""How long a call whose stream broke waits for another one before it ends as `stream-lost`, where nobody can be asked for one."""

NOTE_MS = 5000
"""In a pause the journal is told so often how far the call is: that bounds how much silence a restart counts as lost."""

GAP_MS = 500
"""A pause between two streams shorter than this is their hand-over, not something to tell people about."""

LABELS: dict[str, Track] = {"inboundTrackLabel": "inbound", "outboundTrackLabel": "outbound"}
"""Stream <Parameter>s that name the speakers, called as Twilio's own Real-Time Transcription calls them."""

SECRET_PARAMETERS = frozenset({TOKEN})
"""Parameters that subscribers must not see."""

EndReason = Literal["completed", "stream-lost", "hub-stopping", "failed"]


class Stream:
    """One Twilio socket's part in a call."""

    __slots__ = ("account_sid", "base_ms", "call", "heard_at", "on_over", "parameters", "sid", "superseded", "tracks")

    def __init__(self, call: "Call", start: StartBody, parameters: dict[str, str], base_ms: int, on_over: Callable[[str], None]) -> None:
        self.call = call
        self.sid = start.stream_sid
        self.account_sid = start.account_sid
        self.parameters = parameters
        """What it brought, without secrets."""
        self.tracks: tuple[Track, ...] = tuple(start.tracks)
        self.base_ms = base_ms
        """Call time at this stream's own zero."""
        self.heard_at = call.clock()
        """When the last frame came."""
        self.superseded = 0
        """Frames of tracks that a newer stream carries: heard there, so not heard twice."""
        self.on_over = on_over

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

    def dtmf(self, digit: str, track: Track) -> None:
        """Tell subscribers about a key press."""
        self.call.record.topic.publish(events.Dtmf(call_sid=self.call.record.call_sid, digit=digit, track=track))

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
        self._registry = registry
        self._transcriber = transcriber
        self._account = account
        self._journal = journal
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
        self._orphan: tuple[Stream, float] | None = None
        """The stream whose tracks nobody carries since it broke, and the call time at which it did; None while all are carried."""
        self._orphaned = asyncio.Event()
        """Set while there is one."""
        self._came = asyncio.Event()
        """Set once its tracks are carried again."""
        self._forsaken = False
        """Whether no stream will come any more, as far as Twilio says."""
        self._settled_ms: dict[Track, float] = dict.fromkeys(TRACKS, record.call_ms)
        """Call time up to which each track's words were told for good."""
        self._noted_ms = 0.0
        """Call time at which the journal was told of the call last."""
        self._log = CallLog(log, {"call": record.call_sid})

    @property
    def accepts(self) -> bool:
        """Whether a stream can still join; a call that says its last words cannot take one."""
        return not self._ending

    @property
    def streams(self) -> int:
        """How many streams are live."""
        return len(self._streams)

    def audio_bytes(self) -> Counter[tuple[Track, str]]:
        """Return how much of which track was `filled`, `late` or `dropped` so far."""
        counted: Counter[tuple[Track, str]] = Counter()
        for track, lane in self.timeline.lanes.items():
            counted[track, "filled"] = lane.filled_bytes
            counted[track, "late"] = lane.late_bytes
            counted[track, "dropped"] = lane.dropped_bytes
        return counted

    def join(self, start: StartBody, on_over: Callable[[str], None]) -> Stream:
        """Take in a stream and tell subscribers. `on_over` is called with a sentence if the call ends the stream."""
        parameters = {name: str(value) for name, value in start.custom_parameters.items() if name not in SECRET_PARAMETERS}
        self.record.transcript.name({track: parameters[name] for name, track in LABELS.items() if parameters.get(name)})
        base_ms = self._base_ms()
        stream = Stream(self, start, parameters, base_ms, on_over)
        hole_ms = base_ms - self.timeline.end_ms
        self.timeline.expect(list(stream.tracks))
        for track in stream.tracks:
            self.sources[track] = stream
        self._streams.append(stream)
        self._newest = stream
        known = self.record.started
        started = self.record.topic.publish(
            events.CallStarted(
                call_sid=self.record.call_sid,
                from_=parameters.get("from") or (known.from_ if known else None),
                to=parameters.get("to") or (known.to if known else None),
                direction=parameters.get("direction") or (known.direction if known else None),
                tracks=list(stream.tracks),
                speakers=dict(self.record.transcript.speakers),
                parameters=parameters,
                stream_sid=stream.sid,
                transcriber=events.TranscriberName(provider=self._transcriber.provider, model=self._transcriber.model),
            )
        )
        self.record.started = msgspec.structs.replace(known or started, from_=started.from_, to=started.to, direction=started.direction)
        self._registry.announce(self.record, started)
        if not self._streams[:-1] and self._left_at is not None and (hole_ms >= GAP_MS or self.record.settled_ms):
            self._go_on_at(base_ms)
        self._adopt(base_ms)
        self._note()
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
                self._hear(Missed(track, self.record.settled_ms.get(track, before_ms) / 1000, base_ms / 1000, "no stream"))
        self.record.settled_ms = {}
        self._orphan = None

    def _adopt(self, base_ms: int) -> None:
        """See whether the tracks of the stream that broke are carried again; where the call went on without them, tell what was lost."""
        if self._orphan is not None:
            stream, broke_ms = self._orphan
            if not all(track in self.sources for track in stream.tracks):
                return
            if base_ms - broke_ms >= GAP_MS:
                for track in stream.tracks:
                    self._hear(Missed(track, broke_ms / 1000, base_ms / 1000, "no stream"))
            self._orphan = None
        self._orphaned.clear()
        self._came.set()
        self._forsaken = False

    def _base_ms(self) -> int:
        """Return call time now: the media clock, carried on by the wall clock only over the hole between two streams."""
        if self._streams:
            last = max(stream.heard_at for stream in self._streams)
        elif self._left_at is not None:
            last = self._left_at
        else:
            return round(self.timeline.end_ms)
        return round(self.timeline.end_ms + (self.clock() - last) * 1000)

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
            self._orphan = (stream, now_ms)
            self._came.clear()
            self._orphaned.set()
        self._stream_log(stream).info("stopped" if reason == "completed" else "was lost")
        self._changed.set()

    def forward(self) -> None:
        """Hand ready blocks to the transcriber. Never waits."""
        for block in self.timeline.blocks():
            self._transcriber.push(block)
        if self.timeline.leaps:
            self._tell_leaps()

    def _tell_leaps(self) -> None:
        for start, end in self.timeline.leaps:
            for track in TRACKS:
                if self.timeline.lanes[track].expected:
                    self._hear(Missed(track, start / 1000, end / 1000, "the stream's clock leapt"))
        self.timeline.leaps.clear()

    def stop(self) -> None:
        """End the call because the hub stops: streams are told, the transcript is finished."""
        for stream in list(self._streams):
            stream.on_over("the hub is stopping")
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
                errands = [group.create_task(errand) for errand in self._errands()]
                await self._until_over()
                self._ending = True
                for errand in errands:
                    errand.cancel()
                for block in self.timeline.finish():
                    self._transcriber.push(block)
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

    def _errands(self) -> list[Coroutine[Any, Any, None]]:
        """Return what is asked of Twilio while the call lives."""
        if self._account is None:
            return []
        keeping = [self._keep_streams(self._account)]
        return keeping if any(self.record.numbers) else [*keeping, self._learn_numbers(self._account)]

    async def _keep_streams(self, account: Account) -> None:
        """Whenever a stream breaks while the call lives, have Twilio send another."""
        while True:
            await self._orphaned.wait()
            assert self._orphan is not None
            lost, _ = self._orphan
            self._log.info("asking Twilio for another stream in place of %s", lost.sid)
            over = await account.bring_back(lost.account_sid, self.record.call_sid, lost.tracks, lost.parameters, self._came)
            if over is not None:
                self._log.info("no stream will come in place of %s", lost.sid)
                self._orphaned.clear()
                self._forsaken = True
                self._changed.set()

    async def _learn_numbers(self, account: Account) -> None:
        """Ask Twilio, once, who the call is from and to, and tell it as another `call-started` of the stream that is there."""
        started = self.record.started
        assert started is not None
        try:
            facts = await account.find(self._streams[0].account_sid if self._streams else "", self.record.call_sid)
        except AccountError as error:
            self._log.warning("the call's numbers are not known: %s", error)
            return
        if facts is None:
            return
        # As the call began, so with its moment; what is published gets its own.
        self.record.started = msgspec.structs.replace(
            started, from_=facts.from_, to=facts.to, direction=started.direction or facts.direction
        )
        self._tell(self.record.started)

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
            elif self._reason == "stream-lost" and not self._forsaken:
                wait = GRACE_SECONDS if self._account is None else None
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
                        stream.on_over(f"no frame for {QUIET_SECONDS:.0f} s")
                        self.left(stream, "stream-lost")

    def _end(self, complete: bool) -> None:
        topic, transcript = self.record.topic, self.record.transcript
        if self._deaf_from_ms is not None and self._deaf_from_ms < self.timeline.end_ms:
            for track in TRACKS:
                if self.timeline.lanes[track].expected:
                    self._hear(Missed(track, self._deaf_from_ms / 1000, self.timeline.end_ms / 1000, "no transcriber"))
        for final in transcript.close():
            topic.publish(final, closes=final.utterance)
            complete = False
        if self.superseded:
            return
        ended = topic.publish(
            events.CallEnded(
                call_sid=self.record.call_sid,
                reason=self._reason,
                duration=round(self.timeline.end_ms / 1000, 3),
                transcript="complete" if complete else "truncated",
                audio={
                    track: events.TrackAudio(
                        filled_ms=ms(lane.filled_bytes),
                        late_ms=ms(lane.late_bytes),
                        dropped_ms=ms(lane.dropped_bytes),
                        max_skew_ms=ms(lane.max_skew_bytes),
                    )
                    for track, lane in self.timeline.lanes.items()
                    if lane.expected
                },
            ),
            last=True,
        )
        if self._journal is not None and self._reason == "hub-stopping":
            if complete:
                self._settled_ms = dict.fromkeys(TRACKS, self.timeline.end_ms)
            self._note()  # the call itself goes on: the next hub takes it up
        elif self._journal is not None:
            self._journal.drop(self.record.call_sid)
        self._registry.close(self.record, ended, self.timeline.end_ms)
        self._registry.announce(self.record, ended)
        self._log.info("ended: %s, %.1f s, transcript %s", self._reason, ended.duration, ended.transcript)

    def _hear(self, report: Report) -> None:
        """Turn one report into an event. Never waits, never raises."""
        topic, sid = self.record.topic, self.record.call_sid
        match report:
            case Heard():
                self._heard = True
                folded = self.record.transcript.fold(report)
                if self._journal is not None and report.settled:
                    self._settle(report, told=isinstance(folded, events.Final))
                match folded:
                    case events.Interim() as interim:
                        topic.revise(interim)
                    case events.Final() as final:
                        topic.publish(final, closes=final.utterance)
                    case None:
                        pass
            case Missed(track, start, end, reason):
                topic.publish(events.Gap(call_sid=sid, track=track, start=round(start, 3), end=round(end, 3), reason=reason))
            case Lost(provider, reason, attempt):
                self._tell(events.TranscriberLost(call_sid=sid, provider=provider, reason=reason, attempt=attempt))
            case Restored(provider, reason, attempt):
                self._tell(events.TranscriberRestored(call_sid=sid, provider=provider, reason=reason, attempt=attempt))
            case Switched(provider, reason, attempt):
                self._tell(events.TranscriberSwitched(call_sid=sid, provider=provider, reason=reason, attempt=attempt))
            case _:
                assert_never(report)

    def _stream_log(self, stream: Stream) -> CallLog:
        return CallLog(log, {"call": self.record.call_sid, "stream": stream.sid})

    def _settle(self, heard: Heard, *, told: bool) -> None:
        """Note how far a track's words are told for good: with each utterance, before it is published, and now and then in a pause."""
        if self.record.transcript.is_open(heard.track):
            return
        self._settled_ms[heard.track] = max(self._settled_ms[heard.track], heard.end * 1000)
        if told or heard.end * 1000 - self._noted_ms >= NOTE_MS:
            self._note()

    def _note(self) -> None:
        """Tell the journal how far the call is."""
        if self._journal is None or self._newest is None:
            return
        started = self.record.started
        assert started is not None
        numbers = {"from": started.from_, "to": started.to, "direction": started.direction}
        self._noted_ms = self.timeline.end_ms
        self._journal.keep(
            Entry(
                call_sid=self.record.call_sid,
                account_sid=self._newest.account_sid,
                stream_sid=self._newest.sid,
                tracks=[track for track in TRACKS if self.timeline.lanes[track].expected],
                parameters=self._newest.parameters | {name: value for name, value in numbers.items() if value},
                transcriber=started.transcriber,
                call_ms=self._base_ms(),
                settled_ms=dict(self._settled_ms),
            )
        )

    def _tell(self, event: events.Durable) -> None:
        """Publish what concerns the call as a whole."""
        self._registry.announce(self.record, self.record.topic.publish(event))
