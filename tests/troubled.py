"""Calls in whose records something is missing, and what the hub says of each."""

from collections.abc import Sequence

from tests.publishing import ScriptedCall

REFUSED = "not transcribed: deepgram refused the key"

FOUND = (
    REFUSED,
    "only one side was heard",
    "20 % of the audio was lost",
    "incomplete: 12 s not transcribed; 20 % of the audio was lost; only one side was heard",
)


def trouble(calls: Sequence[ScriptedCall]) -> None:
    """Let each of FOUND befall one call."""
    calls[0].refused()
    calls[1].condition(unheard="outbound")
    calls[2].condition(lost_percent=20.0)
    calls[3].gap(0.0, 5.0)
    calls[3].gap(7.0, 14.0)
    calls[3].condition(lost_percent=20.0, unheard="outbound")
