"""A transcript as a vCon: the IETF's container for a conversation, which other products read.

Source: draft-ietf-vcon-vcon-core-03 of July 2026, whose syntax is 0.4.0. The dialog stands for the call itself, without its sound. The
transcript is an analysis of it, in the form of `transcript.json`, since the draft leaves the form open. So is a model's note. Pure.
"""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import msgspec

from hub.audio.g711 import TRACKS, Track
from hub.events import CallSummary, Note, decode_durable

SYNTAX = "0.4.0"

UNKNOWN = "1970-01-01T00:00:00Z"
"""The beginning of a call that is not known. The draft demands one."""


_NOTE = b'{"type":"note"'
"""How the payload of a note begins: the encoder writes the tag first."""


def vcon(summary: CallSummary, transcript: Iterator[bytes], payloads: Sequence[bytes]) -> Iterator[bytes]:
    """Yield a vCon in its unsigned form. `transcript` is a file in JSON, `payloads` are those of the log that it is made of."""
    began = _date(summary.started_at) if summary.started_at else UNKNOWN
    dialog: dict[str, Any] = {"type": "recording", "start": began, "parties": [TRACKS.index(track) for track in TRACKS]}
    if summary.duration is not None:
        dialog["duration"] = summary.duration
    if _outbound(summary):
        dialog["originator"] = TRACKS.index("outbound")
    head: dict[str, Any] = {
        "vcon": SYNTAX,
        "uuid": str(uuid5(NAMESPACE_URL, f"urn:transcript-hub:{summary.call_sid}:{summary.epoch}")),
        "created_at": began,
        "subject": f"Call {summary.call_sid}",
        "parties": [_party(summary, track) for track in TRACKS],
        "dialog": [dialog],
    }
    if summary.ended_at:
        head["updated_at"] = _date(summary.ended_at)
    analysis = {"type": "transcript", "dialog": 0, "vendor": "Transcript Hub", "schema": "transcript.json", "mediatype": "application/json"}
    if summary.transcriber is not None:
        analysis["product"] = " ".join(filter(None, (summary.transcriber.provider, summary.transcriber.model)))
    yield msgspec.json.encode(head)[:-1] + b',"analysis":[' + msgspec.json.encode(analysis | {"encoding": "json"})[:-1] + b',"body":'
    yield from transcript
    yield b"}"
    note = next((payload for payload in reversed(payloads) if payload.startswith(_NOTE)), None)
    if note is not None and isinstance(written := decode_durable(note), Note):
        yield b"," + _summary(written, note)
    yield b"]}"


def _summary(written: Note, payload: bytes) -> bytes:
    """Return a note as an analysis. Its body is the event as subscribers got it."""
    analysis = {"type": "summary", "dialog": 0, "vendor": "Transcript Hub", "product": written.model, "schema": "note"}
    return msgspec.json.encode(analysis | {"mediatype": "application/json", "encoding": "json", "body": msgspec.Raw(payload)})


def _party(summary: CallSummary, track: Track) -> dict[str, str]:
    """Return who speaks on a track. `inbound` is the far side: who calls, or whom Twilio called."""
    far = track == "inbound"
    number = summary.from_ if far != _outbound(summary) else summary.to
    party = {"name": summary.speakers.get(track, track)}
    if number and number.startswith(("sip:", "sips:")):
        party["sip"] = number
    elif number and number.startswith("+"):
        party["tel"] = number
    return party


def _outbound(summary: CallSummary) -> bool:
    return (summary.direction or "").startswith("outbound")


def _date(at: str) -> str:
    """Return a moment as RFC 8620 section 1.4 wants it: without a fraction that is zero."""
    return at.replace(".000Z", "Z")
