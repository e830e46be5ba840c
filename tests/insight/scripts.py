"""Scripts of calls: what is said when, by whom, and what figures such a call must have. Each is about one thing that is counted.

The figures beside a script were worked out by hand. All others are counted from it moment by moment (`Conversation.counted`).
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hub.audio.g711 import TRACKS, Track
from tests.insight.conversations import Conversation


class Line(NamedTuple):
    """An utterance without times of words: one stretch of speech."""

    track: Track
    start: float
    end: float
    text: str
    words: int
    """How many a person would count."""
    cut: bool = False
    """Whether the agent was interrupted at its end."""


class Missed(NamedTuple):
    """Nobody transcribes a side."""

    track: Track
    start: float
    end: float


class Ended(NamedTuple):
    """The call ends here. What follows comes with another stream."""

    at: float


@dataclass(frozen=True, slots=True)
class CallScript:
    """A call, in the order in which it is published."""

    steps: list[Line | Missed | Ended]
    figures: dict[str, Any]
    """By hand, of the whole call."""
    sides: dict[Track, dict[str, Any]] = field(default_factory=dict)
    """By hand, of each side."""

    @property
    def conversation(self) -> Conversation:
        """The same, for counting."""
        lines = [step for step in self.steps if isinstance(step, Line)]
        return Conversation(
            said={track: [[(_ms(line.start), _ms(line.end))] for line in lines if line.track == track] for track in TRACKS},
            gaps=[(step.track, (_ms(step.start), _ms(step.end))) for step in self.steps if isinstance(step, Missed)],
            words={track: sum(line.words for line in lines if line.track == track) for track in TRACKS},
            cuts=[_ms(line.end) for line in lines if line.cut],
        )

    @property
    def until(self) -> float:
        """Call time at the end."""
        return max(step.at for step in self.steps if isinstance(step, Ended))


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


SCRIPTS = {
    "overlap": CallScript(
        [
            Line("inbound", 0, 6, "I have waited for an hour now and nobody", 9),
            Line("outbound", 3, 7, "Let me look at that for you", 7),
            Line("inbound", 6.9, 9, "Please do", 2),
            Ended(10),
        ],
        {"cross_talk_seconds": 3.1, "silence_seconds": 1.0, "dead_airs": 0},
        {"inbound": {"interruptions": 0, "responses": 1, "mean_response_seconds": 0.0}, "outbound": {"interruptions": 1, "responses": 0}},
    ),
    "monologue": CallScript(
        [
            Line("outbound", 0, 10, "There are three plans, and the first of them", 9),
            Line("outbound", 10.5, 25, "costs nine euros a month", 5),
            Line("inbound", 20, 20.5, "Mhm", 1),
            Line("outbound", 27, 40, "and the third one", 4),
            Line("inbound", 41.5, 43, "The first", 2),
            Line("outbound", 43.2, 45, "Good", 1),
            Ended(45),
        ],
        {"cross_talk_seconds": 0.5, "dead_airs": 0, "longest_silence_seconds": 2.0, "longest_silence_start": 25.0},
        {
            "outbound": {"longest_monologue_seconds": 40.0, "longest_monologue_start": 0.0, "talk_share": 0.9522, "talk_seconds": 39.8},
            "inbound": {"longest_monologue_seconds": 1.5, "responses": 1, "mean_response_seconds": 1.5, "interruptions": 0},
        },
    ),
    "dead air": CallScript(
        [
            Line("inbound", 0, 2, "Hello?", 1),
            Line("outbound", 9, 10, "Hello", 1),
            Line("inbound", 14.9, 16, "Are you there?", 3),
            Ended(21),
        ],
        {"dead_airs": 2, "dead_air_seconds": 12.0, "silence_seconds": 16.9, "longest_silence_seconds": 7.0, "longest_silence_start": 2.0},
        {"outbound": {"mean_response_seconds": 7.0}, "inbound": {"mean_response_seconds": 4.9}},
    ),
    "an agent that is interrupted": CallScript(
        [
            Line("outbound", 0, 4.8, "Our opening hours are from nine to", 7, cut=True),
            Line("inbound", 4, 7, "No, I want to cancel", 5),
            Line("outbound", 8, 12, "Of course. Which booking is it?", 6),
            Line("inbound", 10, 13, "The one of tomorrow", 4),
            Ended(13),
        ],
        {"cross_talk_seconds": 2.8},
        {"inbound": {"interruptions": 2, "responses": 0}, "outbound": {"interruptions": 0, "mean_response_seconds": 1.0}},
    ),
    "one side alone": CallScript(
        [Line("inbound", 1, 4, "Hello, is anybody there", 4), Line("inbound", 10, 13, "I will call again later", 5), Ended(14)],
        {"silence_seconds": 8.0, "dead_airs": 1, "cross_talk_seconds": 0.0},
        {
            "inbound": {"talk_share": 1.0, "words_per_minute": 90.0, "responses": 0, "longest_monologue_seconds": 3.0},
            "outbound": {"talk_share": 0.0, "talk_seconds": 0.0, "words": 0, "words_per_minute": None, "longest_monologue_start": None},
        },
    ),
    "Chinese and Arabic": CallScript(
        [
            Line("inbound", 0, 6, "我想预订明天晚上的座位。", 11),
            Line("outbound", 7, 13, "أهلاً وسهلاً، لكم طاولة لشخصين.", 5),
            Line("inbound", 14, 15, "好的,谢谢!", 4),
            Ended(15),
        ],
        {"silence_seconds": 2.0},
        {"inbound": {"words": 15, "words_per_minute": 128.6}, "outbound": {"words": 5, "words_per_minute": 50.0}},
    ),
    "gaps, and another stream": CallScript(
        [
            Line("inbound", 0, 2, "Can you hear me", 4),
            Missed("outbound", 2, 9),
            Line("outbound", 9, 11, "Now I can", 3),
            Ended(15),
            Missed("inbound", 15, 40),
            Missed("outbound", 15, 40),
            Line("outbound", 41, 43, "There you are again", 4),
            Line("inbound", 43.4, 44, "Yes", 1),
            Ended(46),
        ],
        {"seconds": 46.0, "silence_seconds": 7.4, "unknown_seconds": 32.0, "dead_airs": 0},
        {
            "outbound": {"responses": 0, "mean_response_seconds": None, "longest_monologue_seconds": 2.0},
            "inbound": {"responses": 1, "mean_response_seconds": 0.4},
        },
    ),
}
