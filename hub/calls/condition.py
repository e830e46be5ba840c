"""Watches a live call for what will be missing in its record, and publishes it while something can still be done.

Three things are watched: audio that does not arrive, one side that is silent while the other speaks (the commonest mistake in a new TwiML
is a stream of the wrong track), and that nobody transcribes. Each is published when it begins and when it is over; figures that only grow
are published again every 30 s of call time.

Knows blocks of audio and the call's publisher. Does not know sockets, nor what a provider is.
"""

from hub.audio import g711
from hub.audio.g711 import TRACKS, Track
from hub.audio.timeline import Block, StereoTimeline
from hub.calls.publisher import Publisher
from hub.events import Completeness, ConditionChanged
from hub.transcript.completeness import Measured

LOOK_BLOCKS = 10
"""Every tenth block is looked at, one per second: the loudness of each block of each call would cost a tenth of what a frame costs."""

SOUND_LEVEL = 100
"""A quieter block is silence: 50 dB below full scale, 20 dB below a faint voice, and above the noise of a line on which nobody is."""

SILENT_SECONDS = 30.0
"""One side may be silent for so long while the other speaks: longer than most people talk without an answer."""

LOST_PERCENT = 2.0
"""More audio than this is lost: something is wrong with the connection, and words begin to be wrong."""

MEASURE_SECONDS = 10.0
"""Of so much of a track at least: one lost frame is a large share of the first second."""

AGAIN_SECONDS = 30.0
"""How often figures are published that have only grown, if they read differently by then."""


class Condition:
    """What is wrong with one live call. `look` at each block, tell of words by `spoke`."""

    def __init__(self, publisher: Publisher, timeline: StereoTimeline, tracks: tuple[Track, ...] = TRACKS) -> None:
        """`tracks`: those whose audio comes from Twilio, so that it can be lost on the way."""
        self._publisher = publisher
        self._timeline = timeline
        self._tracks = tracks
        self._blocks = 0
        self._began = timeline.end_ms / 1000
        self._heard: dict[Track, float] = dict.fromkeys(TRACKS, self._began)
        """Call time in seconds at which each side last made a sound or spoke."""
        self._spoke: dict[Track, float] = {}
        """Call time in seconds at which words of each side last came. No entry before the first."""
        self._published = publisher.record.ahead.findings.published
        """The newest that was published, also by an earlier part of the call. None before."""
        self._published_at = self._began

    def spoke(self, track: Track, at_seconds: float) -> None:
        """Take note that words of this side came, said up to this call time."""
        self._heard[track] = max(self._heard[track], at_seconds)
        self._spoke[track] = max(self._spoke.get(track, 0.0), at_seconds)

    def look(self, block: Block) -> None:
        """Take the next block of the call. Publishes what has changed, and words that were held back until now. Never waits."""
        self._publisher.reached(block.end_ms)
        self._blocks += 1
        if self._blocks % LOOK_BLOCKS:
            return
        now = block.end_ms / 1000
        for track in TRACKS:
            if g711.level(block.track(track)) >= SOUND_LEVEL:
                self._heard[track] = now
        lost = self._timeline.lost_percent(self._tracks, least_ms=MEASURE_SECONDS * 1000)
        words_missing = self._publisher.record.words_missing
        self._publish(Measured(lost if lost > LOST_PERCENT else 0.0, self._unheard(now), words_missing), now)

    def _unheard(self, now: float) -> Track | None:
        for track, other in (TRACKS, TRACKS[::-1]):
            since = self._heard[track]
            if now - since >= SILENT_SECONDS and self._spoke.get(other, 0.0) > since:
                return track
        return None

    def _publish(self, measured: Measured, now: float) -> None:
        found = self._publisher.record.ahead.findings.completeness(ended=False, measured=measured)
        if found == self._published or (self._published is None and found.state == "complete"):
            return
        told = self._published
        soon = now - self._published_at < AGAIN_SECONDS
        if told is not None and _kinds(found) == _kinds(told) and (soon or found.summary == told.summary):
            return
        self._publisher.publish(ConditionChanged(call_sid=self._publisher.record.call_sid, completeness=found))
        self._published, self._published_at = found, now


def _kinds(found: Completeness) -> tuple[bool, Track | None, bool, bool, str | None]:
    """Return what is wrong, without how much."""
    return found.untranscribed_seconds > 0, found.unheard, found.lost_percent > 0, found.words_missing, found.reason
