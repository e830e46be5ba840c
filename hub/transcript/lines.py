"""A call's log as lines, in the order of call time: what was said, and in its place whatever else happened. A fold over the log; pure.

Events that have no call time of their own, such as a key press, stand after everything that had been said by then.
"""

from array import array
from bisect import insort
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from hub.audio.g711 import Track
from hub.events import (
    AgentInterrupted,
    AgentTrouble,
    Alert,
    CallEnded,
    CallStarted,
    DurableEvent,
    Final,
    Gap,
    RecordingFailed,
    RecordingPaused,
    RecordingResumed,
    RecordingStarted,
    Steered,
    ToolCalled,
    ToolReturned,
)
from hub.transcript.wording import sentence

_decoder = msgspec.json.Decoder(DurableEvent)
_FINAL = b'{"type":"final"'
"""How the payload of a final begins: the encoder writes the tag first. So the others need not be decoded to be told apart."""


class _Spoken(msgspec.Struct):
    """What the first pass needs of an utterance: its words are most of the log, and are skipped."""

    offset: int
    start: float
    end: float
    text: str


_spoken = msgspec.json.Decoder(_Spoken)


class TranscriptLine(NamedTuple):
    """One line of a transcript. Times are seconds of call time."""

    start: float
    end: float
    kind: str
    """The type of the event: `final` where somebody spoke."""
    offset: int
    """Of the event."""
    name: str
    """Unique in the call: the utterance, or the event's offset."""
    track: Track | None
    """Who spoke. None where something happened that nobody said."""
    speaker: str
    """Their label. Empty where nobody spoke."""
    text: str


class Lines:
    """The lines of one call, read in two passes over its payloads, so that a long call need not be decoded all at once.

    First `read` all payloads, in order. Then `ordered` decodes them once more, one by one, in the order in which the lines began. What is
    kept in between is 24 bytes per line.
    """

    def __init__(self, after: int = 0) -> None:
        """`after`: events up to this offset make no lines. They still tell how far the call had come."""
        self._after = after
        self._read = 0
        """Payloads so far."""
        self._furthest = 0.0
        """The latest second of call time that any event reaches."""
        self._places = array("I")
        """Where the event of each line stands among the payloads."""
        self._starts = array("d")
        self._ends = array("d")
        self._speakers: dict[Track, str] = {}
        """How the transcript calls the two sides, as the newest `call-started` says."""
        self._order = array("I")
        """The lines in the order in which they begin. Utterances end in another order when people overlap."""

    def read(self, payloads: Iterable[bytes]) -> None:
        """Take the next payloads of the call's log."""
        for payload in payloads:
            if payload.startswith(_FINAL):
                final = _spoken.decode(payload)
                self._furthest = max(self._furthest, final.end)
                if final.text and final.offset > self._after:
                    self._add(final.start, final.end)
            else:
                event = _decoder.decode(payload)
                if isinstance(event, CallStarted):
                    self._speakers = event.speakers
                start, end = self._times(event)
                self._furthest = max(self._furthest, end)
                if event.offset > self._after and sentence(event) is not None:
                    self._add(start, end)
            self._read += 1

    def ordered(self, payloads: Sequence[bytes]) -> Iterator[TranscriptLine]:
        """Yield all lines in the order in which they began. `payloads`: all that were read."""
        for number in self._order:
            event = _decoder.decode(payloads[self._places[number]])
            start, end = self._starts[number], self._ends[number]
            if isinstance(event, Final):
                name, track, speaker, text = event.utterance, event.track, event.speaker, event.marked()
                yield TranscriptLine(start, end, "final", event.offset, name, track, speaker, text)
            else:
                kind, text = str(event.__struct_config__.tag), sentence(event, speakers=self._speakers) or ""
                yield TranscriptLine(start, end, kind, event.offset, f"event-{event.offset}", None, "", text)

    def spoken(self, payloads: Sequence[bytes]) -> Iterator[bytes]:
        """Yield the payloads of all utterances in the order in which they began. `payloads`: all that were read."""
        for number in self._order:
            payload = payloads[self._places[number]]
            if payload.startswith(_FINAL):
                yield payload

    def _add(self, start: float, end: float) -> None:
        number = len(self._places)
        self._places.append(self._read)
        self._starts.append(start)
        self._ends.append(end)
        if not self._order or self._when(self._order[-1]) <= (start, end):  # mostly
            self._order.append(number)
        else:
            insort(self._order, number, key=self._when)

    def _when(self, number: int) -> tuple[float, float]:
        return self._starts[number], self._ends[number]

    def _times(self, event: DurableEvent) -> tuple[float, float]:
        match event:
            case Gap(start=start, end=end) | Alert(start=start, end=end):
                return start, end
            case ToolCalled(time=time) | ToolReturned(time=time) | AgentInterrupted(time=time) | AgentTrouble(time=time):
                return time, time
            case Steered(time=time):
                return time, time
            case RecordingStarted(time=time) | RecordingPaused(time=time) | RecordingResumed(time=time) | RecordingFailed(time=time):
                return time, time
            case CallEnded(duration=duration):
                at = max(duration, self._furthest)
                return at, at
            case _:
                return self._furthest, self._furthest


def finals(payloads: Iterable[bytes]) -> Iterator[Final]:
    """Yield the utterances among these events that have text, in the order in which they ended."""
    for payload in payloads:
        if payload.startswith(_FINAL):
            final = _decoder.decode(payload)
            if isinstance(final, Final) and final.text:
                yield final
