"""A call that a test says by hand, published as a hub publishes it, without sockets: for what is told of its statistics."""

from hub.calls.live_statistics import LiveStatistics
from hub.calls.publisher import Publisher
from hub.events import CallEnded, Durable, TranscriberName, decode_durable
from hub.insight.redaction.redactor import Redactor
from hub.topics.past import Past
from hub.topics.record import Record
from hub.topics.registry import Registry
from hub.transcribers.utterances import Recognized
from tests.topics.audience import Town

NAME = TranscriberName(provider="scripted", model="test")


class Desk(Town):
    """A call whose words the test says, and those who follow it, in a time that the test sets."""

    def __init__(self, past: Past | None = None, *, epoch: str = "epoch", redactor: Redactor | None = None) -> None:
        """`past`: of a call that an earlier process left behind; its log goes on in this epoch. None: the call begins now."""
        super().__init__()
        self.registry = Registry(keep_seconds=60.0, clock=self.clock, wall=self.clock, soon=self.clock.soon)
        self.registry.redactor = redactor
        self.record: Record = self.registry.open("CA1") if past is None else self.registry.restore("CA1", epoch, 1, past)
        self.publisher = Publisher(self.record, self.registry)
        if past is None:
            self.publisher.began("MZ1", {}, ["inbound", "outbound"], NAME)
        self.live = LiveStatistics(self.registry)

    def say(self, start: float, end: float, text: str = "some words") -> None:
        self.publisher.report(Recognized("inbound", start, end, text, settled=True, closes=True))

    def tell(self) -> None:
        self.live.tell(self.record)

    def end(self, at: float) -> CallEnded:
        return self.publisher.ended("completed", at * 1000, {}, complete=True)

    def events(self) -> list[Durable]:
        return [event for payload in self.record.topic.log.after(0) if (event := decode_durable(payload)) is not None]
