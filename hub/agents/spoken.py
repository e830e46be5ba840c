"""One piece of an agent's speech: its text as far as it is known, and which of its words a caller has heard. Pure.

The model says no times of words, only a text and the audio of it, each at a pace of its own. Knows no playback: it is told how much was.
"""

from dataclasses import dataclass

LETTERS_PER_MS = 0.016
"""How fast an agent speaks until its own pace is known: about 165 words a minute."""

PACE_MS = 1000
"""An utterance shorter than this says little about that pace."""


@dataclass(slots=True)
class Utterance:
    """One item of the conversation that is not over."""

    response_id: str
    text: str = ""
    """All that is known of it; usually more than was heard."""
    audio_done: bool = False
    text_done: bool = False
    told_ms: float = 0.0
    """When its words were last told."""

    def heard(self, heard_ms: float, sent_ms: float, letters_per_ms: float) -> str:
        """Return the words that were heard: the part of the text that the played audio is of all the audio.

        Letters for letters this is within a word or two of the truth. Text comes before its audio, so while there is more audio to come,
        the text says how long it will be.
        """
        all_ms = sent_ms if self.audio_done else max(sent_ms, len(self.text) / letters_per_ms)
        if not sent_ms or heard_ms >= all_ms:
            return self.text if sent_ms else ""
        letters = int(len(self.text) * heard_ms / all_ms)
        head = self.text[:letters]
        if self.text[letters : letters + 1].isspace():
            return head
        return head[: head.rfind(" ") + 1].rstrip()

    def pace(self, sent_ms: float, known: float) -> float:
        """Return how fast it was spoken, in letters a ms, now that it was heard to its end; what was `known` if it says too little."""
        return len(self.text) / sent_ms if sent_ms >= PACE_MS and self.text else known
