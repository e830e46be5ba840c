"""Which windows of a track are so much louder than its quiet moments that they belong to the voice beside them.

The voice detector knows voices by what comes before. Letters and digits that are said one by one get a probability of 0.05 to 0.3 from it,
however clear they are, and the F of a spelled name was taken for a click. Loudness alone is no voice, as a slammed door is loud. So it
begins no utterance. It keeps one going.
"""

from hub.audio import g711

LOUDER = 10.0
"""By which a window is louder than the quiet: 20 dB. On a noisy line nothing is, and the detector decides alone."""

LEAST_QUIET = 20.0
"""The quiet of a line without any noise, as a level of 16-bit samples."""

NOISY = 150.0
"""From this level on the quiet moments of a line are noise: a car, a street, a fan. Clean lines have 10 to 60."""

RISE = 1.005
"""How fast the estimate of the quiet follows what gets louder: it doubles in 4 s, and falls at once."""


class Loudness:
    """The loudness of one track, window by window."""

    def __init__(self) -> None:
        self._quiet: float | None = None
        """The level of quiet moments; None before the first window."""

    @property
    def noisy(self) -> bool:
        """Whether there is noise where nobody speaks."""
        return self._quiet is not None and self._quiet >= NOISY

    def take(self, window: bytes) -> bool:
        """Take the next window; return whether it is loud."""
        level = max(LEAST_QUIET, g711.level(window))
        self._quiet = min(level, (self._quiet or level) * RISE)
        return level >= LOUDER * self._quiet
