"""OpenAI's side of its Realtime API: each message that the hub reads. Sans-I/O.

Knows the GA form (developers.openai.com/api/docs/guides/realtime; openai 3.54.0 `openai.types.realtime`). The beta form was switched off in
May 2026: its names never match anything here. Other servers speak this wire and leave fields out, or send null in them: xAI gives no times
of speech, and some errors have no message. So what the hub can do without is optional, because a message that cannot be read is lost, and
with it perhaps the end of a response. Knows no socket, no retry and no call.
"""

from typing import Final, TypeAlias

import msgspec

from hub.vendors.messages import read

PROVIDER: Final = "OpenAI"

# Messages of OpenAI.


class ErrorBody(msgspec.Struct, frozen=True):
    """What went wrong, in the vendor's words. The name of the error may stand in `code` or in `type`."""

    message: str | None = None
    type: str | None = None
    code: str | int | None = None


def _body(error: ErrorBody | str | None) -> ErrorBody:
    """Return an error in whichever form it came: some servers send a sentence in its place, or nothing."""
    return error if isinstance(error, ErrorBody) else ErrorBody(error)


class SessionCreated(msgspec.Struct, frozen=True, tag_field="type", tag="session.created"):
    """The first message."""


class SessionUpdated(msgspec.Struct, frozen=True, tag_field="type", tag="session.updated"):
    """The session is as `session_update` asked: audio may flow."""


class OpenAISpeechStarted(msgspec.Struct, frozen=True, tag_field="type", tag="input_audio_buffer.speech_started"):
    """The caller began to speak, `audio_start_ms` into the audio sent on this session. xAI does not say when."""

    item_id: str
    audio_start_ms: float | None = None


class OpenAISpeechStopped(msgspec.Struct, frozen=True, tag_field="type", tag="input_audio_buffer.speech_stopped"):
    """The caller fell silent. A response follows without being asked for."""

    item_id: str
    audio_end_ms: float | None = None


class InputCommitted(msgspec.Struct, frozen=True, tag_field="type", tag="input_audio_buffer.committed"):
    """The caller's turn is over and part of the conversation."""

    item_id: str


class InputTranscriptDelta(msgspec.Struct, frozen=True, tag_field="type", tag="conversation.item.input_audio_transcription.delta"):
    """More of what the caller said, to be put behind what came before. May come while the model answers already."""

    item_id: str
    delta: str | None = ""


class InputTranscriptUpdated(msgspec.Struct, frozen=True, tag_field="type", tag="conversation.item.input_audio_transcription.updated"):
    """All that is known of what the caller says in an item: xAI's form of a delta."""

    item_id: str
    transcript: str | None = None


class InputTranscriptDone(msgspec.Struct, frozen=True, tag_field="type", tag="conversation.item.input_audio_transcription.completed"):
    """All that the caller said in an item. Replaces the deltas if it has a text."""

    item_id: str
    transcript: str | None = None


class InputTranscriptFailed(msgspec.Struct, frozen=True, tag_field="type", tag="conversation.item.input_audio_transcription.failed"):
    """What the caller said in an item could not be transcribed. The model understood the audio all the same."""

    item_id: str
    error: ErrorBody | str | None = None

    @property
    def body(self) -> ErrorBody:
        """What went wrong."""
        return _body(self.error)


class ResponseStatusDetails(msgspec.Struct, frozen=True):
    """Why a response did not complete."""

    reason: str | None = None
    error: ErrorBody | str | None = None

    @property
    def body(self) -> ErrorBody:
        """What went wrong."""
        return _body(self.error)


class OpenAIItem(msgspec.Struct, frozen=True):
    """A piece of the conversation. A function call has a name, a call_id and arguments: JSON as text that the model wrote."""

    type: str | None = None
    status: str | None = None
    name: str | None = None
    call_id: str | None = None
    arguments: str | None = None


class OpenAIResponse(msgspec.Struct, frozen=True):
    """One answer of the model: speech, function calls, or both."""

    id: str | None = None
    status: str | None = None
    status_details: ResponseStatusDetails | None = None


class ResponseCreated(msgspec.Struct, frozen=True, tag_field="type", tag="response.created"):
    """The model begins to respond. There is one response at a time."""

    response: OpenAIResponse | None = None


class ResponseDone(msgspec.Struct, frozen=True, tag_field="type", tag="response.done"):
    """A response is complete, was interrupted, or failed."""

    response: OpenAIResponse | None = None


class OutputItemDone(msgspec.Struct, frozen=True, tag_field="type", tag="response.output_item.done"):
    """A piece of a response is whole."""

    response_id: str
    item: OpenAIItem


class OutputAudioDelta(msgspec.Struct, frozen=True, tag_field="type", tag="response.output_audio.delta", gc=False):
    """More of the agent's voice, raw mu-law. Comes faster than it can be played."""

    response_id: str
    item_id: str
    delta: bytes


class OutputAudioDone(msgspec.Struct, frozen=True, tag_field="type", tag="response.output_audio.done"):
    """All of an item's audio has come."""

    response_id: str
    item_id: str


class OutputTranscriptDelta(msgspec.Struct, frozen=True, tag_field="type", tag="response.output_audio_transcript.delta"):
    """More of what the audio says or will say. Text and audio come at a pace of their own each."""

    response_id: str
    item_id: str
    delta: str | None = None


class OutputTranscriptDone(msgspec.Struct, frozen=True, tag_field="type", tag="response.output_audio_transcript.done"):
    """All that the audio of an item says. Replaces the deltas if it has a text."""

    response_id: str
    item_id: str
    transcript: str | None = None


class OutputTextDelta(msgspec.Struct, frozen=True, tag_field="type", tag="response.output_text.delta"):
    """More of a text that has no audio."""

    response_id: str
    item_id: str
    delta: str | None = None


class OutputTextDone(msgspec.Struct, frozen=True, tag_field="type", tag="response.output_text.done"):
    """A text that has no audio. Replaces the deltas if there is any. Also comes when a response ends in its middle."""

    response_id: str
    item_id: str
    text: str | None = None


class OpenAIError(msgspec.Struct, frozen=True, tag_field="type", tag="error"):
    """Something went wrong. Mostly it concerns one message of ours and the session goes on: `fatal` says which errors end it."""

    error: ErrorBody | str | None = None

    @property
    def body(self) -> ErrorBody:
        """What went wrong."""
        return _body(self.error)


class ServerPing(msgspec.Struct, frozen=True, tag_field="type", tag="ping"):
    """xAI keeps the connection open with it. It is not answered, and says nothing about a response that is waited for."""


CallersMessage: TypeAlias = (
    OpenAISpeechStarted | OpenAISpeechStopped | InputCommitted | InputTranscriptDelta | InputTranscriptUpdated | InputTranscriptDone
    | InputTranscriptFailed
)  # fmt: skip
"""What the caller does."""

OpenAIMessage: TypeAlias = (
    SessionCreated | SessionUpdated | CallersMessage | ResponseCreated | ResponseDone | OutputItemDone | OutputAudioDelta | OutputAudioDone
    | OutputTranscriptDelta | OutputTranscriptDone | OutputTextDelta | OutputTextDone | OpenAIError | ServerPing
)  # fmt: skip


_decoder: msgspec.json.Decoder[OpenAIMessage] = msgspec.json.Decoder(OpenAIMessage)
_KNOWN: Final = frozenset(str(kind.__struct_config__.tag) for kind in OpenAIMessage.__args__)


def decode(text: str | bytes) -> OpenAIMessage | None:
    """Read one text frame. Returns None for a type that this hub does not use. Fields that it does not know are skipped.

    Raises: WireError when the frame is no JSON object with a `type`, or a known type lacks a field.
    """
    return read(_decoder, text, _KNOWN, PROVIDER)
