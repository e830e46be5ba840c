"""OpenAI's messages as neutral events, and neutral requests as OpenAI's messages."""

import json
from typing import Any, get_args

import pytest

from hub.agents.voice_model import (
    MODEL_ACTIVITY,
    AddCallerText,
    AddToolOutput,
    AgentAudio,
    AgentAudioDone,
    AgentText,
    AgentTextDelta,
    AppendAudio,
    CallerSpeechStarted,
    CallerSpeechStopped,
    CallerText,
    CallerTextDelta,
    CallerTextFailed,
    CallerTextRevised,
    CancelResponse,
    CreateResponse,
    EndCallerTurn,
    ModelEvent,
    ModelRequest,
    ResponseEnded,
    ResponseRefused,
    ResponseStarted,
    SessionLost,
    SessionReady,
    ToolCall,
    TruncateItem,
)
from hub.errors import ProviderError
from hub.ops.counters import ProviderCounters
from hub.vendors.openai import refusals, requests, wire
from hub.vendors.openai.session import RealtimeEndpoint, RealtimeLimits
from hub.vendors.openai.settings import OpenAISettings
from hub.vendors.openai.voice_model import OpenAIModels, encoded, translated
from hub.vendors.voice_model_provider import ModelContext
from tests.calls.agent_desk import AGENT

FUNCTION = {"type": "function_call", "status": "completed", "name": "look", "call_id": "c", "arguments": "{}"}

STOPPED = "stopped in the middle of an answer"

TRANSCRIPTION = "conversation.item.input_audio_transcription"


@pytest.mark.parametrize(
    ("message", "event"),
    [
        ({"type": "session.created"}, MODEL_ACTIVITY),
        ({"type": "session.updated"}, SessionReady()),
        ({"type": "session.weather"}, MODEL_ACTIVITY),
        ({"type": "input_audio_buffer.speech_started", "audio_start_ms": 5, "item_id": "i"}, CallerSpeechStarted("i", 5)),
        ({"type": "input_audio_buffer.speech_stopped", "audio_end_ms": 9, "item_id": "i"}, CallerSpeechStopped("i", 9)),
        ({"type": "input_audio_buffer.speech_started", "item_id": "i"}, CallerSpeechStarted("i", None)),
        ({"type": "input_audio_buffer.speech_stopped", "audio_end_ms": None, "item_id": "i"}, CallerSpeechStopped("i", None)),
        ({"type": "input_audio_buffer.committed", "item_id": "i", "previous_item_id": None}, CallerSpeechStopped("i", None)),
        ({"type": f"{TRANSCRIPTION}.updated", "item_id": "i", "transcript": "Hi th"}, CallerTextRevised("i", "Hi th")),
        ({"type": f"{TRANSCRIPTION}.completed", "item_id": "i"}, CallerText("i", None)),
        ({"type": f"{TRANSCRIPTION}.failed", "item_id": "i", "error": None}, CallerTextFailed("i", "OpenAI does not say why")),
        ({"type": f"{TRANSCRIPTION}.failed", "item_id": "i", "error": {"message": None}}, CallerTextFailed("i", "OpenAI does not say why")),
        ({"type": f"{TRANSCRIPTION}.failed", "item_id": "i", "error": "unclear"}, CallerTextFailed("i", "unclear")),
        ({"type": f"{TRANSCRIPTION}.delta", "item_id": "i", "delta": "Hi"}, CallerTextDelta("i", "Hi")),
        ({"type": f"{TRANSCRIPTION}.delta", "item_id": "i", "delta": None}, CallerTextDelta("i", "")),
        ({"type": f"{TRANSCRIPTION}.completed", "item_id": "i", "transcript": "Hi."}, CallerText("i", "Hi.")),
        ({"type": f"{TRANSCRIPTION}.failed", "item_id": "i", "error": {"message": "no"}}, CallerTextFailed("i", "no")),
        ({"type": f"{TRANSCRIPTION}.failed", "item_id": "i", "error": {"message": "x" * 500}}, CallerTextFailed("i", "x" * 100)),
        ({"type": f"{TRANSCRIPTION}.failed", "item_id": "i"}, CallerTextFailed("i", "OpenAI does not say why")),
        ({"type": "response.created", "response": {"id": "r"}}, ResponseStarted("r")),
        ({"type": "response.created", "response": {}}, ResponseStarted("")),
        ({"type": "response.done", "response": {"id": "r", "status": "completed"}}, ResponseEnded("r", "completed")),
        ({"type": "response.done", "response": {"id": "r", "status": "cancelled"}}, ResponseEnded("r", "cancelled")),
        ({"type": "response.done", "response": {"id": "r", "status": "incomplete"}}, ResponseEnded("r", "incomplete", STOPPED)),
        (
            {"type": "response.done", "response": {"id": "r", "status": "incomplete", "status_details": {"reason": "max_output_tokens"}}},
            ResponseEnded("r", "incomplete", f"{STOPPED}: it reached the most that it may say at a time (max_output_tokens)"),
        ),
        (
            {"type": "response.done", "response": {"id": "r", "status": "incomplete", "status_details": {"reason": "tired"}}},
            ResponseEnded("r", "incomplete", f"{STOPPED}: tired"),
        ),
        ({"type": "response.done", "response": {"id": "r", "status": "thawed"}}, ResponseEnded("r", "incomplete", STOPPED)),
        ({"type": "response.done", "response": {"id": "r"}}, ResponseEnded("r", "completed")),
        ({"type": "response.done", "response": None}, ResponseEnded("", "completed")),
        ({"type": "response.created", "response": None}, ResponseStarted("")),
        ({"type": "response.done", "response": {"status": "failed"}}, ResponseEnded("", "failed", "could not answer", True)),
        (
            {
                "type": "response.done",
                "response": {"id": "r", "status": "failed", "status_details": {"error": {"code": "insufficient_quota"}}},
            },
            ResponseEnded(
                "r", "failed", "has no credit left for this project: add some at platform.openai.com (insufficient_quota)", False
            ),
        ),
        ({"type": "response.output_audio.delta", "response_id": "r", "item_id": "i", "delta": "AQI="}, AgentAudio("r", "i", b"\x01\x02")),
        ({"type": "response.output_audio.done", "response_id": "r", "item_id": "i"}, AgentAudioDone("r", "i")),
        (
            {"type": "response.output_audio_transcript.delta", "response_id": "r", "item_id": "i", "delta": "Hi"},
            AgentTextDelta("r", "i", "Hi"),
        ),
        (
            {"type": "response.output_audio_transcript.done", "response_id": "r", "item_id": "i", "transcript": "Hi."},
            AgentText("r", "i", "Hi."),
        ),
        (
            {"type": "response.output_audio_transcript.done", "response_id": "r", "item_id": "i"},
            AgentText("r", "i", None),
        ),
        ({"type": "response.output_text.delta", "response_id": "r", "item_id": "i", "delta": "Hi"}, AgentTextDelta("r", "i", "Hi")),
        ({"type": "response.output_text.delta", "response_id": "r", "item_id": "i", "delta": None}, AgentTextDelta("r", "i", "")),
        ({"type": "response.output_text.done", "response_id": "r", "item_id": "i", "text": "Hi."}, AgentText("r", "i", "Hi.")),
        ({"type": "response.output_item.done", "response_id": "r", "item": FUNCTION}, ToolCall("r", "c", "look", "{}")),
        ({"type": "response.output_item.done", "response_id": "r", "item": FUNCTION | {"status": "incomplete"}}, MODEL_ACTIVITY),
        ({"type": "response.output_item.done", "response_id": "r", "item": FUNCTION | {"call_id": None}}, MODEL_ACTIVITY),
        ({"type": "response.output_item.done", "response_id": "r", "item": FUNCTION | {"type": "message"}}, MODEL_ACTIVITY),
        ({"type": "error", "error": {"code": refusals.ACTIVE_RESPONSE}}, ResponseRefused()),
        ({"type": "error", "error": {"type": refusals.ACTIVE_RESPONSE, "code": None}}, ResponseRefused()),
        ({"type": "error", "error": {"message": "Conversation already has an active response in progress: r1."}}, ResponseRefused()),
        ({"type": "error", "error": {"code": 409, "message": "A response is already in progress."}}, ResponseRefused()),
        ({"type": "error", "error": {"message": "Cancellation failed: no active response found"}}, MODEL_ACTIVITY),
        ({"type": "error", "error": {"code": "response_cancel_not_active"}}, MODEL_ACTIVITY),
        ({"type": "error", "error": {"code": None, "type": None, "message": None, "param": {}, "event_id": 7}}, MODEL_ACTIVITY),
        ({"type": "error", "error": None}, MODEL_ACTIVITY),
        ({"type": "error", "error": "odd"}, MODEL_ACTIVITY),
        ({"type": "error"}, MODEL_ACTIVITY),
        ({"type": "ping"}, MODEL_ACTIVITY),
    ],
)
def test_a_message_means_this(message: dict[str, Any], event: ModelEvent) -> None:
    assert translated(wire.decode(json.dumps(message))) == event


def test_a_session_that_was_lost_says_so_without_the_vendors_name() -> None:
    assert translated(ProviderError("OpenAI", "lost the connection", retryable=True)) == SessionLost("lost the connection")


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (AppendAudio(b"\x01"), requests.append(b"\x01")),
        (CreateResponse(), requests.response_create()),
        (CreateResponse("Say hello."), requests.response_create("Say hello.")),
        (CreateResponse(tools=False), requests.response_create(tools=False)),
        (EndCallerTurn(), requests.commit()),
        (CancelResponse("r"), requests.response_cancel("r")),
        (TruncateItem("i", 7), requests.truncate("i", 7)),
        (AddToolOutput("c", "5"), requests.function_output("c", "5")),
        (AddCallerText("7"), requests.caller_typed("7")),
    ],
)
def test_a_request_is_this_message(request_: ModelRequest, message: bytes) -> None:
    assert encoded(request_) == message


def test_every_request_and_every_message_has_a_translation() -> None:
    for request in get_args(ModelRequest):
        assert json.loads(encoded(_some(request)))["type"]
    for message in get_args(wire.OpenAIMessage):
        assert isinstance(translated(_some(message)), get_args(ModelEvent))


def _some(kind: type[Any]) -> Any:
    """One value of a struct, whatever its fields are."""
    fields = {"mulaw": b"", "delta": b"" if kind is wire.OutputAudioDelta else "", "error": wire.ErrorBody()}
    fields |= {"response": wire.OpenAIResponse(), "item": wire.OpenAIItem("message")}
    return kind(**{name: fields.get(name, 0 if name.endswith("_ms") else "") for name in kind.__struct_fields__})


def test_a_model_is_opened_for_an_agent_with_the_hubs_address_and_limits() -> None:
    settings = OpenAISettings(url="wss://proxy.example.com/ai", key="k")
    models = OpenAIModels(settings, ModelContext(lambda: 0.0, ProviderCounters()))
    models.limits = RealtimeLimits(open_seconds=1.0)
    model = models.open(AGENT, "CA1")
    assert (model.provider, model.model) == ("openai", "test")
    assert model._session._endpoint == RealtimeEndpoint("wss://proxy.example.com/ai/v1/realtime?model=test", "k")
    assert model._session._limits.open_seconds == 1.0


def test_a_key_is_in_no_repr() -> None:
    assert "secret" not in repr(RealtimeEndpoint("wss://api.openai.com", "secret"))
