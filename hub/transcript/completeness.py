"""How whole a call's record is, in one vocabulary. A fold over the log; pure.

Every list, page, terminal and file shows the sentence that is made here, so no two of them can say different things of the same call:

    complete
    incomplete: 12 s not transcribed
    incomplete: words may be missing
    20 % of the audio was lost
    only one side was heard
    not transcribed: deepgram refused the key

More than one of them may be true of a call; they are joined by semicolons. Knows events. Does not know audio: whoever publishes
`condition-changed` or `call-ended` has measured what was lost and who was silent.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from hub.audio.g711 import Track
from hub.events import (
    CallEnded,
    CallStarted,
    Completeness,
    ConditionChanged,
    Durable,
    Final,
    Gap,
    TranscriberLost,
    TranscriberRestored,
    TranscriberSwitched,
)
from hub.insight.spans import Spans

LOST_PERCENT = 1.0
"""Less audio than this may be lost in a complete record: ten milliseconds in a second, which no listener would notice. `call-ended` has
the exact figures of each track."""

CLAUSE = re.compile(r" \(|[:;,] ")
"""Where the first clause of a provider's sentence ends: what follows is the vendor's own text, and what to do about it."""


class Measured(NamedTuple):
    """What only the live call can measure; the fields of the same name in Completeness say what they are."""

    lost_percent: float = 0.0
    unheard: Track | None = None
    words_missing: bool = False


class Findings:
    """What is missing in one call's record: `apply` each durable event, in order."""

    __slots__ = ("_gaps", "_lost", "_over", "measured", "published", "spoke")

    def __init__(self) -> None:
        self.spoke: set[Track] = set()
        """Tracks that have words."""
        self.measured = Measured()
        """As the newest event that says it."""
        self.published: Completeness | None = None
        """What the newest event said that says how whole the record is. None before the first."""
        self._gaps = Spans()
        self._lost: TranscriberLost | None = None
        """The newest, while no provider has transcribed since."""
        self._over = False
        """Whether the call has ended."""

    def apply(self, event: Durable) -> None:
        """Take the next event of the log."""
        match event:
            case Final(text=text, track=track):
                if text and not event.unspoken:
                    self.spoke.add(track)
            case Gap(start=start, end=end):
                self._gaps.add(round(start * 1000), round(end * 1000))
            case TranscriberLost():
                self._lost = event
            case TranscriberRestored() | TranscriberSwitched():
                self._lost = None
            case ConditionChanged(completeness=found) | CallEnded(completeness=found):
                self.measured, self.published = Measured(found.lost_percent, found.unheard, found.words_missing), found
                self._over = isinstance(event, CallEnded)
            case CallStarted(transcriber=transcriber):
                # The call goes on after all, or with another party: another transcriber begins.
                if self._over or (self._lost is not None and self._lost.provider != transcriber.provider):
                    self._over, self._lost = False, None
            case _:
                pass

    def completeness(self, *, ended: bool, measured: Measured | None = None) -> Completeness:
        """Return what was found so far. `ended`: no words will follow. `measured`: newer than what the log says."""
        measured = measured or self.measured
        reason = self._why_not(ended=ended)
        untranscribed = self._gaps.total_ms / 1000
        sentences = list(self._sentences(untranscribed, reason, measured))
        return Completeness(
            state="not-transcribed" if reason else "incomplete" if sentences else "complete",
            summary="; ".join(sentences) or "complete",
            untranscribed_seconds=untranscribed,
            lost_percent=measured.lost_percent,
            unheard=measured.unheard,
            words_missing=measured.words_missing,
            reason=reason,
        )

    def _why_not(self, *, ended: bool) -> str | None:
        """Return why nobody transcribes: for good while the call lives, or, of an ended call without a word, at all."""
        if self._lost is None or (ended and self.spoke) or (not ended and self._lost.attempt):
            return None
        return f"{self._lost.provider} {self._lost.reason}"

    def _sentences(self, untranscribed: float, reason: str | None, measured: Measured) -> Iterator[str]:
        if reason:
            yield f"not transcribed: {CLAUSE.split(reason, maxsplit=1)[0]}"
        elif untranscribed:
            yield f"incomplete: {_seconds(untranscribed)} not transcribed"
        elif measured.words_missing:
            yield "incomplete: words may be missing"
        if measured.lost_percent >= LOST_PERCENT:
            yield f"{round(measured.lost_percent)} % of the audio was lost"
        if measured.unheard is not None:
            yield "one side is silent" if measured.unheard in self.spoke else "only one side was heard"


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds >= 10 else f"{max(0.1, seconds):.1f} s"
