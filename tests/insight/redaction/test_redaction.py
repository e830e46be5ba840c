"""What readers get of the events of a call that are no words: keys, tools, parameters. And what a call remembers."""

import json

import pytest

from hub.events import CallStarted, Dtmf, Final, Gap, ToolCalled, ToolReturned, TranscriberName
from hub.insight.redaction.redaction import KEY, Redaction
from hub.insight.redaction.redactor import Redactor
from tests.insight.redaction.spoken import EVERYTHING, Conversation, said

CARD = "4111111111111111"


def returned(detail: str, redactor: Redactor = EVERYTHING) -> str:
    event = ToolReturned(call_sid="CA1", invocation="c1", tool="pay", outcome="result", detail=detail, time=1.0, seconds=0.1)
    return Redaction(redactor).event(event).detail


@pytest.mark.parametrize("key", ["1", "0"])
def test_each_digit_of_the_keys_is_masked_for_nobody_knows_how_many_follow(key: str) -> None:
    assert Redaction(EVERYTHING).event(Dtmf(call_sid="CA1", digit=key, track="inbound")).digit == KEY


def test_keys_without_a_digit_stay_and_all_stay_where_no_number_is_masked() -> None:
    assert Redaction(EVERYTHING).event(Dtmf(call_sid="CA1", digit="#", track="inbound")).digit == "#"
    assert Redaction(Redactor(frozenset({"email"}))).event(Dtmf(call_sid="CA1", digit="1", track="inbound")).digit == "1"


def test_what_was_typed_is_masked_when_somebody_repeats_it() -> None:
    heard = Conversation()
    for key in "4821":
        heard.redaction.event(Dtmf(call_sid="CA1", digit=key, track="inbound"))
    heard.say("You have entered four eight two one, correct", "outbound")
    assert heard.texts == ["You have entered [number], correct"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"card": CARD, "day": "Friday", "count": 2}, {"card": "[card]", "day": "Friday", "count": 2}),
        ({"card": int(CARD)}, {"card": "[card]"}),
        ({"nested": [{"account": 12345678}]}, {"nested": [{"account": "[number]"}]}),
        ({"digits": ["4", "1", "1", "1", "5", "9"]}, {"digits": ["[number]"]}),
        ({"groups": [4111, 1111, 1111, 1111]}, {"groups": ["[card]"]}),
        (
            {"at": "2026-11-26", "price": 49.99, "open": True, "note": None},
            {"at": "2026-11-26", "price": 49.99, "open": True, "note": None},
        ),
        ({"mail": "a@example.com"}, {"mail": "[email]"}),
        ({CARD: 1}, {"[card]": 1}),
        ("four one one one one two", "[number]"),
        (4821, 4821),
    ],
)
def test_the_arguments_of_a_tool_are_masked_wherever_a_number_stands(arguments: object, expected: object) -> None:
    event = ToolCalled(call_sid="CA1", invocation="c1", tool="pay", arguments=arguments, time=1.0)
    assert Redaction(EVERYTHING).event(event).arguments == expected


def test_the_result_of_a_tool_keeps_its_form() -> None:
    assert json.loads(returned(json.dumps({"ok": True, "card": CARD, "left": "12"}))) == {"ok": True, "card": "[card]", "left": "12"}
    assert returned('{"ok":  true}') == '{"ok":  true}', "to the byte if nothing is secret"
    assert returned(f"{{ not JSON {CARD}") == "{ not JSON [card]"
    assert returned(f"the arguments do not fit: {CARD} is too long") == "the arguments do not fit: [card] is too long"


def test_a_part_of_a_number_that_was_said_is_masked_in_a_tool() -> None:
    heard = said("My card is 4821 9973 1111 0005 thanks")
    event = ToolCalled(call_sid="CA1", invocation="c1", tool="pay", arguments={"last": "0005", "first": "4821"}, time=1.0)
    assert heard.redaction.event(event).arguments == {"last": "[number]", "first": "[number]"}


def test_parameters_are_masked_but_for_the_numbers_by_which_calls_are_found() -> None:
    parameters = {
        "from": "+14155550123",
        "to": "+14155550100",
        "account": "98765432",
        "queue": "sales 2",
        "inboundTrackLabel": f"Ann {CARD}",
    }
    started = CallStarted(
        call_sid="CA1", from_="+14155550123", to=None, tracks=["inbound"], speakers={"inbound": f"Ann {CARD}"}, parameters=parameters,
        stream_sid="MZ1", transcriber=TranscriberName(provider="p", model="m"),
    )  # fmt: skip
    event = Redaction(EVERYTHING).event(started)
    assert event.parameters == parameters | {"account": "[number]", "inboundTrackLabel": "Ann [card]"}
    assert event.speakers == {"inbound": "Ann [card]"}
    assert event.from_ == "+14155550123"


def test_an_event_that_says_nothing_of_people_is_the_same() -> None:
    gap = Gap(call_sid="CA1", track="inbound", start=12345.678, end=23456.789, reason="no stream")
    assert Redaction(EVERYTHING).event(gap) is gap


def test_another_node_goes_on_with_a_number_whose_beginning_the_first_one_masked() -> None:
    first = Conversation()
    first.say("My card is four one one one")
    second = Conversation(Redaction(EVERYTHING, first.finals), seconds=first.seconds)
    second.say("one one")
    assert second.texts == ["[number]"]


def test_another_node_takes_a_number_after_other_words_for_a_new_one() -> None:
    first = Conversation()
    first.say("My card is four one one one five, that is all of it")
    second = Conversation(Redaction(EVERYTHING, first.finals), seconds=first.seconds)
    second.say("two of them are red")
    assert second.texts == ["two of them are red"]


def test_a_final_that_was_published_in_another_way_is_masked_too() -> None:
    final = Final(
        call_sid="CA1", utterance="u1", revision=1, track="inbound", speaker="caller", text=f"it is {CARD}", start=0.0, end=1.0, words=[]
    )
    assert Redaction(EVERYTHING).event(final).text == "it is [card]"
