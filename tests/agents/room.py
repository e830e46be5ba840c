"""Holds a conversation without sockets: events in, commands out. For tests of moments that are hard to meet on a real line."""

from hub.agents.commands import (
    CallerFrame,
    ClearCaller,
    Command,
    ConversationEvent,
    GiveUp,
    Interrupted,
    Publish,
    ToCaller,
    ToModel,
    Trouble,
)
from hub.agents.conversation import Conversation
from hub.agents.patience import ModelPatience
from hub.agents.voice_model import (
    AgentAudio,
    CallerSpeechStarted,
    CallerSpeechStopped,
    CallerText,
    ModelEvent,
    ModelRequest,
    ResponseEnded,
    ResponseStarted,
    ResponseStatus,
    SessionReady,
    ToolCall,
)
from hub.transcribers.utterances import NotTranscribed, Recognized


class Room:
    """A conversation, and all the commands that it returned."""

    def __init__(self, greeting: str = "", *, ready: bool = True, late_ms: float = 8000.0) -> None:
        self.conversation = Conversation(greeting, patience=ModelPatience(late_ms=late_ms))
        self.commands: list[Command] = []
        self.at_ms = 0
        if ready:
            self.take(SessionReady())

    def take(self, *events: ConversationEvent) -> list[Command]:
        """Have the conversation receive events; return what they asked for."""
        before = len(self.commands)
        for event in events:
            self.commands += self.conversation.receive(event)
        return self.commands[before:]

    def wait(self, duration_ms: int) -> None:
        for _ in range(0, duration_ms, 20):
            self.take(CallerFrame(self.at_ms, b"\xff" * 160))
            self.at_ms += 20

    def speak(self, duration_ms: int) -> None:
        """Have the caller's line be loud."""
        for _ in range(0, duration_ms, 20):
            self.take(CallerFrame(self.at_ms, b"\x10" * 160))
            self.at_ms += 20

    @property
    def troubles(self) -> list[str]:
        return [each.problem for each in self.commands if isinstance(each, Trouble)]

    @property
    def given_up(self) -> list[str]:
        return [each.problem for each in self.commands if isinstance(each, GiveUp)]

    def settled(self) -> list[Recognized]:
        return [each for each in self.reports if isinstance(each, Recognized) and each.settled]

    def asked(self, kind: type[ModelRequest]) -> list[ModelRequest]:
        return [each.request for each in self.commands if isinstance(each, ToModel) and isinstance(each.request, kind)]

    @property
    def caller(self) -> list[ToCaller | ClearCaller]:
        return [each for each in self.commands if isinstance(each, ToCaller | ClearCaller)]

    @property
    def reports(self) -> list[Recognized | NotTranscribed]:
        return [each.report for each in self.commands if isinstance(each, Publish)]

    @property
    def cuts(self) -> list[Interrupted]:
        return [each for each in self.commands if isinstance(each, Interrupted)]

    def finals(self) -> list[str]:
        return [each.text for each in self.reports if isinstance(each, Recognized) and each.settled and each.text]


def started(response_id: str = "r1") -> ResponseStarted:
    return ResponseStarted(response_id)


def ended(response_id: str = "r1", status: ResponseStatus = "completed", problem: str = "") -> ResponseEnded:
    return ResponseEnded(response_id, status, problem)


def voice(duration_ms: int, response_id: str = "r1", item_id: str = "i1") -> AgentAudio:
    return AgentAudio(response_id, item_id, b"\x01" * 8 * duration_ms)


def tool_call(call_id: str, response_id: str = "r1") -> ToolCall:
    return ToolCall(response_id, call_id, "t", "{}")


def kinds(commands: list[Command]) -> list[type[Command]]:
    return [type(command) for command in commands]


def question(item_id: str = "q") -> list[ModelEvent]:
    """A whole turn of the caller."""
    return [CallerSpeechStarted(item_id, 0), CallerSpeechStopped(item_id, 0), CallerText(item_id, "Well?")]
