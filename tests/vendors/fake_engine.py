"""A voice detector and a recognizer that a test can foresee, in place of the models, at the seam that the models stand behind.

Voice is what is loud: a window has the probability that its level says. The text of a stretch is how many bytes of it are loud.
"""

from collections.abc import Iterator

from hub.audio import g711
from hub.vendors.moonshine.detector import WINDOW_BYTES, VoiceDetector
from hub.vendors.moonshine.recognizer import Reading

LOUD, SOFT = 0x20, 0xF0
"""mu-law bytes: the square wave of one is voice to the fake detector, that of the other is noise."""

LOUD_LEVEL = 1000

CONFIDENCE = 0.75


def voice(windows: float) -> bytes:
    """So much sound that counts as voice."""
    return bytes([LOUD, LOUD ^ 0x80]) * round(windows * WINDOW_BYTES / 2)


def noise(windows: float) -> bytes:
    """So much sound that does not."""
    return bytes([SOFT, SOFT ^ 0x80]) * round(windows * WINDOW_BYTES / 2)


class LevelDetector:
    """Implements `VoiceDetector` by loudness. `deaf` makes it deaf until it forgets."""

    def __init__(self) -> None:
        self.deaf = False
        self.sure = 1.0
        """The probability of what is loud."""
        self.forgotten: list[int] = []
        """After how many bytes it was told to forget."""
        self.taken = 0
        self._waiting = b""

    def probabilities(self, mulaw: bytes) -> Iterator[float]:
        self.taken += len(mulaw)
        audio = self._waiting + mulaw
        whole = len(audio) - len(audio) % WINDOW_BYTES
        self._waiting = audio[whole:]
        for at in range(0, whole, WINDOW_BYTES):
            yield self.sure * (g711.level(audio[at : at + WINDOW_BYTES]) >= LOUD_LEVEL and not self.deaf)

    def forget(self) -> None:
        self.deaf = False
        self.forgotten.append(self.taken)

    def reset(self) -> None:
        self.forget()
        self._waiting = b""


class LevelPool:
    """Implements `DetectorPool`."""

    def __init__(self) -> None:
        self.detectors: list[LevelDetector] = []
        """Every detector that was ever lent."""
        self.lent = 0

    def take(self) -> VoiceDetector:
        self.lent += 1
        self.detectors.append(LevelDetector())
        return self.detectors[-1]

    def give_back(self, detector: VoiceDetector) -> None:
        assert detector in self.detectors
        self.lent -= 1


class CountingRecognizer:
    """Implements `SpeechRecognizer`."""

    def __init__(self) -> None:
        self.stretches: list[bytes] = []
        """What it was given."""
        self.texts: list[str] = []
        """What to answer next; when that is over, how many bytes are loud."""
        self.finals = 0
        """How many of the stretches were recognized with care."""

    def recognize(self, mulaw: bytes, *, final: bool) -> Reading:
        self.stretches.append(mulaw)
        self.finals += final
        if self.texts:
            return Reading(self.texts.pop(0), CONFIDENCE)
        loud = sum(byte in (LOUD, LOUD ^ 0x80) for byte in mulaw)
        return Reading(f"{loud} loud" if loud else "", CONFIDENCE)
