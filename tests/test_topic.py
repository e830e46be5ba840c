"""The topic and its outboxes: in order, each durable event once, replay joined to live, interims merged, the slow cut off."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from hub import topic as topics
from hub.errors import Lagged
from hub.events import Dtmf, Final, Interim
from hub.outbox import BATCH_BYTES, FREE_BYTES, IDLE_SECONDS, LIMIT_BYTES, Outbox, Rounds
from hub.topic import Following, Topic
from hub.wire.client import Position, text_frame


class Clock:
    """Time that tests move, and what is due in it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.due: list[tuple[float, Callable[[], None]]] = []

    def __call__(self) -> float:
        return self.now

    def later(self, delay: float, callback: Callable[[], None]) -> None:
        self.due.append((self.now + delay, callback))

    def soon(self, callback: Callable[[], None]) -> None:
        self.later(0, callback)

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while ready := [each for each in self.due if each[0] <= end]:
            first = min(ready, key=lambda each: each[0])
            self.due.remove(first)
            self.now = max(self.now, first[0])
            first[1]()
        self.now = end


class Socket:
    """A transport whose peer reads when the test says so."""

    def __init__(self) -> None:
        self.buffered = b""
        self.read = b""
        self.stalled = False
        self._messages: list[dict[str, object]] = []
        self._at = 0
        """Up to where `read` was looked at."""

    def write(self, data: bytes) -> None:
        self.buffered += data
        if not self.stalled:
            self.drain()

    def get_write_buffer_size(self) -> int:
        return len(self.buffered)

    def drain(self, size: int | None = None) -> None:
        taken = self.buffered[:size]
        self.read += taken
        self.buffered = self.buffered[len(taken) :]

    def messages(self) -> list[dict[str, object]]:
        """Every whole text frame the peer has read."""
        data = self.read
        while len(data) - self._at > 1:
            size, skip = data[self._at + 1], 2
            if size == 126:
                size, skip = int.from_bytes(data[self._at + 2 : self._at + 4], "big"), 4
            elif size == 127:
                size, skip = int.from_bytes(data[self._at + 2 : self._at + 10], "big"), 10
            end = self._at + skip + size
            if len(data) < end:
                break
            self._messages.append(msgspec.json.decode(data[self._at + skip : end]))
            self._at = end
        return self._messages


class Peer:
    """One subscriber and what it was told."""

    def __init__(self, clock: Clock, rounds: Rounds) -> None:
        self.socket = Socket()
        self.lagged: Lagged | None = None
        self.outbox = Outbox(self.socket, rounds, self._cut)
        self.completed = 0

    def _cut(self, lagged: Lagged) -> None:
        self.lagged = lagged

    def follow(self, topic: Topic, after: Position | None = None, *, interims: bool = True) -> tuple[Following, bool]:
        following, whole = topic.follow(self.outbox, after=after, interims=interims, on_complete=self._complete)
        self.outbox.news(following)
        return following, whole

    def _complete(self, _: Following) -> None:
        self.completed += 1

    def offsets(self) -> list[object]:
        return [message["offset"] for message in self.socket.messages() if "offset" in message]

    def texts(self) -> list[object]:
        return [message.get("text") for message in self.socket.messages()]


class Town:
    def __init__(self) -> None:
        self.clock = Clock()
        self.rounds = Rounds(self.clock.later, self.clock)
        self.topic = Topic("CA1", "epoch", self.clock, self.clock.soon)

    def peer(self) -> Peer:
        return Peer(self.clock, self.rounds)

    def key(self, digit: str = "1", *, last: bool = False) -> None:
        self.topic.publish(Dtmf(call_sid="CA1", digit=digit, track="inbound"), last=last)

    def interim(self, text: str, utterance: str = "u1") -> None:
        self.topic.revise(
            Interim(call_sid="CA1", utterance=utterance, revision=1, track="inbound", speaker="caller", text=text, start=0.0, end=1.0)
        )

    def final(self, text: str, utterance: str = "u1") -> None:
        self.topic.publish(
            Final(
                call_sid="CA1", utterance=utterance, revision=2, track="inbound", speaker="caller", text=text, start=0.0, end=1.0, words=[]
            ),
            closes=utterance,
        )


@pytest.fixture
def town() -> Town:
    return Town()


def test_durable_events_carry_consecutive_offsets_and_the_epoch(town: Town) -> None:
    peer = town.peer()
    peer.follow(town.topic)
    town.key("1")
    town.interim("hel")
    town.key("2")
    messages = peer.socket.messages()
    assert [(m["type"], m.get("epoch"), m.get("offset")) for m in messages] == [
        ("dtmf", "epoch", 1),
        ("interim", None, None),
        ("dtmf", "epoch", 2),
    ]
    assert messages[0]["at"] == "1970-01-01T00:16:40.000Z"


def test_a_late_joiner_gets_the_history_then_the_newest_interims_then_what_comes(town: Town) -> None:
    town.key("1")
    town.interim("hel")
    town.interim("hello")
    town.interim("other", "u2")
    peer = town.peer()
    peer.follow(town.topic)
    town.final("Hello.")
    assert [(m["type"], m.get("text")) for m in peer.socket.messages()] == [
        ("dtmf", None),
        ("interim", "hello"),
        ("interim", "other"),
        ("final", "Hello."),
    ]


def test_a_position_is_resumed_exactly(town: Town) -> None:
    for digit in "123":
        town.key(digit)
    peer = town.peer()
    _, whole = peer.follow(town.topic, Position("epoch", 2))
    assert whole
    assert peer.offsets() == [3]


@pytest.mark.parametrize("position", [Position("another", 2), Position("epoch", 99), Position("epoch", -1)])
def test_a_position_that_cannot_be_resumed_starts_over_and_says_so(town: Town, position: Position) -> None:
    town.key()
    peer = town.peer()
    _, whole = peer.follow(town.topic, position)
    assert not whole
    assert peer.offsets() == [1]


def test_a_history_that_is_too_long_loses_its_oldest_and_says_so(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "HISTORY_BYTES", 5000)
    for _ in range(100):
        town.key()
    peer = town.peer()
    _, whole = peer.follow(town.topic, Position("epoch", 3))
    assert not whole
    assert peer.offsets() == list(range(int(str(peer.offsets()[0])), 101))
    assert len(peer.offsets()) < 60


def test_without_interims_only_durable_events_come(town: Town) -> None:
    peer = town.peer()
    peer.follow(town.topic, interims=False)
    town.interim("hel")
    town.final("Hello.")
    assert peer.texts() == ["Hello."]


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
    assert peer.offsets() == list(range(1, town.topic.offset + 1))


def test_the_last_event_completes_a_following_once(town: Town) -> None:
    early, late = town.peer(), town.peer()
    early.follow(town.topic)
    town.key(last=True)
    late.follow(town.topic)
    town.clock.advance(0.1)
    assert (early.completed, late.completed) == (1, 1)


def test_a_large_audience_is_served_in_slices_in_order_and_wholly(town: Town) -> None:
    peers = [town.peer() for _ in range(topics.SLICE * 3 + 5)]
    for peer in peers:
        peer.follow(town.topic)
    town.key("1")
    assert [bool(peer.offsets()) for peer in peers].count(True) == topics.SLICE
    town.key("2")
    town.interim("hello")
    town.topic.leave(next(iter(town.topic.followings)))
    town.clock.advance(0.1)
    assert all(peer.offsets() == [1, 2] for peer in peers[1:])
    assert all(peer.texts()[-1] == "hello" for peer in peers[1:])


def test_who_left_gets_nothing_more(town: Town) -> None:
    peer = town.peer()
    following, _ = peer.follow(town.topic)
    town.topic.leave(following)
    town.topic.leave(following)
    town.key()
    assert peer.offsets() == []


def test_who_leaves_while_a_large_audience_is_served_gets_nothing_more(town: Town) -> None:
    peers = [town.peer() for _ in range(topics.SLICE + 5)]
    followings = [peer.follow(town.topic)[0] for peer in peers]
    town.key("1")
    town.topic.leave(followings[-1])
    town.clock.advance(0.1)
    assert [len(peer.offsets()) for peer in peers[-3:]] == [1, 1, 0]


def test_a_replay_that_the_history_overtakes_is_cut_off_rather_than_torn(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "HISTORY_BYTES", 200_000)
    while town.topic.total_bytes < 190_000:
        town.key()
    slow = town.peer()
    slow.socket.stalled = True
    slow.follow(town.topic)
    while town.topic.total_bytes < 290_000:
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
            topic.publish(Dtmf(call_sid=topic.call_sid, digit="1", track="inbound"))
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
    peer.outbox.answer(text_frame(b" " * 10 * LIMIT_BYTES))
    town.key()
    for _ in range(100):
        town.clock.advance(0.5)
        peer.socket.drain(30_000)
        peer.outbox.answer(text_frame(b"{}"))
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
        peer.outbox.answer(text_frame(b" " * LIMIT_BYTES))
    assert peer.lagged is not None
    assert len(peer.socket.buffered) <= 2 * LIMIT_BYTES + 100
    assert len(town.rounds) == 0


class GoneSocket(Socket):
    """uvloop's transport between losing a connection and telling whoever waits on it."""

    def write(self, data: bytes) -> None:
        raise RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")


def test_a_connection_that_is_gone_costs_the_others_nothing(town: Town) -> None:
    first, gone, last = town.peer(), town.peer(), town.peer()
    for peer in (first, gone, last):
        peer.follow(town.topic)
    gone.outbox._sink = GoneSocket()
    town.key()
    assert first.offsets() == last.offsets() == [1]
    assert gone.outbox.closed
    behind, other = town.peer(), town.peer()
    for peer in (behind, other):
        peer.follow(town.topic)
        peer.socket.stalled = True
        peer.socket.write(b"x" * (FREE_BYTES + 1))
    town.key()
    behind.outbox._sink = GoneSocket()
    other.socket.stalled, other.socket.buffered = False, b""
    town.clock.advance(0.1)
    assert other.offsets() == [1, 2]
    assert len(town.rounds) == 0


def test_who_comes_back_at_the_tip_gets_no_interim_of_what_is_settled(town: Town) -> None:
    town.interim("half")
    town.final("half of it")
    peer = town.peer()
    _, whole = peer.follow(town.topic, Position("epoch", 1))
    assert whole
    assert peer.texts() == []
