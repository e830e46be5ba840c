"""Figures of a call: who spoke how much, when nobody did, who interrupted whom. How each is counted stands in `hub.insight.statistics`."""

from hub.audio.g711 import Track
from hub.events.parts import Durable, Part


class SideStatistics(Part, frozen=True, kw_only=True, omit_defaults=False):
    """One side's figures.

    `talk_share`: of what both sides spoke, from 0 to 1; null before anybody spoke. `words_per_minute`: of its own speech; null while it has
    spoken for less than 5 s. `interruptions`: how often it interrupted the other side. `longest_monologue_start` is null where there was
    none. `responses`: how often it answered the other side, with the mean and the longest time that this took; null where it never did.
    """

    talk_seconds: float
    talk_share: float | None
    words: int
    words_per_minute: float | None
    interruptions: int
    longest_monologue_seconds: float
    longest_monologue_start: float | None
    responses: int
    mean_response_seconds: float | None
    longest_response_seconds: float | None


class CallStatistics(Part, frozen=True, kw_only=True, omit_defaults=False):
    """A call's figures, from `start` up to `seconds` of call time.

    Both sides' talk less `cross_talk_seconds`, with `silence_seconds` and `unknown_seconds`, is all of that time. `unknown_seconds`: there
    was a `gap`, and nobody spoke on the other side. `dead_airs`: silences of 5 s and more. `longest_silence_start` is null where there was
    none. `start` is 0 unless the oldest events of a very long call were lost.
    """

    start: float
    seconds: float
    silence_seconds: float
    longest_silence_seconds: float
    longest_silence_start: float | None
    dead_airs: int
    dead_air_seconds: float
    cross_talk_seconds: float
    unknown_seconds: float
    sides: dict[Track, SideStatistics]


class Statistics(Durable, frozen=True, kw_only=True, tag="statistics"):
    """The call's figures. Numbered and kept right before each `call-ended`.

    While the call lives they are told at most every 5 s, as of the newest final or gap, to those who receive interims. Like an interim such
    an event has no `offset`, and the next one replaces it.
    """

    figures: CallStatistics
