"""Objects of OpenAI's Realtime API as the vendor sends them: errors, items, responses."""

from typing import Any

from tests.providers.openai_script import Reply

MODELS = {"gpt-realtime-2.1", "gpt-realtime-2.1-mini", "gpt-realtime-2", "gpt-realtime-1.5"}

BETA = {"modalities", "voice", "input_audio_format", "output_audio_format", "input_audio_transcription", "turn_detection", "temperature"}

LIMIT = "Your session hit the maximum duration of 60 minutes."

REFUSALS = {
    401: (
        "invalid_request_error",
        "invalid_api_key",
        "Incorrect API key provided: k***. You can find your API key at platform.openai.com.",
    ),
    403: ("invalid_request_error", "model_not_found", "Project does not have access to model."),
    404: ("invalid_request_error", "model_not_found", "The model does not exist or you do not have access to it."),
    429: ("requests", "rate_limit_exceeded", "Rate limit reached for gpt-realtime in organization on requests per min."),
}


def error_object(code: str, message: str, event_id: str | None = None) -> dict[str, Any]:
    return {"error": {"type": "invalid_request_error", "code": code, "message": message, "param": None, "event_id": event_id}}


def text_of(reply: Reply) -> str:
    """What is said of a reply: half of it, if it is stopped."""
    words = reply.text.split(" ")
    return " ".join(words[: len(words) // 2] if reply.stops else words)


def item_object(name: str, role: str, content: list[dict[str, Any]], status: str = "completed") -> dict[str, Any]:
    return {"id": name, "object": "realtime.item", "type": "message", "role": role, "status": status, "content": content}


def response_object(name: str, status: str, output: list[dict[str, Any]], details: dict[str, Any] | None = None) -> dict[str, Any]:
    usage = None if status == "in_progress" else {"total_tokens": 30, "input_tokens": 20, "output_tokens": 10}
    return {"object": "realtime.response", "id": name, "status": status, "status_details": details, "output": list(output), "usage": usage}
