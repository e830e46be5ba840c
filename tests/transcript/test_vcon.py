"""A transcript as a vCon: what the draft says MUST be, and who is who."""

import json
import re
from typing import Any
from uuid import UUID

import pytest
from jsonschema import Draft202012Validator
from msgspec.structs import replace

from hub.events import Durable, Note, NoteSentence, encode
from hub.transcript.exports import FORMS, Excerpt
from hub.transcript.lines import Lines
from hub.transcript.vcon import vcon
from tests.transcript.test_files import ENDED, STARTED, final, summary

DATE = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d*[1-9])?Z$"}
SCHEMA = {
    "type": "object",
    "required": ["uuid", "created_at", "parties"],
    "additionalProperties": False,
    "properties": {
        "vcon": {"const": "0.4.0"},
        "uuid": {"type": "string"},
        "created_at": DATE,
        "updated_at": DATE,
        "subject": {"type": "string"},
        "parties": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "properties": {"name": {"type": "string"}, "tel": {"pattern": r"^\+\d+$"}, "sip": {"pattern": "^sips?:"}},
            },
        },
        "dialog": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["type", "start", "parties"],
                "additionalProperties": False,
                "properties": {
                    "type": {"enum": ["recording", "recording-set", "text", "transfer", "incomplete"]},
                    "start": DATE,
                    "duration": {"type": "number", "minimum": 0},
                    "parties": {"type": "array", "items": {"type": "integer", "minimum": 0}},
                    "originator": {"type": "integer", "minimum": 0},
                },
            },
        },
        "analysis": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["type", "dialog", "vendor", "body", "encoding"],
                "additionalProperties": False,
                "properties": {
                    "type": {"enum": ["report", "sentiment", "summary", "transcript", "translation", "tts"]},
                    "dialog": {"type": "integer", "minimum": 0},
                    "mediatype": {"pattern": r"^\w+/[\w+.-]+$"},
                    "vendor": {"type": "string"},
                    "product": {"type": "string"},
                    "schema": {"type": "string"},
                    "encoding": {"enum": ["base64url", "json", "none"]},
                    "body": {},
                },
            },
        },
    },
}
"""Sections 2 to 4 of draft-ietf-vcon-vcon-core-03, as far as they are about what the hub writes. What it does not call optional is
mandatory."""


def made(*events: Durable, kind: str = "vcon.json") -> dict[str, Any]:
    payloads = [encode(replace(event, offset=offset)) for offset, event in enumerate(events, 1)]
    lines = Lines()
    lines.read(payloads)
    excerpt = Excerpt(summary=summary(*events), payloads=payloads, first=1, after=0, until=len(payloads))
    found: dict[str, Any] = json.loads(b"".join(FORMS[kind].write(excerpt, lines)))
    return found


@pytest.mark.parametrize("events", [(), (STARTED,), (STARTED, final('He said "hi".', 1.0, 2.0), ENDED)])
def test_a_vcon_is_what_the_draft_says(events: tuple[Durable, ...]) -> None:
    found = made(*events)
    Draft202012Validator(SCHEMA).validate(found)
    assert UUID(found["uuid"]).version == 5
    assert len(found["parties"]) > max(found["dialog"][0]["parties"])
    assert found["analysis"][0]["dialog"] < len(found["dialog"])


def test_the_transcript_is_an_analysis_of_the_call() -> None:
    events = (STARTED, final("Hello.", 1.0, 2.0), ENDED)
    (analysis,) = made(*events)["analysis"]
    assert (analysis["type"], analysis["product"], analysis["encoding"]) == ("transcript", "deepgram nova-3", "json")
    assert analysis["body"] == made(*events, kind="json")


def test_a_note_is_another_analysis_and_the_newest_counts() -> None:
    said = [NoteSentence(text="They talked.", offsets=[2])]
    first, newest = (Note(call_sid="CA1", model=model, ended=3, summary=said, next_steps=[], open_questions=[]) for model in "mn")
    found = made(STARTED, final("Hello.", 1.0, 2.0), ENDED, first, newest)
    Draft202012Validator(SCHEMA).validate(found)
    transcript, note = found["analysis"]
    assert (transcript["type"], note["type"], note["product"]) == ("transcript", "summary", "n")
    assert note["body"] == transcript["body"]["events"][-1]


def test_a_call_keeps_its_name_and_another_has_another() -> None:
    assert made(STARTED)["uuid"] == made(STARTED, ENDED)["uuid"]
    other = replace(summary(STARTED), call_sid="CA2")
    assert json.loads(b"".join(vcon(other, iter([b"{}"]), [])))["uuid"] != made(STARTED)["uuid"]


@pytest.mark.parametrize(
    ("direction", "parties", "originator"),
    [
        ("inbound", [{"name": "caller", "tel": "+14155550123"}, {"name": "agent", "tel": "+14155550100"}], None),
        ("outbound-api", [{"name": "caller", "tel": "+14155550100"}, {"name": "agent", "tel": "+14155550123"}], 1),
    ],
)
def test_the_far_side_is_the_first_party_and_who_calls_is_the_originator(
    direction: str, parties: list[dict[str, str]], originator: int | None
) -> None:
    found = made(replace(STARTED, direction=direction, speakers={"inbound": "caller", "outbound": "agent"}))
    assert found["parties"] == parties
    assert found["dialog"][0].get("originator") == originator


def test_a_sip_address_is_one_and_what_is_no_number_is_left_out() -> None:
    found = made(replace(STARTED, from_="sip:ada@pbx.example.com", to="client:bob"))
    assert [set(each) - {"name"} for each in found["parties"]] == [{"sip"}, set()]


def test_moments_have_no_fraction_that_is_zero() -> None:
    found = made(STARTED, ENDED)
    assert (found["created_at"], found["updated_at"]) == ("2026-11-26T10:00:00.123Z", "2026-11-26T10:01:05Z")
    assert not re.search(r"\.0+Z", json.dumps([found["created_at"], found["updated_at"], found["dialog"][0]["start"]]))
