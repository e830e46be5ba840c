"""One Twilio stream of a call that people hold: brings one track or both, by a clock of its own.

Knows Twilio's messages, and which stream each track is taken from. Does not know what becomes of the audio.
"""

from collections.abc import Callable
from typing import Protocol

from hub import events
from hub.audio.g711 import Track
from hub.audio.timeline import StereoTimeline
from hub.calls.bookmark import Entry
from hub.calls.call import EndReason, Peer
from hub.calls.publisher import Publisher, brought
from hub.topics.record import Record
from hub.twilio.media import StartBody

MOST_LATE_MS = 60_000.0
"""Audio that comes later than this is given up: see `Deadlines.quiet_seconds`."""


class TalkingCall(Protocol):
    """What a stream needs of its call. No method waits."""

    record: Record
    clock: Callable[[], float]
    """Monotonic seconds."""
    timeline: StereoTimeline
    publisher: Publisher
    sources: "dict[Track, TranscribedStream]"
    """Which stream each track is taken from."""

    @property
    def streams(self) -> int:
        """How many streams are live."""

    def forward(self) -> None:
        """Take the blocks that have become ready in the timeline."""

    def left(self, stream: "TranscribedStream", reason: EndReason) -> None:
        """The stream is over."""


class TranscribedStream:
    """One Twilio socket's part in a call. Implements `Stream`."""

    __slots__ = (
        "_behind",
        "_least_behind",
        "account_sid",
        "audio_at",
        "base_ms",
        "call",
        "parameters",
        "peer",
        "repeated",
        "sid",
        "tracks",
    )

    def __init__(self, call: TalkingCall, start: StartBody, base_ms: int, peer: Peer) -> None:
        self.call = call
        self.peer = peer
        self.sid = start.stream_sid
        self.account_sid = start.account_sid
        self.parameters = brought(start)
        """What the stream brought, without secrets."""
        self.tracks: tuple[Track, ...] = tuple(start.tracks)
        self.base_ms = base_ms
        """Call time at this stream's own zero."""
        self.audio_at = call.clock()
        """When the last frame came, on the call's clock."""
        self._behind = 0.0
        """How far the newest frame's own time is behind the call's clock, in seconds. Only differences mean something."""
        self._least_behind = float("inf")
        """The least that any frame was behind."""
        self.repeated = 0
        """Frames of tracks that a newer stream carries: taken from there, so not twice."""

    def chunk(self, track: Track, at_ms: int, payload: bytes) -> bool:
        """See Stream. The socket may rest when a block has just left and all of the call comes by this one socket.

        Where each track comes by a socket of its own, none may rest: one must not be kept from keeping step with the other.
        """
        call = self.call
        self.audio_at = call.clock()
        self._behind = behind = self.audio_at - at_ms / 1000
        if behind < self._least_behind:
            self._least_behind = behind
        if call.sources.get(track) is not self:
            if track in call.sources:
                self.repeated += 1
                return False
            call.sources[track] = self
        if call.timeline.add(track, self.base_ms + at_ms if at_ms >= 0 else -1, payload):
            call.forward()
            return call.streams == 1
        return False

    @property
    def late_ms(self) -> float:
        """How much later than others the newest frame came. 0 for more than MOST_LATE_MS: then the stream's own clock has leapt."""
        late_ms = (self._behind - self._least_behind) * 1000
        return late_ms if 0 < late_ms < MOST_LATE_MS else 0.0

    def entry(self, started: events.CallStarted, tracks: list[Track], call_ms: float, at: float) -> Entry:
        """Return what another hub process would need to take the call up. `started`: see Record. `tracks`: those of the call."""
        numbers = {"from": started.from_, "to": started.to, "direction": started.direction}
        return Entry(
            account_sid=self.account_sid,
            stream_sid=self.sid,
            tracks=tracks,
            parameters=self.call.publisher.open_parameters(self.parameters) | {name: value for name, value in numbers.items() if value},
            transcriber=started.transcriber,
            call_ms=call_ms,
            at=at,
        )

    def mark(self, name: str) -> None:
        """See Stream. Twilio sends marks only on streams that an agent speaks on."""

    def dtmf(self, digit: str, track: Track) -> None:
        """See Stream."""
        self.call.publisher.publish(events.Dtmf(call_sid=self.call.record.call_sid, digit=digit, track=track))

    def stop(self) -> None:
        """See Stream."""
        self.call.left(self, "completed")

    def lost(self) -> None:
        """See Stream."""
        self.call.left(self, "stream-lost")
