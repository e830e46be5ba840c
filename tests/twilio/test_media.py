"""Media Streams messages: numbers as strings, unknown events, messages out of order, and messages to the caller."""

import base64
import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import WireError
from hub.twilio.media import Connected, DtmfMessage, Mark, Media, Speech, Start, Stop, TwilioStream, decode
from tests.media import CALL, CONNECTED, STREAM, media, start, stop


def streaming() -> TwilioStream:
    wire = TwilioStream()
    wire.receive(CONNECTED)
    wire.receive(start())
    return wire


def test_the_documented_messages_are_decoded() -> None:
    wire = TwilioStream()
    assert wire.receive(CONNECTED) == Connected()
    started = wire.receive(start(parameters={"room": "42"}))
    assert isinstance(started, Start)
    assert (started.start.call_sid, started.start.stream_sid, started.start.custom_parameters) == (CALL, STREAM, {"room": "42"})
    message = wire.receive(media("outbound", 5, b"\x01\x02"))
    assert isinstance(message, Media)
    assert (message.media.track, message.media.timestamp, message.media.payload) == ("outbound", 5, b"\x01\x02")
    dtmf = '{"event":"dtmf","streamSid":"MZ","sequenceNumber":"5","dtmf":{"track":"inbound_track","digit":"1"}}'
    assert wire.receive(dtmf) == DtmfMessage(dtmf=decode(dtmf).dtmf)  # type: ignore[union-attr]
    assert isinstance(wire.receive('{"event":"mark","sequenceNumber":"4","streamSid":"MZ","mark":{"name":"my label"}}'), Mark)
    assert wire.receive(stop()) == Stop()


@pytest.mark.parametrize("timestamp", ["5", 5, "-5", -5, "1000000000000"])
def test_a_timestamp_may_be_a_string_or_a_number(timestamp: object) -> None:
    text = json.dumps({"event": "media", "media": {"track": "inbound", "timestamp": timestamp, "payload": "AQ=="}})
    message = streaming().receive(text)
    assert isinstance(message, Media)
    assert message.media.timestamp == int(timestamp)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("told", "digit", "track"),
    [
        ({"digit": "5"}, "5", "inbound_track"),
        ({"digit": 5, "track": "inbound_track"}, "5", "inbound"),
        ({"digit": 5.0, "track": None}, "5", "inbound_track"),
        ({"digit": 0, "track": "OUTBOUND"}, "0", "outbound"),
        ({"digit": "#", "track": None}, "#", "inbound_track"),
    ],
)
def test_a_key_may_be_a_number(told: dict[str, object], digit: str, track: str) -> None:
    message = streaming().receive(json.dumps({"event": "dtmf", "dtmf": told}))
    assert isinstance(message, DtmfMessage)
    assert (message.dtmf.digit, message.dtmf.track) == (digit, track)


@pytest.mark.parametrize(
    "change",
    [
        {"tracks": ["Inbound", "OUTBOUND"]},
        {"tracks": ["inbound_track", "outbound_track"]},
        {"tracks": "both_tracks"},
        {"mediaFormat": {"encoding": "AUDIO/X-MULAW", "sampleRate": "8000", "channels": 1.0}},
        {"accountSid": None, "customParameters": None},
        {"accountSid": 7, "customParameters": {"room": 42, "nothing": None}},
    ],
)
def test_a_start_may_be_spelled_otherwise(change: dict[str, object]) -> None:
    message = json.loads(start())
    message["start"].update(change)
    started = TwilioStream().receive(json.dumps(message))
    assert isinstance(started, Start)
    assert (started.start.call_sid, started.start.tracks) == (CALL, ["inbound", "outbound"])
    assert None not in started.start.custom_parameters.values()


def test_a_parameter_stays_as_it_was_written() -> None:
    written = {"a": "007", "b": "true", "c": "1e3", "d": "null", "e": ""}
    started = TwilioStream().receive(start(parameters=written))
    assert isinstance(started, Start)
    assert started.start.custom_parameters == written


def test_an_unknown_event_is_ignored() -> None:
    assert streaming().receive('{"event":"brand-new","anything":[1]}') is None


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("nope", 1007, "not JSON"),
        ("[1]", 1007, "not a JSON object"),
        ("7", 1007, "not a JSON object"),
        ("{}", 1007, "without an event name"),
        ('{"event":5}', 1007, "without an event name"),
        (b"\xff\xfe", 1007, "not JSON"),
        ('{"event":"media"}', 1007, "malformed media"),
        ('{"event":"media","media":{"track":"inbound","timestamp":"1"}}', 1007, "payload"),
        ('{"event":"media","media":{"track":"sideways","timestamp":"1","payload":""}}', 1007, "track"),
        ('{"event":"media","media":{"track":"inbound","timestamp":"soon","payload":""}}', 1007, "timestamp"),
        ('{"event":"media","media":{"track":"inbound","timestamp":"1","payload":"@@@"}}', 1007, "base64"),
        ('{"event":"media","media":{"track":"inbound","timestamp":1' + "0" * 400 + ',"payload":""}}', 1007, "timestamp"),
        ('{"event":"dtmf","dtmf":{"digit":[5]}}', 1007, "digit"),
        ('{"event":"media","x":' + "[" * 30_000, 1007, "nested too deeply"),
        ("[" * 30_000, 1007, "not a JSON object"),
        ('{"event":"start","start":' + '{"a":' * 30_000 + "1" + "}" * 30_001, 1007, "nested too deeply"),
        ('{"event":"start","start":{"customParameters":{"a":[[]]}}}', 1007, "malformed start"),
        (start(), 1002, "second start"),
    ],
)
def test_a_message_that_twilio_never_sends_is_refused_and_changes_nothing(text: str | bytes, code: int, says: str) -> None:
    wire = streaming()
    with pytest.raises(WireError, match=says) as refusal:
        wire.receive(text)
    assert refusal.value.close_code == code
    assert wire.state == "streaming"
    assert isinstance(wire.receive(media("inbound", 0)), Media)


@pytest.mark.parametrize(
    "text", [media("inbound", 0), stop(), '{"event":"mark","mark":{"name":"x"}}', '{"event":"dtmf","dtmf":{"digit":"1"}}']
)
def test_a_message_before_start_is_refused(text: str) -> None:
    wire = TwilioStream()
    with pytest.raises(WireError, match="before start") as refusal:
        wire.receive(text)
    assert refusal.value.close_code == 1002
    assert wire.state == "connecting"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"callSid": ""}, "malformed callSid or streamSid"),
        ({"callSid": "CA1\n2026 INFO forged"}, "malformed callSid or streamSid"),
        ({"streamSid": "M" * 65}, "malformed callSid or streamSid"),
        ({"tracks": []}, "without tracks"),
        ({"mediaFormat": {"encoding": "audio/l16", "sampleRate": 16000, "channels": 1}}, "not audio/x-mulaw"),
    ],
)
def test_a_start_that_cannot_be_served_is_refused(change: dict[str, object], says: str) -> None:
    message = json.loads(start())
    message["start"].update(change)
    with pytest.raises(WireError, match=says):
        TwilioStream().receive(json.dumps(message))


@pytest.mark.parametrize(
    "text",
    [
        start().replace("audio/x-mulaw", "spoken words " * 1000),
        start().replace('"inbound"', '"' + "spoken words " * 1000 + '"'),
        media("spoken words " * 1000, 0),
        start(call="spoken words " * 1000),
    ],
)
def test_an_error_repeats_only_the_beginning_of_an_unexpected_value(text: str) -> None:
    with pytest.raises(WireError) as refusal:
        (TwilioStream() if '"start"' in text else streaming()).receive(text)
    assert len(str(refusal.value)) < 250


def test_audio_after_stop_is_ignored() -> None:
    wire = streaming()
    wire.receive(stop())
    assert wire.receive(media("inbound", 0)) is None


def test_an_error_repeats_no_payload() -> None:
    secret = base64.b64encode(b"spoken words" * 20).decode()
    with pytest.raises(WireError) as refusal:
        streaming().receive('{"event":"media","media":{"track":"inbound","timestamp":1,"payload":["' + secret + '"]}}')
    assert secret[:12] not in str(refusal.value)


@given(
    st.one_of(
        st.text(),
        st.binary(),
        st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner)).map(json.dumps),
    )
)
def test_any_text_is_a_message_or_nothing_or_a_wire_error(text: str | bytes) -> None:
    with contextlib.suppress(WireError):
        decode(text)


def test_messages_to_a_bidirectional_stream_have_the_fields_twilio_knows_and_no_others() -> None:
    speech = Speech('MZ"1')
    sound = bytes(range(256))
    assert json.loads(speech.media(sound)) == {
        "event": "media",
        "streamSid": 'MZ"1',
        "media": {"payload": base64.b64encode(sound).decode()},
    }
    assert json.loads(speech.mark("0:160")) == {"event": "mark", "streamSid": 'MZ"1', "mark": {"name": "0:160"}}
    assert json.loads(speech.clear()) == {"event": "clear", "streamSid": 'MZ"1'}
