"""The voice model seam: what any model that talks on the telephone is to the hub, in no vendor's words.

A vendor's folder under `hub/vendors/` implements `VoiceModel`: it translates the vendor's messages into the events below, and the requests
below into the vendor's messages. The conversation, the turns, the playout and the roster know this module and no vendor. Pure.

Events and requests are Structs, not dataclasses: a request is made for each of the caller's 50 frames per second, and a frozen dataclass
takes four times as long to make.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, Protocol, TypeAlias

import msgspec

TurnDetection: TypeAlias = Literal["server_vad", "semantic_vad"]
"""How the model decides that the caller has finished: by a pause (`server_vad`), or by whether what was said is whole (`semantic_vad`)."""

ResponseStatus: TypeAlias = Literal["completed", "cancelled", "failed", "incomplete"]
"""How a response ended. `incomplete`: the model stopped in the middle, for a limit or a content filter."""


class ToolDeclaration(msgspec.Struct, frozen=True):
    """A tool as the model is told of it."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    """JSON schema of the arguments."""


class SessionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a session is to be like. Audio is 8 kHz mu-law in both directions, always."""

    instructions: str
    voice: str
    turn_detection: TurnDetection
    transcription_model: str
    """Which of the vendor's models writes down what the caller says. Empty: whichever the vendor takes."""
    language: str = ""
    """What callers speak, as `en`. Empty: the model finds out."""
    tools: Sequence[ToolDeclaration] = ()


# Requests: what the hub asks of a model. None is answered by itself; what comes of one comes as events.


class AppendAudio(msgspec.Struct, frozen=True, gc=False):
    """Listen to more of the caller. The model's clock is the sum of all audio that was appended."""

    mulaw: bytes


class CreateResponse(msgspec.Struct, frozen=True, gc=False):
    """Respond now. The model also responds by itself each time the caller falls silent."""

    instructions: str = ""
    """Replace the session's instructions for this response. Empty: keep them."""
    tools: bool = True
    """Whether it may use tools."""


class CancelResponse(msgspec.Struct, frozen=True, gc=False):
    """Stop making a response. One that has ended by then stays as it is."""

    response_id: str


class TruncateItem(msgspec.Struct, frozen=True, gc=False):
    """Forget what the caller did not hear of an item: only its first `heard_ms` were played."""

    item_id: str
    heard_ms: int


class AddToolOutput(msgspec.Struct, frozen=True, gc=False):
    """Put what a tool call came to into the conversation. The model looks at it when it next responds."""

    call_id: str
    output: str


class AddCallerText(msgspec.Struct, frozen=True, gc=False):
    """Put a text of the caller's into the conversation. The model looks at it when it next responds."""

    text: str


class EndCallerTurn(msgspec.Struct, frozen=True, gc=False):
    """Take what the caller said so far for a whole turn: the model has not noticed that it is over. No response follows by itself."""


ModelRequest: TypeAlias = AppendAudio | EndCallerTurn | CreateResponse | CancelResponse | TruncateItem | AddToolOutput | AddCallerText


# Events: what a model says. `item_id` names one piece of the conversation, `response_id` one answer of the model.


class SessionReady(msgspec.Struct, frozen=True):
    """The session is as its settings say: audio may flow. May come again, which changes nothing."""


class CallerSpeechStarted(msgspec.Struct, frozen=True):
    """The caller began to speak at `start_ms` of the model's clock. The words will be this item's."""

    item_id: str
    start_ms: float | None
    """None: now, as far as the model says."""


class CallerSpeechStopped(msgspec.Struct, frozen=True):
    """The caller fell silent at `end_ms` of the model's clock. A response follows without being asked for. May come again for a turn."""

    item_id: str
    end_ms: float | None
    """None: now, or earlier, as far as the model says."""


class CallerTextDelta(msgspec.Struct, frozen=True):
    """More of what the caller said, to be put behind what came before. May come after the model has begun to answer."""

    item_id: str
    delta: str


class CallerTextRevised(msgspec.Struct, frozen=True):
    """All that is known of what the caller says in an item. Replaces what came before."""

    item_id: str
    text: str


class CallerText(msgspec.Struct, frozen=True):
    """All that the caller said in an item. Replaces what came before."""

    item_id: str
    text: str | None
    """None: what came before was all."""


class CallerTextFailed(msgspec.Struct, frozen=True):
    """The caller's words of an item could not be written down. The model understood the audio all the same."""

    item_id: str
    reason: str


class ResponseStarted(msgspec.Struct, frozen=True):
    """The model begins to respond. There is one response at a time."""

    response_id: str


class ResponseEnded(msgspec.Struct, frozen=True):
    """Nothing more comes of a response."""

    response_id: str
    status: ResponseStatus
    problem: str = ""
    """Why it failed or is incomplete, as the rest of a sentence that begins with the vendor's name. Else empty."""
    retryable: bool = True
    """Whether asking once more may help. Only meaningful when it failed."""


class ResponseRefused(msgspec.Struct, frozen=True):
    """A response was asked for while there was one. It may be asked for again when that one has ended."""


class AgentAudio(msgspec.Struct, frozen=True, gc=False):
    """More of the agent's voice, mu-law. Comes faster than it can be played."""

    response_id: str
    item_id: str
    mulaw: bytes


class AgentAudioDone(msgspec.Struct, frozen=True):
    """All of an item's audio has come."""

    response_id: str
    item_id: str


class AgentTextDelta(msgspec.Struct, frozen=True):
    """More of what an item's audio says or will say, to be put behind what came before. Text and audio come at a pace of their own each."""

    response_id: str
    item_id: str
    delta: str


class AgentText(msgspec.Struct, frozen=True):
    """All that an item's audio says, or all of an item that has text alone. Replaces the deltas."""

    response_id: str
    item_id: str
    text: str | None
    """None: the deltas were all."""


class ToolCall(msgspec.Struct, frozen=True):
    """The model uses a tool. To be answered by `AddToolOutput` with its `call_id`."""

    response_id: str
    call_id: str
    name: str
    arguments: str
    """JSON as the model wrote it: it may be anything."""


class ModelActivity(msgspec.Struct, frozen=True):
    """The model said something that means nothing to the hub, except that the model is there."""


class SessionLost(msgspec.Struct, frozen=True):
    """The session is over and nothing more comes of it. The last event, once. Does not come after `close()`."""

    problem: str
    """Why, as the rest of a sentence that begins with the vendor's name."""


ModelEvent: TypeAlias = (
    SessionReady | CallerSpeechStarted | CallerSpeechStopped | CallerTextDelta | CallerTextRevised | CallerText | CallerTextFailed
    | ResponseStarted | ResponseEnded | ResponseRefused | AgentAudio | AgentAudioDone | AgentTextDelta | AgentText | ToolCall
    | ModelActivity | SessionLost
)  # fmt: skip

MODEL_ACTIVITY: Final = ModelActivity()
"""The one there needs to be: it has no fields."""

OnModelEvent: TypeAlias = Callable[[ModelEvent], None]


class VoiceModel(Protocol):
    """One session of one call with a model. `tests/agents/test_voice_model.py` is the contract that every implementation passes."""

    @property
    def provider(self) -> str:
        """The vendor's name, as events, metrics and settings have it."""

    @property
    def model(self) -> str:
        """The vendor's name of the model."""

    async def run(self, settings: SessionSettings, receive: OnModelEvent) -> None:
        """Open the session, ask for `settings`, and hold it until it is over. Raises nothing but CancelledError, which closes it at once.

        `receive` gets each event in order, in the connection's own read: no task is woken for it. It must not wait and must not raise.
        """

    def send(self, request: ModelRequest) -> None:
        """Ask something of the model. Never waits, never raises. Has no effect while the session is not open."""

    def close(self) -> None:
        """Close the session now, not when a task wakes: each second of it is paid for. No event follows. Safe to call at any time."""
