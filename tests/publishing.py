"""Calls whose events a test publishes itself, in a running hub: the subscribers' half without audio."""

from typing import Any

from hub import events
from hub.calls import publisher
from hub.events import CallEnded, CallStarted, Completeness, ConditionChanged, Final, Gap, Interim, TranscriberLost, TranscriberName
from hub.topics.record import Record
from hub.transcript.completeness import Measured
from hub.web.state import State
from tests.media import CALL

FROM, TO = "+14155550123", "+14155550100"


class ScriptedCall:
    """One call in a running hub."""

    def __init__(self, state: State, call: str = CALL, from_: str | None = FROM, to: str | None = TO, **more: Any) -> None:
        """`more`: further fields of its `call-started`."""
        self.state = state
        self.record: Record = state.registry.open(call)
        self.call = call
        self.publisher = publisher.Publisher(self.record, state.registry)
        self.publish(
            CallStarted(
                call_sid=call, from_=from_, to=to, tracks=["inbound", "outbound"], speakers={"inbound": "caller", "outbound": "callee"},
                stream_sid="MZ" + "1" * 32, transcriber=TranscriberName(provider="scripted", model="test"), **{"parameters": {}} | more,
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

    def final(self, text: str, utterance: str | None = None, start: float = 0.0, end: float = 1.0) -> None:
        utterance = utterance or f"u{self.offset + 1}"
        self.publish(
            Final(
                call_sid=self.call, utterance=utterance, revision=2, track="inbound", speaker="caller", text=text, start=start, end=end,
                words=[],
            )
        )  # fmt: skip

    def lost(self) -> None:
        self.publish(TranscriberLost(call_sid=self.call, provider="scripted", reason="for a test", attempt=1))

    def refused(self) -> None:
        """Let the provider refuse for good."""
        self.publish(TranscriberLost(call_sid=self.call, provider="deepgram", reason="refused the key (401)", attempt=0))
        self.condition()

    def gap(self, start: float, end: float) -> None:
        self.publish(Gap(call_sid=self.call, track="inbound", start=start, end=end, reason="no stream"))

    def condition(self, **measured: Any) -> None:
        """Publish how whole the record is so far: by what was published, and by what a live call would have measured."""
        self.publish(ConditionChanged(call_sid=self.call, completeness=self._found(Measured(**measured), ended=False)))

    def end(self) -> None:
        found = self._found(None, ended=True)
        self.publish(CallEnded(call_sid=self.call, reason="completed", duration=1.0, completeness=found, audio={}))
        self.state.registry.close(self.record, 1000.0, {})

    def _found(self, measured: Measured | None, *, ended: bool) -> Completeness:
        return self.record.outline.findings.completeness(ended=ended, measured=measured)
