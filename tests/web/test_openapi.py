"""The OpenAPI document that the hub serves, compared with the hub's addresses and with what they answer."""

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from hub.app import DOORS
from hub.transcript.exports import FORMS
from hub.web.doors import call_query, openapi
from hub.web.doors.operations import OPERATIONS
from hub.web.errors import CODES, ErrorAnswer
from tests.house import house
from tests.media import CALL
from tests.publishing import ScriptedCall
from tests.upkeep.kept import ask, bearer, ended, keeping
from tests.web.watchers import SECRET, token

DOCUMENT: dict[str, Any] = json.loads(openapi.document(openapi.addresses(DOORS)))


def operation(method: str, path: str) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][path][method.lower()]
    return found


def strict(schema: dict[str, Any]) -> Draft202012Validator:
    """Return a validator that also refuses fields which the document does not mention."""
    schemas = json.loads(json.dumps(DOCUMENT["components"]["schemas"]))
    for each in schemas.values():
        if "properties" in each:
            each["additionalProperties"] = False
    return Draft202012Validator({**schema, "components": {"schemas": schemas}})


def test_the_document_is_one() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_every_address_is_described_and_no_other() -> None:
    known = {f"{address.method} {address.path}" for address in openapi.addresses(DOORS)}
    assert known == set(OPERATIONS), "hub/web/doors/operations.py has a line for each route"
    assert known == {f"{method.upper()} {path}" for path, methods in DOCUMENT["paths"].items() for method in methods}


def test_every_operation_has_a_summary_of_one_line() -> None:
    for path, methods in DOCUMENT["paths"].items():
        for method, each in methods.items():
            assert each["summary"].endswith("."), (method, path)
            assert each["tags"][0] in openapi.TAGS


def test_every_parameter_of_a_path_is_described() -> None:
    for path, methods in DOCUMENT["paths"].items():
        for each in methods.values():
            named = {parameter["name"] for parameter in each.get("parameters", ()) if parameter["in"] == "path"}
            assert named == set(re.findall(r"\{(\w+)\}", path))


def queried(path: str) -> set[str]:
    return {each["name"] for each in operation("get", path)["parameters"] if each["in"] == "query"}


def test_the_lists_parameters_are_those_that_it_reads() -> None:
    assert queried("/calls") == set(call_query.PARAMETERS)


@pytest.mark.parametrize("path", ["/calls/{sid}/events", "/events"])
async def test_the_parameters_of_a_stream_are_those_that_it_takes(path: str) -> None:
    async with house() as home:
        ScriptedCall(home.state)
        async with home.session.get(home.url(f"{path.format(sid=CALL)}?nonsense=1")) as answer:
            said = (await answer.json())["error"]["message"]
        assert queried(path) == set(said.partition("takes only ")[2].split(", "))


async def test_the_parameters_of_a_file_are_those_that_it_takes() -> None:
    async with house() as home:
        ScriptedCall(home.state)
        async with home.session.get(home.url(f"/calls/{CALL}/transcript.json?nonsense=1")) as answer:
            said = (await answer.json())["error"]["message"]
        assert queried("/calls/{sid}/transcript.{kind}") == set(said.partition("takes only ")[2].split(", "))


ASKED = [
    ("/calls", "/calls", 200),
    ("/calls", "/calls?q=hello", 200),
    ("/calls", "/calls?limit=0", 400),
    ("/calls/{sid}", f"/calls/{CALL}", 200),
    ("/calls/{sid}", "/calls/CA0", 404),
    *(("/calls/{sid}/transcript.{kind}", f"/calls/{CALL}/transcript.{kind}", 200) for kind in FORMS),
    ("/calls/{sid}/transcript.{kind}", f"/calls/{CALL}/transcript.json?after=2&until=3", 200),
    ("/calls/{sid}/transcript.{kind}", f"/calls/{CALL}/transcript.json?epoch=x", 410),
    ("/calls/{sid}/transcript.{kind}", f"/calls/{CALL}/transcript.doc", 404),
    ("/calls/{sid}/events", f"/calls/{CALL}/events", 200),
    ("/calls/{sid}/events", "/calls/CA0/events", 404),
    ("/events", "/events?after=x", 400),
    ("/calls/{sid}/hold", f"/calls/{CALL}/hold", 403),
    ("/audit", "/audit", 403),
    ("/calls/{sid}/recording", f"/calls/{CALL}/recording", 404),
    ("/client", "/client", 426),
    ("/", "/", 200),
    ("/dashboard/{name}", "/dashboard/main.js", 200),
    ("/dashboard/{name}", "/dashboard/nothing.js", 404),
    ("/dashboard/settings.json", "/dashboard/settings.json", 200),
    ("/docs", "/docs", 302),
    ("/docs/", "/docs/", 302),
    ("/docs/{path}", "/docs/README.md", 200),
    ("/docs/{path}", "/docs/nothing.md", 404),
    ("/docs/style.css", "/docs/style.css", 200),
    ("/asyncapi.json", "/asyncapi.json", 200),
    ("/openapi.json", "/openapi.json", 200),
    ("/healthz", "/healthz", 200),
    ("/readyz", "/readyz", 200),
    ("/metrics", "/metrics", 200),
    ("/twilio", "/twilio", 426),
    ("/agent", "/agent", 426),
    ("/twiml", "/twiml", 200),
    ("/twiml/agent", "/twiml/agent", 200),
    ("/twilio/status", "/twilio/status", 405),
]


def test_every_get_is_asked() -> None:
    assert {path for path, _, _ in ASKED} == {path for path, methods in DOCUMENT["paths"].items() if "get" in methods}


@pytest.mark.parametrize(("path", "asked", "status"), ASKED)
async def test_what_is_answered_is_what_the_document_says(path: str, asked: str, status: int) -> None:
    async with house(public_url="https://hub.example.com") as home:
        script = ScriptedCall(home.state)
        script.final("hello")
        script.gap(1.0, 2.0)
        script.end()
        async with home.session.get(home.url(asked), allow_redirects=False) as answer:
            body, kind = await answer.read(), answer.content_type
            assert answer.status == status
    described = operation("get", path)["responses"]
    says = described.get(str(status), described["default"])
    if "content" not in says:
        assert status in {302}
        return
    kinds = {each.partition(";")[0]: content for each, content in says["content"].items()}
    assert kind in kinds
    if "schema" in kinds[kind]:
        strict(kinds[kind]["schema"]).validate(json.loads(body))


async def test_holds_the_audit_log_and_erasures_are_answered_as_the_document_says(tmp_path: Path) -> None:
    async with keeping(tmp_path) as home:
        await ended(home)
        for method, path in (("put", "/calls/{sid}/hold"), ("delete", "/calls/{sid}/hold"), ("delete", "/calls/{sid}"), ("get", "/audit")):
            status, answer = await ask(home, method, path.format(sid=CALL), bearer("erase", "audit"))
            assert status == 200
            strict(operation(method, path)["responses"]["200"]["content"]["application/json"]["schema"]).validate(answer)
        status, answer = await ask(home, "delete", "/calls?number=%2B14155550100", bearer("erase"))
        strict(operation("delete", "/calls")["responses"]["200"]["content"]["application/json"]["schema"]).validate(answer)


async def test_a_file_that_the_client_has_is_answered_as_the_document_says() -> None:
    async with house() as home:
        ScriptedCall(home.state)
        async with home.session.get(home.url(f"/calls/{CALL}/transcript.txt"), headers={"If-None-Match": "*"}) as answer:
            described = operation("get", "/calls/{sid}/transcript.{kind}")["responses"][str(answer.status)]
            assert all(name in answer.headers for name in described["headers"])


async def test_what_needs_a_token_is_what_the_document_says() -> None:
    async with house(secret=SECRET) as home:
        ScriptedCall(home.state)
        for path, asked, _ in ASKED:
            (first, *_), tag = operation("get", path)["security"], operation("get", path)["tags"][0]
            if path == "/client" or tag == "twilio":
                continue  # a token may come in a message there, and Twilio shows none
            for shown, refused in (({}, "bearer" in first), ({"Authorization": f"Bearer {token()}"}, False)):
                async with home.session.get(home.url(asked), headers=shown, allow_redirects=False) as answer:
                    assert (answer.status == 401) == refused, asked


def test_errors_have_the_form_that_the_document_says() -> None:
    validator = strict({"$ref": "#/components/schemas/ErrorAnswer"})
    validator.validate({"error": {"code": "token", "message": "this hub wants a token"}})
    assert not validator.is_valid({"error": {"code": "token"}})
    assert not validator.is_valid({"error": {"code": "token", "message": "", "more": 1}})
    assert msgspec.json.decode(msgspec.json.encode({"error": {"code": CODES[410], "message": ""}}), type=ErrorAnswer)


async def test_the_hub_serves_what_the_command_prints() -> None:
    async with house() as home, home.session.get(home.url("/openapi.json")) as answer:
        assert await answer.read() == openapi.document(openapi.addresses(DOORS))
        assert answer.content_type == "application/json"
