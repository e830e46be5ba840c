"""OpenAI's Realtime wire: messages of the hub pass the vendor's own types, messages of the vendor are read, refusals become sentences."""

import base64
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.realtime import RealtimeClientEvent
from pydantic import TypeAdapter

from hub.agents.voice_model import SessionSettings, ToolDeclaration
from hub.errors import WireError
from hub.vendors.openai import wire as openai

judge: TypeAdapter[Any] = TypeAdapter(RealtimeClientEvent)

TOOL = ToolDeclaration("look", "Looks.", {"type": "object", "properties": {}})
SETTINGS = SessionSettings(
    instructions="Be brief.",
    voice="marin",
    turn_detection="server_vad",
    transcription_model="gpt-live-transcribe",
    language="en",
    tools=[TOOL],
)
UPDATE = openai.session_update(SETTINGS)


@pytest.mark.parametrize(
    "message",
    [
        UPDATE,
        openai.append(b"\xff" * 160),
        openai.response_create(),
        openai.response_create("Say hello."),
        openai.response_cancel("resp_1"),
        openai.truncate("item_1", 1200),
        openai.caller_typed("1 2 3"),
        openai.function_output("call_1", '{"ok":true}'),
    ],
)
def test_the_vendors_types_accept_every_message_of_the_hub(message: bytes) -> None:
    told = json.loads(message)
    read = judge.validate_python(told)
    assert read.to_dict(exclude_unset=True) == told
    # The vendor's types let anything more pass; nothing may be there that they do not name.
    assert not read.model_extra


def test_the_session_is_of_the_ga_form_with_mulaw_in_both_directions() -> None:
    session = json.loads(UPDATE)["session"]
    assert session["type"] == "realtime"
    assert session["audio"]["input"]["format"] == session["audio"]["output"]["format"] == {"type": "audio/pcmu"}
    assert session["tools"][0] == {"type": "function", "name": "look", "description": "Looks.", "parameters": TOOL.parameters}
    assert not {"modalities", "voice", "input_audio_format", "temperature"} & set(session)


def test_audio_goes_out_as_it_came_in() -> None:
    sound = bytes(range(256))
    assert base64.b64decode(json.loads(openai.append(sound))["audio"]) == sound
    delta = {"type": "response.output_audio.delta", "response_id": "r", "item_id": "i", "delta": base64.b64encode(sound).decode()}
    assert openai.decode(json.dumps(delta)) == openai.OutputAudioDelta("r", "i", sound)


def test_the_address_names_the_model_and_no_beta() -> None:
    for base in ("wss://api.openai.com/v1", "wss://api.openai.com/v1/realtime"):
        assert openai.realtime_url(base, "m") == "wss://api.openai.com/v1/realtime?model=m"
    assert openai.realtime_url("wss://proxy.example.com/ai", "m") == "wss://proxy.example.com/ai/v1/realtime?model=m"
    assert openai.realtime_url("wss://api.openai.com/", "gpt-realtime-2.1") == "wss://api.openai.com/v1/realtime?model=gpt-realtime-2.1"
    assert openai.headers("k") == {"Authorization": "Bearer k"}


@pytest.mark.parametrize("beta", ["response.audio.delta", "response.audio_transcript.delta", "conversation.item.created", "weather"])
def test_names_of_the_beta_and_of_later_versions_are_nothing(beta: str) -> None:
    assert openai.decode(json.dumps({"type": beta, "delta": "x"})) is None


@given(st.one_of(st.text(), st.binary(), st.recursive(st.integers() | st.text(), st.lists).map(json.dumps)))
def test_any_text_is_a_message_nothing_or_a_wire_error(text: str | bytes) -> None:
    with suppress(WireError):
        openai.decode(text)


@pytest.mark.parametrize(
    "message", ['{"type":"response.output_audio.delta","response_id":"r","item_id":"i","delta":"!"}', '{"type":"error"}', "[]", "", "{}"]
)
def test_a_known_type_that_lacks_something_is_refused(message: str) -> None:
    with pytest.raises(WireError):
        openai.decode(message)


@pytest.mark.parametrize(
    ("status", "code", "says", "retryable"),
    [
        (401, "invalid_api_key", "check OPENAI_API_KEY", False),
        (404, "model_not_found", "check OPENAI_MODEL", False),
        (429, "rate_limit_exceeded", "rate limit", True),
        (429, "insufficient_quota", "no credit", False),
        (503, None, "cannot open a session now", True),
        (302, None, "check OPENAI_URL", False),
    ],
)
def test_a_refused_handshake_is_a_sentence(status: int, code: str | None, says: str, retryable: bool) -> None:
    body = json.dumps({"error": {"message": "Incorrect: sk-abc", "type": "invalid_request_error", "code": code}}).encode()
    error = openai.refused(status, body)
    assert says in str(error)
    assert error.retryable is retryable
    assert status != 401 or "sk-abc" not in str(error)


def test_a_refusal_that_is_a_web_page_is_a_sentence_too() -> None:
    assert str(openai.refused(502, b"<html>")) == "OpenAI cannot open a session now (502)"


@pytest.mark.parametrize(
    ("code", "reason", "says"),
    [
        (None, "", "lost the connection"),
        (1006, "", "lost the connection"),
        (1001, "Your session hit the maximum duration of 60 minutes.", "its limit of 60 minutes"),
        (4000, "invalid_request_error.beta_api_shape_disabled", "switched off"),
        (1011, "keepalive ping timeout", "hung up before the end (1011): keepalive"),
    ],
)
def test_a_close_is_a_sentence(code: int | None, reason: str, says: str) -> None:
    assert says in str(openai.closed(code, reason))


def test_most_errors_are_not_the_end_and_some_are() -> None:
    assert openai.fatal(openai.ErrorBody("no response", code="response_cancel_not_active")) is None
    assert openai.fatal(openai.ErrorBody("odd")) is None
    error = openai.fatal(openai.ErrorBody("over", code="session_expired"))
    assert error is not None
    assert "60 minutes" in str(error)


def test_a_failed_response_says_why() -> None:
    details = openai.ResponseStatusDetails(error=openai.ErrorBody("Slow down", code="rate_limit_exceeded"))
    assert "rate limit" in str(openai.failed(openai.OpenAIResponse(status="failed", status_details=details)))
    assert str(openai.failed(openai.OpenAIResponse(status="failed"))) == "OpenAI could not answer"
