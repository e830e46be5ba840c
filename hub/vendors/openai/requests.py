"""The hub's side of OpenAI's Realtime API: the address and headers of the handshake, and each message that the hub sends. Sans-I/O.

Knows the GA form (developers.openai.com/api/docs/guides/realtime; openai 3.54.0 `openai.types.realtime`), with mu-law in both directions,
and in what other servers that speak it differ. Knows no socket and no call.
"""

from binascii import b2a_base64
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import urlencode, urlsplit

import msgspec

from hub.agents.voice_model import SessionSettings
from hub.vendors import languages

Dialect: TypeAlias = Literal["openai", "xai", "azure"]
"""Whose form of the wire a server speaks. `xai`: voice and turn detection stand at the top of the session's settings, and there is one way
of detecting turns. `azure`: the key has a header of its own."""

_HOSTS: Final[dict[str, Dialect]] = {"x.ai": "xai", "azure.com": "azure"}
"""The domains of servers that have a dialect."""

_FORMAT: Final = {"type": "audio/pcmu"}
"""8 kHz mu-law, as telephones carry it. A rate beside it is refused: only audio/pcm has one."""

_encode = msgspec.json.encode


def dialect_at(url: str) -> Dialect:
    """Return the dialect that the server at this address speaks. A server that is not known speaks OpenAI's own."""
    host = urlsplit(url).hostname or ""
    return next((dialect for domain, dialect in _HOSTS.items() if host == domain or host.endswith(f".{domain}")), "openai")


def realtime_url(base: str, model: str) -> str:
    """Return the address of a session with a model. `base` is `wss://api.openai.com`, or a proxy with a path of its own.

    The form that OpenAI's own package takes as its base, `…/v1`, is accepted too.
    """
    return f"{base.rstrip('/').removesuffix('/realtime').removesuffix('/v1')}/v1/realtime?{urlencode({'model': model})}"


def headers(key: str, dialect: Dialect = "openai") -> dict[str, str]:
    """Return the headers of the handshake. No `OpenAI-Beta`: with it the session is closed with 4000 (beta_api_shape_disabled)."""
    if dialect == "azure" and not key.startswith("eyJ"):  # a token of Entra is a JWT, and goes where OpenAI's key goes
        return {"api-key": key}
    return {"Authorization": f"Bearer {key}"}


# Messages of the hub. Each function returns one message, JSON in UTF-8, to be sent as text.


def session_update(settings: SessionSettings, dialect: Dialect = "openai") -> bytes:
    """Ask for a session that is like this. The audio formats hold from the answer `session.updated` on: no audio before it."""
    return _encode({"type": "session.update", "session": _xai_session(settings) if dialect == "xai" else _session(settings)})


def _session(settings: SessionSettings) -> dict[str, Any]:
    heard = {
        "format": _FORMAT,
        "transcription": _transcription(settings),
        "turn_detection": {"type": settings.turn_detection, "create_response": True, "interrupt_response": True},
    }
    return {
        "type": "realtime",
        "instructions": settings.instructions,
        "output_modalities": ["audio"],
        "audio": {"input": heard, "output": {"format": _FORMAT, "voice": settings.voice}},
        "tools": _tools(settings),
        "tool_choice": "auto",
    }


def _xai_session(settings: SessionSettings) -> dict[str, Any]:
    # docs.x.ai/docs/guides/voice/agent. It transcribes the caller whether a model is named or not.
    transcription = {"transcription": _transcription(settings)} if settings.transcription_model or settings.language else {}
    return {
        "instructions": settings.instructions,
        "voice": settings.voice,
        "turn_detection": {"type": "server_vad"},
        "audio": {"input": {"format": _FORMAT} | transcription, "output": {"format": _FORMAT}},
        "tools": _tools(settings),
    }


def _transcription(settings: SessionSettings) -> dict[str, str | list[str]]:
    """Return how the caller is transcribed. A language goes without its region, and several go only to models that take a list."""
    model = settings.transcription_model
    codes = [code for code in languages.bare(languages.tags(settings.language)) if code != languages.MULTI]
    if len(codes) > 1:
        asked: dict[str, str | list[str]] = {"languages": codes} if model.startswith(_LIST_MODELS) else {}
    else:
        asked = {"language": codes[0]} if codes else {}
    return ({"model": model} if model else {}) | asked


_LIST_MODELS: Final = ("gpt-live-transcribe", "gpt-transcribe")
"""Transcription models that take `languages`, a list, in place of `language`."""


def _tools(settings: SessionSettings) -> list[dict[str, Any]]:
    return [
        {"type": "function", "name": tool.name, "description": tool.description, "parameters": tool.parameters} for tool in settings.tools
    ]


def append(mulaw: bytes) -> bytes:
    """Send the caller's audio. Composed by hand, for it is done 50 times per second and call. Never answered."""
    return b'{"type":"input_audio_buffer.append","audio":"' + b2a_base64(mulaw, newline=False) + b'"}'


def commit() -> bytes:
    """Have the model take what it has of the caller's audio for a whole turn. It does not respond to that by itself."""
    return _encode({"type": "input_audio_buffer.commit"})


def response_create(instructions: str = "", *, tools: bool = True) -> bytes:
    """Have the model respond now, once by these instructions instead of the session's, and without `tools` if not.

    ACTIVE_RESPONSE refuses it while there is a response.
    """
    response = ({"instructions": instructions} if instructions else {}) | ({} if tools else {"tool_choice": "none"})
    return _encode({"type": "response.create"} | ({"response": response} if response else {}))


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
