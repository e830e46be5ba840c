"""Finds the most probable text of a speech model that gives probabilities for one next token at a time.

Knows log-probabilities and token numbers. Knows no model and no audio.

Why not take the most probable token each time, as the model's own library does: one token that is wrong by a hair decides all that follow.
On the telephone, where much is nearly as probable as the right word, three real calls at five alignments had 0.23 word errors that way, and
have 0.18 with five candidates. The candidates share one run of the model for each token, which costs a quarter more than one candidate.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Candidate:
    """A text, as far as it goes."""

    tokens: tuple[int, ...]
    log_probability: float
    """Of all its tokens together."""


class BeamSearch:
    """The candidates for one text. `advance` is called with what the model says about each, until it returns nothing."""

    def __init__(self, width: int, end_token: int, known: Candidate | None = None) -> None:
        """`width` is how many candidates are followed at once. `known` is a text that another search has found: only a more probable one
        is looked for.
        """
        self.candidates = [Candidate((), 0.0)]
        """Those that are not over, the most probable first. One, and empty, before the first step."""
        self._width = width
        self._end_token = end_token
        self._ended = known
        """The most probable text that is over; None while none is."""

    def advance(self, logits: "NDArray[numpy.float32]") -> list[int]:
        """Take the model's scores of every token (a row for each of `candidates`); return the row that each new candidate continues.

        Nothing is returned when no candidate can become more probable than the text that is over.
        """
        steps = sorted(self._steps(logits), key=lambda step: -step[0])
        before, rows = self.candidates, list[int]()
        self.candidates = []
        for log_probability, row, token in steps:
            if len(rows) == self._width or (self._ended and log_probability <= self._ended.log_probability):
                break
            if token == self._end_token:
                self._ended = Candidate(before[row].tokens, log_probability)
            else:
                self.candidates.append(Candidate((*before[row].tokens, token), log_probability))
                rows.append(row)
        return rows

    def best(self) -> Candidate:
        """Return the most probable text that is over; if none is, the most probable one so far."""
        return self._ended or self.candidates[0]

    def _steps(self, logits: "NDArray[numpy.float32]") -> list[tuple[float, int, int]]:
        """Return log-probability, row and token of the likeliest next steps. One more than is followed may be the end of a text."""
        import numpy

        likeliest = numpy.argpartition(logits, -self._width - 1, axis=1)[:, -self._width - 1 :]
        most = logits.max(axis=1, keepdims=True)
        total = numpy.log(numpy.exp(logits - most).sum(axis=1, keepdims=True)) + most
        scores = numpy.take_along_axis(logits, likeliest, axis=1) - total
        return [
            (before.log_probability + float(score), row, int(token))
            for row, before in enumerate(self.candidates)
            for score, token in zip(scores[row], likeliest[row], strict=True)
        ]
