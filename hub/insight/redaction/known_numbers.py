"""The numbers of one call that were masked, so that what somebody repeats of them is masked, too. Pure.

Knows digits and seconds of call time. Does not know what is said.
"""

from collections import deque

MOST_KNOWN = 64
"""So many numbers of a call are remembered."""

KNOWN_DIGITS = 3
"""The least part of a remembered number that is masked wherever it is said: `ending in 111`."""

REPEATED_SECONDS = 10.0
"""For so long after a part of a number the other side may repeat it, digit by digit: `four two` - `four two, go on`."""

MOST_KEYS = 32
"""So many of the newest keys are remembered."""


class MaskedNumbers:
    """Implements `hub.insight.redaction.side.KnownNumbers`."""

    def __init__(self) -> None:
        self._known: deque[str] = deque(maxlen=MOST_KNOWN)
        self._newest: tuple[str, float] = ("", 0.0)
        """The newest, and when it ended, in seconds of call time."""
        self._keys = ""
        """Digits of the newest keys."""

    def learn(self, digits: str, at: float) -> None:
        """See KnownNumbers."""
        self._newest = (digits, at)
        if digits not in self._known:
            self._known.append(digits)

    def press(self, digit: str) -> None:
        """Take note of a key."""
        self._keys = (self._keys + digit)[-MOST_KEYS:]

    def has(self, digits: str) -> bool:
        """See KnownNumbers."""
        return len(digits) >= KNOWN_DIGITS and (digits in self._keys or any(digits in each for each in self._known))

    def repeats(self, digits: str, at: float) -> bool:
        """See KnownNumbers."""
        newest, ended = self._newest
        return at - ended <= REPEATED_SECONDS and digits in newest
