"""Calls whose events a test publishes itself, in a running hub: the subscribers' half without audio."""

from hub import events
from hub.calls import publisher
from hub.events import CallEnded, CallStarted, Final, Interim, TranscriberLost, TranscriberName
from hub.topics.registry import Record
from hub.web.state import State
from tests.completeness import COMPLETE
from tests.media import CALL

FROM, TO = "+14155550123", "+14155550100"


class ScriptedCall:
    """One call in a running hub."""

    def __init__(self, state: State, call: str = CALL, from_: str | None = FROM, to: str | None = TO) -> None:
        self.state = state
        self.record: Record = state.registry.open(call)
        self.call = call
        self.publisher = publisher.Publisher(self.record, state.registry)
        self.publish(
            CallStarted(
                call_sid=call, from_=from_, to=to, tracks=["inbound", "outbound"], speakers={"inbound": "caller", "outbound": "callee"},
                parameters={}, stream_sid="MZ" + "1" * 32, transcriber=TranscriberName(provider="scripted", model="test"),
            )
        )  # fmt: skip

    @property
    def offset(self) -> int:
        return self.record.topic.log.offset

    def publish(self, event: events.Durable) -> events.Durable:
        return self.publisher.publish(event)

    def interim(self, text: str, utterance: str | None = None) -> None:
        utterance = utterance or f"u{self.offset + 1}"
        self.publisher.revise(
            Interim(call_sid=self.call, utterance=utterance, revision=1, track="inbound", speaker="caller", text=text, start=0.0, end=1.0)
        )

    def final(self, text: str, utterance: str | None = None) -> None:
        utterance = utterance or f"u{self.offset + 1}"
        self.publish(
            Final(
                call_sid=self.call, utterance=utterance, revision=2, track="inbound", speaker="caller", text=text, start=0.0, end=1.0,
                words=[],
            )
        )  # fmt: skip

    def lost(self) -> None:
        self.publish(TranscriberLost(call_sid=self.call, provider="scripted", reason="for a test", attempt=1))

    def end(self) -> None:
        self.publish(CallEnded(call_sid=self.call, reason="completed", duration=1.0, completeness=COMPLETE, audio={}))
        self.state.registry.close(self.record, 1000.0)
