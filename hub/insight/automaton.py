"""Finds many phrases in a text at once, in time that grows with the text alone.

All phrases of all rules are one automaton over words. Each word of a text is looked up once, and leads from one state to the next. A state
is made when a text first leads there, and remembered: what 200 rules cost is one look-up per word, as for one rule. There is no way back in
a text, so no phrase and no text can make it slow (a regular expression such as `(a+)+b` can).

**Positions.** Each word of a phrase is a position, and so is each word that may stand in between. A state is the set of positions that the
words so far can have reached. Of the positions in one gap only the first is kept: from there everything is possible that is possible from
the later ones, and so few states are needed.

Pure. Knows phrases and words. Does not know what a rule says beyond its phrases, nor who spoke.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final, TypeAlias

from hub.insight import phrases
from hub.insight.phrases import Node, PhraseError

MOST_POSITIONS: Final = 20_000
"""Words of all phrases together. 200 rules with ten phrases of five words have 10,000."""

MOST_LINKS: Final = 100_000
"""Ways from one word to the next, in all phrases: what the alternatives and optional words of a hostile file would multiply."""

KEPT_STEPS: Final = 20_000
"""Steps from state to state that are remembered: about 5 MB. A conversation about anything makes some hundreds."""

KEPT_WORDS: Final = 50_000
"""Words that are remembered, whether or not a phrase has them: more than people use. Others cost a microsecond more."""

LONGEST: Final = 100
"""Words of a text that are looked through for the beginning of a phrase that was found: longer ones are shown without it."""

ANY: Final = -1
"""The word of a position at which any word may stand."""

Reached: TypeAlias = tuple[list[int], list[int], bool]
"""Of a part of a phrase: its first positions, its last ones, and whether it may be left out."""


class Words(dict[str, int]):
    """Word -> its symbol. All words that stand at the same positions have one symbol; that of words in no phrase is 0."""

    def __init__(self) -> None:
        super().__init__()
        self._ids: dict[str, int] = {}
        """Words of phrases, by their number."""
        self._beginnings: dict[str, int] = {}
        """Beginnings of words, by theirs."""
        self._lengths: set[int] = set()
        """The different lengths of the beginnings."""
        self._symbols: dict[frozenset[int], int] = {frozenset(): 0}
        self.numbers: list[frozenset[int]] = [frozenset()]
        """By symbol: the numbers of the words and beginnings that it stands for."""

    def number(self, said: phrases.Word) -> int:
        """Return the number of a phrase's word. Only before the first look-up."""
        known = self._beginnings if said.begins else self._ids
        if said.word not in known:
            known[said.word] = len(self._ids) + len(self._beginnings)
            if said.begins:
                self._lengths.add(len(said.word))
        return known[said.word]

    def __missing__(self, word: str) -> int:
        numbers = {self._ids[word]} if word in self._ids else set()
        for length in self._lengths:
            if (number := self._beginnings.get(word[:length])) is not None:
                numbers.add(number)
        symbol = self._symbols.setdefault(frozenset(numbers), len(self.numbers))
        if symbol == len(self.numbers):
            self.numbers.append(frozenset(numbers))
        if len(self) < KEPT_WORDS:
            self[word] = symbol
        return symbol


class _State(dict[int, "_State"]):
    """Symbol -> the next state."""

    __slots__ = ("_automaton", "found", "positions")

    def __init__(self, automaton: "Automaton", positions: frozenset[int], found: tuple[int, ...]) -> None:
        super().__init__()
        self._automaton = automaton
        self.positions = positions
        self.found = found
        """The rules of which a phrase ends here."""

    def __missing__(self, symbol: int) -> "_State":
        state = self[symbol] = self._automaton.step(self, symbol)
        return state


class Automaton:
    """The phrases of all rules."""

    def __init__(self) -> None:
        self._words = Words()
        self._said: list[int] = []
        """By position: the number of its word, or ANY."""
        self._next: list[list[int]] = []
        """By position: those that may follow."""
        self._gap: list[int] = []
        """By position: the first position of the gap that it stands in. -1 where it stands in none."""
        self._owner: list[int] = []
        """By position: the rule that it belongs to."""
        self._adding = 0
        """The rule whose phrase is being added."""
        self._links = 0
        self._starts: dict[int, list[int]] = {}
        """Number of a word -> the positions at which a phrase begins with it."""
        self._starts_of: dict[tuple[int, int], list[int]] = {}
        """The same for each rule and number."""
        self._ends: set[int] = set()
        """Positions at which a phrase ends."""
        self._states: dict[frozenset[int], _State] = {}
        self._steps = 0
        self._start = self._state(frozenset())

    def add(self, rule: int, phrase: Node) -> None:
        """Add a phrase of a rule. Only before the first `find`. Raises: PhraseError if it makes the automaton too large."""
        self._adding = rule
        first, last, _ = self._part(phrase)
        for position in first:
            if self._said[position] != ANY:
                self._starts.setdefault(self._said[position], []).append(position)
                self._starts_of.setdefault((rule, self._said[position]), []).append(position)
        for position in last:
            if self._said[position] != ANY:
                self._ends.add(position)

    def find(self, words: Sequence[str]) -> dict[int, tuple[int, int]]:
        """Return the rules of which a phrase is in a text: for each, the first and the last word of the one that ends first."""
        symbols = list(map(self._words.__getitem__, words))
        if not any(symbols):  # nearly always
            return {}
        state = self._start
        found: dict[int, int] | None = None
        for at, symbol in enumerate(symbols):
            state = state[symbol]
            if state.found:
                found = found or {}
                for rule in state.found:
                    found.setdefault(rule, at)
        if found is None:
            return {}
        return {rule: (self._begin(rule, words, end), end) for rule, end in found.items()}

    def step(self, state: _State, symbol: int) -> _State:
        """Return the state to which a word leads."""
        self._steps += 1
        if self._steps > KEPT_STEPS:
            self._forget()
        numbers = self._words.numbers[symbol]
        reached = self._after(state.positions, numbers)
        for number in numbers:
            reached.update(self._starts.get(number, ()))
        return self._state(self._without_later(reached))

    def _forget(self) -> None:
        self._steps, self._states = 0, {}
        self._start = self._state(frozenset())

    def _state(self, positions: frozenset[int]) -> _State:
        known = self._states.get(positions)
        if known is None:
            found = tuple({self._owner[position] for position in positions & self._ends})
            known = self._states[positions] = _State(self, positions, found)
        return known

    def _after(self, positions: Iterable[int], numbers: frozenset[int]) -> set[int]:
        said = self._said
        return {after for position in positions for after in self._next[position] if said[after] == ANY or said[after] in numbers}

    def _without_later(self, positions: set[int]) -> frozenset[int]:
        """Leave out the positions of a gap that come after another one of it."""
        first: dict[int, int] = {}
        for position in positions:
            if (gap := self._gap[position]) >= 0:
                first[gap] = min(first.get(gap, position), position)
        return frozenset(position for position in positions if self._gap[position] < 0 or first[self._gap[position]] == position)

    def _begin(self, rule: int, words: Sequence[str], end: int) -> int:
        """Return the first word of the shortest phrase of a rule that ends with a word. Such a phrase is known to be there."""
        earliest = max(0, end + 1 - LONGEST)
        numbers = [self._words.numbers[self._words[word]] for word in words[earliest : end + 1]]
        for begin in range(len(numbers) - 1, -1, -1):
            reached = frozenset(position for number in numbers[begin] for position in self._starts_of.get((rule, number), ()))
            for following in numbers[begin + 1 :]:
                if not reached:
                    break
                reached = self._without_later(self._after(reached, following))
            if reached & self._ends:
                return earliest + begin
        return earliest

    def _part(self, node: Node) -> Reached:
        match node:
            case phrases.Word():
                position = self._position(self._words.number(node))
                return [position], [position], False
            case phrases.Between(words):
                return self._between(words)
            case phrases.Optional(part):
                first, last, _ = self._part(part)
                return first, last, True
            case phrases.Choice(parts):
                reached = [self._part(part) for part in parts]
                return (
                    [position for first, _, _ in reached for position in first],
                    [position for _, last, _ in reached for position in last],
                    any(optional for _, _, optional in reached),
                )
            case phrases.Sequence(parts):
                return self._sequence([self._part(part) for part in parts])

    def _sequence(self, parts: list[Reached]) -> Reached:
        first, last, optional = parts[0]
        for further, ends, may_miss in parts[1:]:
            for position in last:
                self._link(position, further)
            first = [*first, *further] if optional else first
            last = [*ends, *last] if may_miss else ends
            optional = optional and may_miss
        return first, last, optional

    def _between(self, words: int) -> Reached:
        positions = [self._position(ANY) for _ in range(words)]
        for position, following in pairwise(positions):
            self._link(position, [following])
        for position in positions:
            self._gap[position] = positions[0]
        return positions[:1], positions, True

    def _position(self, said: int) -> int:
        if len(self._said) == MOST_POSITIONS:
            raise PhraseError(f"is too much: all phrases together have more than {MOST_POSITIONS} words")
        self._said.append(said)
        self._next.append([])
        self._gap.append(-1)
        self._owner.append(self._adding)
        return len(self._said) - 1

    def _link(self, position: int, following: list[int]) -> None:
        self._links += len(following)
        if self._links > MOST_LINKS:
            raise PhraseError("has too many alternatives and optional words, one after the other")
        self._next[position].extend(following)
