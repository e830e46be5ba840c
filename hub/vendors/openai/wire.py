"""OpenAI's Realtime API: the address and headers of the handshake, the messages of both sides, what its refusals mean. Sans-I/O.

Knows the GA form (developers.openai.com/api/docs/guides/realtime; openai 3.54.0 `openai.types.realtime`), with mu-law in both directions.
The beta form was switched off in May 2026: its names never match anything here. Knows no socket, no retry and no call.
"""

from binascii import b2a_base64
from collections.abc import Mapping
from typing import Final, TypeAlias
from urllib.parse import urlencode

import msgspec

from hub.agents.voice_model import SessionSettings
from hub.errors import ProviderError
from hub.vendors.messages import read

PROVIDER: Final = "OpenAI"

SESSION_MINUTES: Final = 60
"""A session ends after this long, and cannot be resumed (guide "realtime-conversations")."""

ACTIVE_RESPONSE: Final = "conversation_already_has_active_response"
"""The error code for asking for a response while there is one."""

_FORMAT: Final = {"type": "audio/pcmu"}
"""8 kHz mu-law, as telephones carry it. A rate beside it is refused: only audio/pcm has one."""


def realtime_url(base: str, model: str) -> str:
    """Return the address of a session with a model. `base` is `wss://api.openai.com`, or a proxy with a path of its own.

    The form that OpenAI's own package takes as its base, `…/v1`, is accepted too.
    """
    return f"{base.rstrip('/').removesuffix('/realtime').removesuffix('/v1')}/v1/realtime?{urlencode({'model': model})}"


def headers(key: str) -> dict[str, str]:
    """Return the headers of the handshake. No `OpenAI-Beta`: with it the session is closed with 4000 (beta_api_shape_disabled)."""
    return {"Authorization": f"Bearer {key}"}


# Messages of the hub. Each function returns one message, JSON in UTF-8, to be sent as text.


def session_update(settings: SessionSettings) -> bytes:
    """Ask for a session that is like this. The audio formats hold from the answer `session.updated` on: no audio before it."""
    transcription = {"model": settings.transcription_model} | ({"language": settings.language} if settings.language else {})
    heard = {
        "format": _FORMAT,
        "transcription": transcription,
        "turn_detection": {"type": settings.turn_detection, "create_response": True, "interrupt_response": True},
    }
    tools = [
        {"type": "function", "name": tool.name, "description": tool.description, "parameters": tool.parameters} for tool in settings.tools
    ]
    return _encode({
        "type": "session.update",
        "session": {
            "type": "realtime",
            "instructions": settings.instructions,
            "output_modalities": ["audio"],
            "audio": {"input": heard, "output": {"format": _FORMAT, "voice": settings.voice}},
            "tools": tools,
            "tool_choice": "auto",
        },
    })  # fmt: skip


def append(mulaw: bytes) -> bytes:
    """Send the caller's audio. Composed by hand, for it is done 50 times per second and call. Never answered."""
    return b'{"type":"input_audio_buffer.append","audio":"' + b2a_base64(mulaw, newline=False) + b'"}'


def response_create(instructions: str = "") -> bytes:
    """Have the model respond now, once by these instructions instead of the session's. ACTIVE_RESPONSE refuses it while there is one."""
    return _encode({"type": "response.create"} | ({"response": {"instructions": instructions}} if instructions else {}))


def response_cancel(response_id: str) -> bytes:
    """Have the model stop responding. What it has said already stays. If the response had ended by then, a harmless error comes."""
    return _encode({"type": "response.cancel", "response_id": response_id})


def truncate(item_id: str, audio_end_ms: int) -> bytes:
    """Say how much of an item was heard. The rest of its text is taken out of the conversation. More than the item's audio is refused."""
    return _encode({"type": "conversation.item.truncate", "item_id": item_id, "content_index": 0, "audio_end_ms": audio_end_ms})


def function_output(call_id: str, output: str) -> bytes:
    """Give a function call's output. The model looks at it when it next responds."""
    return _encode({"type": "conversation.item.create", "item": {"type": "function_call_output", "call_id": call_id, "output": output}})


def caller_typed(text: str) -> bytes:
    """Put a text of the caller's into the conversation. The model looks at it when it next responds."""
    content = [{"type": "input_text", "text": text}]
    return _encode({"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": content}})


# Messages of OpenAI.


class ErrorBody(msgspec.Struct, frozen=True):
    """What went wrong, in the vendor's words."""

    message: str = ""
    type: str | None = ""
    code: str | None = None
    param: str | None = None
    event_id: str | None = None


class SessionCreated(msgspec.Struct, frozen=True, tag_field="type", tag="session.created"):
    """The first message."""


class SessionUpdated(msgspec.Struct, frozen=True, tag_field="type", tag="session.updated"):
    """The session is as `session_update` asked: audio may flow."""


class OpenAISpeechStarted(msgspec.Struct, frozen=True, tag_field="type", tag="input_audio_buffer.speech_started"):
    """The caller began to speak, `audio_start_ms` into the audio sent on this session. The words will be this item's."""

    audio_start_ms: int
    item_id: str


class OpenAISpeechStopped(msgspec.Struct, frozen=True, tag_field="type", tag="input_audio_buffer.speech_stopped"):
    """The caller fell silent. A response follows without being asked for."""

    audio_end_ms: int
    item_id: str


class InputTranscriptDelta(msgspec.Struct, frozen=True, tag_field="type", tag="conversation.item.input_audio_transcription.delta"):
    """More of what the caller said, to be put behind what came before. May come while the model answers already."""

    item_id: str
    delta: str | None = ""


class InputTranscriptDone(msgspec.Struct, frozen=True, tag_field="type", tag="conversation.item.input_audio_transcription.completed"):
    """All that the caller said in an item. Replaces the deltas."""

    item_id: str
    transcript: str


class InputTranscriptFailed(msgspec.Struct, frozen=True, tag_field="type", tag="conversation.item.input_audio_transcription.failed"):
    """What the caller said in an item could not be transcribed. The model understood the audio all the same."""

    item_id: str
    error: ErrorBody = ErrorBody()


class ResponseStatusDetails(msgspec.Struct, frozen=True):
    """Why a response did not complete."""

    reason: str | None = None
    error: ErrorBody | None = None


class OpenAIItem(msgspec.Struct, frozen=True):
    """A piece of the conversation. A function call has a name, a call_id and arguments: JSON as text that the model wrote."""

    type: str
    id: str | None = None
    status: str | None = None
    name: str | None = None
    call_id: str | None = None
    arguments: str | None = None


class OpenAIResponse(msgspec.Struct, frozen=True):
    """One answer of the model: speech, function calls, or both."""

    id: str | None = None
    status: str | None = None
    status_details: ResponseStatusDetails | None = None
    output: tuple[OpenAIItem, ...] | None = ()


class ResponseCreated(msgspec.Struct, frozen=True, tag_field="type", tag="response.created"):
    """The model begins to respond. There is one response at a time."""

    response: OpenAIResponse


class ResponseDone(msgspec.Struct, frozen=True, tag_field="type", tag="response.done"):
    """A response is complete, was interrupted, or failed."""

    response: OpenAIResponse


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
    delta: str


class OutputTranscriptDone(msgspec.Struct, frozen=True, tag_field="type", tag="response.output_audio_transcript.done"):
    """All that the audio of an item says. Replaces the deltas."""

    response_id: str
    item_id: str
    transcript: str


class OpenAIError(msgspec.Struct, frozen=True, tag_field="type", tag="error"):
    """Something went wrong. Mostly it concerns one message of ours and the session goes on: `fatal` says which errors end it."""

    error: ErrorBody


OpenAIMessage: TypeAlias = (
    SessionCreated | SessionUpdated | OpenAISpeechStarted | OpenAISpeechStopped | InputTranscriptDelta | InputTranscriptDone
    | InputTranscriptFailed | ResponseCreated | ResponseDone | OutputItemDone | OutputAudioDelta | OutputAudioDone | OutputTranscriptDelta
    | OutputTranscriptDone | OpenAIError
)  # fmt: skip


_decoder: msgspec.json.Decoder[OpenAIMessage] = msgspec.json.Decoder(OpenAIMessage)
_encode = msgspec.json.encode
_KNOWN: Final = frozenset(str(kind.__struct_config__.tag) for kind in OpenAIMessage.__args__)


def decode(text: str | bytes) -> OpenAIMessage | None:
    """Read one text frame. Returns None for a type that this hub does not use. Fields that it does not know are skipped.

    Raises: WireError when the frame is no JSON object with a `type`, or a known type lacks a field.
    """
    return read(_decoder, text, _KNOWN, PROVIDER)


_QUOTED_CHARS: Final = 200
"""Characters of a vendor's own words that go into an error: enough for a sentence, not for a proxy's web page."""

_FATAL: Final = {
    "session_expired": f"ended the session at its limit of {SESSION_MINUTES} minutes",
    "insufficient_quota": "has no credit left for this project: add some at platform.openai.com",
    "rate_limit_exceeded": "takes no more from this project for now, its rate limit is reached",
    "invalid_api_key": "refused the key: check OPENAI_API_KEY",
    "model_not_found": "does not know the model, or this project may not use it: check OPENAI_MODEL",
    "beta_api_shape_disabled": "took this for a session of the beta, which is switched off",
}
"""Error codes after which a session cannot go on, and what each means."""


def fatal(error: ErrorBody) -> ProviderError | None:
    """Return what an error means if the session cannot go on after it. None if it can, as after most."""
    if error.code not in _FATAL:
        return None
    return ProviderError(PROVIDER, f"{_FATAL[error.code]} ({error.code})", retryable=False)


def refused_settings(error: ErrorBody) -> ProviderError:
    """Return what an error in answer to `session.update` means."""
    return ProviderError(PROVIDER, f"refused the agent's settings: {error.message[:200]}", retryable=False)


def failed(response: OpenAIResponse) -> ProviderError:
    """Return what a response with the status `failed` means. Retryable when asking once more may help."""
    details = response.status_details
    body = (details.error if details is not None else None) or ErrorBody()
    if (error := fatal(body)) is not None:
        return error
    return ProviderError(PROVIDER, f"could not answer{_quoted(body.message or body.code or '')}", retryable=True)


class _Refusal(msgspec.Struct, frozen=True):
    error: ErrorBody


def refused(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> ProviderError:  # noqa: ARG001  as dial() calls it
    """Return what a handshake that was answered with `status` instead of 101 means, in words that a person can act on."""
    try:
        error = msgspec.json.decode(body, type=_Refusal).error
    except (ValueError, RecursionError):
        error = ErrorBody()
    code = f"{status} {error.code or ''}".strip()
    why = _quoted(error.message)
    match status:
        case 401:
            problem = f"refused the key ({code}): check OPENAI_API_KEY"  # its own words quote a part of the key
        case 403 | 404:
            problem = f"refused the model ({code}){why}; check OPENAI_MODEL"
        case 429 if error.code == "insufficient_quota":
            problem = f"{_FATAL['insufficient_quota']} ({code})"
        case 429:
            problem = f"{_FATAL['rate_limit_exceeded']} ({code})"
        case _ if status >= 500:
            problem = f"cannot open a session now ({code}){why}"
        case _:
            problem = f"did not open a session ({code}){why}; check OPENAI_URL"
    return ProviderError(PROVIDER, problem, retryable=status >= 500 or (status == 429 and error.code != "insufficient_quota"))


def closed(code: int | None, reason: str = "") -> ProviderError:
    """Return what a close that the hub did not ask for means. `code` is None when the connection broke without one."""
    for name, meaning in _FATAL.items():
        if name in reason:
            return ProviderError(PROVIDER, f"{meaning} ({name})", retryable=False)
    if "maximum duration" in reason:  # how the limit reads in a close frame, with 1001
        return ProviderError(PROVIDER, f"{_FATAL['session_expired']} (session_expired)", retryable=False)
    if code in {None, 1005, 1006}:
        return ProviderError(PROVIDER, "lost the connection", retryable=True)
    return ProviderError(PROVIDER, f"hung up before the end ({code}){_quoted(reason)}", retryable=True)


def _quoted(words: str) -> str:
    return f": {' '.join(words.split())[:_QUOTED_CHARS]}" if words else ""
