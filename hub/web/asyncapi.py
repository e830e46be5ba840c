"""`GET /asyncapi.json`: the AsyncAPI 3 document of `/client`, made from the very types that are sent and read."""

from functools import cache
from typing import Any, get_args

import msgspec
from aiohttp import web

from hub import __version__
from hub.events import Message
from hub.web.protocol import MAX_MESSAGE_BYTES, Action

CLOSE_CODES = {
    "1000": "the call you asked for is over",
    "1009": f"your message was longer than {MAX_MESSAGE_BYTES} bytes",
    "4408": "you were too slow: come back with your position",
    "4409": "the hub is stopping: come back with your position",
    "4501": "no token, or one that is wrong or too old: do not come back with it",
    "4503": "not allowed, or too much at once: do not come back like this",
    "4504": "no such call: do not come back for it",
}

SOUND = (
    "4 bytes: the id that `listening` gave. 4 bytes: call time of the first sample in ms. Both unsigned, big-endian. "
    "Then G.711 mu-law at 8000 Hz, one byte of inbound and one of outbound in turn: left and right."
)


@cache
def document() -> bytes:
    """Return the document as JSON."""
    sent, read = get_args(Message), get_args(Action)
    _, schemas = msgspec.json.schema_components((*sent, *read), ref_template="#/components/schemas/{name}")
    messages: dict[str, Any] = {kind.__name__: _message(kind) for kind in (*sent, *read)}
    messages["CallSid"] = {
        "summary": "Follow one call by hand: its callSid as it is; after call-ended the hub closes.",
        "payload": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"},
    }
    messages["LiveCalls"] = {
        "summary": "The first message: callSids of live calls.",
        "payload": {"type": "array", "items": {"type": "string"}},
    }
    messages["Sound"] = {
        "summary": "A stretch of a call that is listened to, mostly 100 ms: binary, never replayed, left out while you are behind.",
        "contentType": "application/octet-stream",
        "payload": {"type": "string", "format": "binary", "description": SOUND},
    }
    return msgspec.json.format(
        msgspec.json.encode({
            "asyncapi": "3.0.0",
            "info": {
                "title": "Transcript Hub: /client",
                "version": __version__,
                "description": "Live transcripts of phone calls. Durable events carry `epoch` and a consecutive `offset`; interims do not.",
                "license": {"name": "MIT"},
            },
            "defaultContentType": "application/json",
            "channels": {
                "client": {
                    "address": "/client",
                    "description": "A WebSocket. The hub speaks first.",
                    "bindings": {"ws": {"method": "GET", "query": {"type": "object", "properties": {"token": {"type": "string"}}}}},
                    "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
                    "x-close-codes": CLOSE_CODES,
                }
            },
            "operations": {
                "send": _operation("send", "What the hub sends", ["LiveCalls", *(kind.__name__ for kind in sent), "Sound"]),
                "receive": _operation("receive", "What a subscriber may say", ["CallSid", *(kind.__name__ for kind in read)]),
            },
            "components": {"messages": messages, "schemas": schemas},
        }),
        indent=2,
    )  # fmt: skip


def _message(kind: Any) -> dict[str, Any]:
    return {
        "name": str(kind.__struct_config__.tag),
        "summary": (kind.__doc__ or "").strip().split("\n")[0],
        "payload": {"$ref": f"#/components/schemas/{kind.__name__}"},
    }


def _operation(action: str, summary: str, names: list[str]) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": "#/channels/client"},
        "summary": summary,
        "messages": [{"$ref": f"#/channels/client/messages/{name}"} for name in names],
    }


async def serve(_: web.Request) -> web.Response:
    """Give the document."""
    return web.Response(body=document(), content_type="application/json")
