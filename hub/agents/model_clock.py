"""Where the model's clock is in call time. Pure.

A model counts the audio that it was sent. Call time goes by Twilio's timestamps. The two go alike until a frame is missing or the stream's
clock leaps: then call time is further than the model knows.
"""

from collections import deque

from hub.audio.g711 import BYTES_PER_MS

HOLE_MS = 60
"""Frames follow each other to the ms. A timestamp this far from what was sent is a hole in the audio, and the model's clock has none."""

MOST_HOLES = 1000
"""A bound on memory: a model speaks of the last minutes, and a stream with more holes than this in them carries no speech."""


class ModelClock:
    """The clock of one session with a model."""

    __slots__ = ("_anchors", "_call_end_ms", "_sent_bytes")

    def __init__(self) -> None:
        self._sent_bytes = 0
        """Audio that the model was sent."""
        self._call_end_ms: float | None = None
        """Call time at which that audio ends. None before the first of it."""
        self._anchors: deque[tuple[float, float]] = deque(maxlen=MOST_HOLES)
        """A moment of the model's clock and the same one in call time, at the beginning and after each hole. In between, both go alike."""

    def sent(self, at_ms: float, size_bytes: int) -> None:
        """Take note of audio that was sent to the model: it began at `at_ms` of call time."""
        call_end_ms = self._call_end_ms
        if call_end_ms is None or abs(at_ms - call_end_ms) >= HOLE_MS:
            self._anchors.append((self._sent_bytes / BYTES_PER_MS, at_ms))
            call_end_ms = at_ms
        self._sent_bytes += size_bytes
        self._call_end_ms = call_end_ms + size_bytes / BYTES_PER_MS

    def call_ms(self, model_ms: float) -> float:
        """Translate a moment of the model's clock into call time."""
        for since_ms, call_ms in reversed(self._anchors):
            if model_ms >= since_ms:
                return call_ms + model_ms - since_ms
        return model_ms
