"""Compares what subscribers saw, what nodes and broker have, and what was said: every event once, every word once, one gap for each loss.

Pure: takes payloads and what the pretend Twilio carried, and returns faults in words.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from clients.audio.frames import FRAME_MS
from hub.audio.g711 import TRACKS, Track
from tests.bench.chaos.code import WORD_FRAMES, WORD_SECONDS, Read, Script, read

NEAR_SECONDS = 0.3
"""A word may be lost so far outside a gap: call time is carried on by the wall clock over a hole, on machines that are busy."""

MISPLACED_SECONDS = 1.0
"""By how much a word's call time may be wrong."""


@dataclass(frozen=True, slots=True)
class Part:
    """The frames of a call that one stream carried, from `first` to before `last`."""

    first: int
    last: int
    hit: bool = False
    """Whether its node was killed or stopped: what it carried may be lost, within a gap."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What happened to one call."""

    call_sid: str
    script: Script
    parts: Sequence[Part]
    """In the order in which the streams began."""
    gaps: tuple[int, int] = (0, 0)
    """How many gaps each track may have: at least, at most."""
    began_at: float = 0.0
    """When its first frame was sent, in Unix seconds. 0 if that is not known."""
    late_seconds: float = 0.0
    """How late its frames were sent at most, on a busy machine. Over a hole, call time is wrong by that."""


SLOW_SECONDS = 3.0
"""A word that is said for good so much later than it was spoken was held up by a machine that has no time. Then call time over a hole is
wrong by seconds, and what such a call lacks says more of the machine than of the hub."""

PROMPT_SECONDS = 2.0
"""How long it takes until a word is said for good, at most: the rest of the utterance, the pause, the provider's delay."""


@dataclass
class Verdict:
    """What is wrong, and what was counted."""

    faults: list[tuple[str, str]] = field(default_factory=list)
    """Kinds of faults, and one in words."""
    slow_calls: int = 0
    """Calls that the machine was too slow for. What is wrong with their words is no fault: it is counted here."""
    slow_faults: int = 0
    events: int = 0
    words: int = 0
    lost_in_gaps: int = 0
    gaps: int = 0
    gap_seconds: list[float] = field(default_factory=list)
    misplaced_seconds: float = 0.0
    """By how much a word's call time was wrong at most."""

    def fault(self, kind: str, what: str) -> None:
        self.faults.append((kind, what))


def same(call_sid: str, seen: Sequence[bytes], found: Mapping[str, Sequence[bytes]], verdict: Verdict) -> None:
    """Check that each place where a call's log is kept has what was seen, byte by byte. `found`: payloads by the name of the place."""
    for place, payloads in found.items():
        for offset, (was, now) in enumerate(zip(seen, payloads, strict=False), 1):
            if was != now:
                verdict.fault("altered", f"{call_sid} {offset}: seen as {was!r}, {place} has {now!r}")
        if len(payloads) != len(seen):
            kind = "lost" if len(payloads) < len(seen) else "never told"
            verdict.fault(kind, f"{call_sid}: {len(seen)} events were seen, {place} has {len(payloads)}")


def judge(truth: Truth, payloads: Sequence[bytes], verdict: Verdict) -> None:
    """Judge one call's log."""
    events: list[dict[str, Any]] = [json.loads(payload) for payload in payloads]
    verdict.events += len(events)
    if [event["offset"] for event in events] != list(range(1, len(events) + 1)):
        verdict.fault("offsets", f"{truth.call_sid}: {[event['offset'] for event in events]}")
    if len({event["epoch"] for event in events}) > 1:
        verdict.fault("epoch changed", f"{truth.call_sid}: {sorted({event['epoch'] for event in events})}")
    if [at for at, event in enumerate(events, 1) if event["type"] == "call-ended"] != [len(events)]:
        verdict.fault("ends", f"{truth.call_sid}: {[event['type'] for event in events]}")
    late = max(truth.late_seconds, _late(truth, events))
    words = verdict
    if late > SLOW_SECONDS:
        verdict.slow_calls += 1
        words = Verdict()
    for track in TRACKS:
        gaps = [event for event in events if event["type"] == "gap" and event["track"] == track]
        verdict.gaps += len(gaps)
        verdict.gap_seconds += [gap["end"] - gap["start"] for gap in gaps]
        if not truth.gaps[0] <= len(gaps) <= truth.gaps[1]:
            spans = [(gap["start"], gap["end"], gap["reason"]) for gap in gaps]
            verdict.fault("gaps", f"{truth.call_sid} {track}: {spans}, not {truth.gaps[0]} to {truth.gaps[1]}")
        _Words(replace(truth, late_seconds=late), track, words).judge(events, [(gap["start"], gap["end"]) for gap in gaps])
    if words is not verdict:
        verdict.slow_faults += len(words.faults)
        verdict.words += words.words
        verdict.lost_in_gaps += words.lost_in_gaps


def _late(truth: Truth, events: Sequence[dict[str, Any]]) -> float:
    """Return how much later than it should a word was said for good."""
    late = 0.0
    for event in events if truth.began_at and truth.parts else ():
        said = [read(word["text"]) for word in event.get("words", ())]
        if event["type"] == "final" and said and said[-1] is not None and said[-1].call == truth.script.call:
            frames = truth.script.begins(said[-1].word) + WORD_FRAMES - truth.parts[0].first
            at = datetime.fromisoformat(event["at"]).timestamp()
            late = max(late, at - truth.began_at - frames * FRAME_MS / 1000 - PROMPT_SECONDS)
    return late


class _Words:
    """The words of one track."""

    def __init__(self, truth: Truth, track: Track, verdict: Verdict) -> None:
        self._truth = truth
        self._track = track
        self._verdict = verdict
        self._name = f"{truth.call_sid} {track}"

    def judge(self, events: Sequence[dict[str, Any]], gaps: Sequence[tuple[float, float]]) -> None:
        """Compare what is in the log with what was said."""
        heard: Counter[int] = Counter()
        torn: set[int] = set()
        newest = -1
        for event in events:
            if event["type"] != "final" or event["track"] != self._track:
                continue
            for word in event["words"]:
                said = self._recognized(word)
                if said is None:
                    continue
                if said.word < newest:
                    self._verdict.fault("words reordered", f"{self._name}: {said.word} after {newest}")
                newest = said.word
                heard[said.word] += 1
                if said.torn:
                    torn.add(said.word)
        self._verdict.words += heard.total()
        for number, count in heard.items():
            if count > 1:
                self._verdict.fault("words doubled", f"{self._name}: {number} {count} times{', torn' if number in torn else ''}")
        for number in self._owed() - (heard.keys() - torn):
            kind = "words torn" if number in torn else "words lost"
            self._verdict.fault(kind, f"{self._name}: {number}, said at {self._second(number):.2f}; gaps {gaps}")
        near = NEAR_SECONDS + 2 * self._truth.late_seconds
        for number in self._doubtful() - heard.keys():
            start = self._second(number)
            if any(start < end + near and start + WORD_SECONDS > begin - near for begin, end in gaps):
                self._verdict.lost_in_gaps += 1
            else:
                self._verdict.fault("words lost", f"{self._name}: {number}, said at {start:.2f}, in no gap of {gaps}")

    def _recognized(self, word: dict[str, Any]) -> Read | None:
        """Read a word, and check that it is one of this track, at its place."""
        said, script = read(word["text"]), self._truth.script
        if said is None or said.call != script.call or said.word % 2 != TRACKS.index(self._track):
            self._verdict.fault("words strange", f"{self._name}: {word['text']}")
            return None
        if not said.torn:
            wrong = abs(word["start"] - self._second(said.word))
            self._verdict.misplaced_seconds = max(self._verdict.misplaced_seconds, wrong)
            if wrong > MISPLACED_SECONDS + 2 * self._truth.late_seconds:
                self._verdict.fault(
                    "words misplaced", f"{self._name}: {said.word} at {word['start']}, said at {self._second(said.word):.2f}"
                )
        return said

    def _second(self, word: int) -> float:
        """Return the call time at which a word was said."""
        return (self._truth.script.begins(word) - self._truth.parts[0].first) * FRAME_MS / 1000

    def _owed(self) -> set[int]:
        """Return the words that a node got whole which lived."""
        words = self._truth.script.words
        return {word for part in self._truth.parts if not part.hit for word in words(self._track, part.first, part.last)}

    def _doubtful(self) -> set[int]:
        """Return the other words that were said: they may be lost, within a gap."""
        if not self._truth.parts:
            return set()
        first, last = self._truth.parts[0].first, max(part.last for part in self._truth.parts)
        return set(self._truth.script.words(self._track, first + WORD_FRAMES, last - WORD_FRAMES)) - self._owed()
