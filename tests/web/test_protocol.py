"""The messages that subscribers may send, and the frames that they get."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import WireError
from hub.web.protocol import (
    Authenticate,
    Bare,
    Listen,
    Ping,
    Position,
    Subscribe,
    Unlisten,
    Unsubscribe,
    close_frame,
    decode,
    sound_frame,
    text_frame,
)


@pytest.mark.parametrize(
    ("text", "request_"),
    [
        ("CA123", Bare("CA123")),
        ("  CA123\n", Bare("CA123")),
        ('{"action":"subscribe","callSid":"CA1"}', Subscribe(call_sid="CA1")),
        (
            '{"action":"subscribe","callSid":"CA1","after":{"epoch":"e","offset":12},"interims":false}',
            Subscribe(call_sid="CA1", after=Position("e", 12), interims=False),
        ),
        ('{"action":"unsubscribe","callSid":"CA1"}', Unsubscribe(call_sid="CA1")),
        ('{"action":"subscribe","number":"+14155550100"}', Subscribe(number="+14155550100")),
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


@pytest.mark.parametrize(
    ("size", "head"), [(0, b"\x81\x00"), (125, b"\x81\x7d"), (126, b"\x81\x7e\x00\x7e"), (65536, b"\x81\x7f\0\0\0\0\0\x01\0\0")]
)
def test_frames_have_the_shortest_length_form(size: int, head: bytes) -> None:
    assert text_frame(b"x" * size) == head + b"x" * size


def test_sound_is_a_binary_message_with_its_number_and_call_time_ahead() -> None:
    assert sound_frame(7, 93_000, b"LRLR") == b"\x82\x0c" + bytes((0, 0, 0, 7, 0, 1, 0x6B, 0x48)) + b"LRLR"
    assert sound_frame(2**32 - 1, 2**32 - 1, bytes(1600))[:12] == b"\x82\x7e\x06\x48" + b"\xff" * 8


def test_a_close_reason_is_cut_between_characters() -> None:
    frame = close_frame(4408, "ä" * 100)
    assert frame[:2] == b"\x88\x7c"
    assert frame[4:].decode() == "ä" * 61
