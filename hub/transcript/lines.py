"""A call's log as lines, in the order of call time: what was said, and in its place whatever else happened. A fold over the log; pure.

Events that have no call time of their own, such as a key press, stand after everything that had been said by then.
"""

from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import NamedTuple

import msgspec

from hub.audio.g711 import Track
from hub.events import AgentInterrupted, AgentTrouble, CallEnded, Durable, DurableEvent, Final, Gap, ToolCalled, ToolReturned
from hub.transcript.wording import sentence

_decoder = msgspec.json.Decoder(DurableEvent)
_FINAL = b'{"type":"final"'
"""How the payload of a final begins: the encoder writes the tag first. So the others need not be decoded to be told apart."""


class TranscriptLine(NamedTuple):
    """One line of a transcript. Times are seconds of call time."""

    start: float
    end: float
    name: str
    """Unique in the call: the utterance, or the event's offset."""
    track: Track | None
    """Who spoke. None where something happened that nobody said."""
    speaker: str
    """Their label. Empty where nobody spoke."""
    text: str


class Lines:
    """The lines of one call: `read` its payloads, in order."""

    def __init__(self) -> None:
        self._lines: list[TranscriptLine] = []
        self._furthest = 0.0
        """The latest second of call time that any event reaches."""

    def read(self, payloads: Iterable[bytes]) -> None:
        """Take the next payloads of the call's log."""
        for payload in payloads:
            self.add(_decoder.decode(payload))

    def add(self, event: Durable) -> None:
        """Take the next event."""
        if isinstance(event, Final):
            self._furthest = max(self._furthest, event.end)
            if event.text:
                self._lines.append(TranscriptLine(event.start, event.end, event.utterance, event.track, event.speaker, event.marked()))
            return
        start, end = self._times(event)
        self._furthest = max(self._furthest, end)
        if (what := sentence(event)) is not None:
            self._lines.append(TranscriptLine(start, end, f"event-{event.offset}", None, "", what))

    def ordered(self) -> list[TranscriptLine]:
        """Return all lines in the order in which they began. Utterances end in another order when people overlap."""
        return sorted(self._lines, key=itemgetter(0, 1))

    def _times(self, event: Durable) -> tuple[float, float]:
        match event:
            case Gap(start=start, end=end):
                return start, end
            case ToolCalled(time=time) | ToolReturned(time=time) | AgentInterrupted(time=time) | AgentTrouble(time=time):
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
