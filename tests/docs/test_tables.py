"""Tables of the pages that the code knows better: what one of them has and the other has not fails here.

Settings are held by tests/test_serve.py, metrics by tests/ops/test_deploy.py.
"""

import ast
import importlib
import re
import tomllib
from pathlib import Path
from typing import get_args

import msgspec
import pytest

import hub
from hub import events
from hub.app import application
from hub.archive.archive import ArchiveError
from hub.calls.call import EndReason
from hub.errors import WireError
from hub.events import CallEvent, CallSummary, Durable, Message
from hub.web.doors.asyncapi import CLOSE_CODES
from hub.web.doors.protocol import Action, decode
from tests.bench import model
from tests.docs.pages import TOP, codes, table, text
from tests.house import house

pytestmark = pytest.mark.one_python

INTEGRATOR, OPERATOR, ARCHITECTURE = "hub/web/README.md", "hub/deploy/README.md", "hub/README.md"

COMMON = {"callSid", "at", "epoch", "offset"}
"""Fields of every durable event: the text below the table has them."""


def wire_names(kind: type[msgspec.Struct]) -> set[str]:
    return {field.encode_name for field in msgspec.structs.fields(kind)}


def tag(kind: type[msgspec.Struct]) -> str:
    return str(kind.__struct_config__.tag)


def test_the_table_of_events_has_every_event_and_every_field() -> None:
    shown = {codes(row[0])[0]: (row[1], set(codes(row[2]))) for row in table(INTEGRATOR, "event")}
    kinds = {tag(kind): kind for kind in get_args(CallEvent)}
    assert set(shown) == set(kinds)
    for name, (durable, fields) in shown.items():
        kind = kinds[name]
        assert (durable in {"yes", "at the end"}) == issubclass(kind, Durable), name
        assert wire_names(kind) - COMMON <= fields, name
        inner = (
            wire_names(events.Word)
            | wire_names(events.TranscriberName)
            | wire_names(events.TrackAudio)
            | wire_names(events.Completeness)
            | wire_names(events.NoteSentence)
        )
        values = {"result", "refused", "failed", "timeout", "phrase", "silence", "talk-share", "duration", "wrong", "over"}
        values |= {*get_args(events.SteeringAction), *get_args(events.SteeringState)}
        assert fields - wire_names(kind) <= inner | values, name


def test_the_table_of_figures_has_every_figure() -> None:
    shown = [code for row in table(INTEGRATOR, "figure") for code in codes(row[0])]
    assert sorted(shown) == sorted(wire_names(events.CallStatistics) - {"sides"} | wire_names(events.SideStatistics))


def test_the_table_of_answers_has_every_answer_and_every_field() -> None:
    shown = {codes(row[0])[0]: set(codes(row[1])) for row in table(INTEGRATOR, "answer")}
    kinds = {tag(kind): kind for kind in get_args(Message) if kind not in get_args(CallEvent)}
    assert set(shown) == set(kinds)
    for name, fields in shown.items():
        assert fields - {"GET /calls"} == wire_names(kinds[name]) - {"at"}, name


def test_the_table_of_requests_has_every_request_and_the_hub_reads_each() -> None:
    found = [code for row in table(INTEGRATOR, "you send") for code in codes(row[0]) if code.startswith("{")]
    read = {type(decode(each.replace("CA…", "CA1"))) for each in found}
    assert read == set(get_args(Action))


def test_the_table_of_close_codes_has_every_code() -> None:
    assert {row[0] for row in table(INTEGRATOR, "close code")} == set(CLOSE_CODES)


def test_the_table_of_error_codes_has_every_code_that_a_socket_gets() -> None:
    said: set[str] = {WireError.code, ArchiveError.code}
    for module in ("all_calls", "bringing", "client", "event_stream", "events", "listening_in", "subscriptions"):
        for node in ast.walk(ast.parse((TOP / "hub" / "web" / "doors" / f"{module}.py").read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in {"refuse", "_refuse"}:
                said |= {each.value for each in node.args[:1] if isinstance(each, ast.Constant)}
    for module in ("calls/order", "calls/orders", "calls/steering", "calls/elsewhere", "web/doors/ordering"):
        for node in ast.walk(ast.parse((TOP / "hub" / f"{module}.py").read_text())):
            if isinstance(node, ast.Call) and (getattr(node.func, "id", "") == "NotTaken" or getattr(node.func, "attr", "") == "__init__"):
                said |= {each.value for each in node.args[:1] if isinstance(each, ast.Constant)}
    assert {codes(row[0])[0] for row in table(INTEGRATOR, "error code")} == said


def test_the_summary_of_a_call_has_the_fields_that_the_page_names() -> None:
    (sentence,) = re.findall(r"The fields of a summary are (.*?)\. What", text(INTEGRATOR), re.DOTALL)
    assert set(codes(sentence)) == wire_names(CallSummary)


def test_every_reason_of_an_end_is_named() -> None:
    (sentence,) = re.findall(r"\*\*Reasons of `call-ended`\*\* are (.*?)\. When", text(INTEGRATOR), re.DOTALL)
    assert set(codes(sentence)) == set(get_args(EndReason))


async def test_the_table_of_paths_has_every_route() -> None:
    shown = {code for row in table(INTEGRATOR, "method and path") for code in codes(row[0])}
    async with house() as home:
        resources = [(route.method, route.resource) for route in application(home.state).router.routes() if route.method != "HEAD"]
    assert shown == {f"{method} {resource.canonical}" for method, resource in resources if resource is not None}


def test_the_tables_of_twilios_codes_have_every_code_that_check_names() -> None:
    shown = {row[0] for row in table(OPERATOR, "code")}
    named = {code for path in (TOP / "hub" / "check").glob("*.py") for code in re.findall(r"\b[1-3]\d{4}\b", path.read_text())}
    assert named <= shown, named - shown
    assert {"31910", "31920", "31921", "31922", "31951", "11200", "11205", "11235", "11236", "11237", "12100"} <= shown


def test_the_table_of_keys_is_the_dashboards() -> None:
    source = (TOP / "clients" / "dashboard" / "keys.js").read_text()
    texts = dict(re.findall(r'"key\.([a-z-]+)": \["([^"]+)"', (TOP / "clients" / "dashboard" / "texts.js").read_text()))
    named = re.findall(r'^  \["([^"]+)", (?:"\w+"|null), "([^"]+)"\],$', source, re.MULTILINE)
    keys = {key: texts[name] for key, name in named}
    assert {codes(row[0])[0]: row[1] for row in table("clients/README.md", "key")} == keys


def test_the_table_of_extras_has_every_extra() -> None:
    extras = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {codes(row[0])[0] for row in table(OPERATOR, "extra") if codes(row[0])} == set(extras)


def test_the_table_of_rooms_has_every_room_and_every_module_beside_them() -> None:
    shown = {code.rstrip("/") for row in table(ARCHITECTURE, "room") for code in codes(row[0])}
    top = Path(hub.__file__).parent
    rooms = {each.parent.name for each in top.glob("*/__init__.py")} | {each.name for each in top.glob("*.py")} - {"__init__.py"}
    assert shown == rooms


def test_the_rooms_stand_in_the_order_of_their_floors() -> None:
    """From the lowest to the highest, as import-linter has them the other way round."""
    contracts = tomllib.loads((TOP / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    floors = next(each["layers"] for each in contracts if each["name"].startswith("Imports go only"))
    height = {name.strip().removeprefix("hub."): number for number, floor in enumerate(reversed(floors)) for name in floor.split("|")}
    shown = [code.rstrip("/").removesuffix(".py") for row in table(ARCHITECTURE, "room") for code in codes(row[0])]
    heights = [height[name] for name in shown]
    assert heights == sorted(heights), shown


CITED = re.compile(r"`([A-Z]\w+)(?:\.(\w+))?`\s+\(`([\w/]+)\.py`\)")
"""`Name.attribute` (`path.py`): the path is one in hub/."""


def test_every_name_that_the_architecture_page_cites_exists() -> None:
    cited = CITED.findall(text(ARCHITECTURE))
    assert len(cited) > 50
    for name, attribute, path in cited:
        found = getattr(importlib.import_module("hub." + path.replace("/", ".")), name, None)
        assert found is not None, f"hub/{path}.py has no {name}"
        assert not attribute or hasattr(found, attribute), f"{name} in hub/{path}.py has no {attribute}"


def test_the_tables_of_sizes_and_walls_are_what_the_model_prints() -> None:
    page = text("hub/deploy/cluster.md")
    assert "\n".join(model.sizing()) + "\n" in page
    assert "\n".join(model.largest(model.LARGEST)) + "\n" in page


def test_the_alerts_that_the_page_of_clusters_names_ring() -> None:
    ringing = set(re.findall(r"alert: (\w+)", text("hub/deploy/alerts.yml")))
    named = {code for row in table("hub/deploy/cluster.md", "what happens") for code in codes(row[2]) if code[0].isupper()}
    assert named <= ringing
    cluster = text("hub/deploy/alerts.yml").partition("transcript-hub-cluster")[2]
    assert set(re.findall(r"alert: (\w+)", cluster)) <= set(re.findall(r"`(\w+)`", text("hub/deploy/cluster.md")))
