"""Twilio's messages, as tests send them."""

import base64
import json

CALL = "CA" + "1" * 32
STREAM = "MZ" + "1" * 32
CONNECTED = json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"})


def start(
    call: str = CALL, stream: str = STREAM, tracks: tuple[str, ...] = ("inbound", "outbound"), parameters: dict[str, str] | None = None
) -> str:
    return json.dumps({
        "event": "start", "sequenceNumber": "1", "streamSid": stream,
        "start": {
            "accountSid": "AC" + "0" * 32, "streamSid": stream, "callSid": call, "tracks": list(tracks),
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": parameters or {},
        },
    })  # fmt: skip


def media(track: str, at_ms: int, payload: bytes = b"\x7f" * 160, stream: str = STREAM) -> str:
    return json.dumps({
        "event": "media", "sequenceNumber": str(at_ms // 20 + 2), "streamSid": stream,
        "media": {"track": track, "chunk": str(at_ms // 20 + 1), "timestamp": str(at_ms), "payload": base64.b64encode(payload).decode()},
    })  # fmt: skip


def stop(call: str = CALL, stream: str = STREAM) -> str:
    return json.dumps(
        {"event": "stop", "sequenceNumber": "9", "streamSid": stream, "stop": {"accountSid": "AC" + "0" * 32, "callSid": call}}
    )
