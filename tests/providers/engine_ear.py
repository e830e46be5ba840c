"""Lets a fake vendor hear for real: the engine on this machine behind the `ear` of FakeDeepgram and FakeAssemblyAI.

    with EngineHearing() as hearing:
        async with FakeDeepgram(ear=hearing.ear) as fake: ...

It blocks the test's loop while it recognises, a tenth of a second for an utterance. The engine gives no word times: an utterance's words
are spread evenly over it. A process must not use two engines at a time, so the hub beside it must not hear with its own.
"""

from typing import Self

from hub.audio import g711
from hub.transcribers.utterances import Recognized
from hub.vendors.moonshine.engine import Ear, Engine
from tests.providers.script import BYTES_PER_SECOND, Hypothesis, Word

PIECE_BYTES = 800
"""What the local transcriber gives the engine at a time. The same pieces give the same words."""

SILENCE_SECONDS = 3.0
"""How often a vendor settles that nobody spoke."""


class EngineHearing:
    """One engine for all the connections of a fake."""

    def __init__(self) -> None:
        self._ears: list[EngineEar] = []

    def __enter__(self) -> Self:
        self._engine = Engine()
        return self

    def __exit__(self, *_: object) -> None:
        for ear in self._ears:
            ear.leave()
        self._engine.close()

    def ear(self, pause_seconds: float | None) -> "EngineEar":
        """Return what hears one track of one connection. It decides about pauses itself."""
        self._ears.append(EngineEar(self._engine))
        return self._ears[-1]


class EngineEar:
    """A Recogniser: hears one track of one connection from its first byte."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._told: list[Recognized] = []
        self._ear = Ear("inbound", self._told.append)
        self._waiting = b""  # bytes that do not fill a piece yet
        self._position = 0  # bytes heard
        self._settled = 0.0  # seconds

    def feed(self, mulaw: bytes) -> list[Hypothesis]:
        audio_so_far = self._waiting + mulaw
        whole = len(audio_so_far) - len(audio_so_far) % PIECE_BYTES
        self._waiting = audio_so_far[whole:]
        for at in range(0, whole, PIECE_BYTES):
            self._hear(audio_so_far[at : at + PIECE_BYTES])
        heard = self._hypotheses()
        quiet_until = self._ear.settled_ms / 1000
        if not heard and quiet_until - self._settled >= SILENCE_SECONDS:
            heard.append(self._piece(quiet_until, ()))
        return heard

    def settle(self) -> list[Hypothesis]:
        if self._waiting:
            self._hear(self._waiting)
            self._waiting = b""
        self._ear.interrupt(self._engine)
        return self._hypotheses()

    def end(self) -> list[Hypothesis]:
        return [*self.settle(), self._piece(self._position / BYTES_PER_SECOND, ())]

    def leave(self) -> None:
        self._ear.leave()

    def _hear(self, piece: bytes) -> None:
        self._ear.hear(self._engine, g711.ms(self._position), piece)
        self._position += len(piece)

    def _hypotheses(self) -> list[Hypothesis]:
        told = [heard for heard in self._told if heard.settled and heard.text]
        self._told.clear()
        return [self._piece(heard.end, _spread(heard), pause=True) for heard in told]

    def _piece(self, end: float, words: tuple[Word, ...], *, pause: bool = False) -> Hypothesis:
        start, self._settled = self._settled, max(self._settled, end)
        return Hypothesis(start, self._settled, words, settled=True, pause=pause)


def _spread(heard: Recognized) -> tuple[Word, ...]:
    texts = heard.text.split()
    each = (heard.end - heard.start) / len(texts)
    return tuple(Word(text, heard.start + number * each, heard.start + (number + 1) * each) for number, text in enumerate(texts))
