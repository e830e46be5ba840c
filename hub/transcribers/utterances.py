"""Folds what a provider recognized into utterances. Pure; does not know which provider it was."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from hub.audio.g711 import Track
from hub.events import SPEAKERS, Final, Interim, Word
from hub.transcribers.blanks import joined

LONG_SECONDS = 30.0
"""An utterance without a pause ends at the next settled piece after this long, so that a monologue still becomes readable finals."""


class RecognizedWord(msgspec.Struct, frozen=True, gc=False):
    """One word, in seconds of call time."""

    text: str
    start: float
    end: float
    confidence: float | None = None


class Recognized(msgspec.Struct, frozen=True):
    """What a provider recognized on one track between `start` and `end`, seconds of call time.

    The text continues the settled part of the track's open utterance, and replaces the part that was not settled. `settled`: this piece
    will not change. `closes`: the utterance is over (the speaker paused); only together with `settled`. An empty text is a fact too:
    nothing was said there. `interrupted`: the speaker had more to say, and the other side cut in. `cut`: the speaker had more to say and
    stopped in the middle. `unspoken`: it was written, and nobody heard it.
    """

    track: Track
    start: float
    end: float
    text: str
    settled: bool
    closes: bool
    confidence: float | None = None
    words: tuple[RecognizedWord, ...] = ()
    language: str | None = None
    interrupted: bool = False
    cut: bool = False
    unspoken: bool = False


@dataclass(frozen=True, slots=True)
class NotTranscribed:
    """Audio of one track that nobody transcribed, in seconds of call time."""

    track: Track
    start: float
    end: float
    reason: str


class _OpenUtterance:
    """An utterance that is not over."""

    __slots__ = ("id", "pending", "revision", "settled", "shown")

    def __init__(self, identity: str) -> None:
        self.id = identity
        self.revision = 0
        """Revision of the last event about this utterance; 0 while there was none."""
        self.settled: list[Recognized] = []
        """Pieces that will not change."""
        self.pending: Recognized | None = None
        """The piece after `settled` that may still change; None if there is none."""
        self.shown = ""
        """Text of the last interim, so that no interim repeats another."""

    def pieces(self) -> list[Recognized]:
        return [*self.settled, self.pending] if self.pending else self.settled

    def text(self) -> str:
        return joined(piece.text for piece in self.pieces())

    def confidence(self) -> float | None:
        known = [(piece.confidence, max(1, len(piece.words))) for piece in self.pieces() if piece.confidence is not None and piece.text]
        weight = sum(words for _, words in known)
        return round(sum(value * words for value, words in known) / weight, 4) if weight else None


class Utterances:
    """One call's utterances, in the order they ended. Ids are stable and unique in the call, also across streams and providers."""

    def __init__(self, call_sid: str) -> None:
        self.call_sid = call_sid
        self.speakers = dict(SPEAKERS)
        """Label per track; the call sets those that its parameters give."""
        self._open: dict[Track, _OpenUtterance] = {}
        self._counts: dict[Track, int] = {"inbound": 0, "outbound": 0}

    def successor(self) -> "Utterances":
        """Return one that goes on numbering where this one is. The utterances that are open here end here, under the labels of this one."""
        successor = Utterances(self.call_sid)
        successor.speakers, successor._counts = dict(self.speakers), self._counts
        return successor

    def go_on_after(self, numbers: Mapping[Track, int]) -> None:
        """Give no id again that an earlier process gave. `numbers`: those of each track's last utterance that has ended.

        The one after it may have been open when that process died, and readers may show it: its id is not given again either.
        """
        for track, number in numbers.items():
            self._counts[track] = max(self._counts[track], number + 1)

    @property
    def numbers(self) -> dict[Track, int]:
        """The number of each track's last utterance."""
        return dict(self._counts)

    def last(self, track: Track) -> str | None:
        """Return the id of the utterance of a track that an earlier process may have left open. None if it had none on this track."""
        count = self._counts[track]
        return f"{track}-{count}" if count else None

    def name(self, speakers: Mapping[Track, str]) -> None:
        """Label tracks by who speaks there, from here on."""
        self.speakers.update(speakers)

    def fold(self, piece: Recognized) -> Interim | Final | None:
        """Take one report; return the event that it makes, or None if it changes nothing that a reader would see."""
        utterance = self._open.get(piece.track)
        if utterance is None:
            if not piece.text:
                return None
            self._counts[piece.track] += 1
            utterance = self._open[piece.track] = _OpenUtterance(f"{piece.track}-{self._counts[piece.track]}")
        utterance.pending = None
        if not piece.settled:
            utterance.pending = piece
            return self._interim(piece.track, utterance)
        if piece.text:
            utterance.settled.append(piece)
        if piece.closes or (utterance.settled and piece.end - utterance.settled[0].start >= LONG_SECONDS):
            return self._final(piece.track, utterance)
        return self._interim(piece.track, utterance)

    def is_open(self, track: Track) -> bool:
        """Return whether an utterance of this track is not over yet."""
        return track in self._open

    def close(self) -> list[Final]:
        """End the open utterances with the words known so far: unsettled words are better than lost ones."""
        return [self._final(track, utterance) for track, utterance in list(self._open.items())]

    def _interim(self, track: Track, utterance: _OpenUtterance) -> Interim | None:
        text = utterance.text()
        if text == utterance.shown:
            return None
        utterance.shown = text
        utterance.revision += 1
        start, end = self._span(utterance)
        return Interim(
            call_sid=self.call_sid,
            utterance=utterance.id,
            revision=utterance.revision,
            track=track,
            speaker=self.speakers[track],
            text=text,
            start=start,
            end=end,
            confidence=utterance.confidence(),
        )

    def _final(self, track: Track, utterance: _OpenUtterance) -> Final:
        del self._open[track]
        start, end = self._span(utterance)
        pieces = utterance.pieces()
        return Final(
            call_sid=self.call_sid,
            utterance=utterance.id,
            revision=utterance.revision + 1,
            track=track,
            speaker=self.speakers[track],
            text=utterance.text(),
            start=start,
            end=end,
            confidence=utterance.confidence(),
            words=[_published(word) for piece in pieces for word in piece.words],
            language=next((piece.language for piece in pieces if piece.language), None),
            interrupted=any(piece.interrupted for piece in pieces),
            cut=any(piece.cut for piece in pieces),
            unspoken=any(piece.unspoken for piece in pieces),
        )

    @staticmethod
    def _span(utterance: _OpenUtterance) -> tuple[float, float]:
        pieces = [piece for piece in utterance.pieces() if piece.text]
        if not pieces:
            return 0.0, 0.0
        return _span(min(min(piece.start, piece.end) for piece in pieces), max(max(piece.start, piece.end) for piece in pieces))


def _published(word: RecognizedWord) -> Word:
    start, end = _span(word.start, word.end)
    return Word(text=word.text, start=start, end=end, confidence=word.confidence)


def _span(start: float, end: float) -> tuple[float, float]:
    """Return a span of call time as events have it: never before the call, never backwards, whatever a provider says.

    Players and subtitle files take neither: SubRip has no sign for a time below zero.
    """
    start = max(0.0, min(start, end))
    return round(start, 3), round(max(start, end), 3)
