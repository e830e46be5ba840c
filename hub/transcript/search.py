"""Finds calls by what was said in them, and by their numbers and names. Pure: a fold over payloads of a log, a part at a time.

A call is found if every word of the query is in its facts or in its words. Upper and lower case are the same. Part of a word is enough, so
that "refund" finds "refunded". A query with digits finds a phone number however it is written. Does not know which calls there are.
"""

import re
import unicodedata
from collections.abc import Iterable

from hub.audio.g711 import Track
from hub.events import CallSummary, Final, Part
from hub.transcript.lines import finals

MAX_CHARACTERS = 200
"""A longer query is refused: nobody types it."""

MAX_WORDS = 12
"""Words beyond these are refused: each one costs as much as all before it."""

SHOWN = 3
"""How many utterances are shown of a call that is found."""


class Hit(Part, frozen=True, kw_only=True):
    """An utterance that has words of the query. `start` is seconds of call time: the moment to go to."""

    offset: int
    utterance: str
    track: Track
    speaker: str
    text: str
    start: float


class Query:
    """What is searched for."""

    def __init__(self, text: str) -> None:
        """Raises: ValueError, with a sentence, for a query that is too long."""
        self.words = tuple(dict.fromkeys(_plain(text).split()))
        if len(text) > MAX_CHARACTERS or len(self.words) > MAX_WORDS:
            raise ValueError(f"a search has at most {MAX_CHARACTERS} characters and {MAX_WORDS} words")

    def of(self, summary: CallSummary) -> "CallSearch":
        """Begin with one call."""
        return CallSearch(self.words, summary)


class CallSearch:
    """The search in one call: `read` the payloads of its log, in order; then see what was `found`."""

    def __init__(self, words: tuple[str, ...], summary: CallSummary) -> None:
        self._words = words
        facts = [summary.call_sid, summary.from_, summary.to, *summary.speakers.values()]
        if summary.transcriber is not None:
            facts.append(summary.transcriber.provider)
        text = _plain(" ".join(fact for fact in facts if fact))
        digits = " ".join(re.sub(r"\D", "", number) for number in (summary.from_, summary.to) if number)
        self._wanted = frozenset(word for word in words if word not in text and not _in_number(word, digits))
        """Words that the facts do not have, so that somebody must have said them."""
        self._said: set[str] = set()
        self._best = 1
        """The most words of the query in one utterance so far."""
        self.hits = 0
        """How many utterances have that many."""
        self.found: list[Hit] = []
        """The first of them."""

    @property
    def fits(self) -> bool:
        """Whether the call has every word of the query, as far as it was read."""
        return self._wanted <= self._said

    def read(self, payloads: Iterable[bytes]) -> None:
        """Take the next payloads of the call's log."""
        for final in finals(payloads):
            text = _plain(final.text)
            have = [word for word in self._words if word in text]
            self._said.update(have)
            if have:
                self._count(final, len(have))

    def _count(self, final: Final, words: int) -> None:
        if words > self._best:
            self._best, self.hits, self.found = words, 0, []
        if words == self._best:
            self.hits += 1
            if len(self.found) < SHOWN:
                self.found.append(
                    Hit(
                        offset=final.offset,
                        utterance=final.utterance,
                        track=final.track,
                        speaker=final.speaker,
                        text=final.text,
                        start=final.start,
                    )
                )


def _plain(text: str) -> str:
    """Return text as it is compared: one case, and one spelling of each letter."""
    return unicodedata.normalize("NFKC", text).casefold()


def _in_number(word: str, digits: str) -> bool:
    """Return whether a word is part of a phone number, however it is written: "(415) 555" finds +1415555…."""
    wanted = re.sub(r"\D", "", word)
    return len(wanted) >= 3 and re.fullmatch(r"[\d+()./-]+", word) is not None and wanted in digits
