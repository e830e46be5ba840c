"""Tells subscribers what happens in a call: its start, its words, its troubles, its end. Knows events, not where they come from.

Shared by calls that the hub only hears and calls that an agent answers. Nothing here waits.
"""

import logging
from collections.abc import Mapping, MutableMapping
from typing import Any, assert_never

from hub import events
from hub.audio import TRACKS, Track, ms
from hub.registry import Record, Registry
from hub.stereo import StereoTimeline
from hub.transcribers import Lost, Report, Restored, Switched
from hub.transcript import Heard, Missed
from hub.wire.twilio import StartBody

LABELS: dict[str, Track] = {"inboundTrackLabel": "inbound", "outboundTrackLabel": "outbound"}
"""Stream <Parameter>s that name the speakers, called as Twilio's own Real-Time Transcription calls them."""

SECRET_PARAMETERS = frozenset({"token"})
"""Parameters that subscribers must not see."""


class CallLog(logging.LoggerAdapter[logging.Logger]):
    """Adds the call, and the stream where there is one, to every line."""

    def process(self, msg: str, kwargs: MutableMapping[str, Any]) -> tuple[str, MutableMapping[str, Any]]:
        """Put `call=… stream=…` in front of the message."""
        where = " ".join(f"{name}={value}" for name, value in (self.extra or {}).items())
        return f"{where} {msg}", kwargs


class Chronicle:
    """One call's events."""

    def __init__(self, record: Record, registry: Registry) -> None:
        self.record = record
        self._registry = registry

    def began(
        self,
        start: StartBody,
        tracks: list[Track],
        transcriber: events.TranscriberName,
        *,
        agent: str | None = None,
        speakers: Mapping[Track, str] | None = None,
    ) -> None:
        """Tell that a stream of the call began. `speakers` are labels that the stream's own parameters may replace."""
        record = self.record
        parameters = {name: str(value) for name, value in start.custom_parameters.items() if name not in SECRET_PARAMETERS}
        labels = {track: parameters[name] for name, track in LABELS.items() if parameters.get(name)}
        record.transcript.name({**(speakers or {}), **labels})
        started = record.topic.publish(
            events.CallStarted(
                call_sid=record.call_sid,
                from_=parameters.get("from"),
                to=parameters.get("to"),
                direction=parameters.get("direction"),
                tracks=tracks,
                speakers=dict(record.transcript.speakers),
                parameters=parameters,
                stream_sid=start.stream_sid,
                transcriber=transcriber,
                agent=agent,
            )
        )
        record.started = record.started or started
        self._registry.announce(record, started)

    def hear(self, report: Report) -> None:
        """Turn one report into an event. Never raises."""
        topic, sid = self.record.topic, self.record.call_sid
        match report:
            case Heard():
                match self.record.transcript.fold(report):
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

    def close_open(self) -> bool:
        """Tell what is still open with the words known so far; return whether there was any."""
        finals = self.record.transcript.close()
        for final in finals:
            self.record.topic.publish(final, closes=final.utterance)
        return bool(finals)

    def ended(self, reason: str, timeline: StereoTimeline, *, complete: bool) -> events.CallEnded:
        """Tell the end, and how the audio fared."""
        ended = self.record.topic.publish(
            events.CallEnded(
                call_sid=self.record.call_sid,
                reason=reason,
                duration=round(timeline.end_ms / 1000, 3),
                transcript="complete" if complete else "truncated",
                audio={
                    track: events.TrackAudio(
                        filled_ms=ms(timeline.lanes[track].filled_bytes),
                        late_ms=ms(timeline.lanes[track].late_bytes),
                        dropped_ms=ms(timeline.lanes[track].dropped_bytes),
                        max_skew_ms=ms(timeline.lanes[track].max_skew_bytes),
                    )
                    for track in TRACKS
                    if timeline.lanes[track].expected
                },
            ),
            last=True,
        )
        self._registry.close(self.record, ended, timeline.end_ms)
        self._registry.announce(self.record, ended)
        return ended

    def _tell(self, event: events.Durable) -> None:
        """Publish what concerns the call as a whole."""
        self._registry.announce(self.record, self.record.topic.publish(event))
