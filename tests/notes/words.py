"""Logs of calls, as a note is made of them."""

from msgspec.structs import replace

from hub.events import CallEnded, CallStarted, Durable, Final, Note, NoteSentence, TranscriberName, encode
from tests.archive.made import WHOLE


def log_of(*events: Durable) -> list[bytes]:
    """The payloads of a call with these events."""
    return [encode(_at(event, offset)) for offset, event in enumerate(events, 1)]


def _at(event: Durable, offset: int) -> Durable:
    return replace(event, epoch="e", offset=offset)


def started(**parameters: str) -> CallStarted:
    return CallStarted(
        call_sid="CA1", tracks=["inbound", "outbound"], speakers={"inbound": "caller"}, parameters=parameters, stream_sid="MZ1",
        transcriber=TranscriberName(provider="p", model="m"),
    )  # fmt: skip


def said(text: str, start: float = 0.0, *, unspoken: bool = False) -> Final:
    return Final(
        call_sid="CA1", utterance=f"u{start}", revision=1, track="inbound", speaker="caller", text=text, start=start, end=start + 1,
        words=[], unspoken=unspoken,
    )  # fmt: skip


def ended() -> CallEnded:
    return CallEnded(call_sid="CA1", reason="completed", duration=9.0, completeness=WHOLE, audio={})


def noted(end: int) -> Note:
    return Note(call_sid="CA1", model="m", ended=end, summary=[NoteSentence(text="Yes.", offsets=[2])], next_steps=[], open_questions=[])
