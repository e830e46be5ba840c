"""A call's log as lines: what was said, and in its place whatever else happened."""

from hub.events import (
    AgentInterrupted,
    CallEnded,
    ConditionChanged,
    Dtmf,
    Durable,
    Final,
    Gap,
    StreamFailed,
    ToolCalled,
    ToolReturned,
    TranscriberLost,
    encode,
)
from hub.transcript.lines import Lines, TranscriptLine
from tests.completeness import COMPLETE

SID = "CA1"


def said(text: str, start: float, end: float, offset: int) -> Final:
    return Final(
        call_sid=SID, utterance=f"inbound-{offset}", revision=1, track="inbound", speaker="caller", text=text, start=start, end=end,
        words=[], offset=offset,
    )  # fmt: skip


EVENTS: list[Durable] = [
    said("Hello.", 1.0, 2.0, 2),
    Dtmf(call_sid=SID, digit="4", track="inbound", offset=3),
    TranscriberLost(call_sid=SID, provider="deepgram", reason="lost the connection", attempt=1, offset=4),
    said("", 3.0, 4.0, 5),
    said("I was cut", 8.0, 9.0, 6),
    Gap(call_sid=SID, track="inbound", start=5.0, end=7.5, reason="no stream", offset=7),
    ToolCalled(call_sid=SID, invocation="i", tool="book", arguments={"day": 1}, time=9.5, offset=8),
    ToolReturned(call_sid=SID, invocation="i", tool="book", outcome="failed", detail="no answer", time=9.9, seconds=0.4, offset=9),
    AgentInterrupted(call_sid=SID, time=10.0, heard=1.0, generated=2.0, offset=10),
    StreamFailed(call_sid=SID, stream_sid="MZ1", reason="31921", offset=11),
    ConditionChanged(call_sid=SID, completeness=COMPLETE, offset=12),
    CallEnded(call_sid=SID, reason="completed", duration=12.0, completeness=COMPLETE, audio={}, offset=13),
]


def read(events: list[Durable], after: int = 0) -> list[TranscriptLine]:
    payloads = [encode(event) for event in events]
    lines = Lines(after)
    for each in payloads:
        lines.read([each])
    return list(lines.ordered(payloads))


def test_everything_that_happened_stands_where_it_happened() -> None:
    assert [(line.start, line.speaker, line.text) for line in read(EVENTS)] == [
        (1.0, "caller", "Hello."),
        (2.0, "", "key 4"),
        (2.0, "", "deepgram lost: lost the connection"),
        (5.0, "", "inbound from 00:05.0 to 00:07.5 was not transcribed: no stream"),
        (8.0, "caller", "I was cut"),
        (9.5, "", 'the agent uses book: {"day": 1}'),
        (9.9, "", "book failed: no answer"),
        (10.0, "", "the agent was interrupted after 1.0 of 2.0 s"),
        (10.0, "", "Twilio reports that a stream failed: 31921"),
        (10.0, "", "the record so far: complete"),
        (12.0, "", "call ended: completed, 00:12.0; complete"),
    ]


def test_each_line_has_a_name_of_its_own() -> None:
    names = [line.name for line in read(EVENTS)]
    assert len(set(names)) == len(names)
