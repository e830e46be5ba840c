"""Lets a fake vendor recognize for real: the engine on this machine behind the `ear` of FakeDeepgram and FakeAssemblyAI.

    with EngineHearing() as hearing:
        async with FakeDeepgram(ear=hearing.ear) as fake: ...

It blocks the test's loop while it recognizes, a tenth of a second for an utterance. The engine gives no word times: an utterance's words
are spread evenly over it.
"""

from typing import Self

from hub.audio import g711
from hub.transcribers.utterances import Recognized
from hub.vendors.moonshine.detector import SileroPool
from hub.vendors.moonshine.recognizer import MoonshineRecognizer
from hub.vendors.moonshine.track import TrackRecognizer
from tests.providers.script import BYTES_PER_SECOND, Hypothesis, Word

PIECE_BYTES = 800
"""What the local transcriber gives the engine at a time. The same pieces give the same words."""

SILENCE_SECONDS = 3.0
"""How often a vendor settles that nobody spoke."""


class EngineHearing:
    """The models for all the connections of a fake."""

    def __init__(self) -> None:
        self._ears: list[EngineEar] = []
        self._detectors, self._recognizer = SileroPool(), MoonshineRecognizer()

    def __enter__(self) -> Self:
        self._recognizer.load()
        return self

    def __exit__(self, *_: object) -> None:
        for ear in self._ears:
            ear.leave()

    def ear(self, pause_seconds: float | None) -> "EngineEar":
        """Return what recognizes one track of one connection. It decides about pauses itself."""
        self._ears.append(EngineEar(TrackRecognizer("inbound", self._detectors, self._recognizer)))
        return self._ears[-1]


class EngineEar:
    """Recognizes one track of one connection from its first byte."""

    def __init__(self, track: TrackRecognizer) -> None:
        self._track = track
        self._finals: list[Recognized] = []
        self._waiting = b""  # bytes that do not fill a piece yet
        self._position = 0  # bytes given to the track
        self._settled = 0.0  # seconds

    def feed(self, mulaw: bytes) -> list[Hypothesis]:
        audio_so_far = self._waiting + mulaw
        whole = len(audio_so_far) - len(audio_so_far) % PIECE_BYTES
        self._waiting = audio_so_far[whole:]
        for at in range(0, whole, PIECE_BYTES):
            self._recognize(audio_so_far[at : at + PIECE_BYTES])
        found = self._hypotheses()
        quiet_until = self._track.settled_ms / 1000
        if not found and quiet_until - self._settled >= SILENCE_SECONDS:
            found.append(self._piece(quiet_until, ()))
        return found

    def settle(self) -> list[Hypothesis]:
        if self._waiting:
            self._recognize(self._waiting)
            self._waiting = b""
        self._finals += self._track.interrupt()
        return self._hypotheses()

    def end(self) -> list[Hypothesis]:
        return [*self.settle(), self._piece(self._position / BYTES_PER_SECOND, ())]

    def leave(self) -> None:
        self._track.leave()

    def _recognize(self, piece: bytes) -> None:
        self._finals += self._track.recognize(g711.ms(self._position), piece)
        self._position += len(piece)

    def _hypotheses(self) -> list[Hypothesis]:
        finals = [final for final in self._finals if final.text]
        self._finals.clear()
        return [self._piece(final.end, _spread(final), pause=True) for final in finals]

    def _piece(self, end: float, words: tuple[Word, ...], *, pause: bool = False) -> Hypothesis:
        start, self._settled = self._settled, max(self._settled, end)
        return Hypothesis(start, self._settled, words, settled=True, pause=pause)


def _spread(final: Recognized) -> tuple[Word, ...]:
    texts = final.text.split()
    each = (final.end - final.start) / len(texts)
    return tuple(Word(text, final.start + number * each, final.start + (number + 1) * each) for number, text in enumerate(texts))
