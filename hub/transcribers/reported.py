"""The newest words that were reported of one track: tells a word that a provider sends again from one that was never reported. Pure."""

from collections import deque
from collections.abc import Iterable

from hub.transcribers.utterances import RecognizedWord

KEPT_WORDS = 100
"""How many words are compared. Providers repeat a window of results, which is ten seconds of speech at most: 30 words."""


class ReportedWords:
    """Words in the order in which they were reported.

    Audio is never recognized again once it is settled, so a word repeats another one only if it is the same word at the same place. A time
    alone proves nothing: Deepgram's first word of a window may begin before the window, and AssemblyAI's up to a second before its sound.
    """

    def __init__(self) -> None:
        self._words: deque[RecognizedWord] = deque(maxlen=KEPT_WORDS)
        self._end = 0.0
        """Where the last of them ends, seconds of call time: a word behind it repeats none."""

    def add(self, words: Iterable[RecognizedWord]) -> None:
        """Take note of words that were reported and will not change."""
        for word in words:
            self._words.append(word)
            self._end = max(self._end, word.end)

    def new(self, words: tuple[RecognizedWord, ...]) -> tuple[RecognizedWord, ...]:
        """Return the words that were not reported."""
        end = self._end
        if all(word.start >= end for word in words):
            return words
        return tuple(word for word in words if word.start >= end or not any(_is_same(word, each) for each in self._words))


def _is_same(one: RecognizedWord, other: RecognizedWord) -> bool:
    """Return whether both are one word: they share most of their time, and their letters. A capital or a comma may have come later."""
    shared = min(one.end, other.end) - max(one.start, other.start)
    shorter = min(one.end - one.start, other.end - other.start)
    return shared >= shorter / 2 and _letters(one.text) == _letters(other.text)


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text)).casefold() or text
