"""Folds what a provider heard into utterances. Pure; does not know which provider spoke."""

from dataclasses import dataclass, field

from hub.audio import Track


@dataclass(frozen=True, slots=True)
class HeardWord:
    """One word, in seconds of call time."""

    text: str
    start: float
    end: float
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """What a provider says of one track between `start` and `end`, seconds of call time.

    The text continues what is settled of the track's open utterance and replaces what was not. `settled`: this piece will not change.
    `closes`: the utterance is over (a pause); only together with `settled`. An empty text is a fact too: nothing was said there.
    """

    track: Track
    start: float
    end: float
    text: str
    settled: bool
    closes: bool
    confidence: float | None = None
    words: tuple[HeardWord, ...] = field(default=())
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Missed:
    """Audio of one track that nobody transcribed, seconds of call time."""

    track: Track
    start: float
    end: float
    reason: str
