"""The one way into a call's log: every durable event and every interim of a call passes here.

Calls that are transcribed, calls that an agent answers, and calls that an earlier hub process left behind all publish through this class.
So what has to be done to every event (redaction, annotation) has one place. `publish` and `revise` never await: an event has its place in
the log before anything else can run. Without an archive it is also handed to everyone who follows the call; with one, once it is stored.

Knows events and where they go. Does not know what they are made from, except transcribers' reports.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias, assert_never

import msgspec

from hub import events
from hub.audio.g711 import TRACKS, Track, ms
from hub.audio.lost import Share, percent
from hub.audio.timeline import StereoTimeline
from hub.calls.past_orders import given_up
from hub.events import SPEAKERS, D, decode_durable
from hub.insight.redaction.redaction import Redaction
from hub.ops.logs import CallLog
from hub.text.foreign_text import line, name
from hub.text.phone_numbers import shown
from hub.topics.record import Record
from hub.topics.registry import Registry
from hub.transcribers.transcriber import Doubted, Lost, Report, Restored, Switched
from hub.transcribers.utterances import NotTranscribed, Recognized
from hub.transcript.completeness import Measured
from hub.twilio.media import StartBody
from hub.twilio.rest import CallFacts
from hub.twilio.twiml import TOKEN

log = logging.getLogger(__name__)

LABELS: dict[str, Track] = {"inboundTrackLabel": "inbound", "outboundTrackLabel": "outbound"}
"""Stream <Parameter>s that name the speakers, named as in Twilio's own Real-Time Transcription."""

GAP_MS = 500
"""A pause between two streams that is shorter is their hand-over, not something to tell people about."""

SECRET_PARAMETERS = frozenset({TOKEN})
"""Parameters that subscribers must not see."""

REMEMBERED_EVENTS = 50
"""So many of the newest events of a call are looked at for a number that may go on, where its earlier ones are another process's."""

OnSettled: TypeAlias = Callable[[Track, float, bool], None]
"""Takes a track, the call time in ms up to which its words are final, and whether a final is published now."""


class Publisher:
    """One call's events. A Call has its own, since it keeps its own utterances when another Call goes on with the record."""

    def __init__(self, record: Record, registry: Registry, on_settled: OnSettled | None = None) -> None:
        """`on_settled` is called before the final is published, so that it is noted at once, and a restart does not report it as lost."""
        self.record = record
        self._registry = registry
        self._on_settled = on_settled
        self._utterances = record.utterances
        self._settled_later: dict[Track, float] = {}
        """Call time in ms up to which the words of each track are final whose newest final is held back."""
        if registry.redactor is not None and record.redaction is None:
            log_ = record.topic.log
            newest = log_.entered_after(max(log_.first - 1, log_.entered - REMEMBERED_EVENTS))
            record.redaction = Redaction(registry.redactor, filter(None, map(decode_durable, newest)))

    def publish(self, event: D) -> D:
        """Append an event to the call's log and have it handed to everyone. Returns it as subscribers receive it. Never waits.

        What is secret in it is masked. A final goes another way: it comes from a report, and may be held back.
        """
        if self.record.redaction is not None:
            event = self.record.redaction.event(event)
        return self._registry.publish(self.record, event)

    def publish_late(self, event: D) -> bool:
        """Publish what becomes known of a call after its end. Returns whether it was published. Never waits.

        A note is not if the call has gone on since, or has a note of this end already: two nodes, or two processes one after the other, may
        each have had one written. Whoever owns the call decides here, so its log has one.
        """
        if isinstance(event, events.Note):
            outline = self.record.ahead
            # Where the log has forgotten its oldest events, another node may have told of the end, without its offset.
            ends_there = outline.ended is not None and outline.ended.offset in {event.ended, 0}
            if self.record.erased or not ends_there or outline.noted >= event.ended:
                return False
        self.publish(event)
        return True

    def revise(self, interim: events.Interim) -> None:
        """Have everyone handed the newest state of an utterance that is still open. Never waits."""
        self._registry.revise(self.record, interim)

    def began(
        self,
        stream_sid: str,
        parameters: dict[str, str],
        tracks: list[Track],
        transcriber: events.TranscriberName,
        *,
        agent: str | None = None,
        speakers: Mapping[Track, str] | None = None,
    ) -> None:
        """Publish that a stream of the call began. `speakers` are labels that the stream's own parameters may replace."""
        record, known, utterances = self.record, self.record.started, self._utterances
        if agent is None and record.agent is not None:  # whoever speaks there now is not the agent
            utterances.name({"outbound": SPEAKERS["outbound"]})
            self.give_up_orders()
        labels = {track: label for key, track in LABELS.items() if (label := name(self.open_parameters(parameters).get(key, "")))}
        utterances.name({**(speakers or {}), **labels})
        self.publish(
            events.CallStarted(
                call_sid=record.call_sid,
                from_=shown(parameters.get("from", "")) or (known.from_ if known else None),
                to=shown(parameters.get("to", "")) or (known.to if known else None),
                direction=parameters.get("direction") or (known.direction if known else None),
                tracks=tracks,
                speakers=dict(utterances.speakers),
                parameters=parameters,
                stream_sid=stream_sid,
                transcriber=transcriber,
                agent=agent,
            )
        )

    def give_up_orders(self) -> None:
        """Publish that nobody knows what became of orders to steer the call, where the process that was doing them is gone."""
        for event in given_up(self.record):
            self.publish(event)

    def open_parameters(self, parameters: dict[str, str]) -> dict[str, str]:
        """Return a stream's <Parameter>s as they may be published and stored."""
        return parameters if self.record.redaction is None else self.record.redaction.parameters(parameters)

    def identified(self, facts: CallFacts) -> None:
        """Publish who the call is from and to, as another `call-started` of the stream that is there."""
        newest = self.record.ahead.newest
        assert newest is not None
        from_, to = facts.from_ and shown(facts.from_), facts.to and shown(facts.to)
        self.publish(msgspec.structs.replace(newest, from_=from_, to=to, direction=newest.direction or facts.direction))

    def report(self, report: Report) -> None:
        """Publish what a transcriber reports. Never raises."""
        sid = self.record.call_sid
        match report:
            case Recognized():
                self._recognized(report)
            case NotTranscribed(track, start, end, reason):
                self.publish(events.Gap(call_sid=sid, track=track, start=round(start, 3), end=round(end, 3), reason=reason))
            case Lost(provider, reason, attempt):
                self.publish(events.TranscriberLost(call_sid=sid, provider=provider, reason=reason, attempt=attempt))
            case Restored(provider, reason, attempt):
                self.publish(events.TranscriberRestored(call_sid=sid, provider=provider, reason=reason, attempt=attempt))
            case Switched(provider, reason, attempt):
                self.publish(events.TranscriberSwitched(call_sid=sid, provider=provider, reason=reason, attempt=attempt))
            case Doubted(track, reason):
                CallLog(log, {"call": sid}).warning("the words of %s may be wrong: %s", track, reason)
                self.publish(events.WordsDoubted(call_sid=sid, track=track, reason=reason))
            case _:
                assert_never(report)

    def _recognized(self, recognized: Recognized) -> None:
        utterances = self._utterances
        event = utterances.fold(recognized)
        due = self._masked(event)
        if self._on_settled is not None and recognized.settled and not utterances.is_open(recognized.track):
            self._settle(recognized.track, recognized.end * 1000, published=isinstance(event, events.Final))
        self._publish_due(due)

    def _masked(self, event: events.Interim | events.Final | None) -> Sequence[events.Interim | events.Final]:
        """Return what is to be published now, without what is secret. Finals may be held back, and come later."""
        if event is None:
            return ()
        redaction = self.record.redaction
        if redaction is None:
            return (event,)
        return redaction.interim(event) if isinstance(event, events.Interim) else redaction.final(event)

    def _publish_due(self, due: Iterable[events.Interim | events.Final]) -> None:
        if self._settled_later:
            self._settle_released()
        for event in due:
            if isinstance(event, events.Interim):
                self.revise(event)
            else:
                self.record.mute(event)
                self._registry.publish(self.record, event)

    def _settle(self, track: Track, end_ms: float, *, published: bool) -> None:
        """Have it noted up to where the words of a track are published. While a final is held back they are not."""
        assert self._on_settled is not None
        if self.record.redaction is not None and track in self.record.redaction.holds:
            self._settled_later[track] = end_ms
        else:
            self._on_settled(track, end_ms, published)

    def _settle_released(self) -> None:
        redaction = self.record.redaction
        assert redaction is not None
        for track in [track for track in self._settled_later if track not in redaction.holds]:
            end_ms = self._settled_later.pop(track)
            if self._on_settled is not None:
                self._on_settled(track, end_ms, True)

    def reached(self, call_ms: float) -> None:
        """Publish the finals that have been held back for long enough at this call time. Called once per block."""
        redaction = self.record.redaction
        if redaction is not None and (due := redaction.reached(call_ms / 1000)):
            self._publish_due(due)

    def take_back(self, tracks: Iterable[Track]) -> None:
        """End the utterances that another node left open: it can finish them no more, and readers may still show their interims."""
        for track in tracks:
            last = self._utterances.last(track)
            if last is not None:
                final = events.Final(
                    call_sid=self.record.call_sid, utterance=last, revision=events.LAST_REVISION, track=track,
                    speaker=self._utterances.speakers[track], text="", start=0.0, end=0.0, words=[],
                )  # fmt: skip
                self.publish(final)

    def close_open(self) -> bool:
        """Publish the open utterances as finals, with the words known so far. Returns whether there were any."""
        finals = self._utterances.close()
        for final in finals:
            self._publish_due(self._masked(final))
        self._release()
        return bool(finals)

    def _release(self) -> None:
        """Publish the finals that are held back: nothing follows that could decide about them."""
        if self.record.redaction is not None:
            self._publish_due(self.record.redaction.over())

    def ended(
        self,
        reason: str,
        end_ms: float,
        audio: dict[Track, events.TrackAudio],
        *,
        complete: bool,
        lost: dict[Track, Share] | None = None,
    ) -> events.CallEnded:
        """Publish the call's statistics, and then its end, how its audio fared, and how whole the record is.

        `complete`: no last words are missing. `lost`: how much audio was lost, of all parts of the call.
        """
        self._release()
        if self.record.agent is not None:
            self.give_up_orders()
        lost = lost or {}
        self.record.words_missing = self.record.words_missing or not complete
        findings = self.record.ahead.findings
        unheard = next((track for track in TRACKS if findings.spoke and track not in findings.spoke), None)
        duration = round(end_ms / 1000, 3)
        self.publish(events.Statistics(call_sid=self.record.call_sid, figures=self.record.ahead.statistics.figures(duration)))
        ended = self.publish(
            events.CallEnded(
                call_sid=self.record.call_sid,
                reason=reason,
                duration=duration,
                completeness=findings.completeness(
                    ended=True, measured=Measured(percent(lost.values()), unheard, self.record.words_missing)
                ),
                audio=audio,
            )
        )
        self._registry.close(self.record, end_ms, lost)
        return ended


def brought(start: StartBody) -> dict[str, str]:
    """Return a stream's <Parameter>s, without secrets and without characters that act on the text around them."""
    return {line(key): line(str(value)) for key, value in start.custom_parameters.items() if key not in SECRET_PARAMETERS}


def fared(timeline: StereoTimeline) -> dict[Track, events.TrackAudio]:
    """Return how each track's audio fared, as `call-ended` has it."""
    return {
        track: events.TrackAudio(
            filled_ms=ms(lane.filled_bytes),
            lost_ms=ms(timeline.share(track).lost),
            late_ms=ms(lane.late_bytes),
            dropped_ms=ms(lane.dropped_bytes),
            max_skew_ms=ms(lane.max_skew_bytes),
        )
        for track, lane in timeline.lanes.items()
        if lane.expected
    }
