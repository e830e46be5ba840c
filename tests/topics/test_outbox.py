"""The outbox of one subscriber: interims merged while it is behind, no call before another, and the slow cut off."""

import pytest

from hub.events import Dtmf
from hub.topics.outbox import BATCH_BYTES, FREE_BYTES, IDLE_SECONDS, LIMIT_BYTES
from hub.topics.topic import Topic
from tests.topics.audience import Socket, Town, publish


class GoneSocket(Socket):
    """uvloop's transport between losing a connection and telling whoever waits on it."""

    def write(self, data: bytes) -> None:
        raise RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")


@pytest.fixture
def town() -> Town:
    return Town()


def test_a_stalled_subscriber_gets_merged_interims_and_every_durable_event(town: Town) -> None:
    peer = town.peer()
    peer.follow(town.topic)
    peer.socket.stalled = True
    peer.socket.write(b"\x81\x00" * FREE_BYTES)
    for number in range(50):
        town.interim(f"text {number}")
    town.key("7")
    peer.socket.read = b""
    peer.socket.buffered = b""
    peer.socket.stalled = False
    town.clock.advance(0.1)
    assert [(m["type"], m.get("text")) for m in peer.socket.messages()] == [("dtmf", None), ("interim", "text 49")]


def test_no_interim_comes_after_its_final(town: Town) -> None:
    peer = town.peer()
    peer.follow(town.topic)
    peer.socket.stalled = True
    peer.socket.write(b"x" * (FREE_BYTES + 1))
    town.interim("hel")
    town.final("Hello.")
    peer.socket.buffered, peer.socket.stalled = b"", False
    town.clock.advance(0.1)
    assert [m["type"] for m in peer.socket.messages()] == ["final"]


def test_who_takes_nothing_is_cut_off_and_costs_the_others_nothing(town: Town) -> None:
    slow, quick = town.peer(), town.peer()
    slow.follow(town.topic)
    quick.follow(town.topic)
    slow.socket.stalled = True
    slow.socket.write(b"x" * (FREE_BYTES + 1))
    town.key()
    assert quick.offsets() == [1]
    town.clock.advance(IDLE_SECONDS - 0.5)
    assert slow.lagged is None
    town.clock.advance(1)
    assert slow.lagged is not None
    assert slow.lagged.idle_seconds >= IDLE_SECONDS
    assert len(town.rounds) == 0
    assert town.clock.due == [], "nothing ticks when nobody is behind"


def test_who_is_too_far_behind_is_cut_off_though_it_takes_some(town: Town) -> None:
    slow = town.peer()
    slow.follow(town.topic)
    slow.socket.stalled = True
    slow.socket.write(b"x" * (FREE_BYTES + 1))
    for _ in range(LIMIT_BYTES // 100):
        town.key()
    slow.socket.drain(10)
    town.clock.advance(0.1)
    assert slow.lagged is not None
    assert slow.lagged.behind_bytes > LIMIT_BYTES


def test_a_long_replay_is_not_lag(town: Town) -> None:
    for _ in range(2 * LIMIT_BYTES // 100):
        town.key()
    peer = town.peer()
    peer.follow(town.topic)
    town.clock.advance(1)
    assert peer.lagged is None
    assert peer.offsets() == list(range(1, town.topic.log.offset + 1))


def test_a_replay_that_the_history_overtakes_is_cut_off_rather_than_torn() -> None:
    town = Town(log_bytes=200_000)
    while town.topic.log.total_bytes < 190_000:
        town.key()
    slow = town.peer()
    slow.socket.stalled = True
    slow.follow(town.topic)
    while town.topic.log.total_bytes < 290_000:
        town.key()
        slow.socket.drain(1)
    assert slow.lagged is not None
    slow.socket.drain()
    offsets = slow.offsets()
    assert offsets == list(range(1, len(offsets) + 1))


def test_only_topics_with_news_are_asked(town: Town) -> None:
    class Asked:
        def __init__(self) -> None:
            self.count = 0

        def take(self, room_bytes: int) -> bytes:
            self.count += 1
            return b"\x81\x00"

        def waiting_bytes(self) -> int:
            return 0

    peer, sources = town.peer(), [Asked() for _ in range(3)]
    peer.outbox.news(sources[0])
    peer.socket.stalled = True
    peer.socket.write(b"x" * (FREE_BYTES + 1))
    for source in sources[1:]:
        peer.outbox.news(source)
        peer.outbox.news(source)
    peer.outbox.discard(sources[2])
    peer.socket.stalled = False
    peer.socket.drain()
    town.clock.advance(0.1)
    assert [source.count for source in sources] == [1, 1, 0]


def test_who_is_behind_on_many_calls_gets_each_in_turn(town: Town) -> None:
    other = Topic("CA2", "epoch", town.clock, town.clock.soon)
    for topic in (town.topic, other):
        for _ in range(2 * BATCH_BYTES // 100):
            publish(topic, Dtmf(call_sid=topic.call_sid, digit="1", track="inbound"))
    peer = town.peer()
    peer.socket.stalled = True
    peer.follow(town.topic)
    peer.follow(other)
    for _ in range(2):
        peer.socket.drain()
        town.clock.advance(0.01)
    peer.socket.drain()
    calls = [message["callSid"] for message in peer.socket.messages()]
    assert calls.count("CA2") > 100
    assert calls.count("CA1") > 100


def test_a_long_answer_that_was_asked_for_is_no_lag(town: Town) -> None:
    peer = town.peer()
    peer.follow(town.topic)
    peer.socket.stalled = True
    peer.outbox.answer(b" " * 10 * LIMIT_BYTES)
    town.key()
    for _ in range(100):
        town.clock.advance(0.5)
        peer.socket.drain(30_000)
        peer.outbox.answer(b"{}")
    assert peer.lagged is None
    peer.socket.drain()
    town.clock.advance(0.1)
    peer.socket.read = peer.socket.read[-100:]
    for _ in range(LIMIT_BYTES // 100):
        town.key()
    town.clock.advance(0.1)
    assert peer.lagged is not None, "and once it was taken, lag is lag again"


def test_answers_that_nobody_takes_end_at_the_limit_without_waiting_for_a_visit(town: Town) -> None:
    peer = town.peer()
    peer.socket.stalled = True
    for _ in range(100):
        peer.outbox.answer(b" " * LIMIT_BYTES)
    assert peer.lagged is not None
    assert len(peer.socket.buffered) <= 2 * LIMIT_BYTES + 100
    assert len(town.rounds) == 0


def test_a_connection_that_is_gone_costs_the_others_nothing(town: Town) -> None:
    first, gone, last = town.peer(), town.peer(), town.peer()
    for peer in (first, gone, last):
        peer.follow(town.topic)
    gone.outbox.sink = GoneSocket()
    town.key()
    assert first.offsets() == last.offsets() == [1]
    assert gone.outbox.closed
    behind, other = town.peer(), town.peer()
    for peer in (behind, other):
        peer.follow(town.topic)
        peer.socket.stalled = True
        peer.socket.write(b"x" * (FREE_BYTES + 1))
    town.key()
    behind.outbox.sink = GoneSocket()
    other.socket.stalled, other.socket.buffered = False, b""
    town.clock.advance(0.1)
    assert other.offsets() == [1, 2]
    assert len(town.rounds) == 0
