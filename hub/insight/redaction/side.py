"""One side of a call: its utterances, with what is secret in them masked. Sans-I/O.

**Never a partial number.** A final whose end is by all signs the beginning of a longer number is masked there. One whose end may be such
a beginning is *held back* until the side's next words decide: more digits, and both parts are masked; other words, and it is published as
it was said. HOLD_SECONDS later it is published in any case. Interims never show digits of which nobody knows yet whether more follow.

Knows texts and seconds of call time. Does not know which side it is, nor a clock.
"""

from dataclasses import dataclass
from typing import Final as Constant
from typing import Protocol

from msgspec.structs import replace

from hub.events import Final, Interim
from hub.insight.redaction.addresses import email_begun
from hub.insight.redaction.masks import HIDDEN, Mask, masked, masked_words
from hub.insight.redaction.number_words import words_of
from hub.insight.redaction.numbers import SaidNumber, SaidNumbers, Topic, read
from hub.insight.redaction.redactor import FEW_WORDS, NUMBER, Redactor

HOLD_SECONDS = 4.0
"""How long a final is held back whose end may be the beginning of a number. Between two groups of a card number people pause for less."""

GOES_ON_SECONDS = 30.0
"""How long after a part of a number the next digits of the same side are taken for the next part: long enough to turn a card over."""

SURE_WORDS = 4
"""An interim whose first so many words are none of a number will not turn out to begin with one."""

SHOWN_DIGITS = 2
"""An interim shows numbers of up to so many digits, if words follow. A longer one waits for the final: an engine still changes its mind."""

SHOWN_BEHIND_WORDS = 3
"""An interim shows a number once so many words stand behind it: two may become `let me see`."""

TURN_WORDS = 3
"""So many words of the other side are more than an `mhm`."""

ASKED_WORDS = 5
"""A number with fewer words before it is what the other side asked for: `and your PIN?` - `it's one two three four`."""

LINK_WORDS = 8
"""So many words between the parts of a number that is read out do not make them two."""

_GO_ON: Constant = words_of(
    "digit digits number numbers next last rest remaining first card code account again repeat continue go ahead listening ready "
    "nummer ziffer ziffern weiter letzten nächsten siguiente siguientes últimos número suivants derniers chiffres"
)
"""Words of the other side that ask for more of a number."""


class KnownNumbers(Protocol):
    """The numbers of a call that were masked, of both sides."""

    def learn(self, digits: str, at: float) -> None:
        """Take note of a number that is masked. `at`: when it ended, in seconds of call time."""

    def has(self, digits: str) -> bool:
        """Return whether digits are a part of one, and not so few that this may be chance."""

    def repeats(self, digits: str, at: float) -> bool:
        """Return whether digits that somebody says alone at this call time are a part of the number that is being read out."""


@dataclass(slots=True)
class Number:
    """A number that the side's next utterance may go on with."""

    digits: str
    """All of it so far."""
    at: float
    """When its newest part ended, in seconds of call time."""
    label: str
    """With which it is masked. Empty while it is not known to be secret."""
    doubtful: bool
    """Whether it is masked if nothing more of it comes."""
    topic: Topic
    other_spoke: bool = False
    """Whether the other side has said something else since."""


@dataclass(frozen=True, slots=True)
class HeldBack:
    """A final that is held back, and what in it is masked."""

    final: Final
    masks: tuple[Mask, ...]
    """Whatever its number turns out to be."""
    end: Mask | None
    """The number at its end, masked if it turns out to be secret. None if there is nothing but fillers in it."""
    alone: str
    """The digits of that number if it says nothing else."""


class Side:
    """One side of a call."""

    def __init__(self, redactor: Redactor, known: KnownNumbers) -> None:
        self._redactor = redactor
        self._known = known
        self.other: Side | None = None
        """The other side of the call, once it is known."""
        self.number: Number | None = None
        """The number that the next utterance may go on with. None if the last words were no number."""
        self.held: list[HeldBack] = []
        """Finals that are held back, in order."""
        self._held_at = 0.0
        """Call time of the newest words that left it undecided."""
        self.dictating = False
        """Whether the newest words are a part of a number that is masked, or may be."""
        self._shown = ("", "")
        """Utterance and text of the last interim that was shown."""

    def interim(self, interim: Interim, topic: Topic) -> list[Interim | Final]:
        """Take an interim; return what is to be published now. `topic`: what the other side has asked for."""
        reading = read(interim.text, goes_on=self._follows_number, unfinished=True)
        out: list[Interim | Final] = []
        judged = self._judged(reading, interim.text, interim.start, topic)
        last = reading.numbers[-1] if reading.numbers else None
        self.dictating = last is not None and last.trails and (bool(judged[-1]) or self._redactor.begun(last.digits, last, topic))
        if self.held and self.number is not None:
            first = reading.numbers[0] if reading.numbers else None
            if first is not None and self._goes_on(first, interim.start):
                if not judged[0]:
                    self._held_at = max(self._held_at, interim.end)
                    return []
                out += self.release(judged[0])
            elif (reading.words if first is None else first.words_before) < SURE_WORDS:
                return []
            else:
                out += self.release("")
        text = masked(interim.text, [*self._others(interim.text, hide=True), *self._interim_masks(reading, judged, interim.text)])
        if (interim.utterance, text) != self._shown:
            self._shown = (interim.utterance, text)
            out.append(replace(interim, text=text) if text != interim.text else interim)
        return out

    def final(self, final: Final, topic: Topic, now: float) -> tuple[list[Final], SaidNumbers]:
        """Take a final; return those that are to be published now, and what its text says. `now`: seconds of call time."""
        reading = read(final.text, goes_on=self._follows_number)
        others = tuple(self._others(final.text, hide=False))
        if not reading.numbers and not reading.words:  # a filler, or nothing
            if self.held and final.text:
                self.held.append(HeldBack(final, others, None, ""))
                self._held_at = max(self._held_at, final.end)
                return [], reading
            return [_published(final, others)], reading
        judged = self._judged(reading, final.text, final.start, topic)
        masks = list(others)
        for number, name in zip(reading.numbers, judged, strict=True):
            if name:
                masks.append(self._redactor.account(final.text, number) or Mask(number.start, number.end, name))
                self._known.learn(self._digits(number, final.start), final.end)
        after = self._open_number(reading, judged, final, topic)
        out = self._decided(reading, judged, final.start, after)
        self.number = after
        self.dictating = after is not None and bool(after.label)
        if after is None or after.label:
            if after is not None and not judged[-1]:  # begun
                masks.append(self._end(final.text, reading.numbers[-1]))
                self._known.learn(after.digits, final.end)
            return [*out, _published(final, masks)], reading
        last = reading.numbers[-1]
        self.held.append(HeldBack(final, tuple(masks), self._end(final.text, last), last.digits if last.alone else ""))
        self._held_at = max(final.end, now)
        return out, reading

    @property
    def _follows_number(self) -> bool:
        """Whether one of both sides has last said a number."""
        return self.number is not None or (self.other is not None and self.other.number is not None)

    def _end(self, text: str, number: SaidNumber) -> Mask:
        start = self._redactor.account_letters(text, number)
        return Mask(number.start if start is None else start, number.end, NUMBER)

    def reached(self, now: float) -> list[Final]:
        """Return the finals that have been held back for long enough. `now`: seconds of call time."""
        if self.number is None or now - (self._held_at if self.held else self.number.at) < HOLD_SECONDS:
            return []
        self.dictating = False
        return self.release_doubtful()

    def wait_from(self, now: float) -> None:
        """Let what is held back wait for as long as if it had been said now, in seconds of call time."""
        self._held_at = max(self._held_at, now)

    @property
    def waits(self) -> bool:
        """Whether what is held back here repeats what the other side has said, and that is held back, too: it decides about both."""
        return bool(self.held) and self._repeats_undecided(self.held[0])

    def _repeats_undecided(self, held: HeldBack) -> bool:
        other = self.other
        if not held.alone or other is None or not other.held or other.number is None:
            return False
        return other.held[0].final.start < held.final.start and held.alone in other.number.digits

    def release_doubtful(self) -> list[Final]:
        """Return all finals that are held back. What looks like a part of a number is masked."""
        return self.release(NUMBER if self.number is not None and self.number.doubtful else "")

    def release(self, name: str) -> list[Final]:
        """Return all finals that are held back. `name`: the label of the number at their ends. Empty if it is not secret."""
        held, self.held = self.held, []
        if held and self.number is not None:
            self.number.label = name
            if name:
                self._known.learn(self.number.digits, self.number.at)
        return [self._released(each, name) for each in held]

    def _released(self, held: HeldBack, name: str) -> Final:
        repeated = held.alone and (self._known.repeats(held.alone, held.final.start) or self._repeats_undecided(held))
        if held.end is not None and (name or repeated):
            return _published(held.final, (*held.masks, held.end))
        return _published(held.final, held.masks)

    def other_spoke(self, reading: SaidNumbers, final: Final) -> None:
        """The other side has said something."""
        asks_for_more = not _GO_ON.isdisjoint(final.text.lower().replace(",", " ").split())
        if asks_for_more:
            self._held_at = max(self._held_at, final.end)
        elif self.number is not None and reading.words >= TURN_WORDS:
            self.number.other_spoke = True

    def _decided(self, reading: SaidNumbers, judged: list[str], start: float, after: Number | None) -> list[Final]:
        """Return the finals that were held back, if what follows decides about them. `after`: the number at its end."""
        if not self.held:
            return []
        first = reading.numbers[0] if reading.numbers else None
        if first is None or not self._goes_on(first, start):
            return self.release("")
        if judged[0] or not first.trails or after is None:
            return self.release(judged[0])
        return self.release(after.label) if after.label else []

    def _goes_on(self, number: SaidNumber, start: float) -> Number | None:
        """Return the number of which this is the next part. None if it is a number of its own."""
        before = self.number
        if before is None or number.plain in {"price", "date", "round"} or start - before.at > GOES_ON_SECONDS:
            return None
        if not number.leads:
            resumed = before.label and number.words_before <= FEW_WORDS and self._redactor.begun(number.digits, number, before.topic)
            return before if resumed and number.topic != "order" else None
        if before.other_spoke and not number.trails and len(number.digits) <= SHOWN_DIGITS and len(number.figures) == 1:
            return None
        return before

    def _digits(self, number: SaidNumber, start: float) -> str:
        before = self._goes_on(number, start)
        return number.digits if before is None else before.digits + number.digits

    def _judged(self, reading: SaidNumbers, text: str, start: float, topic: Topic) -> list[str]:
        """Return the label of each number of a text. Empty for one that is not secret, or not yet."""
        topics = [self._topic(number, self._goes_on(number, start), topic) for number in reading.numbers]
        judged = [
            self._name(number, self._goes_on(number, start), about, text, start)
            for number, about in zip(reading.numbers, topics, strict=True)
        ]
        for right in range(1, len(judged)):
            self._link(reading.numbers, judged, topics, right)
        return judged

    def _name(self, number: SaidNumber, before: Number | None, topic: Topic, text: str, start: float) -> str:
        digits = number.digits if before is None else before.digits + number.digits
        if name := self._redactor.secret(digits, number, topic):
            return name
        if account := self._redactor.account(text, number):
            return account.label
        if before is not None and before.label:
            return before.label
        if (not number.plain and self._known.has(number.digits)) or (number.alone and self._known.repeats(number.digits, start)):
            return NUMBER
        return NUMBER if self._redactor.broken_off(digits, number, topic) else ""

    def _link(self, numbers: tuple[SaidNumber, ...], judged: list[str], topics: list[Topic], right: int) -> None:
        """Mask two numbers that are parts of one, with words between: `it starts with 4111, and then it says 1111`."""
        one, other = numbers[right - 1], numbers[right]
        if other.words_after(one) > LINK_WORDS or (judged[right - 1] and judged[right]):
            return
        begun = [judged[at] or self._redactor.begun(numbers[at].digits, numbers[at], topics[at]) for at in (right - 1, right)]
        if all(begun) and (name := judged[right - 1] or judged[right] or self._redactor.secret(one.digits + other.digits, other, "number")):
            judged[right - 1] = judged[right - 1] or name
            judged[right] = judged[right] or name

    @staticmethod
    def _topic(number: SaidNumber, before: Number | None, asked: Topic) -> Topic:
        if number.topic:
            return number.topic
        if before is not None and before.topic:
            return before.topic
        return asked if number.words_before < ASKED_WORDS else ""

    def _open_number(self, reading: SaidNumbers, judged: list[str], final: Final, topic: Topic) -> Number | None:
        """Return the number at the end of a final, which the next utterance may go on with."""
        if not reading.numbers:
            return None
        last, name = reading.numbers[-1], judged[-1]
        if not last.trails and not (name and last.words_behind <= FEW_WORDS):
            return None
        digits, before = self._digits(last, final.start), self._goes_on(last, final.start)
        if not name and not self._redactor.may_go_on(digits, last):
            return None
        about = self._topic(last, before, topic)
        letters = self._redactor.account_letters(final.text, last) is not None
        if not name and (letters or self._redactor.begun(digits, last, about)):
            name = NUMBER
        return Number(digits, final.end, name, letters or self._redactor.doubtful(digits, last, about), about)

    def _interim_masks(self, reading: SaidNumbers, judged: list[str], text: str) -> list[Mask]:
        masks: list[Mask] = []
        for number, name in zip(reading.numbers, judged, strict=True):
            if name:
                masks.append(self._redactor.account(text, number) or Mask(number.start, number.end, name))
            elif self._redactor.numbers and (
                number.others_behind < SHOWN_BEHIND_WORDS or (len(number.digits) > SHOWN_DIGITS and not number.plain)
            ):
                masks.append(Mask(number.start, number.end, HIDDEN))
        return masks

    def _others(self, text: str, *, hide: bool) -> list[Mask]:
        """Return what is masked in a text besides numbers, the beginning of an e-mail address included."""
        found = self._redactor.others(text)
        if "email" in self._redactor.kinds and (begun := email_begun(text)) is not None:
            found.append(begun._replace(label=HIDDEN) if hide else begun)
        return found


def _published(final: Final, masks: "tuple[Mask, ...] | list[Mask]") -> Final:
    """Return a final as readers get it."""
    if not masks:
        return final
    return replace(final, text=masked(final.text, masks), words=masked_words(final.text, final.words, masks))
