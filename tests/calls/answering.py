"""What a model says, and somebody who listens in: for tests of calls that an agent answers."""

from hub.agents.voice_model import (
    AgentAudio,
    AgentAudioDone,
    AgentText,
    ModelEvent,
    ResponseEnded,
    ResponseStarted,
)

VOICE = b"\x01" * 8


class Listener:
    """Somebody who listens in."""

    def __init__(self) -> None:
        self.blocks: list[bytes] = []

    def receive(self, payload: bytes) -> None:
        self.blocks.append(payload)

    def ended(self, reason: str) -> None: ...


def speech(duration_ms: int, text: str, item_id: str = "i1", response_id: str = "r1") -> list[ModelEvent]:
    """A whole response, as a model says it."""
    return [
        ResponseStarted(response_id),
        AgentAudio(response_id, item_id, VOICE * duration_ms),
        AgentAudioDone(response_id, item_id),
        AgentText(response_id, item_id, text),
        ResponseEnded(response_id, "completed"),
    ]
