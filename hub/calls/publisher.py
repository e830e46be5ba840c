"""Tells subscribers what happens in a call: its start, its words, its troubles, its end. Knows events, not where they come from.

Shared by calls that the hub only hears, calls that an agent answers, and calls that a hub before this one left behind. Nothing here waits.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias, assert_never

import msgspec

from hub import events
from hub.audio.g711 import Track, ms
from hub.audio.timeline import StereoTimeline
from hub.events import D
from hub.numbers import shown
from hub.topics.registry import Record, Registry
from hub.transcribers.transcriber import Lost, Report, Restored, Switched
from hub.transcribers.utterances import SPEAKERS, NotTranscribed, Recognized
from hub.twilio.media import StartBody
from hub.twilio.rest import CallFacts
from hub.twilio.twiml import TOKEN

LABELS: dict[str, Track] = {"inboundTrackLabel": "inbound", "outboundTrackLabel": "outbound"}
"""Stream <Parameter>s that name the speakers, called as Twilio's own Real-Time Transcription calls them."""

GAP_MS = 500
"""A pause between two streams shorter than this is their hand-over, not something to tell people about."""

SECRET_PARAMETERS = frozenset({TOKEN})
"""Parameters that subscribers must not see."""

Settled: TypeAlias = Callable[[Track, float, bool], None]
"""Takes a track, until when (ms of the call) its words are told for good, and whether a final is told now."""


class Publisher:
    """One call's events."""

    def __init__(self, record: Record, registry: Registry, settled: Settled | None = None) -> None:
        """`settled` is called right before it is so: a subscriber that has a word must not be told by the next hub that it is missing."""
        self.record = record
        self._registry = registry
        self._settled = settled
        self._transcript = record.transcript
        """Not the record's own any more once another goes on with the call."""

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
        """Tell that a stream of the call began. `speakers` are labels that the stream's own parameters may replace."""
        record, known, transcript = self.record, self.record.started, self._transcript
        if agent is None and record.agent is not None:  # whoever speaks there now is not the agent
            transcript.name({"outbound": SPEAKERS["outbound"]})
        record.agent = agent
        labels = {track: parameters[name] for name, track in LABELS.items() if parameters.get(name)}
        transcript.name({**(speakers or {}), **labels})
        started = self.publish(
            events.CallStarted(
                call_sid=record.call_sid,
                from_=shown(parameters.get("from", "")) or (known.from_ if known else None),
                to=shown(parameters.get("to", "")) or (known.to if known else None),
                direction=parameters.get("direction") or (known.direction if known else None),
                tracks=tracks,
                speakers=dict(transcript.speakers),
                parameters=parameters,
                stream_sid=stream_sid,
                transcriber=transcriber,
                agent=agent,
            )
        )
        record.started = msgspec.structs.replace(known or started, from_=started.from_, to=started.to, direction=started.direction)
        self._registry.announce(record, started)

    def publish(self, event: D, *, closes: str | None = None, last: bool = False) -> D:
        """Append an event to the call's log, for everyone. The only way into the log; returns the event as subscribers receive it.

        `closes` and `last` as in Topic.publish. Never waits.
        """
        return self.record.topic.publish(event, closes=closes, last=last)

    def identified(self, facts: CallFacts) -> None:
        """Tell who the call is from and to, as another `call-started` of the stream that is there."""
        started = self.record.started
        assert started is not None
        # As the call began, so with its moment; what is published gets its own.
        direction = started.direction or facts.direction
        self.record.started = msgspec.structs.replace(
            started, from_=facts.from_ and shown(facts.from_), to=facts.to and shown(facts.to), direction=direction
        )
        self._tell(self.record.started)

    def report(self, report: Report) -> None:
        """Turn one report into an event. Never raises."""
        sid = self.record.call_sid
        match report:
            case Recognized():
                self._fold(report)
            case NotTranscribed(track, start, end, reason):
                self.publish(events.Gap(call_sid=sid, track=track, start=round(start, 3), end=round(end, 3), reason=reason))
            case Lost(provider, reason, attempt):
                self._tell(events.TranscriberLost(call_sid=sid, provider=provider, reason=reason, attempt=attempt))
            case Restored(provider, reason, attempt):
                self._tell(events.TranscriberRestored(call_sid=sid, provider=provider, reason=reason, attempt=attempt))
            case Switched(provider, reason, attempt):
                self._tell(events.TranscriberSwitched(call_sid=sid, provider=provider, reason=reason, attempt=attempt))
            case _:
                assert_never(report)

    def _fold(self, heard: Recognized) -> None:
        topic, transcript = self.record.topic, self._transcript
        folded = transcript.fold(heard)
        if self._settled is not None and heard.settled and not transcript.is_open(heard.track):
            self._settled(heard.track, heard.end * 1000, isinstance(folded, events.Final))
        match folded:
            case events.Interim() as interim:
                topic.revise(interim)
            case events.Final() as final:
                self.publish(final, closes=final.utterance)
            case None:
                pass

    def close_open(self) -> bool:
        """Tell what is still open with the words known so far; return whether there was any."""
        finals = self._transcript.close()
        for final in finals:
            self.publish(final, closes=final.utterance)
        return bool(finals)

    def ended(self, reason: str, end_ms: float, audio: dict[Track, events.TrackAudio], *, complete: bool) -> events.CallEnded:
        """Tell the end, and how the audio fared."""
        ended = self.publish(
            events.CallEnded(
                call_sid=self.record.call_sid,
                reason=reason,
                duration=round(end_ms / 1000, 3),
                transcript="complete" if complete else "truncated",
                audio=audio,
            ),
            last=True,
        )
        self._registry.close(self.record, ended, end_ms)
        self._registry.announce(self.record, ended)
        return ended

    def _tell(self, event: events.Durable) -> None:
        """Publish what concerns the call as a whole."""
        self._registry.announce(self.record, self.publish(event))


def brought(start: StartBody) -> dict[str, str]:
    """Return a stream's <Parameter>s, without secrets."""
    return {name: str(value) for name, value in start.custom_parameters.items() if name not in SECRET_PARAMETERS}


def fared(timeline: StereoTimeline) -> dict[Track, events.TrackAudio]:
    """Return how each track's audio fared, as `call-ended` tells it."""
    return {
        track: events.TrackAudio(
            filled_ms=ms(lane.filled_bytes),
            late_ms=ms(lane.late_bytes),
            dropped_ms=ms(lane.dropped_bytes),
            max_skew_ms=ms(lane.max_skew_bytes),
        )
        for track, lane in timeline.lanes.items()
        if lane.expected
    }
