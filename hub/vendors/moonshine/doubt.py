"""When the words of a track are to be doubted: the model knows English only, and makes English of everything.

Knows texts and how certain the model was of them. Knows no sound.

How certain the model was tells more than the text does. Spanish and French prompts become sentences such as "The composer of the first part
of the new series", which is good English for every identifier of languages. But the model then gives its tokens a probability of 0.45 and
0.37 in the mean, and 0.9 for English prompts. Forty words had at most 0.51 in Spanish and French, and at least 0.72 in three calls of
people who speak English on the telephone, with accents, hesitating, spelling.
"""

import math
from collections import deque

NEWEST_WORDS = 40
"""Over how many words the mean is taken. With 15, one English caller came down to 0.66."""

LEAST_CONFIDENCE = 0.6

WORST_CONFIDENCE = 0.3
"""What counts at least of a final: one sentence that was lost in noise is not another language."""

REASON = "this does not sound like English, the only language of the engine on this machine, or the line is too bad"


class Doubt:
    """Whether one track is still believed."""

    def __init__(self) -> None:
        self._finals: deque[tuple[int, float]] = deque()
        """Words of the newest finals, and the logarithm of their confidence."""
        self._doubted = False

    def arises(self, text: str, confidence: float) -> bool:
        """Take the next final; return whether the track is to be doubted from here on. True once."""
        self._finals.append((len(text.split()), math.log(max(confidence, WORST_CONFIDENCE))))
        while sum(words for words, _ in self._finals) - self._finals[0][0] >= NEWEST_WORDS:
            self._finals.popleft()
        words = sum(words for words, _ in self._finals)
        if self._doubted or words < NEWEST_WORDS:
            return False
        self._doubted = sum(words * certainty for words, certainty in self._finals) / words < math.log(LEAST_CONFIDENCE)
        return self._doubted
