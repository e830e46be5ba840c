"""How much of a call's audio was lost, in bytes and in percent. Pure."""

from collections.abc import Iterable
from typing import NamedTuple

from hub.audio.g711 import BYTES_PER_MS


class Share(NamedTuple):
    """How much of one track's audio was lost, in bytes."""

    lost: int = 0
    due: int = 0
    """How much there should have been. 0 for a track without audio."""

    def plus(self, other: "Share") -> "Share":
        """Return both together: two parts of a call."""
        return Share(self.lost + other.lost, self.due + other.due)


def percent(shares: Iterable[Share], least_ms: float = 0.0) -> float:
    """Return how much was lost on the worst track, in percent. A track of which less than `least_ms` was due does not count."""
    lost = (100 * share.lost / share.due for share in shares if share.due > least_ms * BYTES_PER_MS)
    return round(max((min(100.0, each) for each in lost), default=0.0), 1)
