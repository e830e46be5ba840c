"""One piece of an agent's speech: its text as far as it is known, and which of its words a caller has heard. Pure.

The model gives no times of words, only a text and its audio, each at a pace of its own. Knows no playback: how much was played is an
argument.
"""

from dataclasses import dataclass

LETTERS_PER_MS = 0.016
"""How fast an agent speaks until its own pace is known: about 165 words per minute."""

PACE_MS = 1000
"""A shorter piece says little about that pace."""


@dataclass(slots=True)
class AgentUtterance:
    """One item of the conversation that is not over."""

    response_id: str
    text: str = ""
    """All that is known of it. Usually more than was heard."""
    audio_done: bool = False
    """Whether all of its audio has come."""
    text_done: bool = False
    """Whether the text will not change."""
    cut: bool = False
    """Whether the model stopped in the middle of it."""
    published_ms: float = 0.0
    """When its newest interim was published."""

    def heard(self, heard_ms: float, sent_ms: float, letters_per_ms: float) -> str:
        """Return the words that were heard: as large a part of the text as the played audio is of all the audio.

        By letters this is within a word or two of the truth. Text comes before its audio, so while more audio is to come, the text says
        how long it will be. An example: 40 letters have come, and 1 s of audio. At 16 letters per second the whole will last 2.5 s, so
        after that 1 s only the first 16 letters have been heard.
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
        """Return how fast it was spoken, in letters per ms, once it was heard to its end. `known` is returned if it is too short to say."""
        return len(self.text) / sent_ms if sent_ms >= PACE_MS and self.text else known
