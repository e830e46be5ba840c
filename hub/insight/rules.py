"""The rules of the watchwords: what each one looks for, and in which calls.

Pure. Knows rules and how text is read for them. Does not know the file in which they stand, nor the calls.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from hub.audio.g711 import Track
from hub.events import CallStarted, Word
from hub.insight.automaton import Automaton
from hub.insight.phrases import Node
from hub.text.phone_numbers import identity
from hub.text.words import spelled, tokens, wanted

Kind: TypeAlias = Literal["phrase", "silence", "talk-share", "duration"]

Spelling: TypeAlias = Callable[[str], list[str]]
"""How the words of a text were told apart."""

SHOWN_CHARACTERS = 200
"""How much of the words that were found is told: in a script without blanks a sentence is one piece."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule. Of the fields from `phrases` on, one says what it looks for."""

    name: str
    side: Track | None = None
    """The side that it is about. None: either."""
    agents: frozenset[str] = frozenset()
    """Only calls that these agents answer. Empty: all calls."""
    numbers: frozenset[str] = frozenset()
    """Only calls from or to these numbers, in their normal form. Empty: all calls."""
    phrases: tuple[Node, ...] = ()
    silence_seconds: float | None = None
    """Nobody, or nobody on `side`, has spoken for so long."""
    talk_share_percent: float | None = None
    """`side` speaks for so much of the time in which anybody speaks …"""
    after_seconds: float = 60.0
    """… once both sides together have spoken for so long."""
    call_seconds: float | None = None
    """The call has lasted so long."""

    @property
    def kind(self) -> Kind:
        """What it looks for, as alerts have it."""
        if self.silence_seconds is not None:
            return "silence"
        if self.talk_share_percent is not None:
            return "talk-share"
        return "duration" if self.call_seconds is not None else "phrase"

    def applies(self, started: CallStarted | None) -> bool:
        """Return whether a call is one that it is for. `started`: the call's newest `call-started`; None while there was none."""
        if not self.agents and not self.numbers:
            return True
        if started is None or (self.agents and started.agent not in self.agents):
            return False
        return not self.numbers or any(identity(number) in self.numbers for number in (started.from_, started.to) if number)


class FoundPhrase(NamedTuple):
    """A phrase of a rule, as it was said. `start` and `end`: seconds of call time; None where the words have no times."""

    text: str
    start: float | None
    end: float | None


class Watchwords:
    """All rules, and the one automaton that finds their phrases. It remembers what it has seen, and serves all calls."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        """Raises: PhraseError if all phrases together are too much."""
        self.rules = tuple(rules)
        self.phrases = [at for at, rule in enumerate(rules) if rule.kind == "phrase"]
        """Where the rules of each kind stand among all."""
        self.silences = [at for at, rule in enumerate(rules) if rule.kind == "silence"]
        self.shares = [at for at, rule in enumerate(rules) if rule.kind == "talk-share"]
        self.durations = [at for at, rule in enumerate(rules) if rule.kind == "duration"]
        self.known = frozenset(rule.name for rule in rules)
        self._automaton = Automaton()
        for at, rule in enumerate(rules):
            for phrase in rule.phrases:
                self._automaton.add(at, phrase)

    @property
    def timed(self) -> bool:
        """Whether a rule can fit because time passes, though nothing happens."""
        return bool(self.silences or self.durations)

    def find(self, text: str) -> Mapping[int, tuple[Spelling, int, int]]:
        """Return the rules of which a phrase is in a text, whatever call it is of: where it stands, in words of which spelling."""
        compared = spelled(text)
        if "'" not in compared:
            spans = self._automaton.find(compared.split())
            return {rule: (wanted, *span) for rule, span in spans.items()} if spans else {}
        # `don't` is looked for as `dont`, and the `avion` of `l'avion` by itself.
        found = {rule: (tokens, *span) for rule, span in self._automaton.find(compared.replace("'", " ").split()).items()}
        found.update({rule: (wanted, *span) for rule, span in self._automaton.find(compared.replace("'", "").split()).items()})
        return found


def passage(text: str, words: Sequence[Word], spelling: Spelling, first: int, last: int) -> FoundPhrase:
    """Return a phrase as it was said, from the first to the last of its words, with their times if the words have any."""
    count = len(spelling(text))
    timed = [word.text for word in words]
    for pieces in (timed, text.split()):
        owners = [at for at, piece in enumerate(pieces) for _ in spelling(piece)]
        if len(owners) == count:
            break
    else:
        return FoundPhrase(text[:SHOWN_CHARACTERS], None, None)
    begin, end = owners[first], owners[last]
    shown = " ".join(pieces[begin : end + 1]).strip(' .,;:!?…"“”«»()[]')[:SHOWN_CHARACTERS]
    return FoundPhrase(shown, words[begin].start, words[end].end) if pieces is timed else FoundPhrase(shown, None, None)
