"""Publishes what of a live call nobody transcribed: tracks without a stream, leaps of a clock, time between two streams.

Knows the call's timeline, and which stretches are missing. Does not know streams.
"""

from collections.abc import Callable, Mapping

from hub.audio.g711 import TRACKS, Track
from hub.audio.timeline import StereoTimeline
from hub.calls.publisher import GAP_MS
from hub.calls.recovery import BrokenStream
from hub.transcribers.utterances import NotTranscribed


class Missed:
    """What one call has missed."""

    def __init__(self, timeline: StereoTimeline, report: Callable[[NotTranscribed], None]) -> None:
        self._timeline = timeline
        self._report = report

    def by(self, broken: BrokenStream, until_ms: float) -> None:
        """Publish what tracks of a broken stream have missed, unless it is no longer than a hand-over takes."""
        if until_ms - broken.missing_from_ms >= GAP_MS:
            for track in broken.tracks:
                self._report(NotTranscribed(track, broken.missing_from_ms / 1000, until_ms / 1000, "no stream"))
                self._timeline.told(track, broken.missing_from_ms, min(until_ms, self._timeline.end_ms))

    def leaps(self) -> None:
        """Publish what the streams' clocks leapt over."""
        for tracks, start_ms, end_ms in self._timeline.leaps:
            for track in tracks:
                self._report(NotTranscribed(track, start_ms / 1000, end_ms / 1000, "the stream's clock leapt"))
        self._timeline.leaps.clear()

    def stretch(self, start_ms: float, end_ms: float, reason: str, since: Mapping[Track, float] | None = None) -> None:
        """Publish a gap of all tracks, if there is one. `since`: where it begins earlier, or later, on a track."""
        for track in TRACKS:
            begins_ms = (since or {}).get(track, start_ms)
            if self._timeline.lanes[track].expected and begins_ms < end_ms:
                self._report(NotTranscribed(track, begins_ms / 1000, end_ms / 1000, reason))
