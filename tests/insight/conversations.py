"""Conversations made up by tests, the events that a hub would publish of them, and their figures counted in the plainest way.

Counting is done here moment by moment and pair by pair, from the definitions on the integrator's page. It shares nothing with the fold.
"""

from dataclasses import dataclass, field

from hub.audio.g711 import TRACKS, Track
from hub.events import CallStatistics, Durable, Final, Gap, SideStatistics, Word

TICK_MS = 10
"""All times of a made-up conversation are multiples of this."""

Span = tuple[int, int]


@dataclass(slots=True)
class Conversation:
    """What is said on a call: utterances of each side as words in ms, and what nobody transcribed."""

    said: dict[Track, list[list[Span]]]
    gaps: list[tuple[Track, Span]] = field(default_factory=list)
    words: dict[Track, int] = field(default_factory=dict)
    """How many words each side says, where that is not one for each of `said`."""
    cuts: list[int] = field(default_factory=list)
    """When the agent, which is outbound, was cut short by the caller, in ms: at the end of what was heard of it."""

    def events(self) -> list[Durable]:
        """Return the finals and gaps."""
        finals: list[Durable] = [
            Final(
                call_sid="CA1", utterance=f"{track}-{number}", revision=1, track=track, speaker=track, text=" ".join("word" for _ in words),
                start=words[0][0] / 1000, end=words[-1][1] / 1000,
                words=[Word(text="word", start=start / 1000, end=end / 1000) for start, end in words],
            )
            for track, utterances in self.said.items()
            for number, words in enumerate(utterances, 1)
        ]  # fmt: skip
        return finals + [
            Gap(call_sid="CA1", track=track, start=start / 1000, end=end / 1000, reason="no stream") for track, (start, end) in self.gaps
        ]

    def begins_together(self) -> bool:
        """Return whether both sides begin at one moment: then nobody can say who answers whom."""
        inbound, outbound = ({start for start, _ in spans} for spans in self._speech().values())
        return bool(inbound & outbound)

    def _speech(self) -> dict[Track, list[Span]]:
        return {track: _joined([word for words in self.said[track] for word in words], 700) for track in TRACKS}

    def counted(self, until_ms: int) -> CallStatistics:
        """Return the figures of the call up to this moment."""
        speech = self._speech()
        spoken = {track: _ticks(speech[track]) for track in TRACKS}
        gaps = _ticks([span for _, span in self.gaps])
        end_ms = max(until_ms, *(end for spans in (*speech.values(), [span for _, span in self.gaps]) for _, end in spans), 0)
        silent = set(range(end_ms // TICK_MS)) - spoken["inbound"] - spoken["outbound"] - gaps
        silences = _runs(silent)
        longest = max(silences, key=lambda span: (span[1] - span[0], -span[0]), default=None)
        dead = [span for span in silences if _length(span) >= 5000]
        return CallStatistics(
            start=0.0,
            seconds=end_ms / 1000,
            silence_seconds=len(silent) * TICK_MS / 1000,
            longest_silence_seconds=_length(longest) / 1000 if longest else 0.0,
            longest_silence_start=longest[0] / 1000 if longest else None,
            dead_airs=len(dead),
            dead_air_seconds=sum(map(_length, dead)) / 1000,
            cross_talk_seconds=len(spoken["inbound"] & spoken["outbound"]) * TICK_MS / 1000,
            unknown_seconds=len(gaps - spoken["inbound"] - spoken["outbound"]) * TICK_MS / 1000,
            sides={track: self._side(track, speech, gaps) for track in TRACKS},
        )

    def _side(self, track: Track, speech: dict[Track, list[Span]], gaps: set[int]) -> SideStatistics:
        own, other = speech[track], speech[_other(track)]
        turns, theirs = _turns(own, other), _turns(other, own)
        talk_ms, all_ms = sum(map(_length, own)), sum(map(_length, own + other))
        words = self.words.get(track, sum(map(len, self.said[track])))
        responses = []
        for start, _ in turns:
            before, mine = [end for begun, end in theirs if begun < start], [end for begun, end in turns if begun < start]
            if before and max(before) > max(mine, default=-1) and start >= max(before) - 500 and not _unknown(max(before), start, gaps):
                responses.append(max(0, start - max(before)))
        monologues: list[Span] = []
        for at, (start, end) in enumerate(turns):
            last = turns[at - 1] if at else None
            goes_on = (
                last is not None
                and start - last[1] < 5000
                and not any(last[0] < begun < start for begun, _ in theirs)
                and not _unknown(last[1], start, gaps)
            )
            monologues.append((monologues[-1][0], end) if goes_on else (start, end))
        longest = max(monologues, key=lambda span: (_length(span), -span[0]), default=None)
        return SideStatistics(
            talk_seconds=talk_ms / 1000,
            talk_share=round(talk_ms / all_ms, 4) if all_ms else None,
            words=words,
            words_per_minute=round(words * 60_000 / talk_ms, 1) if talk_ms >= 5000 else None,
            interruptions=sum(end - start >= 1000 and self._interrupts(track, start, other) for start, end in own)
            + (len(self.cuts) if track == "inbound" else 0),
            longest_monologue_seconds=_length(longest) / 1000 if longest else 0.0,
            longest_monologue_start=longest[0] / 1000 if longest else None,
            responses=len(responses),
            mean_response_seconds=round(sum(responses) / len(responses)) / 1000 if responses else None,
            longest_response_seconds=max(responses) / 1000 if responses else None,
        )

    def _interrupts(self, track: Track, start: int, other: list[Span]) -> bool:
        """Return whether a stretch begins in the middle of another one, which is not of an agent that falls silent then."""
        within = [(begun, ended) for begun, ended in other if start - begun >= 500 and ended - start >= 500]
        return any(track == "outbound" or not any(start <= cut <= ended for cut in self.cuts) for _, ended in within)


def _other(track: Track) -> Track:
    return "outbound" if track == "inbound" else "inbound"


def _length(span: Span) -> int:
    return span[1] - span[0]


def _joined(spans: list[Span], within_ms: int) -> list[Span]:
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start - joined[-1][1] < within_ms:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def _ticks(spans: list[Span]) -> set[int]:
    return {tick for start, end in spans for tick in range(start // TICK_MS, end // TICK_MS)}


def _runs(ticks: set[int]) -> list[Span]:
    edges = sorted(tick for tick in ticks if tick - 1 not in ticks), sorted(tick + 1 for tick in ticks if tick + 1 not in ticks)
    return [(start * TICK_MS, end * TICK_MS) for start, end in zip(*edges, strict=True)]


def _turns(own: list[Span], other: list[Span]) -> list[Span]:
    """Return the stretches that are more than a sign of listening."""
    return [(start, end) for start, end in own if end - start >= 1000 or not any(s <= start and end <= e for s, e in other)]


def _unknown(after: int, before: int, gaps: set[int]) -> bool:
    return any(tick in gaps for tick in range(after // TICK_MS, before // TICK_MS))
