"""The messages of a stream, as Twilio writes them."""

import json
import re

from clients.pretend_twilio.messages import Frame, MediaStreamMessages, new_sid
from hub.twilio import media as twilio
from tests.clients.desk import CALL, STREAM

FRAMES = [Frame(track, number + 1, 5 + 20 * number, b"\xff" * 160) for number in range(3) for track in ("inbound", "outbound")]


def test_a_stream_numbers_its_messages_across_both_tracks() -> None:
    messages = MediaStreamMessages(CALL, STREAM)
    texts = [messages.start(["inbound", "outbound"], {}), *(messages.media(frame) for frame in FRAMES), messages.stop()]
    assert [json.loads(text)["sequenceNumber"] for text in texts] == [str(number) for number in range(1, 9)]


def test_numbers_are_strings_on_the_wire() -> None:
    message = json.loads(MediaStreamMessages(CALL, STREAM).media(FRAMES[3]))
    assert message["media"] == {"track": "outbound", "chunk": "2", "timestamp": "25", "payload": message["media"]["payload"]}


def test_the_hubs_own_reader_understands_every_message() -> None:
    messages = MediaStreamMessages(CALL, STREAM)
    texts = [messages.connected(), messages.start(["inbound"], {"from": "+14155550142"}), messages.media(FRAMES[0]), messages.stop()]
    read = [twilio.decode(text.decode()) for text in texts]
    assert [type(each) for each in read] == [twilio.Connected, twilio.Start, twilio.Media, twilio.Stop]


def test_identifiers_are_random_and_look_like_twilios() -> None:
    assert new_sid("MZ") != new_sid("MZ")
    assert re.fullmatch("CA[0-9a-f]{32}", new_sid("CA"))
