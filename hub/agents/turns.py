"""Puts the words of a caller and an agent into the order in which they were said. Pure; call time only.

A turn takes its place when its sound begins. Its text may change and be settled at any time, and a caller's often comes after the agent
has answered; finals are told in order all the same, so a turn that is settled waits for those before it, for LATE_MS at most. Interims
are not held back: they say where they belong by their times. Does not know who reports.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from hub.audio.g711 import Track
from hub.transcribers.utterances import NotTranscribed, Recognized

PAST_TURNS = 100
"""So many turns that were told are remembered, so that none is told twice, and one that was given up can still be told."""

LATE_MS = 8000.0
"""How long after its end a turn is waited for: a transcription takes a second or two, and one that never comes must not hold the rest."""


@dataclass(slots=True)
class Turn:
    """What one side says in one go. Times are ms of call time."""

    key: str
    track: Track
    start_ms: float
    end_ms: float | None = None
    """None while it is being said."""
    text: str = ""
    settled: bool = False
    """Whether the text will not change."""
    interrupted: bool = False
    failure: str = ""
    """Why there is no text; empty when there is, or when nothing was said."""

    def span(self) -> tuple[float, float]:
        """Return from when to when it was said, in seconds."""
        return self.start_ms / 1000, (self.end_ms if self.end_ms is not None else self.start_ms) / 1000

    def heard(self) -> Recognized:
        """Return its words as they will stay."""
        return Recognized(self.track, *self.span(), self.text.strip(), settled=True, closes=True, interrupted=self.interrupted)


class Turns:
    """One call's turns that are not told yet. Each method yields what is to be told because of it, in order."""

    def __init__(self) -> None:
        self._turns: dict[str, Turn] = {}
        """By the item's name, in the order they were said."""
        self._past: dict[str, Turn] = {}
        """The newest ones that are told, oldest first; with a failure where no words were."""
        self._late: list[Turn] = []
        """Turns that were given up and whose words came after all."""

    def __len__(self) -> int:
        return len(self._turns)

    def __contains__(self, key: object) -> bool:
        return key in self._turns

    def begin(self, key: str, track: Track, start_ms: float) -> None:
        """A side begins to speak. A key that is known changes nothing."""
        if key not in self._turns and key not in self._past:
            self._turns[key] = Turn(key, track, start_ms)

    def end(self, key: str, end_ms: float) -> None:
        """It has fallen silent; its text may still be to come."""
        if (turn := self._turns.get(key)) is not None:
            turn.end_ms = max(end_ms, turn.start_ms)

    def extend(self, key: str, delta: str, now_ms: float) -> Iterator[Recognized | NotTranscribed]:
        """Put more text behind what is known."""
        if (turn := self._turns.get(key)) is not None and not turn.settled:
            turn.text += delta
            yield from self._interim(turn, now_ms)

    def revise(self, key: str, text: str, now_ms: float) -> Iterator[Recognized | NotTranscribed]:
        """Replace the text."""
        if (turn := self._turns.get(key)) is not None and not turn.settled:
            turn.text = text
            yield from self._interim(turn, now_ms)

    def settle(self, key: str, text: str, end_ms: float, *, interrupted: bool = False) -> Iterator[Recognized | NotTranscribed]:
        """This is the whole text; empty when nothing was said. Of a turn that was given up, it is told all the same, out of order."""
        past = self._past.get(key)
        if past is not None and past.failure and not past.text and text.strip():
            past.text = text.strip()
            self._late.append(past)
            yield from self._tell_late()
        if (turn := self._turns.get(key)) is not None and not turn.settled:
            turn.text, turn.settled, turn.interrupted = text.strip(), True, interrupted
            turn.end_ms = max(turn.start_ms, turn.end_ms if turn.end_ms is not None else end_ms)
            yield from self.due(end_ms)

    def fail(self, key: str, reason: str, now_ms: float) -> Iterator[Recognized | NotTranscribed]:
        """The text will not come; what is known of it stays."""
        if (turn := self._turns.get(key)) is not None and not turn.settled:
            turn.settled, turn.failure = True, reason
            turn.end_ms = now_ms if turn.end_ms is None else turn.end_ms
            yield from self.due(now_ms)

    def due(self, now_ms: float) -> Iterator[Recognized | NotTranscribed]:
        """Yield the turns that can be told by now; those waited for too long are told with what is known of them."""
        while self._turns:
            turn = next(iter(self._turns.values()))
            if not turn.settled:
                if turn.end_ms is None or turn.track == "outbound" or now_ms - turn.end_ms < LATE_MS:
                    return
                turn.failure = "its transcription did not come"
            yield from self._told(turn)

    def close(self, now_ms: float) -> Iterator[Recognized | NotTranscribed]:
        """Nothing more will be said: yield all that is left, in order."""
        for turn in list(self._turns.values()):
            if not turn.settled:
                turn.failure = "the call ended before its transcription came"
                turn.end_ms = now_ms if turn.end_ms is None else turn.end_ms
            yield from self._told(turn)

    def _told(self, turn: Turn) -> Iterator[Recognized | NotTranscribed]:
        del self._turns[turn.key]
        self._past[turn.key] = turn
        if len(self._past) > PAST_TURNS:
            del self._past[next(iter(self._past))]
        if turn.failure and not turn.text:
            yield NotTranscribed(turn.track, *turn.span(), turn.failure)
        yield turn.heard()
        yield from self._tell_late()

    def _tell_late(self) -> Iterator[Recognized]:
        # Not amid the interims of a newer turn of that track: they would be taken for one utterance.
        for turn in [late for late in self._late if not any(other.track == late.track and other.text for other in self._turns.values())]:
            self._late.remove(turn)
            yield turn.heard()

    def _interim(self, turn: Turn, now_ms: float) -> Iterator[Recognized | NotTranscribed]:
        # One utterance is open on a track: words of a second turn wait until the first is told.
        if all(turn.track != other.track for other in self._before(turn)):
            end_ms = turn.end_ms if turn.end_ms is not None else max(now_ms, turn.start_ms)
            yield Recognized(turn.track, turn.start_ms / 1000, end_ms / 1000, turn.text.strip(), settled=False, closes=False)

    def _before(self, turn: Turn) -> Iterator[Turn]:
        for other in self._turns.values():
            if other is turn:
                return
            yield other
