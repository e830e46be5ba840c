"""Says lines to a Redaction as a transcriber reports them: each line grows by a word in its interims, and ends in a final."""

import re
from collections import Counter
from dataclasses import dataclass, field

from hub.events import Final, Interim, Word
from hub.insight.redaction.redaction import Redaction
from hub.insight.redaction.redactor import KINDS, Redactor
from tests.insight.redaction.corpus import NUMBER_WORDS, Line

EVERYTHING = Redactor(frozenset(KINDS))

WORD_SECONDS = 0.3


@dataclass
class Conversation:
    """What two people say, and what readers get of it."""

    redaction: Redaction = field(default_factory=lambda: Redaction(EVERYTHING))
    interims: list[str] = field(default_factory=list)
    finals: list[Final] = field(default_factory=list)
    seconds: float = 0.0
    """Call time reached."""
    _utterances: Counter[str] = field(default_factory=Counter)
    """How many each side has said."""
    _began: dict[str, float] = field(default_factory=dict)
    """When the open utterance of a side began that is said with `hear`."""

    @property
    def texts(self) -> list[str]:
        """The texts of the finals so far, in the order in which readers get them."""
        return [final.text for final in self.finals]

    def say(self, text: str, side: str = "inbound", *, interims: bool = True) -> None:
        """Let one side say a line."""
        words, start = text.split(), self.seconds
        for count in range(1, len(words) + 1) if interims else ():
            self.seconds = start + count * WORD_SECONDS
            self._hear(" ".join(words[:count]), start, side)
        self.seconds = start + len(words) * WORD_SECONDS
        self._settle(text, start, side)
        self.seconds += 0.5

    def hear(self, text: str, side: str) -> None:
        """Let one side's utterance stand so in an interim."""
        if side not in self._began:
            self._began[side] = self.seconds
        self._hear(text, self._began[side], side)

    def settle(self, text: str, side: str) -> None:
        """End one side's utterance."""
        self._settle(text, self._began.pop(side, self.seconds), side)

    def _hear(self, text: str, start: float, side: str) -> None:
        self._take(self.redaction.interim(self._interim(self._utterance(side), text, start, side)))

    def _settle(self, text: str, start: float, side: str) -> None:
        words = text.split()
        seconds = (self.seconds - start) / max(1, len(words))
        timed = [Word(text=word, start=start + number * seconds, end=start + (number + 1) * seconds) for number, word in enumerate(words)]
        final = Final(
            call_sid="CA1", utterance=self._utterance(side), revision=99, track=side, speaker=side, text=text, start=start,
            end=self.seconds, words=timed,
        )  # fmt: skip
        self._utterances[side] += 1
        self._take(self.redaction.final(final))

    def _utterance(self, side: str) -> str:
        return f"{side}-{self._utterances[side] + 1}"

    def _interim(self, utterance: str, text: str, start: float, side: str) -> Interim:
        return Interim(call_sid="CA1", utterance=utterance, revision=1, track=side, speaker=side, text=text, start=start, end=self.seconds)  # type: ignore[arg-type]

    def silence(self, seconds: float) -> None:
        """Let nobody say anything for so long."""
        self.seconds += seconds
        self._take(self.redaction.reached(self.seconds))

    def end(self) -> None:
        """End the call."""
        self._take(self.redaction.over())

    def _take(self, events: "list[Interim | Final] | list[Final]") -> None:
        for event in events:
            if isinstance(event, Interim):
                self.interims.append(event.text)
            else:
                self.finals.append(event)


def said(*lines: Line | str, redactor: Redactor = EVERYTHING) -> Conversation:
    """Let lines be said, one after the other, to the end of the call. A text alone is the caller's."""
    conversation = Conversation(Redaction(redactor))
    for line in lines:
        side, text = line if isinstance(line, tuple) else ("inbound", line)
        conversation.say(text, side)
    conversation.end()
    return conversation


def digits_left(text: str) -> list[str]:
    """Return the words and digits of a text that a reader could make a number of."""
    return [word for word in re.findall(r"\d+|[^\W\d_]+", text.lower()) if word.isdecimal() or word in NUMBER_WORDS]
