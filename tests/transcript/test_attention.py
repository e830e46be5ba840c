"""Which calls need a person's attention, and why. The dashboard's fold gives the same answers to the same cases."""

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from hub.events import AlertSummary, AttentionReason, CallStarted, Durable, TranscriberName, decode
from hub.transcript.attention import KINDS, Attention, reason_sentence, why
from hub.transcript.outline import LABEL_CHARACTERS, Outline, ToldOutline

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "attention_cases.json").read_text())


def read(case: dict[str, Any]) -> list[Durable]:
    found = [decode(json.dumps(event)) for event in case["events"]]
    return [event for event in found if isinstance(event, Durable)]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_each_case(case: dict[str, Any]) -> None:
    attention = Attention()
    for event in read(case):
        attention.apply(event)
    assert [
        {"kind": each.kind, "about": each.about, "since": each.since, "sentence": reason_sentence(each)} for each in attention.reasons
    ] == case["reasons"]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_whoever_has_only_a_summary_goes_on_from_there(case: dict[str, Any]) -> None:
    *before, last = read(case)
    whole = Outline()
    for event in before:
        whole.apply(event)
    told = ToldOutline(whole.summary("CA1", "e1", len(before)))
    for outline in (whole, told):
        outline.apply(last)
    assert told.attention.reasons == whole.attention.reasons
    assert told.summary("CA1", "e1", len(before) + 1).attention == whole.attention.reasons


def test_a_watchword_stands_between_who_is_not_transcribed_and_who_is_silent() -> None:
    given = [AttentionReason(kind=kind, about=kind, since="") for kind in reversed(KINDS)]
    assert [each.kind for each in Attention(given).reasons] == list(KINDS)
    assert reason_sentence(AttentionReason(kind="watchword", about="refund", since="")) == "watchword: refund"


def test_a_call_that_is_over_says_what_its_watchwords_found() -> None:
    one = AlertSummary(count=1, rule="refund", summary="“money back”", time=3.0)
    assert why((), None, one) == "watchword: refund (“money back”)"
    assert why((), None, replace(one, count=3)) == "3 watchwords, the last: refund (“money back”)"


def started(voice: str | None = None, **parameters: str) -> CallStarted:
    return CallStarted(
        call_sid="CA1", tracks=["inbound"], speakers={}, parameters=parameters, stream_sid="MZ1", agent=voice,
        transcriber=TranscriberName(provider="deepgram", model="nova-3"),
    )  # fmt: skip


def test_the_queue_and_the_person_are_what_the_parameters_say() -> None:
    outline = Outline()
    outline.apply(started(Agent="Maya\u202e", QUEUE="billing"))
    assert (outline.person, outline.queue, outline.answered_by) == ("Maya", "billing", "Maya")
    outline.apply(started(queue=""))
    assert (outline.person, outline.queue) == ("Maya", "billing"), "a stream that says nothing of it changes nothing"
    outline.apply(started("sales", queue="q" * 200))
    assert (outline.queue, outline.answered_by) == ("q" * LABEL_CHARACTERS, "sales")


def test_the_name_of_a_voice_agent_is_no_person() -> None:
    outline = Outline()
    parameters = {"agent": "sales"}
    event = CallStarted(
        call_sid="CA1", tracks=["inbound"], speakers={}, parameters=parameters, stream_sid="MZ1", agent="sales",
        transcriber=TranscriberName(provider="openai", model="realtime"),
    )  # fmt: skip
    outline.apply(event)
    assert (outline.person, outline.agent, outline.answered_by) == (None, "sales", "sales")
