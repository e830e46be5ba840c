"""Who has the turn: a walk over both sides' stretches of speech, and over what nobody transcribed, in the order of time. Pure.

All times are whole milliseconds. What each figure means stands in `hub.insight.statistics`. Does not know words or events.
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

LISTENING_MS = 1000
"""A shorter stretch within one of the other side, "mhm" for example, shows that somebody listens. It does not take the turn."""

TURN_MS = 500
"""Who begins this close to the start or the end of the other side's stretch takes turns, and does not interrupt. People who talk to each
other begin within some 200 ms of the other's end, before it as often as after it."""

DEAD_AIR_MS = 5000
"""A silence of this length is dead air, and ends a monologue: whoever looks something up says so before."""

NEVER = -1
"""Before the call, as the end of what has not been."""


class Silences(NamedTuple):
    """When nobody spoke."""

    all_ms: int
    dead_airs: int
    dead_air_ms: int
    longest_ms: int
    longest_start_ms: int
    """NEVER if there was none. The first of two that are as long."""

    def with_one(self, start_ms: int, end_ms: int) -> "Silences":
        """Return these and one more, if it has any length."""
        silence_ms = end_ms - start_ms
        if silence_ms <= 0:
            return self
        all_ms, dead_airs, dead_air_ms, longest_ms, longest_start_ms = self
        if silence_ms >= DEAD_AIR_MS:
            dead_airs, dead_air_ms = dead_airs + 1, dead_air_ms + silence_ms
        if silence_ms > longest_ms:
            longest_ms, longest_start_ms = silence_ms, start_ms
        return Silences(all_ms + silence_ms, dead_airs, dead_air_ms, longest_ms, longest_start_ms)


NO_SILENCE = Silences(0, 0, 0, 0, NEVER)


class SideTurns:
    """One side's part, as far as the walk has come."""

    __slots__ = ("end_ms", "interruptions", "longest_response_ms", "monologue", "response_ms", "responses", "start_ms", "turn_end_ms")

    def __init__(self) -> None:
        self.start_ms = self.end_ms = NEVER
        """The latest stretch."""
        self.turn_end_ms = NEVER
        """The end of the latest stretch that is more than a sign of listening."""
        self.interruptions = 0
        self.responses = self.response_ms = self.longest_response_ms = 0
        """How many, all of them together, and the longest."""
        self.monologue = (0, NEVER)
        """The length of the longest, and its start. The first of two that are as long."""

    def copy(self) -> "SideTurns":
        """Return the side as it is now."""
        copied = SideTurns.__new__(SideTurns)
        for name in self.__slots__:
            setattr(copied, name, getattr(self, name))
        return copied


class TurnWalk:
    """A walk over a call: `speech` and `gap` in the order in which they begin, and of those that begin together the longest first."""

    __slots__ = (
        "_covered_ms", "_gap", "_run", "_silences", "cross_talk_ms", "places", "sides", "upto_ms",
    )  # fmt: skip

    def __init__(self, start_ms: int) -> None:
        """`start_ms`: the silence before it does not count."""
        self.sides = (SideTurns(), SideTurns())
        self.cross_talk_ms = 0
        self.places = [0, 0, 0]
        """How many stretches of each side, and how many gaps, the walk has passed."""
        self.upto_ms = NEVER
        """Where the last of them began."""
        self._silences = NO_SILENCE
        """Those before the latest stretch or gap."""
        self._covered_ms = start_ms
        """Up to where it is known who spoke."""
        self._gap = (NEVER, NEVER)
        """The latest gap."""
        self._run = (NEVER, 0, 0)
        """Whose stretches follow each other now, the start of the first, and the end of the last."""

    def copy(self) -> "TurnWalk":
        """Return the walk as it is now, to go on from here once more."""
        copied = TurnWalk.__new__(TurnWalk)
        for name in _SHARED:
            setattr(copied, name, getattr(self, name))
        copied.sides, copied.places = (self.sides[0].copy(), self.sides[1].copy()), self.places.copy()
        return copied

    def gap(self, start_ms: int, end_ms: int) -> None:
        """Pass what nobody transcribed, on either side."""
        self._cover(start_ms, end_ms)
        self._gap = (start_ms, end_ms)

    def speech(self, side: int, start_ms: int, end_ms: int, cuts: Sequence[int]) -> None:
        """Pass a stretch of speech. `cuts`: when the other side was cut short, as events of their own say, in order."""
        self._cover(start_ms, end_ms)
        own, other = self.sides[side], self.sides[1 - side]
        self.cross_talk_ms += max(0, min(end_ms, other.end_ms) - start_ms)
        if end_ms - start_ms >= LISTENING_MS or end_ms > other.end_ms:
            if _interrupts(start_ms, end_ms, other) and not _holds(cuts, start_ms, other.end_ms):
                own.interruptions += 1
            if other.turn_end_ms > own.turn_end_ms and start_ms >= other.turn_end_ms - TURN_MS:
                self._respond(own, other.turn_end_ms, start_ms)
            self._speak_on(side, start_ms, end_ms)
            own.turn_end_ms = end_ms
        own.start_ms, own.end_ms = start_ms, end_ms

    def silences_until(self, end_ms: int) -> Silences:
        """Return the silences up to a moment that is not before the end of the latest stretch or gap."""
        return self._silences.with_one(self._covered_ms, end_ms)

    def _cover(self, start_ms: int, end_ms: int) -> None:
        if start_ms > self._covered_ms:
            self._silences = self._silences.with_one(self._covered_ms, start_ms)
        self._covered_ms = max(self._covered_ms, end_ms)

    def _respond(self, own: SideTurns, other_end_ms: int, start_ms: int) -> None:
        if self._is_unknown(other_end_ms, start_ms):
            return
        took_ms = max(0, start_ms - other_end_ms)
        own.responses += 1
        own.response_ms += took_ms
        own.longest_response_ms = max(own.longest_response_ms, took_ms)

    def _speak_on(self, side: int, start_ms: int, end_ms: int) -> None:
        whose, began_ms, until_ms = self._run
        if whose != side or start_ms - until_ms >= DEAD_AIR_MS or self._is_unknown(until_ms, start_ms):
            began_ms = start_ms
        self._run = (side, began_ms, end_ms)
        if end_ms - began_ms > self.sides[side].monologue[0]:
            self.sides[side].monologue = (end_ms - began_ms, began_ms)

    def _is_unknown(self, from_ms: int, until_ms: int) -> bool:
        """Return whether a gap lies between two moments, so that nobody knows what was said there."""
        return from_ms < until_ms and self._gap[1] > from_ms and self._gap[0] < until_ms


_SHARED = tuple(name for name in TurnWalk.__slots__ if name not in {"places", "sides"})
"""What a walk and its copy may share: numbers."""


def _interrupts(start_ms: int, end_ms: int, other: SideTurns) -> bool:
    """Return whether a stretch begins in the middle of the other side's latest one."""
    return start_ms - other.start_ms >= TURN_MS and other.end_ms - start_ms >= TURN_MS and end_ms - start_ms >= LISTENING_MS


def _holds(moments: Sequence[int], from_ms: int, until_ms: int) -> bool:
    at = bisect_left(moments, from_ms)
    return at < len(moments) and moments[at] <= until_ms
