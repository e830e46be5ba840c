"""`GET /openapi.json`: the OpenAPI 3.1 document of all HTTP addresses.

Paths, methods and summaries come from the routes and their doors' docstrings, schemas from the classes that are encoded, the rest from the
table in `operations.py`. Does not know what a door does.
"""

import inspect
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
from aiohttp import web

from hub import __version__
from hub.web.doors.operations import JSON, OPERATIONS, Answer, Operation, Parameter
from hub.web.errors import ErrorAnswer

TAGS = {
    "calls": "Calls: lists, search, files.",
    "pages": "The dashboard, the documentation, and the documents for programs.",
    "operation": "For whoever runs the hub.",
    "twilio": "For Twilio. Errors are plain text here, because Twilio's debugger shows them to people.",
}

ABOUT = """\
Transcripts of phone calls over HTTP. Live ones come over the WebSocket /client, which /asyncapi.json describes. Where there is a GET, there
is a HEAD, except at WebSockets and at Twilio's addresses."""

SECURITY: dict[str, tuple[dict[str, list[str]], ...]] = {
    "token": ({"bearer": []}, {"query": []}, {}),
    "twilio": ({"twilio": []}, {}),
    "none": ({},),
}
"""By what proves that a request may be made. Nothing has to where the hub runs without the secret that would prove it."""

SCHEMES = {
    "bearer": {
        "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
        "description": "A token, signed with HUB_SECRET. The roles are the rights that it must have.",
    },
    "query": {
        "type": "apiKey", "in": "query", "name": "token",
        "description": "The same token. Addresses end up in logs: prefer the header.",
    },
    "twilio": {
        "type": "apiKey", "in": "header", "name": "X-Twilio-Signature",
        "description": "Twilio's signature, where TWILIO_AUTH_TOKEN is set.",
    },
}  # fmt: skip


class Address(NamedTuple):
    """One method at one path, and the docstring of its door."""

    method: str
    path: str
    said: str


def addresses(doors: Iterable[web.AbstractRouteDef]) -> tuple[Address, ...]:
    """Return what a program can ask for: the doors in the order of their paths."""
    found = []
    for door in doors:
        assert isinstance(door, web.RouteDef)
        path = re.sub(r"\{(\w+):[^{}]*\}", r"{\1}", door.path)
        found.append(Address(door.method, path, inspect.getdoc(door.handler) or ""))
    return tuple(sorted(found, key=lambda each: (each.path, each.method)))


@lru_cache(maxsize=1)
def document(known: tuple[Address, ...]) -> bytes:
    """Return the document as JSON."""
    classes = [answer.schema for operation in OPERATIONS.values() for answer in operation.answers.values() if answer.schema is not None]
    _, schemas = msgspec.json.schema_components((*dict.fromkeys(classes), ErrorAnswer), ref_template="#/components/schemas/{name}")
    paths: dict[str, dict[str, Any]] = {}
    for address in known:
        paths.setdefault(address.path, {})[address.method.lower()] = _operation(address)
    return msgspec.json.format(
        msgspec.json.encode({
            "openapi": "3.1.0",
            "info": {
                "title": "Transcript Hub",
                "version": __version__,
                "description": ABOUT,
                "license": {"name": "MIT", "identifier": "MIT"},
            },
            "servers": [{"url": "/"}],
            "tags": [{"name": name, "description": description} for name, description in TAGS.items()],
            "paths": paths,
            "components": {"schemas": schemas, "securitySchemes": SCHEMES},
        }),
        indent=2,
    )  # fmt: skip


def _operation(address: Address) -> dict[str, Any]:
    operation = OPERATIONS[f"{address.method} {address.path}"]
    summary, _, description = address.said.partition("\n")
    made: dict[str, Any] = {
        "tags": [operation.tag],
        "summary": summary.strip(),
        "operationId": re.sub(r"\W+", "_", re.sub(r"[{}]", "", f"{address.method.lower()}{address.path}")),
        "security": _security(operation),
        "responses": {str(status): _answer(answer) for status, answer in operation.answers.items()} | {"default": _error(operation)},
    }
    if description.strip():
        made["description"] = description.strip()
    if operation.parameters:
        made["parameters"] = [_parameter(each, address.path) for each in operation.parameters]
    if operation.body:
        made["requestBody"] = {"required": True, "content": {JSON: {"schema": {"oneOf": list(operation.body)}}}}
    if address.method == "POST" and operation.proof == "twilio":
        form = {"type": "object", "additionalProperties": {"type": "string"}}
        made["requestBody"] = {"description": "Twilio's form.", "content": {"application/x-www-form-urlencoded": {"schema": form}}}
    return made


def _security(operation: Operation) -> list[dict[str, list[str]]]:
    rights = [operation.right] if operation.right is not None else []
    return [{name: list(rights) for name in each} for each in SECURITY[operation.proof]]


def _parameter(parameter: Parameter, path: str) -> dict[str, Any]:
    within = f"{{{parameter.name}}}" in path
    made = {"name": parameter.name, "in": "path" if within else parameter.place, "description": parameter.description}
    return made | {"required": within, "schema": parameter.schema}


def _answer(answer: Answer) -> dict[str, Any]:
    made: dict[str, Any] = {"description": answer.description}
    if answer.media_types:
        made["content"] = {each: _body(answer.schema) if each == JSON else {} for each in answer.media_types}
    if answer.headers:
        made["headers"] = {name: {"description": description, "schema": {"type": "string"}} for name, description in answer.headers}
    return made


def _body(schema: Any) -> dict[str, Any]:
    return {"schema": {"$ref": f"#/components/schemas/{schema.__name__}"} if schema is not None else {"type": "object"}}


def _error(operation: Operation) -> dict[str, Any]:
    """Return what every other status is."""
    if operation.proof == "twilio":
        return {"description": "Why not, in a sentence.", "content": {"text/plain": {}}}
    return {"description": "Why not. `code` is for programs, `message` for people.", "content": {JSON: _body(ErrorAnswer)}}


async def serve(request: web.Request) -> web.Response:
    """Return the OpenAPI document of all HTTP addresses: this one."""
    routes = [
        web.RouteDef(route.method, route.resource.canonical, route.handler, {})
        for route in request.app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    ]
    return web.Response(body=document(addresses(routes)), content_type=JSON)
