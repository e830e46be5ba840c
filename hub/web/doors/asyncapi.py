"""`GET /asyncapi.json`: the AsyncAPI 3 document of `/client`.

Generated from the types that are sent and read, so that the document cannot differ from the hub: a message's summary is the first line of
its class's docstring. Does not know when a message is sent.
"""

from functools import cache
from typing import Any, get_args

import msgspec
from aiohttp import web

from hub import __version__
from hub.events import Message
from hub.web.doors.protocol import MAX_MESSAGE_BYTES, Action

CLOSE_CODES = {
    "1000": "the call that you asked for has ended",
    "1009": f"your message was longer than {MAX_MESSAGE_BYTES} bytes",
    "1011": "the hub failed on your socket, or cannot read a call of another node now: reconnect with your position",
    "4408": "you were too slow: reconnect with your position",
    "4409": "the hub is stopping: reconnect with your position",
    "4501": "no token, or a wrong or expired one: do not reconnect with the same token",
    "4503": "not allowed, or too many messages: do not reconnect and repeat this",
    "4504": "no such call: do not reconnect for it",
}

AUDIO = (
    "4 bytes: the id from `listening`. 4 bytes: call time of the first sample in ms. Both unsigned, big-endian. "
    "Then G.711 mu-law at 8000 Hz, stereo: bytes of inbound (left) and outbound (right) alternate."
)


@cache
def document() -> bytes:
    """Return the document as JSON."""
    sent, read = get_args(Message), get_args(Action)
    _, schemas = msgspec.json.schema_components((*sent, *read), ref_template="#/components/schemas/{name}")
    messages: dict[str, Any] = {kind.__name__: _message(kind) for kind in (*sent, *read)}
    messages["CallSid"] = {
        "summary": "Follow one call by hand: the bare callSid as text. The hub closes after call-ended.",
        "payload": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"},
    }
    messages["LiveCalls"] = {
        "summary": "The first message: the callSids of live calls.",
        "payload": {"type": "array", "items": {"type": "string"}},
    }
    messages["Sound"] = {
        "summary": "Live audio of a call that you listen to, usually 100 ms: binary, never replayed, skipped while you are behind.",
        "contentType": "application/octet-stream",
        "payload": {"type": "string", "format": "binary", "description": AUDIO},
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
                    "description": "A WebSocket. The hub sends the first message.",
                    "bindings": {"ws": {"method": "GET", "query": {"type": "object", "properties": {"token": {"type": "string"}}}}},
                    "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
                    "x-close-codes": CLOSE_CODES,
                }
            },
            "operations": {
                "send": _operation("send", "What the hub sends", ["LiveCalls", *(kind.__name__ for kind in sent), "Sound"]),
                "receive": _operation("receive", "What a subscriber may send", ["CallSid", *(kind.__name__ for kind in read)]),
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
    """Return the document."""
    return web.Response(body=document(), content_type="application/json")
