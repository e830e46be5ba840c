"""A call's figures: who spoke how much, when nobody did, who interrupted whom, who answered how fast. A fold over the log; pure.

It takes the finals and the gaps, in whatever order they were published, and depends on nothing else. So whoever has the same events has
the same figures: the next process after a restart, another node, and a reader of the archive.

**Speech.** A side's words with less than 0.7 s between them are one *stretch* of speech: the speaker takes a breath. A final without times
of words counts as speech from its start to its end. A final without text, or one that nobody heard (`unspoken`), is no speech. **Talk** is
the length of a side's stretches, **cross-talk** the time in which both speak.

**Silence** is call time in which neither side speaks, from the beginning of the call to its end. **Dead air** is a silence of 5 s or more.
A `gap` is not silence: nobody knows what was said there. It is *unknown* where the other side did not speak.

**An interruption** is a stretch of 1 s or more that begins in the middle of the other side's, 0.5 s or more from its start and from its
end. An agent falls silent at once, so each `agent-interrupted` counts for the caller, and the overlap that led to it does not.

**A response** is a stretch that begins after the other side was the last to speak, at most 0.5 s before its end. It took the time from that
end, and 0 s if it began before. Where there was a gap in between, nobody knows.

**A monologue** lasts from the start of one side's stretch to the end of the last one that follows before the other side begins one, with
neither 5 s nor a gap in between.

A stretch of less than 1 s within one of the other side's ("mhm") shows that somebody listens: it does not respond, interrupt, or end a
monologue.

**Words** are counted in the text: what stands between blanks, and each character of a script without blanks. Those of a final that has no
length at all do not count for the pace.
"""

import re
from array import array
from bisect import insort

from hub.audio.g711 import TRACKS, Track
from hub.events import AgentInterrupted, CallEnded, CallStatistics, Durable, Final, Gap, SideStatistics
from hub.insight.spans import Spans
from hub.insight.turns import NEVER, SideTurns, TurnWalk
from hub.text.scripts import BLANKS_BETWEEN_PHRASES, WITHOUT_BLANKS

BREATH_MS = 700
"""Words of one side with a shorter pause between them are one stretch of speech."""

_BREATH_SECONDS = (BREATH_MS - 0.5) / 1000
"""The same for times as events have them, which are whole milliseconds in seconds: half of one keeps rounding out."""

PACE_MS = 5000
"""With less speech than this, the pace would be a guess."""

PASSED = 16
"""So many stretches lie between two places from which the walk can begin anew. A place takes 700 bytes; to pass a stretch takes 2 us."""

INBOUND, OUTBOUND, GAPS = range(3)
"""The places of the tracks among the sides, and of the gaps behind them."""

END = (1 << 62, 0, 0)
"""Behind the last span."""

_ALONE = f"{WITHOUT_BLANKS}{BLANKS_BETWEEN_PHRASES}"
_WORD = re.compile(rf"(?=\w)[{_ALONE}]|\w[^\s{_ALONE}]*")


class RunningStatistics:
    """One call's statistics: `apply` each durable event, in order."""

    __slots__ = (
        "_cuts", "_gaps", "_interrupted", "_late", "_over", "_paced_words", "_places", "_speech", "_start_ms", "_walked", "_words",
        "reached_ms",
    )  # fmt: skip

    def __init__(self) -> None:
        self.reached_ms = 0
        """The latest call time of which anything is told."""
        self._speech = (Spans(BREATH_MS), Spans(BREATH_MS))
        self._gaps = Spans()
        """Of both sides together."""
        self._words = [0, 0]
        self._paced_words = [0, 0]
        """Words of finals that have a length."""
        self._interrupted = 0
        """How often the caller interrupted an agent."""
        self._cuts = array("q")
        """Where those finals of the agent end, in order."""
        self._late: bool | None = None
        """Whether the oldest events are missing. None before the first event."""
        self._start_ms = NEVER
        """Where speech or a gap is first told of. NEVER before that."""
        self._walked: TurnWalk | None = None
        """The walk over all that there is. None if something has changed since."""
        self._places: list[TurnWalk] = []
        """The walk as it was at earlier stretches: where nothing has changed, it need not be walked again. Empty once the call is over."""
        self._over = False
        """Whether the call has ended, so that a walk is probably the last one."""

    def apply(self, event: Durable) -> None:
        """Take the next event of the log."""
        if self._late is None:
            self._late = event.offset > 1
        match event:
            case Final():
                if event.text and not event.unspoken:
                    self._spoke(event)
            case Gap():
                start_ms, end_ms = _ms(event.start), _ms(event.end)
                self._changed(self._gaps.add(start_ms, end_ms))
                self._reach(start_ms, end_ms)
            case AgentInterrupted():
                self._interrupted += 1
            case CallEnded():
                self.reached_ms = max(self.reached_ms, _ms(event.duration))
                self._over = True
                self._places.clear()
            case _:
                pass

    @property
    def is_empty(self) -> bool:
        """Whether nothing was said, and nothing was missed."""
        return self._start_ms == NEVER

    @property
    def talk_seconds(self) -> float:
        """For how long both sides have spoken. Where both spoke at once, both count."""
        return sum(spans.total_ms for spans in self._speech) / 1000

    def talk_share(self, track: Track) -> float | None:
        """Return how much of that a side has spoken, from 0 to 1. None before anybody spoke."""
        all_ms = sum(spans.total_ms for spans in self._speech)
        return round(self._speech[TRACKS.index(track)].total_ms / all_ms, 4) if all_ms else None

    def figures(self, until: float = 0.0) -> CallStatistics:
        """Return the figures up to a moment in seconds of call time, or further if more is known."""
        reached_ms, start_ms = max(self.reached_ms, _ms(until)), self._first_ms
        turns = self._walk()
        silences = turns.silences_until(reached_ms)
        talk_ms = sum(spans.total_ms for spans in self._speech) - turns.cross_talk_ms
        return CallStatistics(
            start=start_ms / 1000,
            seconds=reached_ms / 1000,
            silence_seconds=silences.all_ms / 1000,
            longest_silence_seconds=silences.longest_ms / 1000,
            longest_silence_start=_moment(silences.longest_start_ms),
            dead_airs=silences.dead_airs,
            dead_air_seconds=silences.dead_air_ms / 1000,
            cross_talk_seconds=turns.cross_talk_ms / 1000,
            unknown_seconds=(reached_ms - start_ms - silences.all_ms - talk_ms) / 1000,
            sides={track: self._side(track, turns.sides[side]) for side, track in enumerate(TRACKS)},
        )

    def _side(self, track: Track, turns: SideTurns) -> SideStatistics:
        side = TRACKS.index(track)
        talk_ms = self._speech[side].total_ms
        return SideStatistics(
            talk_seconds=talk_ms / 1000,
            talk_share=self.talk_share(track),
            words=self._words[side],
            words_per_minute=round(self._paced_words[side] * 60_000 / talk_ms, 1) if talk_ms >= PACE_MS else None,
            interruptions=turns.interruptions + (self._interrupted if side == INBOUND else 0),
            longest_monologue_seconds=turns.monologue[0] / 1000,
            longest_monologue_start=_moment(turns.monologue[1]),
            responses=turns.responses,
            mean_response_seconds=round(turns.response_ms / turns.responses) / 1000 if turns.responses else None,
            longest_response_seconds=turns.longest_response_ms / 1000 if turns.responses else None,
        )

    @property
    def _first_ms(self) -> int:
        """Where the figures begin."""
        return max(0, self._start_ms) if self._late else 0

    def _spoke(self, final: Final) -> None:
        side = TRACKS.index(final.track)
        words = count_words(final.text)
        self._words[side] += words
        pieces = stretches(final)
        if pieces:
            self._paced_words[side] += words
        for start_ms, end_ms in pieces:
            self._changed(self._speech[side].add(start_ms, end_ms))
            self._reach(start_ms, end_ms)
        if final.interrupted and side == OUTBOUND:
            insort(self._cuts, _ms(final.end))
            self._changed(_ms(final.start))

    def _reach(self, start_ms: int, end_ms: int) -> None:
        self.reached_ms = max(self.reached_ms, end_ms)
        if self._start_ms == NEVER or start_ms < self._start_ms:
            if self._late:
                self._changed(NEVER)  # the walk begins elsewhere
            self._start_ms = start_ms

    def _changed(self, start_ms: int | None) -> None:
        """Forget what was walked from a stretch on that is new, or has grown. None: nothing has changed."""
        if start_ms is None:
            return
        self._walked, self._over = None, False
        while self._places and self._places[-1].upto_ms >= start_ms:
            self._places.pop()

    def _walk(self) -> TurnWalk:
        """Walk over everything from the last place on before which nothing has changed."""
        if self._walked is not None:
            return self._walked
        turns = self._places[-1].copy() if self._places else TurnWalk(self._first_ms)
        all_spans, places = (*self._speech, self._gaps), turns.places
        following = [_place(spans, places[kind], kind) for kind, spans in enumerate(all_spans)]
        while (first := min(following)) is not END:
            start_ms, minus_end_ms, kind = first
            if kind == GAPS:
                turns.gap(start_ms, self._gaps.ends[places[kind]])
            else:
                turns.speech(kind, start_ms, -minus_end_ms, self._cuts if kind == INBOUND else ())
            places[kind] += 1
            turns.upto_ms = start_ms
            following[kind] = _place(all_spans[kind], places[kind], kind)
            if sum(places) % PASSED == 0 and not self._over:
                self._places.append(turns.copy())
        self._walked = turns
        return turns


def stretches(final: Final) -> list[tuple[int, int]]:
    """Return when somebody spoke, in ms: by the times of the words, or else from the start to the end. Empty for what has no length."""
    found: list[tuple[float, float]] = []
    if final.words:
        start, end = final.words[0].start, final.words[0].end
        for word in final.words:
            if word.start >= start and word.start - end < _BREATH_SECONDS:
                end = max(end, word.end)
            else:
                found.append((start, end))
                start, end = word.start, word.end
        found.append((start, end))
    spoken = [(_ms(start), _ms(end)) for start, end in found if start < end]
    return spoken or ([(_ms(final.start), _ms(final.end))] if final.start < final.end else [])


def count_words(text: str) -> int:
    """Return how many words a text has."""
    return len(_WORD.findall(text))


def _place(spans: Spans, at: int, kind: int) -> tuple[int, int, int]:
    """Return what decides when a span is passed: its start; of two that begin together the longer first, and a gap last."""
    if at >= len(spans.starts):
        return END
    return spans.starts[at], 0 if kind == GAPS else -spans.ends[at], kind


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _moment(ms: int) -> float | None:
    return None if ms == NEVER else ms / 1000
