"""The messages of one media stream, as Twilio writes them: twilio.com/docs/voice/media-streams/websocket-messages from Twilio's side.

Knows fields, numbers and names. Sans-I/O: does not know sockets, clocks, or where the audio comes from.
"""

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from hub.audio.g711 import Track

FIRST_TIMESTAMP_MS = 5
"""A stream's first timestamp is not 0: Twilio's own example shows 5. A reader that relies on 0 should fail here first."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One media message. It is sent `at_ms` after the stream began, `copies` times: 0 is a lost frame, 2 is a duplicate."""

    track: Track
    chunk: int
    timestamp_ms: int
    payload: bytes
    at_ms: float = 0.0
    copies: int = 1


class MediaStreamMessages:
    """Composes the messages of one stream and numbers them. Each method returns JSON as bytes, to be sent as a text message."""

    def __init__(self, call_sid: str, stream_sid: str) -> None:
        self.call_sid = call_sid
        self.stream_sid = stream_sid
        self.account_sid = new_sid("AC")
        self._sequence = 0
        """The last message's sequenceNumber. Both tracks share one count."""

    def connected(self) -> bytes:
        """Compose the first message, the only one without a number and a streamSid."""
        return msgspec.json.encode({"event": "connected", "protocol": "Call", "version": "1.0.0"})

    def start(self, tracks: list[Track], parameters: Mapping[str, str]) -> bytes:
        """Compose the message that announces the call, its tracks and its parameters."""
        start = {
            "accountSid": self.account_sid,
            "streamSid": self.stream_sid,
            "callSid": self.call_sid,
            "tracks": tracks,
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": dict(parameters),
        }
        return self.numbered("start", start)

    def media(self, frame: Frame) -> bytes:
        """Compose one frame's message. Its numbers are strings, as Twilio sends them."""
        media = {
            "track": frame.track,
            "chunk": str(frame.chunk),
            "timestamp": str(frame.timestamp_ms),
            "payload": base64.b64encode(frame.payload).decode("ascii"),
        }
        return self.numbered("media", media)

    def stop(self) -> bytes:
        """Compose the last message."""
        return self.numbered("stop", {"accountSid": self.account_sid, "callSid": self.call_sid})

    def numbered(self, event: str, body: dict[str, Any]) -> bytes:
        """Compose a message of any kind but the first, with the next sequenceNumber."""
        self._sequence += 1
        message = {"event": event, "sequenceNumber": str(self._sequence), event: body, "streamSid": self.stream_sid}
        return msgspec.json.encode(message)


def new_sid(prefix: str) -> str:
    """Return a random identifier in Twilio's form: two letters and 32 hexadecimal digits."""
    return prefix + secrets.token_hex(16)
