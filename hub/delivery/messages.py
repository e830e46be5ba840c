"""What a receiver is sent: one message for one event, in the form of Standard Webhooks.

    {"type": "final", "timestamp": "2026-11-26T10:00:00.123Z",
     "data": {"event": {…}, "call": {…}}}

`event` is the event as subscribers get it, `call` the call as lists show it. Of `call-ended`, there is also `record`, which is the call's
`transcript.json`. Pure. Does not know how a message is sent.
"""

import hashlib
from dataclasses import dataclass

import msgspec

from hub.archive.archive import StoredCall, StoredLog
from hub.events import CallSummary
from hub.transcript.exports import FORMS, Excerpt
from hub.transcript.lines import Lines

RECORD_BYTES = 4 * 1024 * 1024
"""A call whose events are larger has its record left out: receivers refuse bodies of many megabytes. That is ten hours of a call."""

TEST_TYPE = "test"
"""Of the message that `transcript-hub webhooks test` sends."""


class _Event(msgspec.Struct):
    type: str
    call_sid: str = msgspec.field(name="callSid")
    at: str


_event = msgspec.json.Decoder(_Event)
_summary = msgspec.json.Decoder(CallSummary)


@dataclass(frozen=True, slots=True)
class WebhookMessage:
    """A message, ready to be signed."""

    id: str
    """The same whenever this event is sent, so that a receiver can tell that it has it already."""
    type: str
    at: str
    """When the event happened."""
    body: bytes


def message(webhook: str, offset: int, payload: bytes, call: StoredCall, log: StoredLog | None = None) -> WebhookMessage:
    """Make the message of an event. `log`: of the whole call, where its record is to be brought along. Raises: ValueError for no event."""
    event = _event.decode(payload)
    parts = [b'{"event":', payload, b',"call":', call.facts.summary]
    if log is not None:
        parts += [b',"record":', _record(log, offset)]
    parts.append(b"}")
    body = b"".join((b'{"type":', msgspec.json.encode(event.type), b',"timestamp":"', event.at.encode(), b'","data":', *parts, b"}"))
    return WebhookMessage(_id(webhook, event, offset), event.type, event.at, body)


def trial(unix_seconds: float, at: str) -> WebhookMessage:
    """Make a message that says nothing, so that a receiver can be tried. Each has an id of its own."""
    said = "This message is a test of a webhook of the Transcript Hub. It is about no call."
    body = {"type": TEST_TYPE, "timestamp": at, "data": {"message": said}}
    return WebhookMessage(f"msg_test_{unix_seconds:.6f}".replace(".", "_"), TEST_TYPE, at, msgspec.json.encode(body))


def _id(webhook: str, event: _Event, offset: int) -> str:
    """Return the id of a message.

    The epoch is not in it: a call that goes on under a new epoch, after a crash, keeps its stored events at their places.
    """
    made_of = msgspec.json.encode([webhook, event.call_sid, offset, event.type, event.at])
    return f"msg_{hashlib.blake2b(made_of, digest_size=16).hexdigest()}"


def _record(log: StoredLog, until: int) -> bytes:
    """Return the call's `transcript.json` up to this event."""
    payloads = log.payloads[: max(0, until + 1 - log.first)]
    if sum(map(len, payloads)) > RECORD_BYTES:
        return b"null"
    summary = _summary.decode(log.call.facts.summary)
    lines = Lines()
    lines.read(payloads)
    excerpt = Excerpt(summary=summary, payloads=payloads, first=log.first, after=0, until=until)
    return b"".join(FORMS["json"].write(excerpt, lines))
