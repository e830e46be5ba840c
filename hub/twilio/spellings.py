"""Other spellings of Twilio's messages, as vendors that imitate Media Streams send them: numbers for strings, capitals, null for "nothing".

Source: twilio.com/docs/voice/media-streams/websocket-messages for Twilio's own spelling. Used only for a message that does not decode as
Twilio spells it, so the usual message costs nothing. Knows spellings. Does not know which message is expected when.
"""

from typing import Any

_TEXTS = frozenset({"callSid", "streamSid", "accountSid", "digit", "name", "encoding"})
"""Fields that Twilio sends as strings, and others may send as numbers. Fields that are numbers are read from either without this."""


def usual(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message in Twilio's own spelling, as far as that is clear. What is not clear is left as it is."""
    return {name: _body(value) if isinstance(value, dict) else value for name, value in message.items() if value is not None}


def _body(body: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a message that has the event's name. A field that is null is left out: the same as one that was not sent."""
    return {name: _field(name, value) for name, value in body.items() if value is not None}


def _field(name: str, value: Any) -> Any:
    match name, value:
        case "mediaFormat" | "customParameters", dict():
            return _body(value)
        case "tracks", str():
            return _tracks([value])
        case "tracks", list():
            return _tracks(value)
        case "track", str():
            return _track(value)
        case _ if name in _TEXTS and type(value) in {int, float}:
            return f"{value:.15g}"
    return value


def _tracks(values: list[Any]) -> list[Any]:
    """Return the tracks of a `start`. `both_tracks` is how TwiML names the two of them."""
    tracks = [_track(value) if isinstance(value, str) else value for value in values]
    return ["inbound", "outbound"] if "both" in tracks or "both_tracks" in tracks else tracks


def _track(value: str) -> str:
    track = value.strip().lower()
    return track.removesuffix("_track")
