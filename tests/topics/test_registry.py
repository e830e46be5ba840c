"""The registry: what is known of calls, for how long, and who is told."""

import pytest

from hub.calls.publisher import Publisher
from hub.events import Durable, TranscriberName
from hub.topics.past import Past
from hub.topics.recalled import RECALLED_BYTES, RECALLED_CALLS, RECALLED_SECONDS
from hub.topics.record import LeftOff, Record
from hub.topics.registry import Registry
from tests.topics.audience import Clock, Peer
from tests.topics.audience import Town as _Town

NAME = TranscriberName(provider="scripted", model="test")


class Office(_Town):
    """A registry in a time that the test sets."""

    def __init__(self) -> None:
        super().__init__()
        self.registry = Registry(keep_seconds=60.0, clock=self.clock, wall=self.clock, soon=self.clock.soon)

    def call(self, call_sid: str = "CA1", **parameters: str) -> Publisher:
        publisher = Publisher(self.registry.open(call_sid), self.registry)
        publisher.began("MZ1", parameters, ["inbound"], NAME)
        return publisher


@pytest.fixture
def office() -> Office:
    return Office()


def test_a_call_is_live_from_its_start_to_its_end_and_again_when_it_begins_again(office: Office) -> None:
    publisher = office.call()
    assert office.registry.live() == ["CA1"]
    publisher.ended("completed", 1000.0, {}, complete=True)
    assert office.registry.live() == []
    assert publisher.record.left_off == LeftOff(1000.0, office.clock.now)
    assert office.call().record is publisher.record
    assert office.registry.live() == ["CA1"]


def test_an_ended_call_is_kept_for_its_time_and_a_live_one_for_ever(office: Office) -> None:
    office.call("CA1").ended("completed", 1000.0, {}, complete=True)
    office.call("CA2")
    office.clock.advance(59.9)
    assert office.registry.expire() == 0
    office.clock.advance(0.1)
    assert office.registry.expire() == 1
    assert [record.call_sid for record in office.registry] == ["CA2"]
    office.clock.advance(3600)
    assert office.registry.expire() == 0


def test_a_forgotten_calls_log_goes_with_it_unless_somebody_still_reads(office: Office) -> None:
    gone, read = office.call("CA1").record, office.call("CA2").record
    for record in (gone, read):
        Publisher(record, office.registry).ended("completed", 1000.0, {}, complete=True)
    peer = Peer(office.clock, office.rounds)
    following, _ = read.topic.audience.follow(peer.outbox)  # and nothing of it is handed over so far
    office.clock.advance(60)
    office.registry.expire()
    assert (gone.topic.log.kept_bytes, read.topic.log.kept_bytes > 0) == (0, True)
    peer.outbox.news(following)
    assert peer.offsets() == [1, 2, 3]


def test_a_subscriber_who_has_everything_is_let_go_with_the_call(office: Office) -> None:
    publisher = office.call()
    peer = Peer(office.clock, office.rounds)
    peer.follow(publisher.record.topic)
    publisher.ended("completed", 1000.0, {}, complete=True)
    office.clock.advance(60)
    office.registry.expire()
    assert (len(publisher.record.topic.audience), publisher.record.topic.log.kept_bytes) == (0, 0)
    assert office.registry.delivered == (3, 0), "deliveries of forgotten calls are still counted"


def test_a_call_that_is_forgotten_and_comes_again_is_another(office: Office) -> None:
    first = office.call().record
    Publisher(first, office.registry).ended("completed", 1000.0, {}, complete=True)
    office.clock.advance(60)
    office.registry.expire()
    assert office.call().record.topic.log.epoch != first.topic.log.epoch
    assert office.call().record.live_audio.number != first.live_audio.number


def test_watchers_are_told_what_concerns_a_call_as_a_whole_and_nothing_else(office: Office) -> None:
    told: list[tuple[str, str]] = []

    def watcher(record: Record, event: Durable, payload: bytes) -> None:
        assert payload == record.topic.log.after(event.offset - 1)[0]
        told.append((record.call_sid, str(event.__struct_config__.tag)))

    office.registry.watch(watcher)
    publisher = office.call()
    office.topic = publisher.record.topic
    office.key()
    publisher.ended("completed", 1000.0, {}, complete=True)
    office.registry.unwatch(watcher)
    office.registry.unwatch(watcher)
    office.call()
    assert told == [("CA1", "call-started"), ("CA1", "statistics"), ("CA1", "call-ended")]


def test_of_calls_that_are_read_back_in_a_row_only_the_newest_are_kept_and_those_that_are_being_replayed(office: Office) -> None:
    other = Office().call("CA0")
    other.ended("completed", 1000.0, {}, complete=True)
    payloads = other.record.topic.log.after(0)
    peer = Peer(office.clock, office.rounds)
    for number in range(RECALLED_CALLS + 100):
        record = office.registry.recall(f"CA{number}", "e" * 12, number, Past(payloads))
        if number == 5:
            record.topic.audience.follow(peer.outbox)  # and nothing of it is handed over so far
    found = [number for number in range(RECALLED_CALLS + 100) if office.registry.find(f"CA{number}") is not None]
    assert found == [5, *range(101, RECALLED_CALLS + 100)]


def test_a_call_that_was_read_back_is_kept_for_as_long_as_somebody_asks_for_it(office: Office) -> None:
    office.registry.recall("CA1", "e" * 12, 1, Past([]))
    for _ in range(3):
        office.clock.advance(RECALLED_SECONDS - 1)
        office.registry.expire()
        assert office.registry.find("CA1") is not None
    office.clock.advance(RECALLED_SECONDS)
    office.registry.expire()
    assert office.registry.find("CA1") is None


def test_however_much_is_read_back_memory_has_a_bound(office: Office) -> None:
    payloads = [b'{"type":"of a newer hub","text":"%b"}' % (b"x" * (1024 * 1024))] * 20
    for number in range(5):
        office.registry.recall(f"CA{number}", "e" * 12, number, Past(payloads))
    assert office.registry.find("CA4") is not None
    assert office.registry.kept_bytes <= RECALLED_BYTES


def test_the_clock_of_tests_is_a_clock(office: Office) -> None:
    assert isinstance(office.clock, Clock)
    assert office.registry.now() == "1970-01-01T00:16:40.000Z"
