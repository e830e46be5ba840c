"""Joins pieces of one voice whose times jitter, so that they stand on a timeline as they were spoken. Pure; media time only.

Knows no timeline and no playback: when a piece was heard is an argument.
"""

from hub.audio.g711 import BYTES_PER_MS

JITTER_MS = 250
"""The times are those of marks, which come back late by up to about this much. A piece that began less than this after the end of the
piece before it follows that one directly: the difference is jitter. More is a pause."""

VOICE_MS = JITTER_MS + 50
"""How long a timeline has to wait for a voice that is placed like this. With less patience, a block leaves before its voice has come, and
those who listen, and the recording, lose it."""


class Dejitter:
    """One voice of mu-law."""

    def __init__(self) -> None:
        self._end = 0
        """Where the pieces so far end, in bytes of call time."""
        self._rest = b""
        """Bytes that do not fill a millisecond: they go with the next piece."""

    def place(self, start_ms: float, mulaw: bytes) -> tuple[int, bytes]:
        """Take a piece that was heard from about `start_ms` on. Returns where to put which audio, in whole ms. The audio may be empty."""
        start = round(start_ms) * BYTES_PER_MS
        if start - self._end > JITTER_MS * BYTES_PER_MS:
            self._end = start
        mulaw = self._rest + mulaw
        whole = len(mulaw) // BYTES_PER_MS * BYTES_PER_MS
        self._rest = mulaw[whole:]
        at_ms = self._end // BYTES_PER_MS
        self._end += whole
        return at_ms, mulaw[:whole]
