"""The buffer of an agent's audio: its order, its marks, and which messages Twilio would warn about."""

import base64
import json
from typing import Any

import pytest

from clients.pretend_twilio.playout import BadMessage, Playout
from hub.twilio.media import Speech

SPEECH = Speech("MZ1")


def playout(*messages: bytes) -> Playout:
    played = Playout("MZ1")
    for message in messages:
        played.receive(message)
    return played


def test_audio_is_played_in_order_and_a_mark_comes_back_when_what_is_before_it_was_heard() -> None:
    played = playout(SPEECH.media(b"\x01" * 240), SPEECH.mark("a"), SPEECH.media(b"\x02" * 40), SPEECH.mark("b"))
    assert played.play() == b"\x01" * 160
    assert list(played.echoes) == []
    assert played.play() == b"\x01" * 80 + b"\x02" * 40 + b"\xff" * 40
    assert list(played.echoes) == ["a", "b"]
    assert (played.now_ms, played.waiting_ms) == (40.0, 0.0)


def test_a_mark_behind_nothing_comes_back_at_once() -> None:
    assert list(playout(SPEECH.mark("a")).echoes) == ["a"]


def test_clear_silences_and_sends_every_mark_back() -> None:
    played = playout(SPEECH.media(b"\x01" * 800), SPEECH.mark("a"), SPEECH.media(b"\x01" * 800), SPEECH.mark("b"))
    played.play()
    played.receive(SPEECH.clear())
    assert list(played.echoes) == ["a", "b"]
    assert played.clears == [160]
    assert played.waiting_ms == 0
    assert played.play() == b"\xff" * 160


MEDIA: dict[str, Any] = {"event": "media", "streamSid": "MZ1", "media": {"payload": base64.b64encode(b"x").decode()}}


@pytest.mark.parametrize(
    "message",
    [
        MEDIA | {"streamSid": "MZ2"},
        MEDIA | {"track": "outbound"},
        MEDIA | {"media": {"payload": "!"}},
        MEDIA | {"event": "speak"},
        {"event": "mark", "streamSid": "MZ1"},
        "clear",
    ],
)
def test_what_twilio_would_warn_about_is_refused(message: Any) -> None:
    with pytest.raises(BadMessage, match="31951"):
        playout(json.dumps(message).encode())
