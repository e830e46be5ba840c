"""OpenAI's Realtime wire: messages of the hub pass the vendor's own types, messages of the vendor are read, refusals become sentences."""

import base64
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from openai.types.realtime import RealtimeClientEvent
from pydantic import TypeAdapter

from hub.agents.voice_model import SessionSettings, ToolDeclaration
from hub.errors import WireError
from hub.vendors.openai import refusals, requests
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
UPDATE = requests.session_update(SETTINGS)


@pytest.mark.parametrize(
    "message",
    [
        UPDATE,
        requests.append(b"\xff" * 160),
        requests.response_create(),
        requests.response_create("Say hello."),
        requests.response_create("Say hello.", tools=False),
        requests.commit(),
        requests.response_cancel("resp_1"),
        requests.truncate("item_1", 1200),
        requests.caller_typed("1 2 3"),
        requests.function_output("call_1", '{"ok":true}'),
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


def test_a_session_with_xai_has_its_voice_and_turns_at_the_top() -> None:
    session = json.loads(requests.session_update(SETTINGS, "xai"))["session"]
    assert (session["voice"], session["turn_detection"]) == ("marin", {"type": "server_vad"})
    assert session["audio"]["output"] == {"format": {"type": "audio/pcmu"}}
    assert session["audio"]["input"] == {
        "format": {"type": "audio/pcmu"},
        "transcription": {"model": "gpt-live-transcribe", "language": "en"},
    }
    assert session["tools"][0]["name"] == "look"


def test_the_name_of_the_transcription_model_can_be_left_out() -> None:
    for dialect, heard in (("azure", {"transcription": {}}), ("xai", {})):
        settings = replace(SETTINGS, transcription_model="", language="")
        session = json.loads(requests.session_update(settings, dialect))["session"]
        assert {name: value for name, value in session["audio"]["input"].items() if name == "transcription"} == heard
    judge.validate_python(json.loads(requests.session_update(replace(SETTINGS, transcription_model=""))))


@pytest.mark.parametrize(
    ("url", "dialect"),
    [
        ("wss://api.openai.com", "openai"),
        ("wss://api.x.ai/v1", "xai"),
        ("wss://acme.openai.azure.com/openai", "azure"),
        ("wss://box.ai", "openai"),
        ("ws://127.0.0.1:8000", "openai"),
    ],
)
def test_a_dialect_is_known_by_the_address(url: str, dialect: str) -> None:
    assert requests.dialect_at(url) == dialect


def test_azure_takes_a_key_in_a_header_of_its_own_and_a_token_where_openai_takes_the_key() -> None:
    assert requests.headers("k", "azure") == {"api-key": "k"}
    assert requests.headers("eyJhbGciOi.x.y", "azure") == {"Authorization": "Bearer eyJhbGciOi.x.y"}
    assert requests.headers("k", "xai") == {"Authorization": "Bearer k"}
    url = requests.realtime_url("wss://acme.openai.azure.com/openai", "voices")
    assert url == "wss://acme.openai.azure.com/openai/v1/realtime?model=voices"


def test_audio_goes_out_as_it_came_in() -> None:
    sound = bytes(range(256))
    assert base64.b64decode(json.loads(requests.append(sound))["audio"]) == sound
    delta = {"type": "response.output_audio.delta", "response_id": "r", "item_id": "i", "delta": base64.b64encode(sound).decode()}
    assert openai.decode(json.dumps(delta)) == openai.OutputAudioDelta("r", "i", sound)


def test_the_address_names_the_model_and_no_beta() -> None:
    for base in ("wss://api.openai.com/v1", "wss://api.openai.com/v1/realtime"):
        assert requests.realtime_url(base, "m") == "wss://api.openai.com/v1/realtime?model=m"
    assert requests.realtime_url("wss://proxy.example.com/ai", "m") == "wss://proxy.example.com/ai/v1/realtime?model=m"
    assert requests.realtime_url("wss://api.openai.com/", "gpt-realtime-2.1") == "wss://api.openai.com/v1/realtime?model=gpt-realtime-2.1"
    assert requests.headers("k") == {"Authorization": "Bearer k"}


@pytest.mark.parametrize("beta", ["response.audio.delta", "response.audio_transcript.delta", "conversation.item.created", "weather"])
def test_names_of_the_beta_and_of_later_versions_are_nothing(beta: str) -> None:
    assert openai.decode(json.dumps({"type": beta, "delta": "x"})) is None


@given(st.one_of(st.text(), st.binary(), st.recursive(st.integers() | st.text(), st.lists).map(json.dumps)))
def test_any_text_is_a_message_nothing_or_a_wire_error(text: str | bytes) -> None:
    with suppress(WireError):
        openai.decode(text)


@pytest.mark.parametrize(
    "message",
    [
        '{"type":"response.output_audio.delta","response_id":"r","item_id":"i","delta":"!"}',
        '{"type":"response.output_audio.done"}',
        "[]",
        "",
        "{}",
    ],
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
        (429, "credit_balance_exhausted", "no credit left for this account", False),
        (400, "billing_hard_limit_reached", "spending limit", False),
        (403, "account_deactivated", "deactivated this account", False),
        (503, None, "cannot open a session now", True),
        (302, None, "check OPENAI_URL", False),
    ],
)
def test_a_refused_handshake_is_a_sentence(status: int, code: str | None, says: str, retryable: bool) -> None:
    body = json.dumps({"error": {"message": "Incorrect: sk-abc", "type": "invalid_request_error", "code": code}}).encode()
    error = refusals.refused(status, body)
    assert says in str(error)
    assert error.retryable is retryable
    assert status != 401 or "sk-abc" not in str(error)


def test_a_refusal_that_is_a_web_page_is_a_sentence_too() -> None:
    assert str(refusals.refused(502, b"<html>")) == "OpenAI cannot open a session now (502)"


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
    assert says in str(refusals.closed(code, reason))


def test_most_errors_are_not_the_end_and_some_are() -> None:
    assert refusals.fatal(openai.ErrorBody("no response", code="response_cancel_not_active")) is None
    assert refusals.fatal(openai.ErrorBody("odd", code=429)) is None
    error = refusals.fatal(openai.ErrorBody("over", code="session_expired"))
    assert error is not None
    assert "60 minutes" in str(error)


@pytest.mark.parametrize("name", ["credit_balance_exhausted", "billing_hard_limit_reached", "account_deactivated", "insufficient_quota"])
@pytest.mark.parametrize("place", ["code", "type"])
def test_an_account_that_cannot_pay_ends_the_session_wherever_the_error_has_its_name(name: str, place: str) -> None:
    body = {"message": "You exceeded it.", "type": "billing_error", "code": "other"} | {place: name}
    message = openai.decode(json.dumps({"type": "error", "error": body}))
    assert isinstance(message, openai.OpenAIError)
    error = refusals.fatal(message.body)
    assert error is not None
    assert str(error).endswith(f"({name})")
    assert not error.retryable
    details = {"type": "failed", "error": body}
    done = openai.decode(json.dumps({"type": "response.done", "response": {"status": "failed", "status_details": details}}))
    assert isinstance(done, openai.ResponseDone)
    assert done.response is not None
    assert not refusals.failed(done.response).retryable
    refused = refusals.refused(429, json.dumps({"error": body}).encode())
    assert (refused.retryable, f"({429} {name})" in str(refused)) == (False, True)


@pytest.mark.parametrize("error", [None, "no idea", {}, {"message": None}, {"message": None, "code": None, "type": None}, {"code": 500}])
@pytest.mark.parametrize("kind", ["error", "conversation.item.input_audio_transcription.failed", "response.done"])
def test_what_a_server_leaves_out_of_an_error_costs_no_message(kind: str, error: Any) -> None:
    told = {"type": kind, "item_id": "i", "error": error}
    told |= {"response": {"id": "r", "status": "failed", "status_details": {"type": "failed", "error": error}}}
    assert openai.decode(json.dumps(told)) is not None


def test_a_failed_response_says_why() -> None:
    details = openai.ResponseStatusDetails(error=openai.ErrorBody("Slow down", code="rate_limit_exceeded"))
    assert "rate limit" in str(refusals.failed(openai.OpenAIResponse(status="failed", status_details=details)))
    assert str(refusals.failed(openai.OpenAIResponse(status="failed"))) == "OpenAI could not answer"


@pytest.mark.parametrize(
    ("written", "model", "asked"),
    [
        ("en-US", "gpt-live-transcribe", {"language": "en"}),
        ("PT_br", "whisper-1", {"language": "pt"}),
        ("en-US, de", "gpt-live-transcribe", {"languages": ["en", "de"]}),
        ("en-US, de", "gpt-4o-transcribe", {}),
        ("multi", "gpt-live-transcribe", {}),
        ("English", "gpt-live-transcribe", {}),
        ("", "gpt-live-transcribe", {}),
    ],
)
def test_any_spelling_of_a_language_is_asked_for_as_openai_spells_it(written: str, model: str, asked: dict[str, Any]) -> None:
    settings = replace(SETTINGS, language=written, transcription_model=model)
    update = json.loads(requests.session_update(settings))
    judge.validate_python(update)
    assert update["session"]["audio"]["input"]["transcription"] == {"model": model} | asked
