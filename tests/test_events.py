"""The vocabulary: encoded for the wire, decoded by clients, and forgiving towards a newer hub."""

import json

import pytest

from hub import events
from hub.events import CallStarted, Dtmf, Pong, Refusal, TranscriberName, decode, encode, stamped

STARTED = CallStarted(
    call_sid="CA1", at="2026-11-21T10:00:00.123Z", epoch="e", offset=1, from_="+14155550123", tracks=["inbound"],
    speakers={"inbound": "caller"}, parameters={}, stream_sid="MZ1", transcriber=TranscriberName(provider="local", model="tiny"),
)  # fmt: skip


def test_an_event_has_camel_case_names_and_leaves_out_what_is_not_known() -> None:
    assert json.loads(encode(STARTED)) == {
        "type": "call-started", "callSid": "CA1", "at": "2026-11-21T10:00:00.123Z", "epoch": "e", "offset": 1, "from": "+14155550123",
        "tracks": ["inbound"], "speakers": {"inbound": "caller"}, "parameters": {}, "streamSid": "MZ1",
        "transcriber": {"provider": "local", "model": "tiny"},
    }  # fmt: skip


def test_a_client_decodes_what_the_hub_encoded() -> None:
    for message in (STARTED, Pong(at="now"), Refusal(code="too-many", message="not so many")):
        assert decode(encode(message)) == message


def test_a_type_of_a_newer_hub_is_skipped_and_so_is_a_new_field() -> None:
    assert decode('{"type":"phrase-spotted","callSid":"CA1"}') is None
    assert decode('{"type":"dtmf","callSid":"CA1","digit":"5","track":"inbound","loudness":3}') == Dtmf(
        call_sid="CA1", digit="5", track="inbound"
    )


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"type":5}', '{"type":"dtmf","callSid":"CA1"}', '{"type":"dtmf","callSid":1}'])
def test_a_known_type_that_lacks_a_field_and_what_is_no_message_raise(text: str) -> None:
    with pytest.raises(ValueError):
        decode(text)


def test_every_type_has_one_name_and_a_sentence_for_the_document() -> None:
    kinds = events.Message.__args__
    assert len({kind.__struct_config__.tag for kind in kinds}) == len(kinds) == len(events.KNOWN_TYPES)
    for kind in kinds:
        assert (kind.__doc__ or "").split("\n")[0].endswith((".", "?")), kind


@pytest.mark.parametrize(
    ("unix_seconds", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1_795_255_200.1239, "2026-11-21T10:00:00.123Z"),
        (1_795_255_200.9999, "2026-11-21T10:00:00.999Z"),
    ],
)
def test_a_moment_is_written_in_utc_with_milliseconds(unix_seconds: float, text: str) -> None:
    assert stamped(unix_seconds) == text
