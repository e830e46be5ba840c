"""What goes into a conversation besides the model's own events, and what the conversation wants done. Pure.

`Conversation.receive()` takes one event and returns commands; whoever runs the call executes them in order, at once. Structs for the reason
that `voice_model` gives.
"""

from typing import TypeAlias

import msgspec

from hub.agents.voice_model import ModelEvent, ModelRequest, ToolCall
from hub.transcribers.utterances import NotTranscribed, Recognized

# Events of the call. Times are ms of call time.


class CallerFrame(msgspec.Struct, frozen=True, gc=False):
    """A chunk of the caller's mu-law that begins at `at_ms`. Neither a repeat nor late: the model's clock counts each byte."""

    at_ms: float
    mulaw: bytes


class MarkReturned(msgspec.Struct, frozen=True):
    """Twilio sent a mark back: the audio before it was played, or cleared."""

    name: str


class KeyPressed(msgspec.Struct, frozen=True):
    """The caller pressed a key."""

    key: str


class ClockLeapt(msgspec.Struct, frozen=True):
    """Call time jumped by so many ms, in which nothing was said and nothing was played."""

    by_ms: float


class ToolDone(msgspec.Struct, frozen=True):
    """What a tool call came to, as the model is to be told."""

    call_id: str
    output: str


class Say(msgspec.Struct, frozen=True):
    """Somebody who steers the call wants the agent to say this text. Comes back as `Said`. One at a time; see `Conversation.says`."""

    order: str
    """Names it."""
    text: str
    now: bool
    """Whether the agent breaks off what it is saying. Otherwise it says this when it has been heard to the end."""


class CallOver(msgspec.Struct, frozen=True):
    """Nothing more is said. The last event that has an effect."""


ConversationEvent: TypeAlias = CallerFrame | MarkReturned | KeyPressed | ClockLeapt | ToolDone | Say | CallOver | ModelEvent


# Commands.


class ToModel(msgspec.Struct, frozen=True, gc=False):
    """Send a request to the model."""

    request: ModelRequest


class ToCaller(msgspec.Struct, frozen=True, gc=False):
    """Send the agent's voice to the caller, and after it, in the same write, a mark of this name."""

    mulaw: bytes
    mark: str


class ClearCaller(msgspec.Struct, frozen=True):
    """Have Twilio drop what it has not played yet."""


class Publish(msgspec.Struct, frozen=True):
    """Publish words, or that words are missing."""

    report: Recognized | NotTranscribed


class Play(msgspec.Struct, frozen=True, gc=False):
    """Put the agent's voice on the call's own track: the caller heard this mu-law from `start_ms` on."""

    start_ms: float
    mulaw: bytes


class Interrupted(msgspec.Struct, frozen=True):
    """Publish that the caller interrupted the agent: of `generated_ms` of speech, `heard_ms` had been played."""

    heard_ms: float
    generated_ms: float


class Answered(msgspec.Struct, frozen=True):
    """Count how long the caller waited from their silence to the first sound in answer."""

    waited_ms: float


class UseTool(msgspec.Struct, frozen=True):
    """Run a tool, and come back with `ToolDone`."""

    call: ToolCall


class Said(msgspec.Struct, frozen=True):
    """Tell what became of a `Say`. `problem`: why the caller did not hear all of it. `note`: what is to be known if they did."""

    order: str
    problem: str = ""
    note: str = ""


class Trouble(msgspec.Struct, frozen=True):
    """Publish that something was wrong with the model, and that the conversation goes on."""

    problem: str
    """What, as the rest of a sentence that begins with the vendor's name."""


class GiveUp(msgspec.Struct, frozen=True):
    """End the agent's part: the conversation cannot go on. Only `CallOver` has an effect after it."""

    problem: str
    """Why, as the rest of a sentence that begins with the vendor's name."""


Command: TypeAlias = ToModel | ToCaller | ClearCaller | Publish | Play | Interrupted | Answered | UseTool | Said | Trouble | GiveUp
