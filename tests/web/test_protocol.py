"""The messages that subscribers may send, and the frames that they get."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import WireError
from hub.events import Position
from hub.web.doors.protocol import (
    Authenticate,
    Bare,
    Listen,
    Ping,
    Subscribe,
    Unlisten,
    Unsubscribe,
    decode,
)


@pytest.mark.parametrize(
    ("text", "request_"),
    [
        ("CA123", Bare("CA123")),
        ("  CA123\n", Bare("CA123")),
        ("\ufeffCA123\r\n", Bare("CA123")),
        ('{"action":"subscribe","callSid":"CA1"}', Subscribe(call_sid="CA1")),
        (
            '{"action":"subscribe","callSid":"CA1","after":{"epoch":"e","offset":12},"interims":false}',
            Subscribe(call_sid="CA1", after=Position("e", 12), interims=False),
        ),
        ('{"action":"unsubscribe","callSid":"CA1"}', Unsubscribe(call_sid="CA1")),
        ('{"action":"subscribe","number":"+14155550100"}', Subscribe(number="+14155550100")),
        ('{"action":"subscribe","number":"+1 415 555-0100","interims":false}', Subscribe(number="+14155550100", interims=False)),
        ('{"action":"unsubscribe","number":"sip:+14155550100@pbx"}', Unsubscribe(number="+14155550100")),
        ('{"action":"subscribe","calls":"all"}', Subscribe(calls="all")),
        ('{"action":"unsubscribe","calls":"all"}', Unsubscribe(calls="all")),
        ('{"action":"listen","callSid":"CA1"}', Listen("CA1")),
        ('{"action":"unlisten","callSid":"CA1"}', Unlisten("CA1")),
        ('{"action":"authenticate","token":"a.b.c"}', Authenticate("a.b.c")),
        ("eyJh.eyJj.c2ln", Authenticate("eyJh.eyJj.c2ln")),
        ('{"action":"ping"}', Ping()),
    ],
)
def test_every_form_of_request_is_decoded(text: str, request_: object) -> None:
    assert decode(text) == request_


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "neither"),
        ("two words", "neither"),
        ("{", "neither"),
        ("[]", "must be one of subscribe"),
        ('{"action":"dance"}', "must be one of subscribe"),
        ('{"action":"subscribe"}', "exactly one of callSid, number"),
        ('{"action":"subscribe","number":"anonymous"}', r"cannot be one: write it with its country code, as \+14155550100"),
        ('{"action":"subscribe","number":"415 555 0100"}', "with its country code"),
        ('{"action":"unsubscribe","number":""}', "with its country code"),
        ('{"action":"subscribe","callSid":"CA1","number":"+1"}', "exactly one of callSid, number"),
        ('{"action":"subscribe","calls":"some"}', "malformed subscribe"),
        ('{"action":"subscribe","number":"+1","after":{"epoch":"e","offset":1}}', "positions are per call"),
        ('{"action":"listen"}', "malformed listen.*callSid"),
        ('{"action":"listen","callSid":"CA1","number":"+1"}', "malformed listen.*number"),
        ('{"action":"authenticate","token":7}', "malformed authenticate$"),
        ('{"action":"subscribe","callSid":"CA1","after":{"epoch":"e"}}', "malformed subscribe.*offset"),
        ('{"action":"subscribe","callSid":"CA1","afterr":1}', "afterr"),
    ],
)
def test_a_malformed_request_is_refused_with_what_is_wrong(text: str, says: str) -> None:
    with pytest.raises(WireError, match=says):
        decode(text)


@given(st.text())
def test_any_text_is_a_request_or_a_wire_error(text: str) -> None:
    with contextlib.suppress(WireError):
        decode(text)
