"""Gives calls the numbers by which they are told apart and ordered. Pure."""

import secrets


class CallNumbers:
    """Gives calls their numbers: the moment at which they begin in milliseconds, times 1024, plus a counter.

    So the order of the numbers is that of time, in this process and in the archive. The counter of a node begins at random, since nodes
    number calls side by side: two calls that begin in the same millisecond on two nodes must not have one number.
    """

    def __init__(self) -> None:
        self._last = 0

    def seen(self, number: int) -> None:
        """Give no number again that is as low as this one."""
        self._last = max(self._last, number)

    def next(self, wall_seconds: float) -> int:
        """Return the number of a call that begins now, in Unix seconds."""
        moment = int(wall_seconds * 1000) << 10
        self._last = self._last + 1 if self._last >= moment else moment + secrets.randbelow(512)
        return self._last
