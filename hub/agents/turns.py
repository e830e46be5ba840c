"""Puts the words of a caller and an agent into the order in which they were said. Pure; call time only.

A turn takes its place when its sound begins. Its text may change and settle at any time, and a caller's often comes after the agent has
answered. Finals come out in the order of speaking all the same, so a turn that is settled waits for those before it, for a bounded time.
An example: the caller asks, the agent answers at once, and the question is written down two seconds later. The answer's final waits for
the question's. Interims do not wait: their times say where they belong. Does not know who reports.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from hub.audio.g711 import Track
from hub.transcribers.utterances import NotTranscribed, Recognized

PAST_TURNS = 100
"""How many turns that came out are remembered: so that none comes out twice, and one that was given up still can when its words come."""

LATE_MS = 8000.0
"""How long the text of a turn is waited for after the turn's end: it takes a second or two, and one that never comes must not hold up the
rest."""


@dataclass(slots=True)
class ConversationTurn:
    """What one side says in one go. Times are ms of call time."""

    key: str
    track: Track
    start_ms: float
    end_ms: float | None = None
    """None while it is being said."""
    waits_since_ms: float = 0.0
    """Since when its text is waited for: the end, moved on when the stream's clock leaps. Only meaningful once it has an end."""
    text: str = ""
    settled: bool = False
    """Whether the text will not change."""
    interrupted: bool = False
    cut: bool = False
    """Whether the speaker stopped in the middle."""
    unspoken: bool = False
    """Whether it was written and not said."""
    failure: str = ""
    """Why there is no text. Empty when there is, or when nothing was said."""

    def ends(self, end_ms: float) -> None:
        """Take the end."""
        self.end_ms = self.waits_since_ms = end_ms

    def span(self) -> tuple[float, float]:
        """Return from when to when it was said, in seconds."""
        return self.start_ms / 1000, (self.end_ms if self.end_ms is not None else self.start_ms) / 1000

    def final(self) -> Recognized:
        """Return its words as they will stay."""
        return Recognized(
            self.track, *self.span(), self.text.strip(), settled=True, closes=True,
            interrupted=self.interrupted, cut=self.cut, unspoken=self.unspoken,
        )  # fmt: skip


class Turns:
    """One call's turns that have not come out yet. Each method yields what is to be published because of it, in order."""

    def __init__(self, late_ms: float = LATE_MS) -> None:
        self._late_ms = late_ms
        self._turns: dict[str, ConversationTurn] = {}
        """By the item's name, in the order of speaking."""
        self._past: dict[str, ConversationTurn] = {}
        """The newest ones that came out, oldest first. With a failure where there were no words."""
        self._late: list[ConversationTurn] = []
        """Turns that were given up and whose words came after all."""

    def __len__(self) -> int:
        return len(self._turns)

    def __contains__(self, key: object) -> bool:
        return key in self._turns

    def begin(self, key: str, track: Track, start_ms: float) -> None:
        """A side begins to speak. A key that is known changes nothing."""
        if key not in self._turns and key not in self._past:
            self._turns[key] = ConversationTurn(key, track, start_ms)

    def mark(self, key: str, *, cut: bool, unspoken: bool) -> None:
        """Note that a side stopped in the middle, or wrote what it did not say. To be called before the turn is settled."""
        if (turn := self._turns.get(key)) is not None:
            turn.cut, turn.unspoken = cut, unspoken

    def end(self, key: str, end_ms: float) -> None:
        """The side has fallen silent. The turn's text may still be to come."""
        if (turn := self._turns.get(key)) is not None:
            turn.ends(max(end_ms, turn.start_ms))

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

    def settle(self, key: str, text: str | None, end_ms: float, *, interrupted: bool = False) -> Iterator[Recognized | NotTranscribed]:
        """Take the whole text. Empty: nothing was said. None: what is known is the whole of it.

        The text of a turn that was given up comes out all the same, out of order.
        """
        past = self._past.get(key)
        if past is not None and past.failure and not past.text and text and text.strip():
            past.text = text.strip()
            self._late.append(past)
            yield from self._late_finals()
        if (turn := self._turns.get(key)) is not None and not turn.settled:
            turn.text, turn.settled, turn.interrupted = (turn.text if text is None else text).strip(), True, interrupted
            turn.end_ms = max(turn.start_ms, turn.end_ms if turn.end_ms is not None else end_ms)
            yield from self.due(end_ms)

    def fail(self, key: str, reason: str, now_ms: float) -> Iterator[Recognized | NotTranscribed]:
        """The text will not come. What is known of it stays."""
        if (turn := self._turns.get(key)) is not None and not turn.settled:
            turn.settled, turn.failure = True, reason
            turn.end_ms = now_ms if turn.end_ms is None else turn.end_ms
            yield from self.due(now_ms)

    def due(self, now_ms: float) -> Iterator[Recognized | NotTranscribed]:
        """Yield the turns that can come out by now. Those that were waited for too long come out with what is known of them."""
        while self._turns:
            turn = next(iter(self._turns.values()))
            if not turn.settled:
                if turn.end_ms is None or turn.track == "outbound" or now_ms - turn.waits_since_ms < self._late_ms:
                    return
                turn.failure = "its transcription did not come"
            yield from self._come_out(turn)

    def close(self, now_ms: float) -> Iterator[Recognized | NotTranscribed]:
        """Nothing more will be said: yield all that is left, in order."""
        for turn in list(self._turns.values()):
            if not turn.settled:
                turn.failure = "the call ended before its transcription came"
                turn.end_ms = now_ms if turn.end_ms is None else turn.end_ms
            yield from self._come_out(turn)

    def leap(self, by_ms: float) -> None:
        """Go on after the stream's clock jumped: nobody has waited in the time that it jumped over."""
        for turn in self._turns.values():
            turn.waits_since_ms += by_ms

    def _come_out(self, turn: ConversationTurn) -> Iterator[Recognized | NotTranscribed]:
        del self._turns[turn.key]
        self._past[turn.key] = turn
        if len(self._past) > PAST_TURNS:
            del self._past[next(iter(self._past))]
        if turn.failure and not turn.text:
            yield NotTranscribed(turn.track, *turn.span(), turn.failure)
        yield turn.final()
        yield from self._late_finals()

    def _late_finals(self) -> Iterator[Recognized]:
        # Not amid the interims of a newer turn of that track: readers would take the two for one utterance.
        for turn in [late for late in self._late if not any(other.track == late.track and other.text for other in self._turns.values())]:
            self._late.remove(turn)
            yield turn.final()

    def _interim(self, turn: ConversationTurn, now_ms: float) -> Iterator[Recognized | NotTranscribed]:
        # One utterance is open per track: words of a second turn wait until the first has come out.
        if all(turn.track != other.track for other in self._before(turn)):
            end_ms = turn.end_ms if turn.end_ms is not None else max(now_ms, turn.start_ms)
            yield Recognized(turn.track, turn.start_ms / 1000, end_ms / 1000, turn.text.strip(), settled=False, closes=False)

    def _before(self, turn: ConversationTurn) -> Iterator[ConversationTurn]:
        for other in self._turns.values():
            if other is turn:
                return
            yield other
